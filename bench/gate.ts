// What the promises cost: checks, the recorded digest, its verification, and a replay; each beside the load itself.
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Bench, median, say, spread } from './figures.ts';
import { generateFile } from './generate.ts';
import { ask, type Server, startServer, upload } from './server.ts';
import { timeSteps } from './steps.ts';

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

/** Runs the scenario and prints its figures. */
export async function benchGate({ directory, url, lines, seed, rounds }: Bench): Promise<object> {
  const path = join(directory, 'clean.ndjson');
  await generateFile(path, { lines, seed, bad: 0 });
  const plainDir = join(directory, 'plain');
  const checkedDir = join(directory, 'checked');
  await makeFolders(plainDir, checkedDir);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const plain = await startServer({ databaseUrl: url, schemaDir: plainDir });
  const checked = await startServer({ databaseUrl: url, schemaDir: checkedDir });
  const times = { plain: [] as number[], checked: [] as number[], verified: [] as number[], file: [] as number[] };
  const rejecting: number[] = [];
  const replaying: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    await client.query('TRUNCATE events.user_event, sluice.row_digests; CHECKPOINT');
    const first = await load(plain, path, lines);
    await client.query('CHECKPOINT');
    const verified = await ask<Reconciled>(`${plain.url}/v1/batches/${first.id}/reconciliation`);
    if (verified.answer.status !== 'matched') throw new Error(JSON.stringify(verified.answer));
    const file = await verifyFile(path, first.id, url);
    await client.query('TRUNCATE events.user_event; CHECKPOINT');
    const second = await load(checked, path, lines);
    await client.query(
      'TRUNCATE events.user_event, sluice.rejected_lines, sluice.rejection_causes, sluice.replays; CHECKPOINT',
    );
    const refused = await upload(plain, path, '&schema=strict');
    await client.query('CHECKPOINT');
    const replay = await ask<{ lines: { accepted: number } }>(`${plain.url}/v1/rejections/replay`, {
      filter: { subject: 'strict' },
      schema: 'user_event',
    });
    if (replay.answer.lines.accepted !== lines) throw new Error(JSON.stringify(replay.answer));
    if (round === 0) continue;
    times.plain.push(first.seconds);
    times.verified.push(verified.seconds);
    times.file.push(file);
    times.checked.push(second.seconds);
    rejecting.push(refused.seconds);
    replaying.push(replay.seconds);
  }
  await plain.stop();
  await checked.stop();
  await client.end();
  const load1 = median(times.plain);
  const share = (all: readonly number[]): string => `${((median(all) / load1) * 100).toFixed(0)} % of the load`;
  say(`\n${lines} good lines, ${rounds} rounds, median (min–max) in seconds\n`);
  say(`load                                ${spread(times.plain)}`);
  say(`load with ${SUITE.length} expectations           ${spread(times.checked)}   ${share(times.checked)}`);
  say(`verify by the recorded digest       ${spread(times.verified)}   ${share(times.verified)}`);
  say(`verify by the file                  ${spread(times.file)}   ${share(times.file)}`);
  say(`the same lines rejected             ${spread(rejecting)}   ${share(rejecting)}`);
  say(`and replayed                        ${spread(replaying)}   ${share(replaying)}`);
  const digest = await digestShare(path, load1);
  return { lines, ...times, rejecting, replaying, digest };
}

/** The share of fingerprints and digest in the thread that decides the load's time. */
async function digestShare(path: string, load: number): Promise<object> {
  const steps = await timeSteps(path);
  const [without, all] = steps.slice(-2);
  const seconds = all!.seconds - without!.seconds;
  say(
    `recording the digest                ${seconds.toFixed(2)}   ${((seconds / load) * 100).toFixed(1)} % of the load`,
  );
  return { seconds, share: seconds / load };
}

async function load(server: Server, path: string, lines: number): Promise<{ seconds: number; id: string }> {
  const { seconds, answer } = await upload(server, path, '&schema=user_event');
  if (answer.status !== 'promoted' || answer.lines.accepted !== lines) throw new Error(JSON.stringify(answer));
  return { seconds, id: answer.batch_id };
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
