// How late the server's event loop is while a 2 GB upload runs and single events go on beside it; and how long those wait.
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { clear, withClient } from '../database.ts';
import { SINGLE } from '../emptiest.ts';
import { type Figure, percentile } from '../figures.ts';
import { generateFile } from '../generate.ts';
import { type Answered, openLoop } from '../open-loop.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';
import { load } from '../upload.ts';

const GB2_LINES = 12_350_000;
const TIMES = 10;
const SINGLES_PER_SECOND = 200;

interface Delay {
  p50: number;
  p99: number;
  max: number;
}

export async function benchDelay(bench: Bench): Promise<Figure[]> {
  const path = join(bench.directory, 'events.ndjson');
  const file = join(bench.directory, 'delay.json');
  await generateFile(path, { lines: Math.round(bench.lines(GB2_LINES) / TIMES), seed: bench.seed, bad: 0 });
  const server = await startServer({
    databaseUrl: bench.url,
    profileDir: bench.profileDir,
    nodeArgs: ['--import=./bench/delay-monitor.js'],
    env: { BENCH_DELAY_FILE: file },
  });
  const delays: Delay[] = [];
  const answered: Answered[] = [];
  try {
    for (let round = 0; round <= bench.rounds; round++) {
      await withClient(bench.url, clear);
      const singles = await openLoop(server.url, SINGLE, SINGLES_PER_SECOND);
      server.signal('SIGUSR2');
      // The first round warms up, with less.
      await load(server, { path, times: round > 0 ? TIMES : 1 });
      server.signal('SIGUSR2');
      const singlesAnswered = await singles.stop();
      const delay = await readDelay(file);
      if (round === 0) continue;
      answered.push(singlesAnswered);
      delays.push(delay);
    }
  } finally {
    await server.stop();
  }
  const late = (of: keyof Delay): number[] => delays.map((delay) => delay[of]);
  const waited = (share: number): number[] => answered.map(({ latencies }) => percentile(latencies, share));
  const refused = answered.map((all) => all.refused * 100);
  return [
    { id: 'delay.p50', work: 'half of the turns of the event loop late by', unit: 'ms', values: late('p50') },
    { id: 'delay.p99', work: '99 % late by less than', unit: 'ms', values: late('p99') },
    { id: 'delay.max', work: 'the latest', unit: 'ms', values: late('max') },
    { id: 'delay.single_p50', work: 'half of the single events answered within', unit: 'ms', values: waited(0.5) },
    { id: 'delay.single_p99', work: '99 % of them', unit: 'ms', values: waited(0.99) },
    { id: 'delay.single_max', work: 'the longest', unit: 'ms', values: waited(1) },
    { id: 'delay.refused', work: 'turned away (429, 503), in %', unit: '', values: refused },
  ];
}

/** What the server's monitor wrote, once it has. */
async function readDelay(file: string): Promise<Delay> {
  for (let tries = 0; !existsSync(file); tries++) {
    if (tries === 1_000) throw new Error('the server did not write how late its event loop was');
    await sleep(10);
  }
  const delay = JSON.parse(await readFile(file, 'utf8')) as Delay;
  await rm(file);
  return delay;
}
