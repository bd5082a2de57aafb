// Unusual periods that belong together. An episode goes on while values look more like it than like what is usual, and
// ends once some have been usual again.
import type { Verdict } from './judge.ts';
import type { Nature } from './model.ts';
import { distance } from './spread.ts';

export interface Peak {
  t: number;
  /** How many periods are judged together, ending at `t`. */
  periods: number;
  value: number;
  verdict: Verdict;
}

export class Episode {
  readonly first: number;
  readonly direction: number;
  /** The last unusual period. */
  last: number;
  peak: Peak;
  flagged = 0;
  zeros = 0;
  #usual = 0;
  #observed = 0;
  #expected = 0;
  readonly #nature: Nature;

  constructor(first: number, peak: Peak, nature: Nature) {
    this.first = first;
    this.last = peak.t;
    this.peak = peak;
    this.direction = Math.sign(peak.verdict.z);
    this.#nature = nature;
  }

  /** Another unusual period. */
  add(peak: Peak): void {
    const { t, value, verdict, periods } = peak;
    this.last = t;
    this.flagged++;
    if (isNothing(value, verdict.expected)) this.zeros++;
    this.#usual = 0;
    this.#observed += value;
    this.#expected += verdict.expected;
    if (periods === 1 && (this.peak.periods > 1 || Math.abs(verdict.z) > Math.abs(this.peak.verdict.z)))
      this.peak = peak;
  }

  /** A period that is not unusual by itself. @returns whether it looks more like this episode than like usual */
  isLike(value: number, { expected, gauge, z }: Verdict): boolean {
    if (z * this.direction < 0.75) return false;
    const typical =
      this.#nature === 'measure'
        ? expected + (this.#observed - this.#expected) / this.flagged
        : expected * (this.#observed / this.#expected);
    return Math.abs(distance(gauge.spread, value, typical)) < Math.abs(z);
  }

  /** A usual period. @returns whether that ends the episode */
  endsWith(gap: number): boolean {
    this.#usual++;
    return this.#usual > gap;
  }
}

/** As good as nothing, where something was expected. */
export function isNothing(value: number, expected: number): boolean {
  return expected > 0 && value >= 0 && value <= 0.01 * expected;
}
