// Expectations about each value of one column. Postgres says what is unexpected; null never is, except to the two that
// are about it.

import type { Column } from '../model.ts';
import {
  type Arguments,
  count,
  flag,
  listOf,
  number,
  type Read,
  type Scalar,
  scalar,
  scalarOrNull,
  share,
  text,
  unsupported,
} from './arguments.ts';
import { type Definition, onValues } from './definition.ts';
import { compare, excerpt, isOneOf, type Operand, operandOf } from './literal.ts';
import { demand, demandNumeric, Misfit, nameOf, type Table } from './table.ts';

/** Values of a set that a message names. */
const MOST_NAMED = 10;

export const notNull = onNull('is missing', (column) => `${column} IS NULL`);
export const isNull = onNull('is not missing', (column) => `${column} IS NOT NULL`);

/** Both count all rows, the missing ones too. */
function onNull(message: string, unexpected: (column: string) => string): Definition {
  return {
    isAboutRows: true,
    takesCondition: true,
    define(args) {
      const name = args.need('column', text);
      const mostly = args.take('mostly', share) ?? 1;
      return (table) => {
        const column = table.column(name, 'column');
        const sql = unexpected(nameOf(column));
        const columns = [column];
        const shown = { kind: 'rows', columns, shape: 'value', considered: null, tellsMissing: false } as const;
        return { plan: { ...shown, unexpected: () => sql, mostly, message } };
      };
    },
  };
}

export const unique = onValues(() => () => ({ sql: null, message: 'is repeated in the batch' }));

export const inSet = onValues((args) => {
  const set = readSet(args);
  return (column, table) => {
    // Great Expectations: a set that is null holds everything.
    const sql = set === null ? 'FALSE' : `(${isMember(column, table, set)}) IS FALSE`;
    return { sql, message: `is not ${nameSet(set ?? [])}` };
  };
});

export const notInSet = onValues((args) => {
  const set = readSet(args);
  return (column, table) => {
    const sql = set === null ? 'FALSE' : `(${isMember(column, table, set)}) IS TRUE`;
    return { sql, message: `is ${nameSet(set ?? [])}` };
  };
});

function readSet(args: Arguments): (Scalar | null)[] | null {
  return args.needOrNull('value_set', listOf(scalarOrNull));
}

function isMember(column: Column, table: Table, set: readonly (Scalar | null)[]): string {
  if (set.includes(null))
    table.note(['value_set'], 'null in a set has no effect: missing values are left to the checks for null');
  return isOneOf(operandOf(column, nameOf(column)), withoutNull(set), ['value_set']);
}

function withoutNull(set: readonly (Scalar | null)[]): Scalar[] {
  return set.filter((value) => value !== null);
}

function nameSet(set: readonly (Scalar | null)[]): string {
  const named = set.slice(0, MOST_NAMED).map(excerpt).join(', ');
  return set.length <= MOST_NAMED ? `one of ${named || 'none'}` : `one of ${named} and ${set.length - MOST_NAMED} more`;
}

export const between = onValues((args) => {
  const { min, max, strictMin, strictMax } = readBounds(args);
  args.take('allow_cross_type_comparisons', unsupported);
  args.needEither('min_value', 'max_value');
  return (column) => {
    demandOrder(column, min, max);
    const operand = operandOf(column, nameOf(column));
    return {
      sql: outside(operand, { min, max, strictMin, strictMax }),
      message: nameBounds({ min, max, strictMin, strictMax }),
    };
  };
});

export interface Bounds {
  min: Scalar | undefined;
  max: Scalar | undefined;
  strictMin: boolean;
  strictMax: boolean;
}

export function readBounds(args: Arguments, read: Read<Scalar> = scalar): Bounds {
  return {
    min: args.take('min_value', read),
    max: args.take('max_value', read),
    strictMin: args.take('strict_min', flag) ?? false,
    strictMax: args.take('strict_max', flag) ?? false,
  };
}

/** Predicate: the operand is beyond a bound. */
export function outside(operand: Operand, { min, max, strictMin, strictMax }: Bounds): string {
  if (operand.type === 'boolean') throw new Misfit(['column'], `${operand.called} is boolean and has no order`);
  const below = min === undefined ? null : compare(operand, strictMin ? '<=' : '<', min, ['min_value']);
  const above = max === undefined ? null : compare(operand, strictMax ? '>=' : '>', max, ['max_value']);
  return [below, above].filter((side) => side !== null).join(' OR ') || 'FALSE';
}

function demandOrder(column: Column, min: Scalar | undefined, max: Scalar | undefined): void {
  if (min === undefined || max === undefined) return;
  const isTime = column.type === 'date' || column.type === 'timestamptz';
  const [low, high] = isTime ? [instantOf(min), instantOf(max)] : [min, max];
  if (typeof low === typeof high && low > high)
    throw new Misfit(['min_value'], `${excerpt(min)} is greater than max_value ${excerpt(max)}`);
}

/** Milliseconds; NaN, which is greater than nothing, for what is no time. */
function instantOf(value: Scalar): number {
  const iso = String(value).replace(' ', 'T');
  return Date.parse(iso.includes('T') && !/(?:[zZ]|[+-]\d\d(?::?\d\d)?)$/.test(iso) ? `${iso}Z` : iso);
}

function nameBounds({ min, max, strictMin, strictMax }: Bounds): string {
  const low = min === undefined ? [] : [`${strictMin ? 'greater than' : 'at least'} ${excerpt(min)}`];
  const high = max === undefined ? [] : [`${strictMax ? 'less than' : 'at most'} ${excerpt(max)}`];
  return `is not ${[...low, ...high].join(' and ')}`;
}

export const lengthBetween = onValues((args) => {
  const bounds = readBounds(args, count);
  args.needEither('min_value', 'max_value');
  return (column) => {
    const sql = outside(lengthOf(column), bounds);
    return { sql, message: nameBounds(bounds).replace('is not', 'has a length that is not') };
  };
});

export const lengthEqual = onValues((args) => {
  const value = args.need('value', count);
  return (column) => ({ sql: `${lengthOf(column).sql} <> ${value}`, message: `does not have the length ${value}` });
});

function lengthOf(column: Column): Operand {
  demand(column, ['text'], 'only strings have a length: this asks for those', 'column');
  return { sql: `char_length(${nameOf(column)})`, type: 'bigint', called: 'a length' };
}

export const zScores = onValues((args) => {
  const threshold = args.need('threshold', number);
  const doubleSided = args.take('double_sided', flag) ?? true;
  return (column, table) => {
    demandNumeric(column, 'z-scores are of numbers: this asks for those', 'column');
    const name = nameOf(column);
    const where = table.condition === null ? '' : ` WHERE ${table.condition}`;
    return {
      // Where all values are equal nothing deviates, and nothing is divided by zero.
      sql: (stage) => {
        const of = (aggregate: string) => `(SELECT ${aggregate}(${name}::float8) FROM ${stage}${where})`;
        const score = `(${name} - ${of('avg')}) / nullif(${of('stddev_samp')}, 0)`;
        return doubleSided ? `abs(${score}) >= ${Math.abs(threshold)}` : `${score} >= ${threshold}`;
      },
      message: `has a z-score that is not less than ${threshold}`,
    };
  };
});
