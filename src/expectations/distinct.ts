// Expectations about the distinct values of a column: how many, which, and which is the most common. Nulls are not
// among them.
import type { Column, ColumnType } from '../model.ts';
import { type Arguments, flag, listOf, type Scalar, scalar, scalarOrNull, text } from './arguments.ts';
import type { CheckPlan, Outcome } from './check.ts';
import type { Definition } from './definition.ts';
import { jsonOf } from './json-sql.ts';
import { isOneOf, type Operand, operandOf } from './literal.ts';
import { demand, nameOf, type Table } from './table.ts';
import { type Bounds, outside, readBounds } from './values.ts';

/** Values in a result. */
const MOST_LISTED = 100;

/** Types whose values sort faster than they hash: Postgres passes them by value. */
export const SORTED_DISTINCT: ReadonlySet<ColumnType> = new Set([
  'bigint',
  'double precision',
  'boolean',
  'timestamptz',
  'date',
]);

/** A count or a share of distinct values, between bounds. */
function onDistinctCount(
  type: 'bigint' | 'double precision',
  sqlOf: (distinct: string, all: string) => string,
): Definition {
  return {
    isAboutRows: false,
    takesCondition: true,
    define(args) {
      const name = args.need('column', text);
      const bounds = readBounds(args);
      return (table) => {
        const column = table.column(name, 'column');
        const called = `the count of distinct values of ${JSON.stringify(column.name)}`;
        const operandWith = (distinct: string, all: string): Operand => ({ sql: sqlOf(distinct, all), type, called });
        return { plan: countingPlan(column, table, operandWith, bounds) };
      };
    },
  };
}

function countingPlan(
  column: Column,
  table: Table,
  operandWith: (distinct: string, all: string) => Operand,
  bounds: Bounds,
): CheckPlan {
  const judge = ([value, isOutside]: readonly unknown[]): Outcome => ({
    success: isOutside === false,
    fields: { observed_value: value },
  });
  const ask = (operand: Operand) => [`(${operand.sql})::float8`, outside(operand, bounds)];
  if (SORTED_DISTINCT.has(column.type)) {
    const name = nameOf(column);
    const operand = operandWith(`count(DISTINCT ${name})${table.filter()}`, `count(${name})${table.filter()}`);
    return { kind: 'aggregate', aggregates: ask(operand).map((sql) => ({ sql, sorts: true })), judge };
  }
  const expressions = (distinct: string, all: string) => ask(operandWith(distinct, all));
  return { kind: 'groups', column, expressions, countsOnly: true, judge };
}

export const uniqueCount = onDistinctCount('bigint', (distinct) => distinct);

/** Of the values that are there. Great Expectations: 0 where there are none. */
export const uniqueProportion = onDistinctCount(
  'double precision',
  (distinct, all) => `coalesce(${distinct} / nullif(${all}, 0)::float8, 0)`,
);

type Judge = (counts: { beyond: number; met: number; wanted: number }) => boolean;

function onDistinctValues(readSet: (args: Arguments) => Scalar[] | null, judge: Judge): Definition {
  return {
    isAboutRows: false,
    takesCondition: true,
    define(args) {
      const name = args.need('column', text);
      const set = readSet(args);
      return (table) => {
        const column = table.column(name, 'column');
        demandSet(column);
        const isMember = isOneOf(operandOf(column, 'v'), set ?? [], ['value_set']);
        const expressions = [
          `(count(*) FILTER (WHERE (${isMember}) IS NOT TRUE))::float8`,
          `(count(*) FILTER (WHERE ${isMember}))::float8`,
          `(${countOf(set ?? [], column)})::float8`,
          `(SELECT jsonb_agg(jsonb_build_object('value', ${jsonOf('v', column.type)}, 'count', n) ORDER BY v)
            FROM (SELECT v, n FROM groups ORDER BY v LIMIT ${MOST_LISTED + 1}) AS first)`,
        ];
        const judgeAll = ([beyond, met, wanted, listed]: readonly unknown[]): Outcome => ({
          success: set === null || judge({ beyond: beyond as number, met: met as number, wanted: wanted as number }),
          fields: listing((listed as { value: unknown; count: number }[] | null) ?? []),
        });
        return { plan: { kind: 'groups', column, expressions: () => expressions, countsOnly: false, judge: judgeAll } };
      };
    },
  };
}

function demandSet(column: Column): void {
  const types: ColumnType[] = ['bigint', 'double precision', 'boolean', 'text', 'timestamptz', 'date', 'uuid'];
  demand(column, types, 'no set holds values', 'column');
}

/** How many different values the set has, in Postgres's eyes. */
function countOf(set: readonly Scalar[], column: Column): string {
  if (set.length === 0) return '0';
  const literals = isOneOf(operandOf(column, 'w'), set, ['value_set'])
    .replace(/^w = ANY \(/, '')
    .slice(0, -1);
  return `SELECT count(DISTINCT w) FROM unnest(${literals}) AS w`;
}

function listing(found: readonly { value: unknown; count: number }[]): Outcome['fields'] {
  // jsonb has an order of members of its own.
  const shown = found.slice(0, MOST_LISTED).map(({ value, count }) => ({ value, count }));
  return {
    observed_value: shown.map(({ value }) => value),
    details: {
      value_counts: shown,
      ...(found.length > MOST_LISTED && { truncated: `the first ${MOST_LISTED} distinct values` }),
    },
  };
}

/** Distinct values are never null, so a set that demands null could not be met. */
const readSetOfValues = (args: Arguments) => args.need('value_set', listOf(scalar));
const readSetOrNull = (args: Arguments) =>
  args.needOrNull('value_set', listOf(scalarOrNull))?.filter((value) => value !== null) ?? null;

export const valuesInSet = onDistinctValues(readSetOrNull, ({ beyond }) => beyond === 0);
export const valuesContainSet = onDistinctValues(readSetOfValues, ({ met, wanted }) => met === wanted);
export const valuesEqualSet = onDistinctValues(
  readSetOfValues,
  ({ beyond, met, wanted }) => beyond === 0 && met === wanted,
);

export const mostCommonInSet: Definition = {
  isAboutRows: false,
  takesCondition: true,
  define(args) {
    const name = args.need('column', text);
    const set = args.need('value_set', listOf(scalar));
    const tiesOkay = args.take('ties_okay', flag) ?? false;
    return (table) => {
      const column = table.column(name, 'column');
      demandSet(column);
      const isMember = isOneOf(operandOf(column, 'v'), set, ['value_set']);
      const modes = 'FROM groups WHERE n = (SELECT max(n) FROM groups)';
      const expressions = [
        `(SELECT count(*) ${modes})::float8`,
        `(SELECT count(*) ${modes} AND ${isMember})::float8`,
        `(SELECT jsonb_agg(${jsonOf('v', column.type)} ORDER BY v) FROM (SELECT v ${modes} ORDER BY v LIMIT ${MOST_LISTED}) AS first)`,
      ];
      const judge = ([all, expected, listed]: readonly unknown[]): Outcome => ({
        success: (expected as number) > 0 && (tiesOkay || all === 1),
        fields: { observed_value: listed },
      });
      return { plan: { kind: 'groups', column, expressions: () => expressions, countsOnly: false, judge } };
    };
  },
};
