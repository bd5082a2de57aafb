// Order statistics over a buffer of numbers. Pure; sorts in place what it is given.

/** Sorts `values[0..length)`. Short runs, of which there are very many, by insertion. */
function sortFirst(values: Float64Array, length: number): Float64Array {
  const view = values.subarray(0, length);
  if (length > 24) return view.sort();
  for (let i = 1; i < length; i++) {
    const value = values[i]!;
    let at = i - 1;
    while (at >= 0 && values[at]! > value) {
      values[at + 1] = values[at]!;
      at--;
    }
    values[at + 1] = value;
  }
  return view;
}

/** @returns the median of `values[0..length)`, which it sorts; NaN of nothing */
export function medianOf(values: Float64Array, length: number): number {
  if (length === 0) return Number.NaN;
  const sorted = sortFirst(values, length);
  const middle = length >> 1;
  return length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The quantile of sorted values by linear interpolation between order statistics; NaN of nothing. */
export function quantileOf(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const place = Math.min(1, Math.max(0, share)) * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (place - below);
}
