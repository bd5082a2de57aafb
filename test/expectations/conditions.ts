// A table with a column of each type, and conditions read for it.
import { parseCondition } from '../../src/expectations/condition.ts';
import type { ColumnType, TablePlan } from '../../src/model.ts';

export const TYPES: Record<string, ColumnType> = {
  n: 'bigint',
  'm ä"': 'bigint',
  d: 'double precision',
  s: 'text',
  s2: 'text',
  b: 'boolean',
  at: 'timestamptz',
  day: 'date',
  u: 'uuid',
  j: 'jsonb',
};
export const PLAN: TablePlan = {
  table: 'sale',
  columns: Object.entries(TYPES).map(([name, type]) => ({ name, path: [name], type, notNull: false, id: false })),
  extra: true,
};
export const GE = 'great_expectations';

export function sqlOf(condition: unknown, parser: unknown): string {
  const read = parseCondition(condition, parser, PLAN);
  if ('reason' in read) throw new Error(`${JSON.stringify(condition)}: ${read.reason}`);
  return read.sql;
}

export function reasonOf(condition: unknown, parser: unknown): string {
  const read = parseCondition(condition, parser, PLAN);
  return 'reason' in read ? read.reason : `understood as ${read.sql}`;
}
