// npm run bench: the product beside what Postgres itself needs. `--help` names the options; goals.ts says what is to be
// reached, and each file in scenarios/ what is measured.
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pino from 'pino';
import { startEmbedded } from '../src/embedded.ts';
import { compare } from './compare.ts';
import { Databases, settingsOf, withClient } from './database.ts';
import type { Figure } from './figures.ts';
import { linesOf, type Options, readOptions, USAGE } from './options.ts';
import { describe, machine, type Results, readResults, writeResults } from './results.ts';
import type { Bench, Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { stopLeftovers } from './server.ts';
import { figureTable, goalTable, markdown, plain } from './table.ts';
import { watchPostgres } from './watch-postgres.ts';

const RESULTS = 'bench/results';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Runs one scenario in a database and a folder of its own, and prints what it found. */
async function runScenario(name: string, scenario: Scenario, options: Options, all: Run): Promise<Figure[]> {
  const directory = join(all.directory, name);
  await mkdir(directory);
  const { databases } = all;
  const profileDir = options.profile ? resolve(RESULTS, `${all.started}-${name}`) : undefined;
  const bench: Bench = {
    directory,
    url: await databases.make(),
    anotherDatabase: () => databases.make(),
    lines: (usual) => linesOf(options, usual),
    rounds: options.rounds,
    seconds: options.quick ? 1 : 4,
    seed: options.seed,
    profileDir,
    note(text) {
      all.notes.push(text);
      say(text);
    },
  };
  const watch = profileDir === undefined ? undefined : await watchPostgres(all.postgres, profileDir);
  try {
    say(`\n=== ${name}`);
    const began = performance.now();
    const figures = await scenario(bench);
    say(`${plain(figureTable(figures))}\n${((performance.now() - began) / 1000).toFixed(0)} s`);
    return figures;
  } finally {
    await stopLeftovers();
    const missing = await watch?.stop();
    if (missing !== undefined) bench.note(`${name}: profiles are in ${profileDir}${missing}`);
    await databases.dropAll();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Run {
  directory: string;
  /** URL of the Postgres. */
  postgres: string;
  databases: Databases;
  /** When the run began, fit for a file's name. */
  started: string;
  notes: string[];
}

/** Runs the scenarios asked for, one after the other; one that fails takes no other with it. */
async function runAll(options: Options, run: Run, date: string): Promise<{ results: Results; failed: string[] }> {
  const figures: Figure[] = [];
  const failed: string[] = [];
  const postgres = await withClient(run.postgres, settingsOf);
  const results = { date, machine: machine(), postgres, options: process.argv.slice(2), notes: run.notes, figures };
  say(describe(results));
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    if (options.only !== null && !options.only.includes(name)) continue;
    try {
      figures.push(...(await runScenario(name, scenario, options, run)));
    } catch (error) {
      failed.push(name);
      run.notes.push(`${name} failed: ${(error as Error).message}`);
      process.stderr.write(`${(error as Error).stack}\n`);
    }
  }
  return { results, failed };
}

async function main(words: readonly string[]): Promise<number> {
  if (words.includes('--help')) {
    say(`${USAGE}\n  scenarios: ${Object.keys(SCENARIOS).join(', ')}`);
    return 0;
  }
  const options = readOptions(words);
  const unknown = options.only?.find((name) => !(name in SCENARIOS));
  if (unknown !== undefined) throw new TypeError(`there is no scenario ${unknown}`);
  const earlier = options.compare === null ? undefined : await readResults(options.compare);

  const date = new Date().toISOString();
  const started = date.slice(0, 19).replaceAll(':', '');
  // Postgres's own account has to find its data in it, and the longer a path, the shorter a socket's name can be.
  const directory = await mkdtemp(join(existsSync('/tmp') ? '/tmp' : tmpdir(), 'sluice-bench-'));
  chmodSync(directory, 0o755);
  const given = process.env.DATABASE_URL;
  const log = pino({ level: 'warn' });
  const embedded = given === undefined ? await startEmbedded({ dataDir: join(directory, 'db'), log }) : undefined;
  const postgres = given ?? embedded!.url;
  const databases = new Databases(postgres);
  const clean = async (): Promise<void> => {
    await stopLeftovers();
    await databases.dropAll();
    await embedded?.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  // A signal and the end of the run may want it at the same time.
  let cleaning: Promise<void> | undefined;
  const cleanUp = (): Promise<void> => {
    cleaning ??= clean();
    return cleaning;
  };
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => cleanUp().finally(() => process.exit(code)));
  }
  try {
    const run: Run = { directory, postgres, databases, started, notes: [] };
    const { results, failed } = await runAll(options, run, date);
    const json = options.json ?? join(RESULTS, `${started}.json`);
    await writeResults(json, results);
    const goals = goalTable(results.figures);
    if (options.markdown !== null) await writeFile(options.markdown, `${markdown(goals)}\n`);
    if (earlier !== undefined) {
      say(`\nBeside ${options.compare}, of ${earlier.date}:\n${plain(compare(earlier.figures, results.figures))}`);
    }
    say(`\n${describe(results)}\n\n${plain(goals)}\n\nThe figures are in ${json}.`);
    if (failed.length > 0) say(`FAILED: ${failed.join(', ')}`);
    return failed.length > 0 ? 1 : 0;
  } finally {
    await cleanUp();
  }
}

// A scenario that failed may have left connections open.
process.exit(await main(process.argv.slice(2)));
