// The Postgres that Sluice brings along, for whoever has none: real, on 127.0.0.1, its data kept between starts.
// One process at a time keeps it running and stops it; others that start meanwhile use it and leave it alone.
//
//   data there? ── no ──> initdb under another name, move into place
//        │
//   who keeps a Postgres on it? ── a live Sluice ──> use it (adopted)
//        │                     ├── a dead one, or one that stops ──> wait until it has ended ──┐
//        │                     └── nobody (supervisor killed) ──> ask it to stop, wait ────────┤
//        └── none ──> start it on a free port; lost a race for the data or the port? look again <┘
import { closeSync, mkdirSync, realpathSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Account, chooseAccount } from './embedded/account.ts';
import { findBinaries } from './embedded/binaries.ts';
import { ensureCluster, type Layout, layout, openLog, ROLE, readPassword } from './embedded/cluster.ts';
import {
  CLUSTER_NAME,
  forgetStalePid,
  type Keeper,
  keeperOf,
  type Supervised,
  supervise,
} from './embedded/supervisor.ts';
import { StartError } from './errors.ts';

const DATABASE = 'sluice';

/** SQLSTATEs: the database is there already, made by this process or by one that starts with it. */
const EXISTS = new Set(['42P04', '23505']);

/** What Postgres says where another one was faster; the third is about the remains of a killed one. */
const LOST_RACE = /postmaster\.pid" (already exists|is empty)|Address already in use|is still in use/;

/** SQLSTATEs of what passes: no connection, no room, a template in use, starting up or shutting down. */
const PASSING = /^(08|53|55|57)/;

/** How long a Postgres that should end may take. Its supervisor kills it after 25 s. */
const ENDING_MS = 30_000;

/** How long a Postgres may take until it takes connections: recovery after a crash reads up to max_wal_size. */
const READY_MS = 300_000;

/** For ingestion on one machine. What is acknowledged is on disk: fsync and synchronous_commit stay on. */
const SETTINGS: Readonly<Record<string, string>> = {
  cluster_name: CLUSTER_NAME,
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  shared_buffers: '256MB',
  max_connections: '100',
  // Few, long checkpoints: each one makes Postgres write whole pages again.
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  // No replica reads this log, so a table filled in the transaction that made it needs no copy in it.
  wal_level: 'minimal',
  max_wal_senders: '0',
  jit: 'off',
  // Faults reach the client anyway; events' contents are not for a log file.
  log_checkpoints: 'off',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
};

/** What is used of a logger; pino's and fastify's fit. */
export interface EmbeddedLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Embedded {
  /** `postgres://…` with its password; the database exists. */
  url: string;
  /** Another process keeps this Postgres running, and `stop` leaves it to that one. */
  adopted: boolean;
  /** Stops Postgres and resolves when it is gone, within 25 s. It also stops when this process ends in any way. */
  stop(): Promise<void>;
}

/**
 * Starts the embedded Postgres on `<dataDir>/postgres`, or finds the one that runs there.
 * @param settings Postgres settings in addition to (or instead of) the default ones
 * @throws {StartError} one line: what is wrong and what can be done
 */
export async function startEmbedded(options: {
  dataDir: string;
  log: EmbeddedLog;
  settings?: Readonly<Record<string, string>>;
}): Promise<Embedded> {
  const dataDir = resolve(options.dataDir);
  try {
    mkdirSync(dataDir, { recursive: true });
    // The real path is what the process table shows.
    const at = layout(realpathSync(dataDir));
    const binaries = findBinaries();
    const { account, major } = chooseAccount(binaries, at.home, at.cluster);
    await ensureCluster(at, binaries, account, major);
    const settings = { ...SETTINGS, ...options.settings };
    return await startOrAdopt({
      at,
      password: readPassword(at),
      postgres: binaries.postgres,
      account,
      settings,
      log: options.log,
    });
  } catch (error) {
    throw asStartError(error, dataDir);
  }
}

interface Attempt {
  at: Layout;
  password: string;
  postgres: string;
  account: Account;
  settings: Readonly<Record<string, string>>;
  log: EmbeddedLog;
}

/** Looks who keeps a Postgres on the data until one takes connections; every wait in it is bounded. */
async function startOrAdopt(attempt: Attempt): Promise<Embedded> {
  let asked = 0;
  let waiting = false;
  for (const began = Date.now(); ; await sleep(100)) {
    const keeper = keeperOf(attempt.at.data);
    let outcome: Embedded | string = `process ${keeper.pid} holds ${attempt.at.data} and does not end: stop it`;
    if (keeper.state === 'none') outcome = await start(attempt);
    if (keeper.state === 'kept') outcome = await adopt(attempt, keeper);
    if (keeper.state === 'orphan' && asked !== keeper.pid) {
      // Taken over by a restart: only a Postgres under a supervisor is sure to end with its Sluice.
      attempt.log.info({ pid: keeper.pid }, 'stopping an embedded Postgres that was left behind');
      interrupt(keeper);
      asked = keeper.pid;
    }
    if (typeof outcome === 'object') return outcome;
    if (!waiting) attempt.log.info({ pid: keeper.pid, state: keeper.state }, 'waiting for another embedded Postgres');
    waiting = true;
    if (Date.now() - began > (keeper.state === 'kept' ? READY_MS : ENDING_MS)) throw new StartError(outcome);
  }
}

