// Whether something unusual was like this before: at the same time of some days or weeks before, on the same date of a
// year before, or on another day that was like a day of rest (a holiday). What has been so before is no news.
import type { Judge, Verdict } from './judge.ts';
import { DAY, WEEK } from './plan.ts';
import { distance } from './spread.ts';

/** As unusual, or nearly: this share of the distance. */
const ALIKE = 0.6;

/** How far a day may be off a day of rest, in spreads or as a share; wider once there were two, for one may be chance. */
const TOLERANCE = { 1: { spreads: 1.7, share: 0.1 }, 2: { spreads: 2.4, share: 0.13 } } as const;

export class Precedents {
  readonly #judge: Judge;
  readonly #values: Float64Array;
  readonly #start: number;
  readonly #step: number;
  /** Starts of the days that were unusual for their weekday and like a day of rest. */
  readonly #restful: number[] = [];

  constructor(judge: Judge, values: Float64Array, start: number, step: number) {
    this.#judge = judge;
    this.#values = values;
    this.#start = start;
    this.#step = step;
  }

  /** @returns why period `t` is no news, in words, and whether it is still an exception; or null */
  explain(t: number, verdict: Verdict): { reason: string; isException: boolean } | null {
    if (this.#isRestful(t, verdict)) {
      const day = new Date(this.#restful.at(-1)!).toISOString().slice(0, 10);
      return { reason: `like a day of rest, as ${day} was`, isException: true };
    }
    if (this.#step <= DAY) {
      const years = [364, 365, 366, 728, 729, 730, 731].filter((days) => this.#isAlike(t, verdict, days * DAY));
      if (years.length > 0) return { reason: 'like the same days of a year before', isException: true };
    }
    const recurring = this.#recurring(t, verdict);
    return recurring === null ? null : { reason: recurring, isException: false };
  }

  /** At a period that is unusual, or on whose day one was: remembers the day if it is like a day of rest as a whole. */
  remember(t: number, verdict: Verdict): void {
    const { perDay } = this.#judge.plan;
    const at = this.#start + t * this.#step;
    // Of a shorter step only a whole day is one: asked at its last period.
    if (perDay < 1 || (at + this.#step) % DAY !== 0 || t < perDay) return;
    if (perDay === 1) {
      if (this.#isNearRest(t, verdict, 2)) this.#restful.push(at);
      return;
    }
    const { alike, telling } = this.#day(t - perDay + 1, t, verdict);
    if (telling > perDay / 4 && alike > telling * 0.75) this.#restful.push(at + this.#step - DAY);
  }

  #isRestful(t: number, verdict: Verdict): boolean {
    const { perDay } = this.#judge.plan;
    if (this.#restful.length === 0 || verdict.z > 0) return false;
    if (verdict.reference.cycle.name !== 'week') return false;
    if (perDay === 1) return this.#isNearRest(t, verdict, this.#restful.length > 1 ? 2 : 1);
    // A day of rest is one from its beginning; what begins in the middle of a day is something else.
    const { alike, telling } = this.#day(
      t - Math.round(((this.#start + t * this.#step) % DAY) / this.#step),
      t,
      verdict,
    );
    const [rest = Number.NaN] = this.#restDays(verdict.reference, t);
    const z = distance(verdict.gauge.spread, this.#values[t]!, verdict.reference.at(t, rest * perDay));
    return Math.abs(z) < verdict.gauge.low * 0.85 && alike >= telling * 0.65;
  }

  /** In how many of these periods a day of rest would be clearly another than the day itself, and was it. */
  #day(from: number, to: number, verdict: Verdict): { alike: number; telling: number } {
    const { gauge, reference } = verdict;
    let alike = 0;
    let telling = 0;
    const [rest] = this.#restDays(reference, from);
    if (rest === undefined) return { alike, telling };
    for (let i = Math.max(0, from); i <= to; i++) {
      const value = this.#values[i]!;
      const other = reference.at(i, rest * this.#judge.plan.perDay);
      if (Number.isNaN(value) || !(Math.abs(distance(gauge.spread, reference.at(i), other)) > 2)) continue;
      telling++;
      const isNearer =
        Math.abs(distance(gauge.spread, value, other)) < Math.abs(distance(gauge.spread, value, reference.at(i)));
      if (isNearer && Math.abs(distance(gauge.spread, value, other)) < gauge.low * 0.85) alike++;
    }
    return { alike, telling };
  }

  /** Whether a day is what the quietest day of the week would be, where that is clearly quieter. */
  #isNearRest(t: number, { gauge, reference, expected }: Verdict, seen: 1 | 2): boolean {
    const [rest] = this.#restDays(reference, t);
    if (rest === undefined) return false;
    const other = reference.at(t, rest);
    const value = this.#values[t]!;
    const { spreads, share } = TOLERANCE[seen];
    const z = Math.abs(distance(gauge.spread, value, other));
    return other < 0.9 * expected && (z < spreads || Math.abs(value / other - 1) < share);
  }

  /** Days from that of `t` to the quietest day of the week, unless it is that itself. */
  #restDays(reference: Verdict['reference'], t: number): number[] {
    const { perDay } = this.#judge.plan;
    const sizes: [days: number, size: number][] = [];
    for (let day = 0; day < 7; day++) {
      let size = 0;
      const hours = Math.min(perDay, 24);
      for (let hour = 0; hour < hours; hour++) {
        const at = reference.at(t - (t % perDay), day * perDay + Math.floor((hour * perDay) / hours));
        if (!Number.isNaN(at)) size += at;
      }
      sizes.push([day, size]);
    }
    const [[day]] = sizes.sort((a, b) => a[1] - b[1]) as [[number, number]];
    return day === 0 ? [] : [day];
  }

  #recurring(t: number, verdict: Verdict): string | null {
    const { perDay } = this.#judge.plan;
    const isZero = this.#values[t] === 0;
    const times = (span: number, most: number) => {
      let count = 0;
      for (let k = 1; k <= most; k++) if (this.#isAlike(t, verdict, k * span)) count++;
      return count;
    };
    if (perDay >= 2 && times(DAY, 7) >= (isZero ? 5 : 3)) return 'like the same time of the days before';
    if (this.#step <= WEEK && times(WEEK, 5) >= (isZero ? 4 : 3)) return 'like the same time of the weeks before';
    return null;
  }

  #isAlike(t: number, { gauge, reference, z }: Verdict, span: number): boolean {
    const middle = t - span / this.#step;
    if (!Number.isInteger(middle)) return false;
    // Of short periods the neighbours count too: nothing recurs to the minute.
    const reach = this.#judge.plan.perDay > 24 ? 1 : 0;
    for (let i = Math.max(0, middle - reach); i <= middle + reach; i++) {
      const then = distance(gauge.spread, this.#values[i] ?? Number.NaN, reference.expected[i] ?? Number.NaN);
      if (then * Math.sign(z) > Math.abs(z) * ALIKE) return true;
    }
    return false;
  }
}
