// Expectations about one number, or one value, that a column or the table comes to. Bounds are compared in Postgres,
// where they are exact; what is reported is a JSON number.
import type { Column, ColumnType } from '../model.ts';
import { type Arguments, count, listOf, number, type Read, share, text, Unfit } from './arguments.ts';
import type { Aggregate, Outcome } from './check.ts';
import type { Definition } from './definition.ts';
import { jsonOf } from './json-sql.ts';
import type { Operand } from './literal.ts';
import { demand, demandNumeric, nameOf, type Table } from './table.ts';
import { type Bounds, outside, readBounds } from './values.ts';

interface Statistic {
  operand: Operand;
  /** The operand as what is reported. */
  observed: string;
  sorts?: boolean;
}

/** The statistic is between bounds, if there are any. What has no value fails. */
function onStatistic(bind: (column: Column, table: Table) => Statistic): Definition {
  return {
    isAboutRows: false,
    takesCondition: true,
    define(args) {
      const name = args.need('column', text);
      const bounds = readBounds(args);
      return (table) => {
        const column = table.column(name, 'column');
        const { operand, observed, sorts = false } = bind(column, table);
        return { plan: { kind: 'aggregate', ...boundedBy(operand, observed, sorts, bounds) } };
      };
    },
  };
}

function boundedBy(operand: Operand, observed: string, sorts: boolean, bounds: Bounds) {
  const aggregates: Aggregate[] = [observed, outside(operand, bounds)].map((sql) => ({ sql, sorts }));
  const judge = ([value, isOutside]: readonly unknown[]): Outcome => ({
    success: value !== null && isOutside === false,
    fields: { observed_value: value },
  });
  return { aggregates, judge };
}

const ORDERED: readonly ColumnType[] = ['bigint', 'double precision', 'text', 'timestamptz', 'date'];

function extreme(aggregate: 'min' | 'max'): Definition {
  return onStatistic((column, table) => {
    demand(column, ORDERED, `there is no ${aggregate}imum`, 'column');
    const sql = `${aggregate}(${nameOf(column)})${table.filter()}`;
    const called = `the ${aggregate}imum of ${JSON.stringify(column.name)}`;
    const isNumber = column.type === 'bigint' || column.type === 'double precision';
    return {
      operand: { sql, type: column.type, called },
      observed: isNumber ? `(${sql})::float8` : jsonOf(sql, column.type),
    };
  });
}

export const min = extreme('min');
export const max = extreme('max');

export const sum = onStatistic((column, table) => {
  demandNumeric(column, 'only numbers have a sum: this asks for that', 'column');
  const sql = `sum(${nameOf(column)})${table.filter()}`;
  const type = column.type === 'bigint' ? 'numeric' : 'double precision';
  return { operand: { sql, type, called: `the sum of ${JSON.stringify(column.name)}` }, observed: `(${sql})::float8` };
});

function inDouble(what: string, aggregate: (column: string) => string, sorts: boolean): Definition {
  return onStatistic((column, table) => {
    demandNumeric(column, `only numbers have a ${what}: this asks for that`, 'column');
    const sql = `${aggregate(`${nameOf(column)}::float8`)}${table.filter()}`;
    return {
      operand: { sql, type: 'double precision', called: `the ${what} of ${JSON.stringify(column.name)}` },
      observed: sql,
      sorts,
    };
  });
}

export const mean = inDouble('mean', (column) => `avg(${column})`, false);
export const stdev = inDouble('standard deviation', (column) => `stddev_samp(${column})`, false);
export const median = inDouble('median', (column) => `percentile_cont(0.5) WITHIN GROUP (ORDER BY ${column})`, true);

/** Great Expectations: 0 where there is nothing to divide by. */
export const nonNullProportion = onStatistic((column, table) => {
  const there = `count(${nameOf(column)})${table.filter()}`;
  const sql = `coalesce(${there} / nullif(count(*)${table.filter()}, 0)::float8, 0)`;
  return { operand: { sql, type: 'double precision', called: 'a proportion' }, observed: sql };
});

interface Range {
  low: number | null;
  high: number | null;
}

const orNull: Read<number | null> = (value) => (value === null ? null : number(value));

const range: Read<Range> = (value) => {
  const sides = listOf(orNull)(value);
  if (sides instanceof Unfit) return sides;
  const [low, high] = sides;
  if (sides.length !== 2 || low === undefined || high === undefined) return new Unfit('must be a pair [min, max]');
  if (low !== null && high !== null && low > high) return new Unfit(`${low} is greater than ${high}`);
  return { low, high };
};

const quantileRanges: Read<{ quantiles: number[]; ranges: Range[] }> = (value) => {
  if (typeof value !== 'object' || value === null)
    return new Unfit('must be an object with quantiles and value_ranges');
  const { quantiles: listed, value_ranges: pairs } = value as Record<string, unknown>;
  const quantiles = listOf(share, 1)(listed);
  if (quantiles instanceof Unfit) return new Unfit(quantiles.reason, ['quantiles', ...quantiles.below]);
  const ranges = listOf(range)(pairs);
  if (ranges instanceof Unfit) return new Unfit(ranges.reason, ['value_ranges', ...ranges.below]);
  if (ranges.length === quantiles.length) return { quantiles, ranges };
  return new Unfit(`there are ${quantiles.length} quantiles and ${ranges.length} value_ranges`, ['value_ranges']);
};

export const quantiles: Definition = {
  isAboutRows: false,
  takesCondition: true,
  define(args) {
    const name = args.need('column', text);
    const wanted = args.need('quantile_ranges', quantileRanges);
    // Postgres computes quantiles exactly, whatever is allowed.
    args.take('allow_relative_error', (value) => value);
    return (table) => {
      const column = table.column(name, 'column');
      demandNumeric(column, 'only numbers have quantiles here: this asks for those', 'column');
      const shares = `ARRAY[${wanted.quantiles.join(', ')}]::float8[]`;
      const sql = `percentile_disc(${shares}) WITHIN GROUP (ORDER BY ${nameOf(column)})${table.filter()}`;
      const aggregates = [{ sql: `to_jsonb(${sql})`, sorts: true }];
      return { plan: { kind: 'aggregate', aggregates, judge: ([values]) => judgeQuantiles(wanted, values) } };
    };
  },
};

function judgeQuantiles(wanted: { quantiles: number[]; ranges: Range[] }, found: unknown): Outcome {
  const values = found as (number | null)[] | null;
  if (values === null || values.includes(null)) return { success: false, fields: { observed_value: null } };
  const details = wanted.ranges.map(({ low, high }, at) => {
    const value = values[at]!;
    return (low === null || value >= low) && (high === null || value <= high);
  });
  return {
    success: details.every(Boolean),
    fields: { observed_value: { quantiles: wanted.quantiles, values }, details: { success_details: details } },
  };
}

function onRowCount(readBoundsOf: (args: Arguments) => Bounds): Definition {
  return {
    isAboutRows: false,
    takesCondition: true,
    define(args) {
      const bounds = readBoundsOf(args);
      return (table) => {
        const sql = `count(*)${table.filter()}`;
        const operand: Operand = { sql, type: 'bigint', called: 'the row count' };
        return { plan: { kind: 'aggregate', ...boundedBy(operand, `(${sql})::float8`, false, bounds) } };
      };
    },
  };
}

export const rowCountBetween = onRowCount((args) => readBounds(args, count));

export const rowCountEqual = onRowCount((args) => {
  const value = args.need('value', count);
  return { min: value, max: value, strictMin: false, strictMax: false };
});
