// What is expected of a period: a profile over a cycle (a week, a day, or nothing) times the level of late, each by
// medians of what came before. Anomalous periods are handed in as unknown and leave no trace.
import type { Nature } from './model.ts';
import { medianOf } from './order.ts';

export interface Cycle {
  name: 'week' | 'day' | 'none';
  /** Periods of a cycle. */
  length: number;
  /** Cycles that the profile looks back. */
  depth: number;
  /** Periods that the level looks back. */
  window: number;
  /** Periods between two looks at the level, and at the profile. */
  relevel: number;
  reprofile: number;
  /** The same for the profile in the first cycles. */
  early: number;
}

/** Below this level counts are so coarse that their median says little; a trimmed mean is taken. */
const FEW = 15;

export class Reference {
  readonly cycle: Cycle;
  /** What was expected of each period judged so far; NaN where nothing was. */
  readonly expected: Float64Array;
  level = Number.NaN;
  readonly #clean: Float64Array;
  /** Each value over (or, of measures, above) the level of its time. */
  readonly #relative: Float64Array;
  readonly #profile: Float64Array;
  readonly #phase: number;
  readonly #nature: Nature;
  readonly #scratch: Float64Array;
  /** The level is read from here on. */
  #since = 0;

  /** @param clean the values so far, unknown where anomalous; filled by whoever judges. @param phase slot of period 0 */
  constructor(cycle: Cycle, clean: Float64Array, phase: number, nature: Nature) {
    this.cycle = cycle;
    this.#clean = clean;
    this.#phase = phase % cycle.length;
    this.#nature = nature;
    this.expected = new Float64Array(clean.length).fill(Number.NaN);
    this.#relative = new Float64Array(clean.length).fill(Number.NaN);
    this.#profile = new Float64Array(cycle.length).fill(1);
    this.#scratch = new Float64Array(Math.max(Math.min(cycle.window, clean.length), cycle.depth) + 1);
  }

