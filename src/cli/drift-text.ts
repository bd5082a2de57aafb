// Differences between tables and schemas for people, one a line.

import type { Drift } from '../schema/drift.ts';
import { visible } from '../visible.ts';

export function driftText(drifts: readonly Drift[], tables: number): string {
  const faults = drifts.filter(({ type }) => type !== 'yours');
  const own = drifts.filter(({ type }) => type === 'yours');
  const fixable = faults.filter(({ migrate }) => migrate).length;
  const lines = [
    ...faults.map(({ message, migrate }) => `${visible(message)}${migrate ? ' (migrate)' : ''}`),
    ...own.map(({ message }) => `${visible(message)}, no drift`),
    faults.length === 0
      ? `no drift: ${tables} ${tables === 1 ? 'table is' : 'tables are'} what the schemas say`
      : `${faults.length} ${faults.length === 1 ? 'difference' : 'differences'}; "sluice migrate" puts ${fixable} right`,
  ];
  return `${lines.join('\n')}\n`;
}
