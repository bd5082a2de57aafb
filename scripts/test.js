// `npm test`: build, lint, types, then every test file under tap on one Postgres. The last line printed is always
// `N passed, N failed`, counted from tap's results; skipped and todo ones count in neither.
// `npm test -- FILE…` builds and runs these test files only. SLUICE_TEST_DATABASE_URL names a Postgres (14 to 18,
// a role that may create databases) to test on instead of the embedded one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { Parser } from 'tap-parser';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** A run that takes longer is stuck; single files have a limit of their own in `.taprc`. */
const RUN_MS = 60 * 60 * 1000;

/** Durability costs time and proves nothing here: the tests of it start a Postgres of their own. */
const FAST = { fsync: 'off', full_page_writes: 'off', max_connections: '300' };

let running;
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    // At a ctrl-C the terminal has told tap already, and tap is giving its tests time to tidy up.
    if (signal !== 'SIGINT') running?.kill(signal);
  });
}

const counts = { passed: 0, failed: 0 };
try {
  await main(process.argv.slice(2));
} catch (error) {
  complain(error?.name === 'StartError' ? error.message : error?.stack);
  counts.failed = Math.max(counts.failed, 1);
}
if (interrupted) counts.failed = Math.max(counts.failed, 1);
process.exitCode = counts.failed > 0 ? 1 : 0;
// Written at once, also to a pipe, so that nothing comes after it.
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`, () => process.exit());

async function main(args) {
  for (const stage of args.length === 0 ? ['build', 'lint', 'types'] : ['build']) {
    const code = await run('npm', ['run', '--silent', stage]);
    if (code !== 0) throw fault(`npm run ${stage} failed`);
  }
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-'));
  // Postgres may have to run as another user.
  chmodSync(scratch, 0o755);
  let postgres;
  try {
    postgres = await startPostgres(scratch);
    await runTap(args, join(scratch, 'results.tap'), postgres.url);
  } finally {
    await postgres?.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function startPostgres(dataDir) {
  const given = process.env.SLUICE_TEST_DATABASE_URL;
  if (given) return { url: given, stop: async () => {} };
  const { startEmbedded } = await import('../dist/embedded.js');
  const log = { info() {}, error: (fields, message) => complain(`${message} ${JSON.stringify(fields)}`) };
  return startEmbedded({ dataDir, log, settings: FAST });
}

/** At a terminal tap draws its picture, and writes the results to a file; else they are what is printed. */
async function runTap(args, results, url) {
  const tap = join(dirname(createRequire(import.meta.url).resolve('tap/package.json')), 'dist/esm/run.mjs');
  const shown = process.stdout.isTTY ? [`--output-file=${results}`] : ['--reporter=tap'];
  const code = await run(process.execPath, [tap, ...shown, ...args], {
    env: { SLUICE_TEST_DATABASE_URL: url },
    copy: process.stdout.isTTY ? undefined : results,
  });
  const ok = await readResults(results);
  if (counts.failed > 0) return;
  if (counts.passed === 0) throw fault('no test ran');
  if (code !== 0 || !ok) throw fault(`tap ended with ${code}, its results are ${ok ? 'complete' : 'not complete'}`);
}

/** Counts what tap counts: assertions, and subtests without any; plus whether the whole run holds together. */
async function readResults(file) {
  const parser = new Parser();
  parser.on('pass', () => counts.passed++);
  parser.on('fail', () => counts.failed++);
  const complete = new Promise((resolve) => parser.on('complete', resolve));
  const input = createReadStream(file, 'utf8');
  input.on('data', (text) => parser.write(text));
  await finished(input);
  parser.end();
  const { ok, bailout } = await complete;
  return ok && !bailout;
}

/**
 * @param copy a file that takes what the program prints, beside our own stdout
 * @returns the exit code, or the signal's name
 */
async function run(program, args, { env = {}, copy } = {}) {
  const stdio = ['inherit', copy ? 'pipe' : 'inherit', 'inherit'];
  running = spawn(program, args, { cwd: ROOT, stdio, env: { ...process.env, ...env } });
  const timer = setTimeout(() => running.kill('SIGKILL'), RUN_MS);
  const copied = copy && finished(running.stdout.pipe(createWriteStream(copy)));
  running.stdout?.pipe(process.stdout, { end: false });
  const [code, signal] = await once(running, 'exit');
  await copied;
  clearTimeout(timer);
  return code ?? signal;
}

/** A fault that needs no stack trace. */
function fault(message) {
  return Object.assign(new Error(message), { name: 'StartError' });
}

function complain(text) {
  process.stderr.write(`${text}\n`);
}
