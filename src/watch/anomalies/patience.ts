// Keeps a series that is full of surprises from a flood of findings: what was so or worse several times of late, and for
// as long, is how that series is.
import { type Episode, isNothing } from './episode.ts';
import type { Verdict } from './judge.ts';
import { DAY } from './plan.ts';

/** So many of a direction in so many days, and one that is no more unusual than they were is no news; in less time, less. */
const MANY = 5;
const FEW = 2;
const DAYS = 30;

/** As unusual, or nearly. */
const ALIKE = 0.6;

interface Surprise {
  first: number;
  last: number;
  /** See {@link sizeOf}. */
  size: number;
}

export class Patience {
  readonly #span: number;
  readonly #past: Surprise[] = [];
  #current: Surprise | null = null;

  constructor(step: number) {
    this.#span = (DAYS * DAY) / step;
  }

  /** Takes note of a finding. */
  note({ first, last, peak }: Episode): void {
    this.#past.push({ first, last, size: sizeOf(peak.value, peak.verdict) });
  }

  /**
   * @param judged how many periods have been judged
   * @returns that there were too many like it, or null. Silence is told of in any case.
   */
  explain(t: number, value: number, verdict: Verdict, judged: number): { reason: string; isException: boolean } | null {
    if (isNothing(value, verdict.expected)) return null;
    const size = sizeOf(value, verdict);
    const goesOn = this.#current !== null && t - this.#current.last <= 2 && this.#current.size * size > 0;
    const length = goesOn ? t - this.#current!.first + 1 : 1;
    let alike = 0;
    let longest = 0;
    for (let i = this.#past.length - 1; i >= 0 && this.#past[i]!.last > t - this.#span; i--) {
      const past = this.#past[i]!;
      if (past === this.#current && goesOn) continue;
      if (past.size * Math.sign(size) <= Math.abs(size) * ALIKE) continue;
      alike++;
      longest = Math.max(longest, past.last - past.first + 1);
    }
    const enough = Math.max(FEW, Math.round(MANY * Math.min(1, judged / this.#span)));
    if (alike < enough || length > 2 * longest + 3) return null;
    if (goesOn) this.#current!.last = t;
    else {
      this.#current = { first: t, last: t, size };
      this.#past.push(this.#current);
    }
    return { reason: `like ${alike} others of the last ${DAYS} days`, isException: false };
  }
}

/** How far off, in standard deviations, which stay comparable where the scale of distances has changed since. */
function sizeOf(value: number, { expected, gauge }: Verdict): number {
  const { a2, b, c } = gauge.spread;
  return (value - expected) / Math.sqrt(a2 + b * Math.abs(expected) + c * expected ** 2);
}
