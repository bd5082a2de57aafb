// The rows that a check does not expect: a few of them for its result, all of them where they are to be rejected.
import type { CheckResult } from '../model.ts';
import type { Check, RowPlan, UnexpectedRow } from './check.ts';
import { jsonOf } from './json-sql.ts';
import { repeatedRows } from './query.ts';
import { allOf, nameOf } from './table.ts';

/** Unexpected values in a result. */
const MOST_UNEXPECTED = 20;

/** Selects, as JSON, the first unexpected rows of a check whose rows are judged one by one. */
export function firstUnexpected(stage: string, { condition }: Check, plan: RowPlan): string {
  const where = allOf(condition, plan.unexpected!(stage));
  return `SELECT ${first(`${stage} WHERE ${where}`, plan, plan.columns.map(nameOf))}`;
}

/** Selects how many rows repeat one another, and, as JSON, the first of them. */
export function countRepeated(stage: string, condition: string | null, plan: RowPlan): string {
  const names = plan.columns.map((_, at) => `c${at}`);
  return `${repeatedRows(stage, plan.columns, allOf(condition, plan.considered))}
    SELECT (SELECT coalesce(sum(times), 0) FROM repeated)::float8, ${first('offending', plan, names)}`;
}

// Values are turned into JSON after the few have been found, and not before.
function first(from: string, { columns }: RowPlan, names: readonly string[]): string {
  const values = columns.map(({ type }, at) => jsonOf(names[at]!, type)).join(', ');
  return `(SELECT coalesce(jsonb_agg(jsonb_build_array(_line, jsonb_build_array(${values})) ORDER BY _line), '[]')
    FROM (SELECT _line, ${names.join(', ')} FROM ${from} ORDER BY _line LIMIT ${MOST_UNEXPECTED}) AS first)`;
}

/** Selects `_line`, `_schema_version`, the check's `number` and how often the row is there of all unexpected rows. */
export function allUnexpected(stage: string, { condition }: Check, plan: RowPlan, number: number): string {
  const columns = `_line, _schema_version, ${number} AS number`;
  if (plan.unexpected !== null) {
    const where = allOf(condition, plan.unexpected(stage));
    return `SELECT ${columns}, NULL::bigint AS times FROM ${stage} WHERE ${where}`;
  }
  const repeated = repeatedRows(stage, plan.columns, allOf(condition, plan.considered));
  return `(${repeated} SELECT ${columns}, times FROM offending)`;
}

/** The members of a result that show unexpected rows. */
export function describeUnexpected(plan: RowPlan, rows: readonly UnexpectedRow[]): Partial<CheckResult> {
  const shown = rows.map(([, values]) => show(plan, values));
  return {
    partial_unexpected_list: shown,
    partial_unexpected_lines: rows.map(([line]) => line),
    partial_unexpected_counts: countsOf(shown),
  };
}

function show({ shape, columns }: RowPlan, values: readonly unknown[]): unknown {
  if (shape === 'value') return values[0];
  if (shape === 'pair') return values;
  return Object.fromEntries(columns.map(({ name }, at) => [name, values[at]]));
}

/** The most frequent first. */
function countsOf(shown: readonly unknown[]): { value: unknown; count: number }[] {
  const counts = new Map<string, { value: unknown; count: number }>();
  for (const value of shown) {
    const key = JSON.stringify(value);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { value, count: 1 });
    else known.count++;
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}
