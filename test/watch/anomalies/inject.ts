// Puts what the detector has to find into a healthy series, and counts what it found and what there was besides.
import { judgeSeries } from '../../../src/watch/anomalies/findings.ts';
import type { Finding, Kind, Series } from '../../../src/watch/anomalies/model.ts';
import { DAY, randomOf } from './simulate.ts';

type Injected = 'zero' | 'half' | 'double';

const AS: Record<Injected, Kind[]> = { zero: ['zero', 'drop'], half: ['drop', 'zero'], double: ['spike'] };

export interface Count {
  injected: number;
  found: number;
  /** Findings that belong to nothing that was injected. */
  besides: number;
  months: number;
}

/** @param lasts periods of an injection, from and to. @param apartDays least time between two of them */
export function injectAndCount(series: Series, lasts: [number, number], apartDays: number, seed: number): Count {
  const random = randomOf(seed + 99);
  const { values, step } = series;
  const perDay = DAY / step;
  const truth: { from: number; to: number; what: Injected }[] = [];
  // Six weeks to learn from.
  for (let t = 42 * perDay; ; ) {
    t += Math.floor((apartDays + 20 * random.uniform()) * perDay);
    const to = t + lasts[0] + Math.floor(random.uniform() * (lasts[1] - lasts[0] + 1));
    if (to + 5 > values.length) break;
    const what = (['zero', 'half', 'double'] as const)[Math.floor(3 * random.uniform())]!;
    const factor = { zero: 0, half: 0.5, double: 2 }[what];
    for (let i = t; i < to; i++) values[i] = Math.round(values[i]! * factor);
    const known = values.subarray(t, to).findIndex((value) => !Number.isNaN(value));
    if (known >= 0) truth.push({ from: t + known, to, what });
    t = to;
  }
  const found = judgeSeries(series).findings.map((finding) => ({ finding, ...periodsOf(finding, series) }));
  return {
    injected: truth.length,
    // Found within one period: by the first or by the second that is unusual.
    found: truth.filter(({ from, what }) =>
      found.some((each) => each.from <= from + 1 && each.to > from && AS[what].includes(each.finding.kind)),
    ).length,
    besides: found.filter((each) => !truth.some(({ from, to }) => each.from <= to && each.to > from)).length,
    months: values.length / perDay / 30.4,
  };
}

export function sumOf(counts: readonly Count[]): Count {
  const sum = { injected: 0, found: 0, besides: 0, months: 0 };
  for (const count of counts) for (const key of Object.keys(sum) as (keyof Count)[]) sum[key] += count[key];
  return sum;
}

/** The periods of a finding, the end not included. */
export function periodsOf({ from, to }: Finding, { start, step }: Series): { from: number; to: number } {
  return { from: (Date.parse(from) - start) / step, to: (Date.parse(to) - start) / step };
}