  /** What is expected at `t`, from the periods before it. */
  expect(t: number): number {
    const { length, depth, relevel, reprofile, early } = this.cycle;
    if (t - this.#since < Math.max(length, 6) && Number.isNaN(this.level)) return Number.NaN;
    const isFirst = Number.isNaN(this.level);
    if (isFirst) this.#begin(t);
    if (isFirst || t % (t < length * depth ? early : reprofile) === 0) this.#reprofile(t);
    if (isFirst || t % relevel === 0) this.#relevel(t);
    const expected = this.at(t);
    this.expected[t] = expected;
    return expected;
  }

  /** What would be expected of period `t` if it were at the place of another `shift` periods later in the cycle. */
  at(t: number, shift = 0): number {
    return this.#combine(this.#profile[this.#slot(t + shift)]!, this.level);
  }

  /** Takes note of what period `t` was, once it is in `clean`. */
  learn(t: number): void {
    this.#relative[t] = this.#relate(this.#clean[t]!, this.level);
  }

  /** From period `from` to before `t` there is a new level, which counts from now on. */
  shift(from: number, t: number): void {
    this.#since = from;
    this.#relevel(t);
    for (let i = from; i < t; i++) this.learn(i);
    // What was expected of them says nothing of how well is foretold.
    this.expected.fill(Number.NaN, from, t);
  }

  /** Begins anew: what was before period `t` says nothing any more. */
  restart(t: number): void {
    this.level = Number.NaN;
    this.#since = t;
    this.expected.fill(Number.NaN, 0, t);
    this.#relative.fill(Number.NaN, 0, t);
  }

  /** How many values of the cycle's slot of `t` are looked at, and the oldest of them. */
  support(t: number): { count: number; oldest: number } {
    const { name, length, depth, window } = this.cycle;
    let count = 0;
    let oldest = t;
    const [step, most] = name === 'none' ? [1, window] : [length, depth];
    for (let k = 1, i = t - step; k <= most && i >= 0; k++, i -= step) {
      if (Number.isNaN(this.#clean[i]!)) continue;
      count++;
      oldest = i;
    }
    return { count, oldest };
  }

  #slot(t: number): number {
    const { length } = this.cycle;
    return (((t + this.#phase) % length) + length) % length;
  }

  #combine(share: number, level: number): number {
    return this.#nature === 'measure' ? share + level : share * level;
  }

  #relate(value: number, level: number): number {
    if (this.#nature === 'measure') return value - level;
    return level > 0 ? value / level : Number.NaN;
  }

  /** The level of what came before the first look is that of all of it. */
  #begin(t: number): void {
    const known = this.#clean.slice(this.#since, t).filter((value) => !Number.isNaN(value));
    this.level = this.#centre(known, known.length, 1);
    for (let i = this.#since; i < t; i++) this.learn(i);
  }

  #centre(values: Float64Array, length: number, unit: number): number {
    const median = medianOf(values, length);
    if (this.#nature !== 'count' || !(median * unit < FEW)) return median;
    // Sorted by now: without the outermost tenths, or one at each end.
    const cut = length < 5 ? 0 : Math.max(1, Math.floor(length / 20));
    let sum = 0;
    for (let i = cut; i < length - cut; i++) sum += values[i]!;
    return sum / (length - 2 * cut);
  }

  #reprofile(t: number): void {
    const { length, depth } = this.cycle;
    if (length === 1) {
      this.#profile[0] = this.#nature === 'measure' ? 0 : 1;
      return;
    }
    let total = 0;
    let slots = 0;
    for (let back = 1; back <= length; back++) {
      let count = 0;
      for (let k = 0, i = t - back; k < depth && i >= 0; k++, i -= length) {
        const relative = this.#relative[i]!;
        if (!Number.isNaN(relative)) this.#scratch[count++] = relative;
      }
      const centre = this.#centre(this.#scratch, count, this.level);
      this.#profile[this.#slot(t - back)] = centre;
      if (Number.isNaN(centre)) continue;
      total += centre;
      slots++;
    }
    // The profile is about 1 (or 0); what it is more than that belongs to the level.
    const mean = total / slots;
    for (let i = 0; i < length; i++) {
      if (this.#nature === 'measure') this.#profile[i]! -= mean;
      else if (mean > 0) this.#profile[i]! /= mean;
      else this.#profile[i] = 1;
    }
  }

  #relevel(t: number): void {
    const { window } = this.cycle;
    const from = Math.max(this.#since, t - window, 0);
    let count = 0;
    let sum = 0;
    let shares = 0;
    for (let i = t - 1; i >= from; i--) {
      const value = this.#clean[i]!;
      const share = this.#profile[this.#slot(i)]!;
      if (Number.isNaN(value) || Number.isNaN(share)) continue;
      sum += value;
      shares += share;
      if (this.#nature === 'measure') this.#scratch[count++] = value - share;
      else if (share > 0.02) this.#scratch[count++] = value / share;
    }
    // So little is known of late that the level before is the better guess.
    if (count < Math.min(window, Math.max(3, t - from)) / 4) return;
    const median = medianOf(this.#scratch, count);
    this.level = this.#nature === 'count' && median < FEW && shares > 0 ? this.#few(from, t, sum / shares) : median;
  }

  /** The level of few events: their sum over what was expected of level 1, with bursts cut off. */
  #few(from: number, t: number, mean: number): number {
    let sum = 0;
    let shares = 0;
    for (let i = from; i < t; i++) {
      const value = this.#clean[i]!;
      const share = this.#profile[this.#slot(i)]!;
      if (Number.isNaN(value) || Number.isNaN(share)) continue;
      const usual = mean * share;
      sum += Math.min(value, usual + 3 * Math.sqrt(usual) + 2);
      shares += share;
    }
    return shares > 0 ? sum / shares : mean;
  }
}
