// Names of tables, and of columns: what Postgres takes, and what becomes of names that it does not take or that are taken
// already.
import { createHash } from 'node:crypto';

/** Bytes of a Postgres identifier: https://www.postgresql.org/docs/current/sql-syntax-lexical.html */
const MOST_BYTES = 63;

const PROVENANCE = ['_batch_id', '_line', '_schema_version', '_received_at', '_extra'];
// https://www.postgresql.org/docs/current/ddl-system-columns.html
const SYSTEM = ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'];
const RESERVED: ReadonlySet<string> = new Set([...PROVENANCE, ...SYSTEM]);

/** Why `name` cannot be a column's name, or undefined if it can. */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (RESERVED.has(name)) return 'is reserved';
  if (name.includes('\0')) return 'contains NUL';
  if (!name.isWellFormed()) return 'is not valid Unicode';
  if (Buffer.byteLength(name) > MOST_BYTES) return `has more than ${MOST_BYTES} bytes`;
  return undefined;
}

/**
 * A name for a column whose own cannot be used: cut, and ending in `_` and 8 hexadecimal digits of the SHA-256 of
 * `seed`, so the same on every machine.
 */
export function digestName(name: string, seed: string, isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const hash = createHash('sha256').update(attempt === 0 ? seed : `${seed}\n${attempt}`);
    const ending = `_${hash.digest('hex').slice(0, 8)}`;
    const digest = cut(name.replaceAll('\0', '').toWellFormed(), MOST_BYTES - ending.length) + ending;
    if (!isTaken(digest)) return digest;
  }
}

/** The longest beginning of `text` that has at most `bytes` bytes and no half character. */
function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while ((encoded[end]! & 0xc0) === 0x80) end--;
  return encoded.toString('utf8', 0, end);
}

/** Majors 0 and 1 share the subject's own name: what is tried out before 1.0.0 is meant to become it. */
export function tableName(subject: string, major: number): string {
  return major < 2 ? subject : `${subject}__v${major}`;
}

/** The subject of a table. Two underscores stand in no subject: what is before them is the subject. */
export function subjectOf(table: string): string {
  return table.split('__', 1)[0]!;
}
