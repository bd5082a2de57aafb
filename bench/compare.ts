// What a change did: the figures of two runs side by side. Pure.
import { type Figure, median, summary } from './figures.ts';
import type { Table } from './table.ts';

/**
 * Figures that both runs have. A difference counts only where the ranges of the two do not touch; else it says so.
 * @param before the earlier run
 */
export function compare(before: readonly Figure[], after: readonly Figure[]): Table {
  const rows = after.flatMap((figure) => {
    const earlier = before.find(({ id }) => id === figure.id);
    if (earlier === undefined) return [];
    const change = median(figure.values) / median(earlier.values) - 1;
    const tenths = Math.round(change * 1_000);
    const percent = `${tenths < 0 ? '−' : '+'}${(Math.abs(tenths) / 10).toFixed(1)} %`;
    return [[figure.id, summary(earlier), summary(figure), percent, touch(earlier, figure) ? 'ranges overlap' : '']];
  });
  return [['figure', 'before', 'after', 'change', ''], ...rows];
}

function touch(one: Figure, other: Figure): boolean {
  return Math.min(...one.values) <= Math.max(...other.values) && Math.min(...other.values) <= Math.max(...one.values);
}
