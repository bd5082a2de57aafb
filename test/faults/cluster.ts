// A Postgres of its own for faults that no neighbour survives: killed, stopped, frozen, its disk full. Its data directory
// can be anywhere; durability is on, for that is what is tried.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { chooseAccount } from '../../src/embedded/account.ts';
import { findBinaries } from '../../src/embedded/binaries.ts';
import { ensureCluster, type Layout, layout, ROLE, readPassword } from '../../src/embedded/cluster.ts';

const READY_MS = 60_000;

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  shared_buffers: '32MB',
  max_connections: '100',
  wal_level: 'minimal',
  max_wal_senders: '0',
  jit: 'off',
};

export interface Cluster {
  /** Of an empty database. */
  url: string;
  /** Where its files are. */
  at: Layout;
  /** The uid and gid that it runs as, where that is not ours. */
  owner: { uid: number; gid: number } | undefined;
  pid(): number;
  isRunning(): boolean;
  /** Starts it again and waits until it takes connections: recovery is over then. */
  start(): Promise<void>;
  /** `kill -9` of the postmaster and of all its children. */
  kill(): Promise<void>;
  /** What `pg_ctl stop -m immediate` does: no shutdown checkpoint, recovery at the next start. */
  stopImmediately(): Promise<void>;
  /** SIGSTOP to all of it: connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
  /** Cuts off every session, or those that match. Returns how many. */
  terminate(where?: string): Promise<number>;
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, params?: unknown[]): Promise<Row[]>;
}

interface Scope {
  teardown(undo: () => unknown): void;
}

/**
 * Initialises and starts it; it goes when the test ends.
 * @param options.home where its files go: an existing folder; absent, one in the temporary folder
 * @param options.prepare runs between initdb and the first start
 */
export async function startCluster(
  t: Scope,
  options: { home?: string; settings?: Record<string, string>; prepare?: (at: Layout) => void } = {},
): Promise<Cluster> {
  const home = realpathSync(options.home ?? mkdtempSync(join(tmpdir(), 'sluice-cluster-')));
  // Postgres may have to run as another user.
  chmodSync(home, 0o755);
  const at = layout(home);
  const binaries = findBinaries();
  const { account, major } = chooseAccount(binaries, home, at.cluster);
  await ensureCluster(at, binaries, account, major);
  options.prepare?.(at);
  const port = await freePort();
  const base = `postgres://${ROLE}:${readPassword(at)}@127.0.0.1:${port}`;
  const url = `${base}/faults?sslmode=disable`;
  const settings = Object.entries({ ...SETTINGS, ...options.settings, port: String(port) });
  const line = [
    ...account.prefix,
    binaries.postgres,
    '-D',
    at.data,
    ...settings.map(([name, value]) => `--${name}=${value}`),
  ];
  let child: ChildProcess | undefined;
  let pool: pg.Pool | undefined;

  const isRunning = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;
  const gone = async (): Promise<void> => {
    const ended = child!;
    if (ended.exitCode === null && ended.signalCode === null) await once(ended, 'exit');
  };
  /** The postmaster and its children, who die last: they would hold on to its shared memory. */
  const all = (): number[] => (isRunning() ? [child!.pid!, ...childrenOf(child!.pid!)] : []);
  const start = async (): Promise<void> => {
    for (const began = Date.now(); ; await sleep(50)) {
      if (!isRunning()) {
        const log = openSync(join(home, 'cluster.log'), 'a');
        child = spawn(line[0]!, line.slice(1), {
          ...account.ids,
          cwd: '/',
          env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
          stdio: ['ignore', log, log],
        });
        closeSync(log);
      }
      if (await answers(`${base}/postgres?sslmode=disable`)) return;
      if (Date.now() - began > READY_MS) throw new Error(`Postgres does not start:\n${logOf(home)}`);
    }
  };
  const kill = async (): Promise<void> => {
    if (!isRunning()) return;
    for (const pid of all()) signal(pid, 'SIGKILL');
    await gone();
  };
  t.teardown(async () => {
    await pool?.end().catch(() => {});
    for (const pid of all()) signal(pid, 'SIGCONT');
    await kill();
    rmSync(options.home === undefined ? home : at.cluster, { recursive: true, force: true, maxRetries: 5 });
  });
  await start();
  await administer(`${base}/postgres?sslmode=disable`, 'CREATE DATABASE faults');
  const query = async <Row extends pg.QueryResultRow>(sql: string, params: unknown[] = []): Promise<Row[]> => {
    pool ??= new pg.Pool({ connectionString: url, max: 3, application_name: 'faults' }).on('error', () => {});
    return (await pool.query<Row>(sql, params)).rows;
  };
  return {
    url,
    at,
    owner: account.owner,
    pid: () => child!.pid!,
    isRunning,
    start,
    kill,
    stopImmediately: async () => {
      signal(child!.pid!, 'SIGQUIT');
      await gone();
    },
    freeze: () => {
      for (const pid of all()) signal(pid, 'SIGSTOP');
    },
    thaw: () => {
      for (const pid of all()) signal(pid, 'SIGCONT');
    },
    terminate: async (where = 'true') => {
      const rows = await query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name <> 'faults' AND (${where})`,
      );
      return rows.length;
    },
    query,
  };
}

function childrenOf(pid: number): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const pairs = table.split('\n').map((row) => row.trim().split(/\s+/).map(Number));
  return pairs.filter(([, parent]) => parent === pid).map(([child]) => child!);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  return administer(url, 'SELECT').then(
    () => true,
    () => false,
  );
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(sql);
  } finally {
    await client.end().catch(() => {});
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function logOf(home: string): string {
  return readFileSync(join(home, 'cluster.log'), 'utf8').split('\n').slice(-30).join('\n');
}
