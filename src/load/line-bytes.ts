// The bytes of lines whose rows are in a large batch's stage already, kept only where a check may still reject them
// (severity reject_rows): nothing is rejected without its bytes.
import { borrow, type Connection, type Database } from '../db.ts';
import { RowBuffer } from '../lines/rows.ts';
import type { Chunk, LinePlace } from './chunk.ts';
import { copyRows } from './copy.ts';
import { unloggedName } from './stage.ts';

const COLUMNS = ['batch_line', 'line', 'file', 'offset', 'length', 'raw'] as const;

/** Creates the table, unlogged like the stage that it goes with. Returns its name, for use in SQL. */
export async function createLineBytes(db: Database, batchId: string): Promise<string> {
  await borrow(db, (connection) => connection.query('SELECT sluice.create_line_bytes($1)', [batchId]));
  return unloggedName(batchId, 'lines');
}

/** Copies the bytes of a chunk's lines. */
export async function copyLineBytes(connection: Connection, name: string, chunk: Chunk): Promise<void> {
  const rows = new RowBuffer();
  for (let row = 0; row < chunk.rows.rows; row++) {
    const { batchLine, line, file, offset, length, raw } = chunk.place(row);
    rows.begin(COLUMNS.length);
    rows.int4(batchLine);
    rows.int4(line);
    if (file === null) rows.null();
    else rows.text(file);
    rows.int8(offset);
    rows.int8(length);
    rows.bytea(raw);
    rows.end();
  }
  await copyRows(connection, name, COLUMNS, rows.copyData(), rows.rows);
}

/** Prepares for {@link readLineBytes}. */
export async function indexLineBytes(connection: Connection, batchId: string): Promise<void> {
  await connection.query('SELECT sluice.index_line_bytes($1)', [batchId]);
}

/** Places and bytes of lines, by their numbers in the batch. */
export async function readLineBytes(
  connection: Connection,
  name: string,
  lines: readonly number[],
): Promise<Map<number, LinePlace>> {
  const { rows } = await connection.query<Omit<LinePlace, 'batchLine'> & { batch_line: number }>(
    `SELECT batch_line, line, file, "offset"::float8 AS "offset", length::float8 AS length, raw FROM ${name}
     WHERE batch_line = ANY ($1::int[])`,
    [lines],
  );
  return new Map(rows.map(({ batch_line, ...place }) => [batch_line, { ...place, batchLine: batch_line }]));
}
