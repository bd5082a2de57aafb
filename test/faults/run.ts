// npm run faults: all fault tests at their full length, and a table of what was done.
//   npm run faults                       200 kills, a seed of the moment
//   npm run faults -- --seed 7 --kills 50
//   npm run faults -- --only random-kills,disk-full
//   npm run faults -- --old v0.1.0       an older revision beside this one, too
//   npm run faults -- --big 4096         megabytes of the upload into 256 MB of heap
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Parser, type Result } from 'tap-parser';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kills: { type: 'string', default: '200' },
    only: { type: 'string' },
    old: { type: 'string' },
    big: { type: 'string' },
  },
});

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../..');

/** What a scene told of itself: see `record` in scene.ts. */
interface Recorded {
  name: string;
  uploads?: number;
  lines?: number;
  looks?: number;
  seconds?: number;
  seed?: number;
  kills?: Record<string, number>;
  violations?: string[];
}

interface FileResult {
  isOk: boolean;
  failures: string[];
  skipped: string[];
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** One test file in a process of its own; its results are read as they come. */
async function runFile(file: string, records: string): Promise<FileResult> {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    FAULTS_SEED: options.seed,
    FAULTS_KILLS: options.kills,
    FAULTS_RECORD: records,
    TAP_TIMEOUT: '36000',
  };
  if (options.old !== undefined) env.FAULTS_OLD = options.old;
  if (options.big !== undefined) env.FAULTS_BIG_MB = options.big;
  const child = spawn(process.execPath, ['--import=tsx', join(HERE, file)], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const failures: string[] = [];
  const skipped: string[] = [];
  const parser = new Parser();
  const note = (path: string[], result: Result): void => {
    const name = [...path, result.name].join(' > ');
    if (result.skip) skipped.push(`${name}: ${String(result.skip)}`);
    else if (!result.ok && !result.todo) failures.push(name);
  };
  const follow = (each: Parser, path: string[]): void => {
    each.on('assert', (result: Result) => note(path, result));
    each.on('child', (inner: Parser) => follow(inner, [...path, inner.name]));
  };
  follow(parser, []);
  const complete = new Promise<{ ok: boolean }>((resolve) => parser.on('complete', resolve));
  child.stdout.on('data', (piece: Buffer) => parser.write(piece));
  const [code] = await once(child, 'close');
  parser.end();
  const { ok } = await complete;
  return { isOk: ok && code === 0, failures, skipped };
}

function tableOf(recorded: readonly Recorded[]): string {
  const rows = recorded.map(({ name, uploads = 0, lines = 0, looks = 0, seconds = 0, violations = [] }) =>
    [name, uploads, lines, looks, seconds, violations.length].map(String),
  );
  const all = [['test', 'uploads', 'lines', 'reads', 'seconds', 'violations'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
    )
    .join('\n');
}

const wanted = options.only?.split(',').map((name) => `${name}.test.ts`);
const files = readdirSync(HERE).filter((name) => name.endsWith('.test.ts') && (wanted?.includes(name) ?? true));
const folder = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
const records = join(folder, 'records.ndjson');
say(`seed ${options.seed}, ${options.kills} kills`);
let areAllOk = files.length > 0;
for (const file of files) {
  const { isOk, failures, skipped } = await runFile(file, records);
  areAllOk &&= isOk;
  say(`${isOk ? 'ok    ' : 'FAILED'} ${file}`);
  for (const failure of failures) say(`       ${failure}`);
  for (const reason of skipped) say(`       skipped ${reason}`);
}
const recorded = readRecords(records);
say(`\n${tableOf(recorded.filter(({ uploads }) => uploads !== undefined))}\n`);
for (const { kills } of recorded) if (kills !== undefined) say(`seed ${options.seed}: ${JSON.stringify(kills)}`);
for (const { name, violations = [] } of recorded) for (const what of violations) say(`VIOLATION in "${name}": ${what}`);
say(
  areAllOk ? 'no violation' : `FAILED; again with: npm run faults -- --seed ${options.seed} --kills ${options.kills}`,
);
rmSync(folder, { recursive: true, force: true });
process.exitCode = areAllOk ? 0 : 1;

function readRecords(file: string): Recorded[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}
