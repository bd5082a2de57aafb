// R19, R20, R21: little memory, few file descriptors, no temporary folder, system calls that fail, on our side and under
// Postgres. The process fails closed: it lives, acknowledges nothing that it has not, and recovers.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { get } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import type { Server } from '../helpers/server.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { post } from './driver.ts';
import { eventually, openScene } from './scene.ts';

/** `npm run faults -- --big 4096` asks for more. */
const BIG_MB = Number(process.env.FAULTS_BIG_MB ?? 48);

/** Whether a program is here; why a test is skipped, if it is not. */
function lacks(program: string, ...args: string[]): { skip?: string } {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return {};
  } catch {
    return { skip: `${program} is not here` };
  }
}

t.test(`an upload of ${BIG_MB} MB in a process that may have 256 MB of heap`, { timeout: 3_600_000 }, async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 101 });
  const program = ['--max-old-space-size=256', 'bin/sluice.js', 'serve'];
  const server = await scene.start({}, { program });
  const line = `{"note":"${'x'.repeat(987)}"}\n`;
  const block = Buffer.from(line.repeat(1_000));
  const blocks = Math.ceil((BIG_MB * 1_000_000) / block.length);
  let [asked, slowest] = [0, 0];
  let isOver = false;
  const watching = (async () => {
    for (; !isOver; await sleep(20)) {
      const began = performance.now();
      if ((await get(server, '/healthz')).status === 200) asked++;
      slowest = Math.max(slowest, performance.now() - began);
    }
  })();
  const { status, text } = await sendBlocks(server, block, blocks);
  isOver = true;
  await watching;
  t.equal(status, 201, text.slice(0, 300));
  t.equal(JSON.parse(text).lines.accepted, blocks * 1_000);
  t.ok(asked > 0);
  t.comment(`/healthz answered ${asked} times meanwhile, the slowest after ${Math.round(slowest)} ms`);
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.bulk'), [{ n: blocks * 1_000 }]);
  t.strictSame(await scene.judged(), []);
});

async function sendBlocks(server: Server, block: Buffer, blocks: number): Promise<{ status: number; text: string }> {
  const sent = request(`${server.url}/v1/events?schema=bulk`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  const answered = once(sent, 'response');
  for (let index = 0; index < blocks; index++) if (!sent.write(block)) await once(sent, 'drain');
  sent.end();
  const [response] = await answered;
  let text = '';
  for await (const piece of response) text += piece;
  return { status: response.statusCode, text };
}

t.test('sixty-four file descriptors and two hundred clients', lacks('prlimit', '--version'), async (t) => {
  const scene = await openScene(t, { database: await testDatabase(t), seed: 103 });
  const server = await scene.start();
  execFileSync('prlimit', ['--pid', String(server.pid), '--nofile=64:64']);
  const line = Buffer.from('{"note":"many","amount":1}\n');
  // Its key makes it one event, however often it is sent.
  const upload = scene.generator.upload({ subject: 'visit', size: 'small', lines: 1, bad: 0, hasKey: true });
  const answers = await Promise.all(
    Array.from({ length: 200 }, () =>
      post(server.url, { key: null, query: { schema: 'visit', dry_run: 'true' } }, line),
    ),
  );
  for (const { status } of answers) {
    if (![200, 429, 503, null].includes(status)) t.fail(`answered with ${status}`);
  }
  t.comment(`${answers.filter(({ status }) => status === 200).length} of 200 were served`);
  t.equal((await scene.send(upload)).status, 201, 'then it works again');
  t.strictSame(await scene.judged(), []);
});

t.test('no temporary folder', async (t) => {
  const scene = await openScene(t, { database: await testDatabase(t), seed: 107 });
  await scene.start({ TMPDIR: '/nowhere' });
  for (const size of ['small', 'large'] as const) {
    const { status } = await scene.send(scene.generator.upload({ size, bad: 0.05, isAborting: false, hasKey: true }));
    t.ok([201, 207].includes(status!), 'nothing is written there');
  }
  t.strictSame(await scene.judged(), []);
});

/** Calls of our own process that fail for a while. */
const OURS: [call: string, error: string][] = [
  ['socket', 'EMFILE'],
  ['connect', 'ENOBUFS'],
  ['accept4', 'ENOMEM'],
  ['writev', 'EINTR'],
];

/** Calls of Postgres that fail for a while. */
const POSTGRES: [calls: string, error: string][] = [
  ['pwrite64,pwritev,fallocate', 'ENOSPC'],
  ['pread64,preadv', 'EIO'],
  ['fdatasync', 'EIO'],
];

t.test('system calls of the server fail', lacks('strace', '-V'), async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 109 });
  const server = await scene.start();
  for (const [call, error] of OURS) {
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database()`,
    );
    const failing = await failCalls(t, [server.pid], call, error);
    if (failing === undefined) return;
    const sending = [1, 2, 3].map(() => scene.send(scene.generator.upload({ size: 'small', bad: 0, hasKey: true })));
    await sleep(1_000);
    await failing();
    for (const answer of await Promise.all(sending)) t.equal(answer.status, 201, `${call} failed with ${error}`);
  }
  t.equal(scene.running().length, 1);
  t.strictSame(await scene.judged(), []);
});

t.test('system calls of Postgres fail', lacks('strace', '-V'), async (t) => {
  const cluster = await startCluster(t);
  const scene = await openScene(t, { database: cluster, seed: 113 });
  await scene.start();
  for (const [calls, error] of POSTGRES) {
    // New sessions are children of the one that is traced.
    const failing = await failCalls(t, [cluster.pid()], calls, error);
    if (failing === undefined) return;
    await cluster.terminate().catch(() => {});
    const sending = [1, 2, 3].map((index) =>
      scene.send(scene.generator.upload({ size: index === 1 ? 'large' : 'small', bad: 0, hasKey: true })),
    );
    await sleep(1_500);
    await failing();
    await backUp(cluster);
    for (const answer of await Promise.all(sending)) t.equal(answer.status, 201, `${calls} failed with ${error}`);
  }
  t.strictSame(await scene.judged(), []);
});

/** After an EIO of a sync Postgres crashes, as it has to; where it gives up altogether it is started again. */
async function backUp(cluster: Cluster): Promise<void> {
  await eventually('Postgres is back', async () => {
    if (!cluster.isRunning()) await cluster.start();
    return (await cluster.query('SELECT').catch(() => undefined)) !== undefined;
  });
}

/**
 * Lets system calls of processes and of their children-to-be fail.
 * @returns what ends it; undefined where nobody may trace here, which skips the rest of the test
 */
async function failCalls(
  t: Test,
  pids: readonly number[],
  calls: string,
  error: string,
): Promise<(() => Promise<void>) | undefined> {
  const strace: ChildProcess = spawn(
    'strace',
    [
      '-f',
      ...pids.map((pid) => `-p${pid}`),
      '-e',
      `trace=${calls}`,
      '-e',
      `inject=${calls}:error=${error}:when=2+3`,
      '-o',
      '/dev/null',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  strace.stderr!.on('data', (piece) => {
    said += piece;
  });
  const ended = once(strace, 'close');
  await eventually('strace is attached', () => said.includes('attached') || strace.exitCode !== null);
  if (strace.exitCode !== null) {
    t.pass('skipped', { skip: `nobody may trace here: ${said.trim()}` });
    return undefined;
  }
  const end = async (): Promise<void> => {
    strace.kill('SIGINT');
    await ended;
  };
  t.teardown(end);
  return end;
}
