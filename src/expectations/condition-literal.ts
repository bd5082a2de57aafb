// Values of a row condition as SQL literals of a column's type, or why they do not fit it. Postgres must be able to read
// whatever comes out of here, for a condition fails at load or never.
import pg from 'pg';
import { parseDate, parseTimestamp } from '../lines/time.ts';
import type { Column } from '../model.ts';
import { ConditionFault, excerpt, type Literal } from './condition-tree.ts';

type Writer = (literal: Literal) => string | undefined;

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const INTEGER = /^[+-]?\d+$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** ISO 8601 as Python prints it: a date, perhaps a time with or without seconds, perhaps an offset. */
const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/;
const MIDNIGHT = /^00:00(?::00(?:\.0+)?)?(?:Z|z|[+-]00(?::?00)?)?$/;

/** By type: undefined where the value is none of it. A quoted number is one, as it is in Postgres. */
const WRITERS: Readonly<Record<Column['type'], { wanted: string; write: Writer }>> = {
  bigint: { wanted: 'a number', write: number },
  'double precision': { wanted: 'a number', write: number },
  boolean: { wanted: 'True or False', write: boolean },
  text: {
    wanted: 'text in quotes',
    write: (literal) => (literal.kind === 'string' ? quoted(literal.text) : undefined),
  },
  uuid: { wanted: 'a UUID in quotes', write: uuid },
  timestamptz: { wanted: 'an ISO 8601 date, or date and time, in quotes', write: timestamp },
  date: { wanted: 'an ISO 8601 date in quotes', write: date },
  jsonb: { wanted: 'nothing: only .notNull() and .isNull() can be asked of it', write: () => undefined },
};

/**
 * The SQL literal to compare a column with.
 * @throws {ConditionFault} where the value does not fit the column's type
 */
export function literalSql(literal: Literal, { name, type }: Column): string {
  const { wanted, write } = WRITERS[type];
  const sql = write(literal);
  if (sql !== undefined) return sql;
  const text =
    literal.kind === 'string' ? excerpt(literal.text) : literal.kind === 'boolean' ? `${literal.value}` : literal.text;
  throw new ConditionFault(
    `the column ${excerpt(name)} is ${type} and compares with ${wanted}, not with ${text.slice(0, 80)}`,
  );
}

/** Printed anew: digits as they are for an integer, the shortest text of the double for anything else. */
function number(literal: Literal): string | undefined {
  if (literal.kind === 'boolean' || !NUMBER.test(literal.text)) return undefined;
  const value = Number(literal.text);
  if (!Number.isFinite(value)) return undefined;
  return INTEGER.test(literal.text) ? BigInt(literal.text.replace('+', '')).toString() : String(value);
}

function boolean(literal: Literal): string | undefined {
  if (literal.kind === 'boolean') return literal.value ? 'TRUE' : 'FALSE';
  const word = literal.text.toUpperCase();
  return literal.kind === 'string' && (word === 'TRUE' || word === 'FALSE') ? word : undefined;
}

function uuid(literal: Literal): string | undefined {
  return literal.kind === 'string' && UUID.test(literal.text) ? `${quoted(literal.text)}::uuid` : undefined;
}

/** What has no offset is UTC, as it is in the sessions of this service. */
function timestamp(literal: Literal): string | undefined {
  if (literal.kind !== 'string') return undefined;
  const [whole, day, clock = '00:00', seconds = ':00', zone = 'Z'] = MOMENT.exec(literal.text) ?? [];
  if (whole === undefined) return undefined;
  const text = `${day}T${clock}${seconds}${zone}`;
  const isFine = parseTimestamp(text, { seconds: 0, micros: 0 }) === undefined;
  return isFine ? `${quoted(text)}::timestamptz` : undefined;
}

/** Midnight counts as the day: Python prints dates so. */
function date(literal: Literal): string | undefined {
  if (literal.kind !== 'string' || !MOMENT.test(literal.text)) return undefined;
  const day = literal.text.slice(0, 10);
  const rest = literal.text.slice(11);
  if (typeof parseDate(day) !== 'number' || !(rest === '' || MIDNIGHT.test(rest))) return undefined;
  return `${quoted(day)}::date`;
}

function quoted(text: string): string {
  if (text.includes('\0'))
    throw new ConditionFault('Postgres stores no text with NUL in it, so nothing compares with it');
  if (!text.isWellFormed()) throw new ConditionFault(`${excerpt(text)} is no valid Unicode`);
  return pg.escapeLiteral(text);
}
