// An upload into a table that holds 20 million rows already, against one into an empty table: once without an id, and
// once with one, whose unique index has to be searched and kept.
import { join } from 'node:path';
import type pg from 'pg';
import { clear, withClient } from '../database.ts';
import { type Figure, ratios } from '../figures.ts';
import { writeLines } from '../generate/file.ts';
import { idLines, idSchema } from '../generate/with-id.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { schemaFolder, startServer } from '../server.ts';
import { load } from '../upload.ts';

export async function benchFull(bench: Bench): Promise<Figure[]> {
  const rows = bench.lines(20_000_000);
  const lines = Math.round(rows / 20);
  const plain = join(bench.directory, 'events.ndjson');
  await generateFile(plain, { lines, seed: bench.seed, bad: 0 });
  const schemaDir = await schemaFolder(join(bench.directory, 'schemas'), { id_event: await idSchema() });
  // Each round brings ids of its own: the full table keeps what it was given.
  const withIds = async (round: number): Promise<string> => {
    const path = join(bench.directory, 'ids.ndjson');
    await writeLines(path, idLines(lines, bench.seed + 10 * round, 'random'));
    return path;
  };
  return [
    ...(await compared(bench, { rows, lines, id: 'full', path: async () => plain, subject: 'user_event' })),
    ...(await compared(bench, { rows, lines, id: 'full.id', path: withIds, subject: 'id_event', schemaDir })),
  ];
}

interface Case {
  rows: number;
  lines: number;
  /** Beginning of the figures' names. */
  id: string;
  /** The file of a round. */
  path(round: number): Promise<string>;
  subject: 'user_event' | 'id_event';
  schemaDir?: string;
}

async function compared(bench: Bench, { rows, lines, id, path, subject, schemaDir }: Case): Promise<Figure[]> {
  const folder = schemaDir === undefined ? {} : { schemaDir };
  const [fullUrl, emptyUrl] = [await bench.anotherDatabase(), await bench.anotherDatabase()];
  const full = await startServer({ databaseUrl: fullUrl, ...folder, profileDir: bench.profileDir });
  const empty = await startServer({ databaseUrl: emptyUrl, ...folder });
  const rates = { full: [] as number[], empty: [] as number[] };
  try {
    await withClient(fullUrl, (client) => fill(client, subject, rows));
    for (let round = 0; round <= bench.rounds; round++) {
      const file = { path: await path(round) };
      await withClient(emptyUrl, clear);
      const intoEmpty = await load(empty, file);
      await withClient(fullUrl, (client) => client.query('CHECKPOINT'));
      const intoFull = await load(full, file);
      // The first round warms up.
      if (round === 0) continue;
      rates.empty.push(lines / intoEmpty.seconds);
      rates.full.push(lines / intoFull.seconds);
    }
  } finally {
    await full.stop();
    await empty.stop();
  }
  const name = subject === 'user_event' ? '' : ', with a random id';
  return [
    { id: `${id}.into_empty`, work: `rows into an empty table${name}`, unit: '/s', values: rates.empty },
    { id: `${id}.into_full`, work: `rows into one of ${rows} rows${name}`, unit: '/s', values: rates.full },
    { id: `${id}.ratio`, work: `full against empty${name}`, unit: '×', values: ratios(rates.full, rates.empty) },
  ];
}

/** Fills a table with rows of batches that nobody sent. The unique index is made afterwards, which is much quicker. */
async function fill(client: pg.Client, subject: Case['subject'], rows: number): Promise<void> {
  const { rows: indexes } = await client.query<{ name: string; definition: string }>(
    `SELECT format('events.%I', indexname) AS name, indexdef AS definition FROM pg_indexes
     WHERE schemaname = 'events' AND tablename = $1`,
    [subject],
  );
  for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
  const [column, value] = subject === 'id_event' ? ['event_id, ', 'gen_random_uuid(), '] : ['', ''];
  await client.query(
    `INSERT INTO events.${subject} (${column}event_type, event_time, user_email, phone_number, processing_date,
         _batch_id, _line, _schema_version, _received_at)
     SELECT ${value}n % 20, timestamptz '2026-01-01Z' + n * interval '1 second', 'ada.' || n || '@example.com',
       '+49' || lpad((n % 100000000)::text, 8, '0'), date '2026-01-01' + n / 86400,
       overlay('00000000-0000-7000-8000-000000000000' PLACING lpad(to_hex(n / 1000000), 12, '0') FROM 25)::uuid,
       n % 1000000 + 1, '1.0.0', timestamptz '2026-01-01Z'
     FROM generate_series(1, $1::integer) AS n`,
    [rows],
  );
  for (const { definition } of indexes) await client.query(definition);
  await client.query(`VACUUM (ANALYZE) events.${subject}`);
}
