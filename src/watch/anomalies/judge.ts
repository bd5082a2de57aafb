// Judges a series period by period: what was expected, by which history, how far off it was. Knows nothing of episodes;
// whoever calls decides what is anomalous and hands it back by `settle`.
import { type Gauge, gaugeAt, typicalError } from './gauge.ts';
import type { Nature, Series } from './model.ts';
import { type Plan, planFor } from './plan.ts';
import { Reference } from './reference.ts';
import { distance } from './spread.ts';

export interface Verdict {
  expected: number;
  /** Spreads away from the expectation. */
  z: number;
  gauge: Gauge;
  reference: Reference;
}

export class Judge {
  readonly plan: Plan;
  readonly nature: Nature;
  /** The values so far without those that were anomalous. */
  readonly clean: Float64Array;
  readonly #values: Float64Array;
  readonly #references: Reference[];
  #best: Reference | null = null;
  #gauge: Gauge | null = null;
  #refreshed = -1;
  /** History begins here. */
  #origin = 0;

  constructor({ start, step, values }: Series, nature: Nature) {
    this.plan = planFor(start, step);
    this.nature = nature;
    this.#values = values;
    this.clean = new Float64Array(values.length).fill(Number.NaN);
    // What is longer than the series can teach nothing.
    const candidates = this.plan.candidates.filter(({ cycle }) => cycle.length <= values.length);
    this.#references = candidates.map(({ cycle, phase }) => new Reference(cycle, this.clean, phase, nature));
  }

  /** The reference with a week's rhythm, where the step has one. */
  get weekly(): Reference | undefined {
    return this.#references.find(({ cycle }) => cycle.name === 'week');
  }

  /** @returns how unusual period `t` is, by what was before it; null where that says too little */
  judge(t: number): Verdict | null {
    for (const reference of this.#references) reference.expect(t);
    const { refresh } = this.plan;
    // Later on a look now and then is enough.
    const isDue = t % refresh === 0 && (t < 90 * refresh || t % (3 * refresh) === 0);
    if (isDue || (this.#gauge === null && t - this.#refreshed >= refresh)) this.#refresh(t);
    const reference = this.#best;
    const gauge = this.#gauge;
    const value = this.#values[t]!;
    if (reference === null || gauge === null || Number.isNaN(value)) return null;
    const expected = reference.expected[t]!;
    if (Number.isNaN(expected) || t < this.#origin + this.#ready(reference)) return null;
    return { expected, z: distance(gauge.spread, value, expected), gauge, reference };
  }

  /** Whether another rhythm, which the history may not support yet, would have expected just that. */
  isForeseen(t: number, { gauge, reference, z }: Verdict): boolean {
    const bound = z < 0 ? gauge.low : gauge.high;
    return this.#references.some((other) => {
      if (other.cycle.length <= reference.cycle.length) return false;
      const expected = other.expected[t]!;
      if (Number.isNaN(expected)) return false;
      return distance(gauge.spread, this.#values[t]!, expected) * Math.sign(z) < bound;
    });
  }

  /** Ends the judging of `t`: anomalous periods stay unknown to what follows. */
  settle(t: number, isAnomalous: boolean): void {
    this.clean[t] = isAnomalous ? Number.NaN : this.#values[t]!;
    for (const reference of this.#references) reference.learn(t);
  }

  /** What was taken as usual in `from` to before `to` was not. */
  forget(from: number, to: number): void {
    this.clean.fill(Number.NaN, from, to);
    for (const reference of this.#references) for (let i = from; i < to; i++) reference.learn(i);
  }

  /** The episode from `from` to `t`, inclusive, is how things are now. @param wasNothing before it, so that it begins anew */
  accept(from: number, t: number, wasNothing: boolean): void {
    this.clean.set(this.#values.subarray(from, t + 1), from);
    if (!wasNothing) {
      for (const reference of this.#references) reference.shift(from, t + 1);
      return;
    }
    this.clean.fill(Number.NaN, 0, from);
    this.#origin = from;
    this.#gauge = null;
    for (const reference of this.#references) reference.restart(from);
  }

  #refresh(t: number): void {
    this.#refreshed = t;
    const { gauge } = this.plan;
    const foretelling = this.#references.filter(({ expected }) => !Number.isNaN(expected[t]!));
    const ready = foretelling.filter((reference) => t >= this.#origin + this.#ready(reference));
    const known = ready.length > 0 ? ready : foretelling;
    if (known.length === 0) return;
    const expected = known.map((each) => each.expected);
    const errors = known.length === 1 ? [0] : typicalError(t, this.clean, expected, gauge);
    let best = known[0]!;
    let least = errors[0]!;
    for (const [i, reference] of known.entries()) {
      // A longer rhythm that foretells about as well is kept: it knows more of what is to come.
      if (!(errors[i]! < least * 0.87)) continue;
      best = reference;
      least = errors[i]!;
    }
    this.#best = best;
    this.#gauge = gaugeAt(t, this.nature, this.clean, best.expected, gauge);
  }

  #ready(reference: Reference): number {
    return this.plan.candidates.find(({ cycle }) => cycle === reference.cycle)!.ready;
  }
}
