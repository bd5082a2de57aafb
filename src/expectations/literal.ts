// JSON values of a suite → SQL literals and comparisons of a column's type, or a Misfit that says why not. Postgres can
// read whatever comes out of here.

import type { Column, ColumnType } from '../model.ts';
import { type Scalar, Unfit } from './arguments.ts';
import { literalSql } from './condition-literal.ts';
import { ConditionFault } from './condition-tree.ts';
import { Misfit } from './table.ts';

type Comparison = '<' | '<=' | '>' | '>=';

/** What a value of the suite is compared with: a column, or an aggregate of one. */
export interface Operand {
  sql: string;
  /** `numeric` is what Postgres makes of sums of bigint. */
  type: ColumnType | 'numeric';
  /** For reasons: `the column "a"`, `the sum of "a"`. */
  called: string;
}

const MOST_BIGINT = 2n ** 63n - 1n;
const WANTED: Partial<Record<Operand['type'], string>> = {
  bigint: 'a number',
  numeric: 'a number',
  'double precision': 'a number',
  boolean: 'true or false',
  text: 'a string',
  uuid: 'a UUID as a string',
  timestamptz: 'an ISO 8601 date-time as a string',
  date: 'an ISO 8601 date as a string',
};

export function operandOf(column: Column, sql: string): Operand {
  return { sql, type: column.type, called: `the column ${JSON.stringify(column.name)}` };
}

/**
 * A value as a literal of the operand's type.
 * @throws {Misfit} it is none
 */
export function literalOf(value: Scalar, { type, called }: Operand, path: readonly string[]): string {
  const result = write(value, type);
  if (!(result instanceof Unfit)) return result;
  throw new Misfit(path, `${called} is ${type}: ${result.reason}`);
}

function write(value: Scalar, type: Operand['type']): string | Unfit {
  if (type === 'jsonb') return new Unfit('its values are compared with nothing');
  const unfit = new Unfit(`${excerpt(value)} is not ${WANTED[type]}`);
  if (type === 'boolean') return typeof value === 'boolean' ? String(value) : unfit;
  if (type === 'double precision' || type === 'numeric' || type === 'bigint') {
    if (typeof value !== 'number') return unfit;
    if (type !== 'bigint') return `'${value}'::${type}`;
    const whole = wholeNumber(value);
    return whole === undefined ? new Unfit(`it never holds ${value}`) : `'${whole}'::bigint`;
  }
  if (typeof value !== 'string') return unfit;
  try {
    return literalSql({ kind: 'string', text: value }, { name: '', path: [], type, notNull: false, id: false });
  } catch (error) {
    if (error instanceof ConditionFault) return type === 'text' ? new Unfit(error.message) : unfit;
    throw error;
  }
}

/** The exact digits of a whole number that a bigint can hold. */
function wholeNumber(value: number): bigint | undefined {
  if (!Number.isInteger(value)) return undefined;
  const whole = BigInt(value);
  return whole > MOST_BIGINT || whole < -MOST_BIGINT - 1n ? undefined : whole;
}

/**
 * `operand comparison value`, never true for null. A bound that no bigint can have is replaced by the next one, or by
 * what it comes to.
 * @throws {Misfit} the value does not fit the type
 */
export function compare(operand: Operand, comparison: Comparison, value: Scalar, path: readonly string[]): string {
  const { sql, type } = operand;
  if (type !== 'bigint' || typeof value !== 'number') return `${sql} ${comparison} ${literalOf(value, operand, path)}`;
  // a < 1.5 is a < 2, a <= 1.5 is a <= 1; a > 1.5 is a > 1, a >= 1.5 is a >= 2.
  const bound = comparison === '<' || comparison === '>=' ? Math.ceil(value) : Math.floor(value);
  const whole = wholeNumber(bound);
  if (whole !== undefined) return `${sql} ${comparison} '${whole}'::bigint`;
  return bound > 0 === comparison.startsWith('<') ? `${sql} IS NOT NULL` : 'FALSE';
}

/**
 * `operand` is one of the values: true, false, or null for null. Postgres looks long lists up by hash.
 * @throws {Misfit} a value does not fit the type
 */
export function isOneOf(operand: Operand, values: readonly Scalar[], path: readonly string[]): string {
  const literals = values.map((value, at) => literalOf(value, operand, [...path, String(at)]));
  if (literals.length === 0) return `(${operand.sql} IS NULL AND NULL)`;
  return `${operand.sql} = ANY (ARRAY[${literals.join(', ')}]::${operand.type}[])`;
}

/** A value in a message, not longer than a line. */
export function excerpt(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 80 ? `${json.slice(0, 79)}…` : json;
}
