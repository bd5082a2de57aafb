// `npm test`: build, lint, types, then every test file under tap on one Postgres. The last line printed is always
// `N passed, N failed`, counted from tap's results; skipped and todo ones count in neither.
// `npm test -- FILE…` builds and runs these test files only. SLUICE_TEST_DATABASE_URL names a Postgres (14 to 18,
// a role that may create databases) to test on instead of the embedded one.
import { spawn } from 'node:child_process';
import { chmodSync, createReadStream, mkdtempSync, rmSync } from 'node:fs';
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
    if (code !== 0) throw Object.assign(new Error(`npm run ${stage} failed`), { name: 'StartError' });
  }
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-'));
  // Postgres may have to run as another user.
  chmodSync(scratch, 0o755);
  const postgres = await startPostgres(scratch);
  try {
    await runTap(args, join(scratch, 'results.tap'), postgres.url);
  } finally {
    await postgres.stop();
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

async function runTap(args, results, url) {
  const tap = join(dirname(createRequire(import.meta.url).resolve('tap/package.json')), 'dist/esm/run.mjs');
  const code = await run(process.execPath, [tap, `--output-file=${results}`, ...args], {
    SLUICE_TEST_DATABASE_URL: url,
  });
  const { ok, count } = await readResults(results);
  const why = [
    code !== 0 && `tap ended with ${code}`,
    !ok && 'a failed or incomplete run',
    count === 0 && 'no test ran',
  ];
  if (counts.failed === 0 && why.some(Boolean))
    throw Object.assign(new Error(why.filter(Boolean).join(', ')), { name: 'StartError' });
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
  const { ok, bailout, count } = await complete;
  return { ok: ok && !bailout, count };
}

/** @returns the exit code, or the signal's name */
function run(program, args, env = {}) {
  return new Promise((resolve, reject) => {
    running = spawn(program, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } });
    const timer = setTimeout(() => running.kill('SIGKILL'), RUN_MS);
    running.once('error', reject);
    running.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(code ?? signal);
    });
  });
}

function complain(text) {
  process.stderr.write(`${text}\n`);
}
