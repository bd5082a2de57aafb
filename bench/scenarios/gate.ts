// What the promises cost: checks, verification by the recorded digest and by the file, and a replay; each beside the load
// itself.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { clear, withClient } from '../database.ts';
import { type Figure, ratios } from '../figures.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { type Server, startServer } from '../server.ts';
import { ask, load, upload } from '../upload.ts';

/** 20 expectations of the kinds that a suite of this table would have. Generated events pass all of them. */
const SUITE: [string, object][] = [
  ['expect_table_row_count_to_be_between', { min_value: 1 }],
  ['expect_table_column_count_to_equal', { value: 5 }],
  ['expect_column_values_to_not_be_null', { column: 'event_type' }],
  ['expect_column_values_to_not_be_null', { column: 'event_time' }],
  ['expect_column_values_to_not_be_null', { column: 'user_email' }],
  ['expect_column_values_to_be_between', { column: 'event_type', min_value: 0, max_value: 1_000_000_000 }],
  ['expect_column_values_to_be_between', { column: 'event_time', min_value: '2000-01-01', max_value: '2100-01-01' }],
  ['expect_column_values_to_be_between', { column: 'processing_date', min_value: '2000-01-01', mostly: 0.99 }],
  ['expect_column_value_lengths_to_be_between', { column: 'user_email', min_value: 3, max_value: 200 }],
  ['expect_column_value_lengths_to_be_between', { column: 'phone_number', min_value: 1, max_value: 200 }],
  ['expect_column_values_to_match_regex', { column: 'user_email', regex: '@' }],
  ['expect_column_values_to_not_match_regex', { column: 'phone_number', regex: '[<>]' }],
  ['expect_column_values_to_not_be_in_set', { column: 'user_email', value_set: ['root@localhost', 'test@test'] }],
  ['expect_column_min_to_be_between', { column: 'event_type', min_value: 0 }],
  ['expect_column_max_to_be_between', { column: 'event_type', max_value: 1_000_000_000 }],
  ['expect_column_mean_to_be_between', { column: 'event_type', min_value: 0 }],
  ['expect_column_stdev_to_be_between', { column: 'event_type', min_value: 0 }],
  ['expect_column_unique_value_count_to_be_between', { column: 'event_type', min_value: 1 }],
  ['expect_column_distinct_values_to_contain_set', { column: 'event_type', value_set: [] }],
  ['expect_column_values_to_be_of_type', { column: 'user_email', type_: 'TEXT' }],
];

interface Reconciled {
  status: string;
}

const WAYS = {
  load: 'the load',
  checked: `the load with ${SUITE.length} expectations`,
  verified: 'verifying by the recorded digest',
  by_file: 'verifying by the file',
  rejected: 'the same lines rejected',
  replayed: 'and replayed',
} as const;
type Way = keyof typeof WAYS;

export async function benchGate(bench: Bench): Promise<Figure[]> {
  const { directory, url } = bench;
  const path = join(directory, 'clean.ndjson');
  const lines = bench.lines(1_000_000);
  await generateFile(path, { lines, seed: bench.seed, bad: 0 });
  const plainDir = join(directory, 'plain');
  const checkedDir = join(directory, 'checked');
  await makeFolders(plainDir, checkedDir);
  const plain = await startServer({ databaseUrl: url, schemaDir: plainDir, profileDir: bench.profileDir });
  const checked = await startServer({ databaseUrl: url, schemaDir: checkedDir });
  const seconds = Object.fromEntries(Object.keys(WAYS).map((way) => [way, [] as number[]])) as Record<Way, number[]>;
  try {
    for (let round = 0; round <= bench.rounds; round++) {
      const once = await measure({ path, url, lines, plain, checked });
      // The first round warms up.
      if (round > 0) for (const way of Object.keys(WAYS) as Way[]) seconds[way].push(once[way]);
    }
  } finally {
    await plain.stop();
    await checked.stop();
  }
  return Object.entries(WAYS).flatMap(([way, work]): Figure[] => {
    const values = seconds[way as Way];
    const time: Figure = { id: `gate.${way}_time`, work, unit: 's', values };
    if (way === 'load') return [time];
    return [
      time,
      { id: `gate.${way}`, work: `${work}, against the load`, unit: '×', values: ratios(values, seconds.load) },
    ];
  });
}

interface Round {
  path: string;
  url: string;
  lines: number;
  plain: Server;
  checked: Server;
}

async function measure({ path, url, lines, plain, checked }: Round): Promise<Record<Way, number>> {
  const empty = (): Promise<void> => withClient(url, clear);
  const query = '&schema=user_event';
  await empty();
  const first = await load(plain, { path, query });
  const id = first.answer.batch_id;
  const verified = await ask<Reconciled>(`${plain.url}/v1/batches/${id}/reconciliation`);
  if (verified.answer.status !== 'matched') throw new Error(JSON.stringify(verified.answer));
  const byFile = await verifyFile(path, id, url);
  await empty();
  const second = await load(checked, { path, query });
  await empty();
  const refused = await upload(plain, path, '&schema=strict');
  await withClient(url, (client) => client.query('CHECKPOINT'));
  const replay = await ask<{ lines: { accepted: number } }>(`${plain.url}/v1/rejections/replay`, {
    filter: { subject: 'strict' },
    schema: 'user_event',
  });
  if (replay.answer.lines.accepted !== lines) throw new Error(JSON.stringify(replay.answer));
  return {
    load: first.seconds,
    checked: second.seconds,
    verified: verified.seconds,
    by_file: byFile,
    rejected: refused.seconds,
    replayed: replay.seconds,
  };
}

async function verifyFile(path: string, id: string, url: string): Promise<number> {
  const start = performance.now();
  const words = ['bin/sluice.js', 'reconcile', '--file', path, '--batch', id];
  await promisify(execFile)(process.execPath, words, { env: { ...process.env, DATABASE_URL: url } });
  return (performance.now() - start) / 1000;
}

/** The shipped subject without and with a suite, and one beside it that refuses every event. */
async function makeFolders(plain: string, checked: string): Promise<void> {
  await cp('schemas', plain, { recursive: true });
  const strict = JSON.parse(await readFile('schemas/user_event/1.0.0.json', 'utf8'));
  strict.properties.event_type = { type: 'integer', maximum: -1 };
  await mkdir(join(plain, 'strict'));
  await writeFile(join(plain, 'strict', '1.0.0.json'), JSON.stringify(strict));
  await cp(plain, checked, { recursive: true });
  const expectations = SUITE.map(([type, kwargs]) => ({ type, kwargs }));
  await writeFile(join(checked, 'user_event', 'expectations.json'), JSON.stringify({ expectations }));
}
