// Rows with times of their own, made into a series of even periods. Says what it had to assume.
import type { Series } from './model.ts';

export interface Rows {
  /** Starts of periods, in milliseconds since 1970 UTC, in any order. */
  times: Float64Array;
  /** NaN is unknown. */
  values: Float64Array;
}

/** The rows make no series that could be judged. */
export class GridError extends Error {
  override readonly name = 'GridError';
}

/** More periods than this for every row are no gaps, but a wrong time somewhere. */
const MOST_PER_ROW = 50;
const MOST_ANYWAY = 10_000;

/**
 * A period is as long as the most frequent difference between neighbours. What has no row is unknown; of several rows
 * for a period the last one counts.
 * @throws {GridError} if the rows are too far apart for that
 */
export function gridOf({ times, values }: Rows): { series: Series; notes: string[] } {
  const notes: string[] = [];
  if (times.length === 0) return { series: { start: 0, step: 1, values: new Float64Array(0) }, notes };
  const order = sortedOrder(times);
  if (order !== null) notes.push('The rows were not in order of time and have been sorted.');
  const at = (i: number) => (order === null ? i : order[i]!);
  const start = times[at(0)]!;
  const step = mostFrequentStep(times, at);
  if (step === null) return { series: { start, step: 1, values: Float64Array.of(values[at(0)]!) }, notes };
  const length = Math.round((times[at(times.length - 1)]! - start) / step) + 1;
  if (length > times.length * MOST_PER_ROW + MOST_ANYWAY) {
    throw new GridError(
      `${times.length} rows spread over ${length} periods of ${spanText(step)}: is one of the times wrong?`,
    );
  }
  const even = new Float64Array(length).fill(Number.NaN);
  const taken = new Uint8Array(length);
  let doubled = 0;
  for (let i = 0; i < times.length; i++) {
    const period = Math.round((times[at(i)]! - start) / step);
    if (taken[period] === 1) doubled++;
    taken[period] = 1;
    even[period] = values[at(i)]!;
  }
  if (doubled > 0) notes.push(`${doubled} rows are for a period that had one already: of each the last one counts.`);
  const unknown = even.reduce((count, value) => count + Number(Number.isNaN(value)), 0);
  if (unknown > 0) notes.push(`${unknown} of ${length} periods of ${spanText(step)} are unknown and were not judged.`);
  return { series: { start, step, values: even }, notes };
}

/** @returns the rows' numbers in order of time, equal times as they came; null where that is how they are */
function sortedOrder(times: Float64Array): Uint32Array | null {
  let isSorted = true;
  for (let i = 1; i < times.length && isSorted; i++) isSorted = times[i]! >= times[i - 1]!;
  if (isSorted) return null;
  return Uint32Array.from(times.keys()).sort((a, b) => times[a]! - times[b]! || a - b);
}

function mostFrequentStep(times: Float64Array, at: (i: number) => number): number | null {
  const counts = new Map<number, number>();
  for (let i = 1; i < times.length; i++) {
    const step = times[at(i)]! - times[at(i - 1)]!;
    if (step > 0) counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  let best: number | null = null;
  for (const [step, count] of counts) {
    const most = best === null ? 0 : counts.get(best)!;
    if (count > most || (count === most && step < best!)) best = step;
  }
  return best;
}

const UNITS: [name: string, ms: number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
];

/** A length of time in words: `1 day`, `15 minutes`. */
function spanText(ms: number): string {
  for (const [name, unit] of UNITS) {
    if (ms >= unit && Number.isInteger((ms / unit) * 10)) return `${ms / unit} ${name}${ms === unit ? '' : 's'}`;
  }
  return `${ms} ms`;
}
