// From how far on a value counts as unusual, learnt from how far usual ones were off. Looks only back.
import type { Nature } from './model.ts';
import { quantileOf } from './order.ts';
import { distance, fitSpread, type Spread } from './spread.ts';

export interface Gauge {
  spread: Spread;
  /** Spreads below and above the expectation from which on a value is unusual; both positive. */
  low: number;
  high: number;
  /** How many residuals it was learnt from. */
  count: number;
}

/** How far to look, and how often a usual value may be taken for an unusual one. */
export interface GaugeRule {
  /** Periods to look back. */
  window: number;
  /** Every how many of them one is looked at. */
  stride: number;
  /** Spreads below which nothing is unusual. */
  least: number;
  /** Share of usual values that may lie outside, on each side. */
  falseShare: number;
}

const FEWEST = 12;

/** Above this many times `least` nothing is called usual any more. */
const MOST = 3;

/** @returns what the residuals before `t` teach; null where they are too few */
export function gaugeAt(
  t: number,
  nature: Nature,
  clean: Float64Array,
  expected: Float64Array,
  { window, stride, least, falseShare }: GaugeRule,
): Gauge | null {
  const from = Math.max(0, t - window);
  const values = new Float64Array(Math.ceil((t - from) / stride));
  const centres = new Float64Array(values.length);
  let count = 0;
  for (let i = t - 1; i >= from; i -= stride) {
    if (Number.isNaN(clean[i]!) || Number.isNaN(expected[i]!)) continue;
    values[count] = clean[i]!;
    centres[count++] = expected[i]!;
  }
  if (count < FEWEST) return null;
  const known = values.subarray(0, count);
  const around = centres.subarray(0, count);
  const residuals = known.map((value, i) => value - around[i]!);
  const size = Math.abs(quantileOf(around.slice().sort(), 0.5));
  const spread = fitSpread(nature, residuals, around, size);
  const distances = known.map((value, i) => distance(spread, value, around[i]!)).sort();
  // With few residuals their spread itself is uncertain (as Student's distribution is wider than the normal one).
  const start = least * (1 + 5 / count);
  const bound = (at: (share: number) => number): number => {
    const often = at(0.05);
    const seldom = at(0.01);
    // Beyond what was seen the tail is taken as exponential, heavier than a normal one.
    const reach = Math.log(0.05 / falseShare) / Math.log(5);
    return Math.min(MOST * start, Math.max(start, often + (seldom - often) * reach));
  };
  return {
    spread,
    low: bound((share) => -quantileOf(distances, share)),
    high: bound((share) => quantileOf(distances, 1 - share)),
    count,
  };
}

/** The median distance between values and expectations over the same look back: the less, the better they foretell. */
export function typicalError(
  t: number,
  clean: Float64Array,
  expected: readonly Float64Array[],
  { window, stride }: GaugeRule,
): number[] {
  const from = Math.max(0, t - window);
  const errors = expected.map(() => [] as number[]);
  for (let i = t - 1; i >= from; i -= stride) {
    if (Number.isNaN(clean[i]!) || expected.some((each) => Number.isNaN(each[i]!))) continue;
    for (const [which, each] of expected.entries()) errors[which]!.push(Math.abs(clean[i]! - each[i]!));
  }
  return errors.map((each) => quantileOf(Float64Array.from(each).sort(), 0.5));
}
