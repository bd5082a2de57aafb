// npm run bench: the product beside what Postgres itself needs, alternating, in one run on one Postgres.
//   npm run bench                     1,000,000 lines: the load (1 % of them bad), then checks, digest, proof and replay
//   npm run bench -- --only load      one scenario: load, gate, singles
//   npm run bench -- --lines 100000   another size
//   npm run bench -- --memory         peak memory of a 2 GB upload against one of 100 MB
//   npm run bench -- --access         requests a second that are refused, and what a key costs those that are not
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import pino from 'pino';
import { startEmbedded } from '../src/embedded.ts';
import { benchAccess } from './access.ts';
import type { Bench } from './figures.ts';
import { benchGate } from './gate.ts';
import { benchLoad } from './load.ts';
import { benchMemory } from './memory.ts';
import { benchSingles } from './singles.ts';

const { values: options } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000000' },
    bad: { type: 'string', default: '0.01' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    access: { type: 'boolean', default: false },
    memory: { type: 'boolean', default: false },
    json: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
});

const SCENARIOS: Record<string, (bench: Bench) => Promise<object>> = {
  load: benchLoad,
  gate: benchGate,
  singles: benchSingles,
};

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(sql);
  await client.end();
}

/** Tables are emptied between rounds, so everything happens in databases of the bench's own. */
async function inDatabase(name: string, scenario: (bench: Bench) => Promise<object>): Promise<object> {
  const database = `sluice_bench_${process.pid}_${name}`;
  await administer(`CREATE DATABASE ${database}`);
  try {
    return await scenario({
      directory,
      url: Object.assign(new URL(server), { pathname: `/${database}` }).href,
      lines: Number(options.lines),
      bad: Number(options.bad),
      seed: Number(options.seed),
      rounds: Number(options.rounds),
      profile: options.profile,
    });
  } finally {
    await administer(`DROP DATABASE ${database} WITH (FORCE)`);
  }
}

const directory = await mkdtemp(join(existsSync('/tmp') ? '/tmp' : tmpdir(), 'sluice-bench-'));
chmodSync(directory, 0o755);
const embedded =
  process.env.DATABASE_URL === undefined
    ? await startEmbedded({ dataDir: join(directory, 'db'), log: pino({ level: 'warn' }) })
    : undefined;
const server = process.env.DATABASE_URL ?? embedded!.url;
try {
  const results: Record<string, object> = {};
  if (options.access) results.access = await inDatabase('access', benchAccess);
  else if (options.memory) results.memory = await inDatabase('memory', benchMemory);
  else {
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      if (options.only === undefined || options.only === name) results[name] = await inDatabase(name, scenario);
    }
  }
  if (options.json !== undefined) await writeFile(options.json, JSON.stringify(results, null, 2));
} finally {
  await embedded?.stop();
  rmSync(directory, { recursive: true, force: true });
}
