// `npm start`, stopped in every way: nothing is left running, and the next start finds its data again.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { get, post, userEvent } from './helpers/http.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Started {
  npm: ChildProcess;
  url: string;
  /** Process id of the server itself. */
  pid: number;
}

function npmStart(t: Test, dataDir: string): Promise<Started> {
  const { DATABASE_URL: _, NODE_OPTIONS: __, ...env } = process.env;
  const npm = spawn('npm', ['start', '--ignore-scripts'], {
    cwd: ROOT,
    env: { ...env, PORT: '0', SLUICE_DATA_DIR: dataDir, LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => npm.kill('SIGKILL'));
  return new Promise((resolve, reject) => {
    npm.once('exit', (code) => reject(new Error(`npm start ended with ${code}`)));
    createInterface({ input: npm.stdout! }).on('line', (line) => {
      if (!line.includes('"msg":"listening"')) return;
      const { url, pid } = JSON.parse(line);
      resolve({ npm, url, pid });
    });
  });
}

async function isGone(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 300; tries++) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await sleep(100);
  }
  return false;
}

const ENDS: [string, (started: Started) => void][] = [
  ['SIGTERM to npm', ({ npm }) => npm.kill('SIGTERM')],
  ['SIGINT to npm', ({ npm }) => npm.kill('SIGINT')],
  ['SIGKILL to npm', ({ npm }) => npm.kill('SIGKILL')],
  ['SIGKILL to the server', ({ pid }) => process.kill(pid, 'SIGKILL')],
];

t.test('however npm start is stopped, the next one starts and has the data', async (t) => {
  t.setTimeout(200_000);
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-start-'));
  // Postgres may have to run as another user.
  chmodSync(dataDir, 0o755);
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  for (const [count, [how, end]] of ENDS.entries()) {
    const started = await npmStart(t, dataDir);
    const list = await get(started, '/v1/batches');
    t.equal(list.json.items.length, count, `what was stored before ${how} is still there`);
    t.match(await post(started, JSON.stringify(userEvent())), { status: 201 });
    const postgres = Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n', 1)[0]);
    end(started);
    t.ok(await isGone(started.pid), `no server is left after ${how}`);
    t.ok(await isGone(postgres), `no Postgres is left after ${how}`);
  }
});
