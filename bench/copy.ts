// What Postgres itself needs: COPY of rows that are typed and clean already, from a file into an identical table. Text is
// the floor (what `\copy` from a file does), binary the limit.
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished, pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

export type Format = 'text' | 'binary';

/** A table of readers, and beside it an empty one like it, with its rows in two files. */
export interface Twin {
  table: string;
  rows: number;
  files: Record<Format, string>;
}

/** Writes the rows that now stand in a subject's table to files, and makes an empty table like it, indexes and all. */
export async function makeTwin(client: pg.Client, subject: string, directory: string): Promise<Twin> {
  const table = `public."${subject}"`;
  const files = { text: join(directory, `${subject}.text`), binary: join(directory, `${subject}.binary`) };
  for (const format of ['text', 'binary'] as const) {
    const rows = client.query(copyTo(`COPY events."${subject}" TO STDOUT (FORMAT ${format})`));
    await pipeline(rows, createWriteStream(files[format]));
  }
  await client.query(`DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} (LIKE events."${subject}" INCLUDING ALL)`);
  const { rows } = await client.query(`SELECT count(*)::integer AS count FROM events."${subject}"`);
  return { table, rows: rows[0].count, files };
}

/** Seconds for COPY of a twin's file into it, `times` over in one statement, commit included. */
export async function timeCopy(client: pg.Client, { table, files }: Twin, format: Format, times = 1): Promise<number> {
  await client.query(`TRUNCATE ${table}; CHECKPOINT`);
  const start = performance.now();
  const stream = client.query(copyFrom(`COPY ${table} FROM STDIN (FORMAT ${format})`));
  for (let time = 1; time <= times; time++) {
    const file = createReadStream(files[format], { highWaterMark: 1 << 20 });
    file.pipe(stream, { end: time === times });
    if (time < times) await finished(file);
  }
  await finished(stream);
  return (performance.now() - start) / 1000;
}
