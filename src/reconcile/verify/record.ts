// One row as the encoder wrote it against the same row as `record_send` gives it back, byte for byte.
import type { ColumnFinding } from './findings.ts';
import { jsonText } from './values.ts';

/** Where rows in COPY's format stand, and where the next one begins. */
export interface EncodedRows {
  view: DataView;
  at: number;
}

/** Passes over a row. */
export function skipRow(rows: EncodedRows): void {
  const { view } = rows;
  const fields = view.getInt16(rows.at);
  rows.at += 2;
  for (let field = 0; field < fields; field++) rows.at += 4 + Math.max(0, view.getInt32(rows.at));
}

/**
 * Whether a record has the fields of an encoded row, and `_received_at` behind them.
 * @param start of the record: its length, its field count, then each field as type, length, bytes
 * @param receivedAt microseconds since 2000-01-01
 */
export function isSame(rows: EncodedRows, found: DataView, start: number, receivedAt: bigint): boolean {
  const { view } = rows;
  const fields = view.getInt16(rows.at);
  let own = rows.at + 2;
  let at = start + 8;
  for (let field = 0; field < fields; field++) {
    const length = view.getInt32(own);
    if (length !== found.getInt32(at + 4)) return false;
    own += 4;
    at += 8;
    if (length <= 0) continue;
    const end = own + length;
    for (; own + 4 <= end; own += 4, at += 4) if (view.getInt32(own) !== found.getInt32(at)) return false;
    for (; own < end; own++, at++) if (view.getUint8(own) !== found.getUint8(at)) return false;
  }
  return found.getInt32(at + 4) === 8 && found.getBigInt64(at + 8) === receivedAt;
}

/** The columns that differ. */
export function differencesOf(
  rows: EncodedRows,
  found: DataView,
  start: number,
  receivedAt: bigint,
  columns: readonly string[],
  types: readonly number[],
): ColumnFinding[] {
  const expected = [...encodedFields(rows), int8(receivedAt)];
  const theirs = [...recordFields(found, start)];
  return columns.flatMap((column, field) => {
    const own = expected[field] ?? null;
    const { oid, bytes } = theirs[field] ?? { oid: 0, bytes: null };
    if (own === null ? bytes === null : bytes !== null && own.equals(bytes)) return [];
    return [{ column, expected: jsonText(types[field]!, own), found: jsonText(oid, bytes) }];
  });
}

/** One field of an encoded row; null for SQL NULL. */
export function fieldOf(rows: EncodedRows, field: number): Buffer | null {
  return [...encodedFields(rows)][field] ?? null;
}

function* encodedFields({ view, at }: EncodedRows): Generator<Buffer | null> {
  const fields = view.getInt16(at);
  let start = at + 2;
  for (let field = 0; field < fields; field++) {
    const length = view.getInt32(start);
    start += 4;
    yield length === -1 ? null : slice(view, start, length);
    start += Math.max(0, length);
  }
}

function* recordFields(view: DataView, start: number): Generator<{ oid: number; bytes: Buffer | null }> {
  const fields = view.getInt32(start + 4);
  let at = start + 8;
  for (let field = 0; field < fields; field++) {
    const oid = view.getInt32(at);
    const length = view.getInt32(at + 4);
    at += 8;
    yield { oid, bytes: length === -1 ? null : slice(view, at, length) };
    at += Math.max(0, length);
  }
}

function slice(view: DataView, start: number, length: number): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + start, length);
}

function int8(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}
