// What scenarios hand over: named figures, one value a round; and how they are summed up. Pure.

/** One measured thing. Its id is `<scenario>.<name>` and stays the same, for results are compared by it. */
export interface Figure {
  id: string;
  /** What it is, in a few words. */
  work: string;
  /** `s`, `ms`, `MiB`, `/s` (a second), `×` (a ratio) or '' (a bare number). */
  unit: Unit;
  /** A value for each round. */
  values: readonly number[];
}

type Unit = 's' | 'ms' | 'MiB' | '/s' | '×' | '';

export const MIB = 1024 * 1024;

/**
 * The value that half of the others do not reach; of an even number of values the mean of the middle two.
 * @throws {RangeError} of no values
 */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * The smallest value that at least `share` of all values do not exceed (nearest rank).
 * @param share 0 to 1
 * @throws {RangeError} of no values
 */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('no values');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/**
 * How cost grows with size: the slope of log time over log size by least squares. 1 is linear, 2 quadratic.
 * @throws {RangeError} of fewer than two sizes
 */
export function growthExponent(points: readonly { size: number; seconds: number }[]): number {
  const logs = points.map(({ size, seconds }) => [Math.log(size), Math.log(seconds)] as const);
  const mean = (side: 0 | 1): number => logs.reduce((sum, point) => sum + point[side], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const spread = logs.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
  if (!(spread > 0)) throw new RangeError('an exponent takes at least two sizes');
  return logs.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0) / spread;
}

/** Each round's value divided by the other's in the same round: what disturbed one is likely to have disturbed both. */
export function ratios(values: readonly number[], to: readonly number[]): number[] {
  return values.map((value, round) => value / to[round]!);
}

/** A number as people read it: three digits that count, thousands marked. */
export function readable(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `0.94 (0.91–0.97) ×`; without the range where there is one value only. */
export function summary({ values, unit }: Pick<Figure, 'values' | 'unit'>): string {
  const range = `${readable(Math.min(...values))}–${readable(Math.max(...values))}`;
  return `${readable(median(values))}${values.length > 1 ? ` (${range})` : ''}${unit === '' ? '' : ` ${unit}`}`;
}
