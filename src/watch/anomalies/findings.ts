// What is unusual in a series: a pure function of it. Each period is judged by what came before it alone, so that the
// end of a series is judged as it would have been on the day. The order of the steps is that of `walk`.
import { Episode, isNothing, type Peak } from './episode.ts';
import { Judge, type Verdict } from './judge.ts';
import type { Explained, Finding, Judgement, Nature, Series } from './model.ts';
import { notesOn } from './notes.ts';
import { Patience } from './patience.ts';
import { Precedents } from './precedents.ts';
import { findingOf } from './reason.ts';
import { shortRun } from './runs.ts';

export interface Options {
  /** What the numbers are; read off the values if not given. */
  nature?: Nature;
  /** The least difference from what was expected that is worth telling, in the series' own unit; 0 if not given. */
  least?: number;
}

/** Judges every period of a series by those before it. Needs about n log n time and 100 bytes a period. */
export function judgeSeries(series: Series, { nature = natureOf(series.values), least = 0 }: Options = {}): Judgement {
  const walk = new Walk(series, nature, least);
  for (let t = 0; t < series.values.length; t++) walk.step(t);
  return walk.end();
}

function natureOf(values: Float64Array): Nature {
  let isWhole = true;
  for (const value of values) {
    if (value < 0) return 'measure';
    if (isWhole && !Number.isNaN(value) && !Number.isInteger(value)) isWhole = false;
  }
  return isWhole ? 'count' : 'amount';
}

class Walk {
  readonly #series: Series;
  readonly #nature: Nature;
  readonly #least: number;
  readonly #judge: Judge;
  readonly #precedents: Precedents;
  readonly #findings: Finding[] = [];
  readonly #explained: { first: number; last: number; reason: string }[] = [];
  readonly #patience: Patience;
  #open: Episode | null = null;
  /** Runs begin here: what was before is told already. */
  #told = 0;
  #judged: number | null = null;
  /** The last period found unusual. */
  #flagged = Number.NEGATIVE_INFINITY;

  constructor(series: Series, nature: Nature, least: number) {
    this.#least = least;
    this.#series = series;
    this.#nature = nature;
    this.#judge = new Judge(series, nature);
    this.#patience = new Patience(series.step);
    this.#precedents = new Precedents(this.#judge, series.values, series.start, series.step);
  }

  step(t: number): void {
    const verdict = this.#judge.judge(t);
    if (verdict === null) {
      this.#judge.settle(t, false);
      return;
    }
    this.#judged ??= t;
    if (this.#open === null) this.#look(t, verdict);
    else this.#follow(this.#open, t, verdict);
    if (this.#flagged > t - Math.max(1, this.#judge.plan.perDay)) this.#precedents.remember(t, verdict);
  }

  end(): Judgement {
    this.#close(false);
    const at = (t: number) => new Date(this.#series.start + t * this.#series.step).toISOString();
    const explained = this.#explained.map(
      ({ first, last, reason }): Explained => ({ from: at(first), to: at(last + 1), reason }),
    );
    return { findings: this.#findings, explained, notes: notesOn(this.#series, this.#judged, this.#judge.plan) };
  }

  /** Nothing unusual is going on: does it begin? */
  #look(t: number, verdict: Verdict): void {
    const value = this.#series.values[t]!;
    const single: Peak | null = this.#isFar(value, verdict) ? { t, periods: 1, value, verdict } : null;
    const peak = single ?? shortRun(t, this.#told, verdict, this.#series.values, this.#judge);
    if (peak === null || this.#judge.isForeseen(t, verdict)) {
      this.#judge.settle(t, false);
      return;
    }
    const why = this.#precedents.explain(t, verdict) ?? this.#patience.explain(t, value, verdict, t - this.#judged!);
    if (why !== null) {
      this.#explain(t, why.reason);
      this.#judge.settle(t, why.isException);
      return;
    }
    const first = t - peak.periods + 1;
    this.#judge.forget(first, t);
    this.#open = new Episode(first, peak, this.#nature);
    this.#include(this.#open, peak);
  }

  /** Something unusual is going on: does it go on? */
  #follow(open: Episode, t: number, verdict: Verdict): void {
    const value = this.#series.values[t]!;
    if (this.#isFar(value, verdict)) {
      if (Math.sign(verdict.z) === open.direction) {
        this.#include(open, { t, periods: 1, value, verdict });
        return;
      }
      this.#close(false);
      this.#look(t, verdict);
      return;
    }
    const { gap } = this.#judge.plan;
    if (open.isLike(value, verdict)) {
      this.#judge.settle(t, true);
      const far = 0.6 * (open.direction < 0 ? verdict.gauge.low : verdict.gauge.high);
      if (Math.abs(verdict.z) > far || (open.direction < 0 && isNothing(value, verdict.expected))) open.last = t;
      this.#learnIfLasting(open, t);
      return;
    }
    this.#judge.settle(t, false);
    if (open.endsWith(gap)) this.#close(false);
  }

  #include(open: Episode, peak: Peak): void {
    open.add(peak);
    this.#judge.settle(peak.t, true);
    this.#flagged = peak.t;
    this.#learnIfLasting(open, peak.t);
  }

  /** What lasts is reported once and then is how things are. */
  #learnIfLasting(open: Episode, t: number): void {
    const { learnAfter, learnZeroAfter } = this.#judge.plan;
    const isZero = open.zeros * 2 >= open.flagged;
    if (t - open.first + 1 < (isZero ? learnZeroAfter : learnAfter)) return;
    const { expected } = open.peak.verdict;
    this.#judge.accept(open.first, t, this.#nature !== 'measure' && expected * 20 < open.peak.value);
    this.#close(true);
  }

  #close(isLearnt: boolean): void {
    if (this.#open === null) return;
    const { start, step } = this.#series;
    this.#patience.note(this.#open);
    this.#findings.push(findingOf(this.#open, isLearnt, { start, step, nature: this.#nature }));
    this.#told = this.#open.last + 1;
    this.#open = null;
  }

  #explain(t: number, reason: string): void {
    const latest = this.#explained.at(-1);
    const { gap } = this.#judge.plan;
    if (latest !== undefined && latest.reason === reason && t - latest.last <= gap + 1) latest.last = t;
    else this.#explained.push({ first: t, last: t, reason });
  }

  #isFar(value: number, { z, gauge, expected }: Verdict): boolean {
    return (z < -gauge.low || z > gauge.high) && Math.abs(value - expected) >= this.#least;
  }
}
