// Postgres's own share: the floor (text COPY into final), the limit (binary COPY), and what the stage costs.
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { finished, pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';

const COLUMNS =
  'event_type, event_time, user_email, phone_number, processing_date, _batch_id, _line, _schema_version, _received_at';

const SETTINGS = [
  'server_version',
  'shared_buffers',
  'max_wal_size',
  'wal_level',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
] as const;

/** The settings that the figures depend on. */
export async function settings(client: pg.Client): Promise<Record<string, string>> {
  const { rows } = await client.query('SELECT name, setting, unit FROM pg_settings WHERE name = ANY ($1)', [SETTINGS]);
  return Object.fromEntries(rows.map(({ name, setting, unit }) => [name, `${setting}${unit ? ` × ${unit}` : ''}`]));
}

/** Writes the rows of events.user_event to a file, as `\copy … to` would. */
export async function dump(client: pg.Client, path: string, format: 'text' | 'binary'): Promise<number> {
  await pipeline(
    client.query(copyTo(`COPY (SELECT ${COLUMNS} FROM events.user_event) TO STDOUT (FORMAT ${format})`)),
    createWriteStream(path),
  );
  return (await stat(path)).size;
}

/** Creates an empty table like events.user_event, with its indexes. */
export async function identicalTable(client: pg.Client): Promise<void> {
  await client.query(
    'DROP TABLE IF EXISTS public.floor; CREATE TABLE public.floor (LIKE events.user_event INCLUDING ALL)',
  );
}

/** Seconds for COPY of a dumped file into the identical table, commit included. */
export async function timeCopy(client: pg.Client, path: string, format: 'text' | 'binary'): Promise<number> {
  await client.query('TRUNCATE public.floor');
  const start = performance.now();
  const stream = client.query(copyFrom(`COPY public.floor (${COLUMNS}) FROM STDIN (FORMAT ${format})`));
  createReadStream(path, { highWaterMark: 1 << 20 }).pipe(stream);
  await finished(stream);
  return (performance.now() - start) / 1000;
}