/** @returns why it cannot be used, in a text, where it may be usable later */
async function adopt({ at, password, log }: Attempt, { port, pid, ready }: Keeper): Promise<Embedded | string> {
  const url = urlOf(password, port);
  const fault = ready ? await createDatabase(password, port) : 'it is still starting';
  if (fault !== undefined) return `process ${pid} holds ${at.data} and takes no connections: ${fault}`;
  log.info({ pid, port, data: at.data }, 'using the embedded Postgres of another process');
  return { url, adopted: true, stop: async () => {} };
}

/**
 * Starts Postgres on a free port and waits until it takes connections.
 * @returns a text where another process was faster, for the data or for the port
 * @throws {StartError} it ended, with the reason from its log
 */
async function start({ at, password, postgres, account, settings, log }: Attempt): Promise<Embedded | string> {
  const port = await freePort();
  const output = openLog(at, account);
  const options = Object.entries({ ...settings, port: String(port) }).map(([name, value]) => `--${name}=${value}`);
  const server = supervise(account, postgres, ['-D', at.data, ...options], output.fd);
  closeSync(output.fd);
  try {
    const fault = await untilReady(server, at, password, port);
    if (fault === undefined) {
      log.info({ port, data: at.data }, 'the embedded Postgres is ready');
      return { url: urlOf(password, port), adopted: false, stop: keep(server, at, log) };
    }
  } catch (error) {
    await server.release();
    throw error;
  }
  const reason = server.over() ? output.reason() : 'it did not become ready in time';
  await server.release();
  if (/postmaster\.pid" already exists/.test(reason)) forgetStalePid(at.data);
  const message = `the embedded Postgres did not start (${at.log}): ${reason}`;
  if (LOST_RACE.test(reason)) return message;
  throw new StartError(message);
}

/** @returns undefined as soon as it takes connections */
async function untilReady(server: Supervised, at: Layout, password: string, port: number): Promise<string | undefined> {
  let fault: string | undefined = 'it is still starting';
  for (const began = Date.now(); Date.now() - began < READY_MS && !server.over(); await sleep(30)) {
    const keeper = keeperOf(at.data);
    if (!keeper.ready || keeper.port !== port) continue;
    fault = await createDatabase(password, port);
    if (fault === undefined) break;
  }
  return fault;
}

/** Watches over our own Postgres; the answer stops it. */
function keep(server: Supervised, at: Layout, log: EmbeddedLog): () => Promise<void> {
  let stopping = false;
  server.unref();
  server.ended.then((code) => {
    if (!stopping) log.error({ code, log: at.log }, 'the embedded Postgres was stopped by somebody else');
  });
  return async () => {
    stopping = true;
    await server.release();
    // Somebody killed the supervisor and left Postgres running.
    for (const began = Date.now(); Date.now() - began < ENDING_MS; await sleep(100)) {
      const keeper = keeperOf(at.data);
      if (keeper.state !== 'orphan') return;
      interrupt(keeper);
    }
  };
}

/** Postgres's fast shutdown. */
function interrupt({ pid }: Keeper): void {
  try {
    process.kill(pid, 'SIGINT');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Connects, and makes the database where it is missing.
 * @returns why it did not work, in a text, where trying again may help
 * @throws {StartError} its password does not fit, or its files are not whole
 */
async function createDatabase(password: string, port: number): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: urlOf(password, port, 'postgres'), connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
    return undefined;
  } catch (error) {
    const { code = '', message } = error as { code?: string; message: string };
    if (EXISTS.has(code)) return undefined;
    if (!(error instanceof pg.DatabaseError) || PASSING.test(code)) return message;
    throw new StartError(`the embedded Postgres cannot be used: ${message}`, { cause: error });
  } finally {
    await client.end().catch(() => {});
  }
}

function urlOf(password: string, port: number, database = DATABASE): string {
  // Said aloud, so that a PGSSLMODE of the user's does not reach this connection.
  return `postgres://${ROLE}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`;
}

/** A port that is free now. Where somebody takes it before Postgres does, the next round takes another. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function asStartError(error: unknown, dataDir: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof StartError || code === undefined) return error;
  const hint = code === 'EACCES' || code === 'EPERM' ? ' (started by another user before?)' : '';
  return new StartError(
    `the embedded Postgres cannot use ${dataDir}: ${message}${hint}; set SLUICE_DATA_DIR to another folder, or DATABASE_URL`,
    { cause: error },
  );
}
