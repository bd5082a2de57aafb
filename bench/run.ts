// npm run bench: the whole path over HTTP against the floor, alternating, in one run on one Postgres.
//   npm run bench                     1,000,000 lines, 1 % of them bad
//   npm run bench -- --lines 100000   another size
//   npm run bench -- --memory         peak memory of a 2 GB upload against one of 100 MB
import { spawn } from 'node:child_process';
import { chmodSync, createReadStream, existsSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import pino from 'pino';
import { startEmbedded } from '../src/embedded.ts';
import type { Report } from '../src/model.ts';
import { generateFile } from './generate.ts';
import { dump, identicalTable, settings, timeCopy } from './postgres.ts';
import { timeSteps } from './steps.ts';

const { values: options } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    bad: { type: 'string', default: '0.01' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    memory: { type: 'boolean', default: false },
    json: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});

const MIB = 1024 * 1024;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

interface Server {
  url: string;
  /** Peak resident set so far, in bytes (Linux only, else NaN). */
  peak(): number;
  stop(): Promise<void>;
}

async function startServer(databaseUrl: string): Promise<Server> {
  const child = spawn(
    process.execPath,
    [...(options.profile ? ['--cpu-prof', '--cpu-prof-dir=bench/results'] : []), 'bin/sluice.js', 'serve'],
    {
      env: { ...process.env, DATABASE_URL: databaseUrl, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.on('data', (data: Buffer) => {
      for (const line of data.toString().split('\n')) if (line.includes('"listening"')) resolve(JSON.parse(line).url);
    });
  });
  const status = `/proc/${child.pid}/status`;
  return {
    url,
    peak: () =>
      existsSync(status) ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]) * 1024 : Number.NaN,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

/** Uploads a file; seconds from the first byte to the end of the report. */
async function upload(url: string, path: string): Promise<{ seconds: number; report: Report }> {
  const start = performance.now();
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(`${url}/v1/events?report=summary`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
    });
    sent.on('error', reject);
    sent.on('response', async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve(body);
    });
    createReadStream(path, { highWaterMark: 256 * 1024 }).pipe(sent);
  });
  return { seconds: (performance.now() - start) / 1000, report: JSON.parse(text) };
}

const median = (all: number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]!;
const spread = (all: number[]): string =>
  `${median(all).toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`;

async function benchLoad(directory: string, url: string): Promise<object> {
  const lines = Number(options.lines);
  const rounds = Number(options.rounds);
  const path = join(directory, 'events.ndjson');
  await generateFile(path, { lines, seed: Number(options.seed), bad: Number(options.bad) });
  const bytes = (await stat(path)).size;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const server = await startServer(url);
  const product: number[] = [];
  const floor: number[] = [];
  const limit: number[] = [];
  let report: Report | undefined;
  const text = join(directory, 'rows.text');
  const binary = join(directory, 'rows.binary');
  for (let round = 0; round <= rounds; round++) {
    await client.query('TRUNCATE events.user_event, sluice.rejections; CHECKPOINT');
    const loaded = await upload(server.url, path);
    if (loaded.report.lines?.received !== lines) throw new Error(JSON.stringify(loaded.report));
    report = loaded.report;
    if (round === 0) {
      // The first round warms up and makes the rows that the floor copies.
      await dump(client, text, 'text');
      await dump(client, binary, 'binary');
      await identicalTable(client);
      continue;
    }
    product.push(loaded.seconds);
    await client.query('CHECKPOINT');
    floor.push(await timeCopy(client, text, 'text'));
    await client.query('CHECKPOINT');
    limit.push(await timeCopy(client, binary, 'binary'));
  }
  const used = await settings(client);
  const peak = server.peak();
  await server.stop();
  await client.end();

  const accepted = report!.lines.accepted;
  const rate = lines / median(product);
  const floorRate = accepted / median(floor);
  say(`\n${lines} lines, ${(bytes / 1e6).toFixed(0)} MB, ${accepted} accepted, ${report!.lines.rejected} rejected`);
  say(`Postgres: ${JSON.stringify(used)}`);
  say(`Node ${process.version}, ${rounds} rounds, median (min–max) in seconds\n`);
  say(
    `whole path over HTTP      ${spread(product)}   ${rate.toFixed(0)} rows/s   ${(bytes / 1e6 / median(product)).toFixed(0)} MB/s`,
  );
  say(`floor: text COPY          ${spread(floor)}   ${floorRate.toFixed(0)} rows/s`);
  say(`limit: binary COPY        ${spread(limit)}   ${(accepted / median(limit)).toFixed(0)} rows/s`);
  say(`ratio to the floor        ${(rate / floorRate).toFixed(2)}`);
  say(`peak resident set         ${(peak / MIB).toFixed(0)} MiB\n`);
  say('one thread, cumulative:');
  const steps = await timeSteps(path);
  for (const { step, seconds } of steps) {
    say(`  ${seconds.toFixed(2)} s  ${((seconds / lines) * 1e6).toFixed(2)} µs/line  ${step}`);
  }
  return { lines, bytes, accepted, product, floor, limit, ratio: rate / floorRate, peak, settings: used, steps };
}

async function benchMemory(directory: string, url: string): Promise<object> {
  const path = join(directory, 'events.ndjson');
  const peaks: Record<string, number> = {};
  for (const [name, lines] of [
    ['100 MB', 617_000],
    ['2 GB', 12_350_000],
  ] as const) {
    await generateFile(path, { lines, seed: 1, bad: Number(options.bad) });
    const server = await startServer(url);
    const { seconds, report } = await upload(server.url, path);
    peaks[name] = server.peak();
    await server.stop();
    say(
      `${name}: ${report.lines.received} lines in ${seconds.toFixed(1)} s, peak ${(peaks[name]! / MIB).toFixed(0)} MiB`,
    );
  }
  const difference = (peaks['2 GB']! - peaks['100 MB']!) / MIB;
  say(`difference ${difference.toFixed(0)} MiB`);
  return { peaks, difference };
}

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(sql);
  await client.end();
}

const directory = await mkdtemp(join(existsSync('/tmp') ? '/tmp' : tmpdir(), 'sluice-bench-'));
chmodSync(directory, 0o755);
const embedded =
  process.env.DATABASE_URL === undefined
    ? await startEmbedded({ dataDir: join(directory, 'db'), log: pino({ level: 'warn' }) })
    : undefined;
const server = process.env.DATABASE_URL ?? embedded!.url;
// Tables are emptied between rounds, so everything happens in a database of the bench's own.
const database = `sluice_bench_${process.pid}`;
await administer(`CREATE DATABASE ${database}`);
const url = Object.assign(new URL(server), { pathname: `/${database}` }).href;
try {
  const result = options.memory ? await benchMemory(directory, url) : await benchLoad(directory, url);
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify(result, null, 2));
} finally {
  await administer(`DROP DATABASE ${database} WITH (FORCE)`);
  await embedded?.stop();
  rmSync(directory, { recursive: true, force: true });
}
