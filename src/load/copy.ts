// Binary COPY.
import { finished } from 'node:stream/promises';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import type { Connection } from '../db.ts';
import { type CopiedBlock, CopiedRows } from '../lines/copied.ts';
import { stageColumns } from '../lines/encode.ts';
import { quote } from '../sql.ts';
import type { Chunk } from './chunk.ts';

/** Copies all rows of `chunk` into `table` (quoted, qualified). */
export async function copyChunk(connection: Connection, table: string, chunk: Chunk): Promise<void> {
  await copyRows(connection, table, stageColumns(chunk.plan), chunk.rows.copyData(), chunk.rows.rows);
}

/**
 * One COPY of complete data: it is never fed from a source that could end early, for half a COPY would be half a batch.
 * @param data a whole stream in the format of binary COPY
 * @throws {Error} if Postgres counted another number of rows than were sent
 */
export async function copyRows(
  connection: Connection,
  table: string,
  columns: readonly string[],
  data: Buffer,
  rows: number,
): Promise<void> {
  const stream = connection.query(copyFrom(copyStatement(table, columns)));
  // It may tell of the end of its connection once more when nobody waits for it any longer.
  stream.on('error', () => {});
  stream.end(data);
  await finished(stream);
  if (stream.rowCount !== rows) {
    throw new Error(`COPY into ${table}: ${rows} rows sent, ${stream.rowCount} loaded`);
  }
}

export function copyStatement(table: string, columns: readonly string[]): string {
  return `COPY ${table} (${columns.map(quote).join(', ')}) FROM STDIN (FORMAT binary)`;
}

/**
 * Runs `COPY (select) TO STDOUT (FORMAT binary)`; the rows come in blocks as they arrive, each valid until the next.
 * Postgres waits while nobody asks for more.
 * @param fields number of columns selected
 */
export async function* copyOut(connection: Connection, select: string, fields: number): AsyncGenerator<CopiedBlock> {
  const stream = connection.query(copyTo(`COPY (${select}) TO STDOUT (FORMAT binary)`));
  // Errors come out of the iteration; one that comes after its end must not count as unhandled.
  stream.on('error', () => {});
  const rows = new CopiedRows(fields);
  for await (const chunk of stream as AsyncIterable<Buffer>) yield rows.push(chunk);
  rows.end();
}
