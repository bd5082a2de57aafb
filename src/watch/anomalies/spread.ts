// How far values scatter around what is expected of them, and how many such spreads a value is away. The variance of a
// value with the expectation m is taken as a2 + b m + c m²: what does not depend on the size, what counting brings along
// (Poisson, b = 1), and what grows with the size. Distances are taken on the scale on which that variance is 1
// everywhere (the variance-stabilising transform), so that half and double are about equally far.
import type { Nature } from './model.ts';
import { medianOf, quantileOf } from './order.ts';

export interface Spread {
  a2: number;
  b: number;
  c: number;
}

/** The square of the median distance of a normal value from its centre: squares of residuals are divided by it. */
const MEDIAN_SQUARE = 0.6745 ** 2;

/** Scatter below this share of the size, of what is never negative, is not believed: nobody wants to be woken for a tenth of it. */
const LEAST_SHARE = 0.03;

/** Where Anscombe's transform of a Poisson value begins, https://doi.org/10.1093/biomet/35.3-4.246 */
const ANSCOMBE = 3 / 8;

/** @returns the place of `value` on the scale on which one spread is 1 */
export function place({ a2, b, c }: Spread, value: number): number {
  if (c > 0) {
    const variance = Math.max(0, a2 + b * value + c * value * value);
    return Math.log(Math.max(1e-300, 2 * Math.sqrt(c * variance) + 2 * c * value + b)) / Math.sqrt(c);
  }
  if (b > 0) return (2 / b) * Math.sqrt(Math.max(0, a2 + b * value));
  return value / Math.sqrt(a2);
}

/** @returns the value at a place: the inverse of {@link place} */
export function valueAt({ a2, b, c }: Spread, at: number): number {
  if (c > 0) {
    const e = Math.exp(Math.min(700, Math.sqrt(c) * at));
    return ((e - b) ** 2 * Math.sign(e - b) - 4 * c * a2) / (4 * c * e);
  }
  if (b > 0) return ((Math.max(0, at) * b) / 2) ** 2 / b - a2 / b;
  return at * Math.sqrt(a2);
}

/** How many spreads `value` is above (or, negative, below) what was expected. */
export function distance(spread: Spread, value: number, expected: number): number {
  return place(spread, value) - place(spread, expected);
}

/**
 * The spread of known values around their expectations, by medians.
 * @param residuals values less what was expected of them
 * @param expected as long
 * @param size the usual size of a value, for the floor of what can be told apart
 */
export function fitSpread(nature: Nature, residuals: Float64Array, expected: Float64Array, size: number): Spread {
  const variance = medianOver(residuals, (residual) => residual ** 2) / MEDIAN_SQUARE;
  const least = Math.max((0.01 * size) ** 2, 1e-18);
  if (nature === 'count') return counts(residuals, expected, size);
  if (nature === 'measure') return { a2: Math.max(variance, least), b: 0, c: 0 };
  return amounts(residuals, expected, variance, least);
}

function counts(residuals: Float64Array, expected: Float64Array, size: number): Spread {
  // Half of all squares lie below the median square of their own variance: solved for c that is a median again.
  const c = medianOver(residuals, (residual, i) => {
    return (residual ** 2 / MEDIAN_SQUARE - expected[i]!) / Math.max(0.25, expected[i]! ** 2);
  });
  const under = medianOver(residuals, (residual, i) => residual ** 2 / MEDIAN_SQUARE / Math.max(1, expected[i]!));
  // Whole numbers that scatter far less than counts do are no counts.
  const b = residuals.length >= 30 && size > 10 && under < 0.5 ? Math.max(0.01, under) : 1;
  return { a2: ANSCOMBE * b, b, c: Math.max(LEAST_SHARE ** 2, c) };
}

function amounts(residuals: Float64Array, expected: Float64Array, variance: number, least: number): Spread {
  const middle = medianOver(expected, (each) => each);
  const half = (isHigh: boolean): [square: number, size: number] => {
    const own = (i: number) => expected[i]! >= middle === isHigh;
    return [
      medianOver(residuals, (residual, i) => (own(i) ? residual ** 2 : Number.NaN)) / MEDIAN_SQUARE,
      medianOver(expected, (each, i) => (own(i) ? each ** 2 : Number.NaN)),
    ];
  };
  const [low, lowSize] = half(false);
  const [high, highSize] = half(true);
  if (highSize > 2.5 * lowSize) {
    const c = Math.min(Math.max(0, (high - low) / (highSize - lowSize)), high / highSize);
    return { a2: Math.max(least, low - c * lowSize), b: 0, c: Math.max(LEAST_SHARE ** 2, c) };
  }
  // Sizes too alike to tell what grows with them: as volumes do, unless it is as far below as above.
  const c = Math.max(LEAST_SHARE ** 2, variance / Math.max(middle ** 2, 1e-300));
  const isShare = middle > 0 && c < 4 && (c < 0.08 ** 2 || isSkewed(residuals, middle));
  return isShare ? { a2: least, b: 0, c } : { a2: Math.max(variance, least), b: 0, c: 0 };
}

/** Whether values lie about their middle more evenly by ratios than by differences. */
function isSkewed(residuals: Float64Array, middle: number): boolean {
  const shares = residuals.map((residual) => residual / middle).sort();
  const low = quantileOf(shares, 0.1);
  const high = quantileOf(shares, 0.9);
  return low > -1 && Math.abs(Math.log1p(low) + Math.log1p(high)) < Math.abs(low + high);
}

function medianOver(values: Float64Array, of: (value: number, i: number) => number): number {
  const results = values.map(of).filter((each) => !Number.isNaN(each));
  return medianOf(results, results.length);
}
