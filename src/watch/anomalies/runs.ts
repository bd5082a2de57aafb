// Few events a period say little one by one: several periods are added up and judged as one. Only for counts, where
// the scatter of the sum is known, and only for what is missing: bursts are seen in one period.

import type { Peak } from './episode.ts';
import type { Judge, Verdict } from './judge.ts';
import { distance } from './spread.ts';

/** Above this expectation a single period says as much as several. */
const FEW = 60;

/** What several looks at the same periods cost: each length of a run is one more chance of a false alarm. */
const DEARER = 1.15;

/**
 * @param since no run begins before this period
 * @returns the shortest run of periods that ends with `t` and has far too few events; null if there is none
 */
export function shortRun(t: number, since: number, verdict: Verdict, values: Float64Array, judge: Judge): Peak | null {
  if (judge.nature !== 'count' || !(verdict.expected < FEW) || verdict.z > -0.5) return null;
  const { expected } = verdict.reference;
  let value = 0;
  let sum = 0;
  for (let i = t, periods = 1; i >= since && periods <= judge.plan.longestRun; i--) {
    if (Number.isNaN(values[i]!) || Number.isNaN(expected[i]!)) continue;
    value += values[i]!;
    sum += expected[i]!;
    const z = distance(verdict.gauge.spread, value, sum);
    if (periods > 1 && z < -verdict.gauge.low * DEARER && value < 0.7 * sum) {
      return { t, periods: t - i + 1, value, verdict: { ...verdict, expected: sum, z } };
    }
    periods++;
  }
  return null;
}
