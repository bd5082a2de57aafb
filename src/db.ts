// Postgres: knex for everything small, and one way to borrow a plain connection for COPY and transactions.
// Also the one place that says what a database error means for the client.
import { setTimeout as sleep } from 'node:timers/promises';
import knex, { type Knex } from 'knex';
import type { Client } from 'pg';
import { Problem, type ProblemCode } from './errors.ts';
import { Link } from './link.ts';

export type Database = Knex;
/** A plain pg connection, borrowed from knex's pool. */
export type Connection = Client;

export interface DatabaseSettings {
  url: string;
  poolSize: number;
  /** Milliseconds that a statement of the pool's may take; 0, the default, is no bound. */
  statementMs?: number;
  /** Milliseconds that a statement of the pool's may wait for a lock; 0 is no bound. */
  lockMs?: number;
  /** Milliseconds that a transaction of the pool's may do nothing; 0, the default, is no bound. */
  idleInTransactionMs?: number;
  /** Where the sockets to Postgres are kept; absent: nobody watches over them. */
  link?: Link;
}

/** SQLSTATEs that this service acts on (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const SQLSTATE = {
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  diskFull: '53100',
  undefinedTable: '42P01',
  featureNotSupported: '0A000',
} as const;

export const UNIQUE_VIOLATION = '23505';
export const INSUFFICIENT_PRIVILEGE = '42501';

/** Milliseconds for which a lock is waited for, where nothing else is said, and a connection of the pool. */
const LOCK_MS = 10_000;
const ACQUIRE_MS = 10_000;
/** Milliseconds for a connection to be made. */
const CONNECT_MS = 5_000;

/**
 * What every session of ours begins with; no startup parameters, for a pooler in between would not take them. Dates
 * without a zone must mean the same everywhere, transactions are written for this isolation, and a backend whose client
 * is gone must notice that while it waits for a lock, and give its own ones free (Postgres cannot do that on every
 * system, and then it stays as it is).
 */
function sessionOf({ statementMs = 0, lockMs = LOCK_MS, idleInTransactionMs = 0 }: Partial<DatabaseSettings>): string {
  return `SET timezone = 'UTC'; SET client_min_messages = 'warning';
    SET default_transaction_isolation = 'read committed';
    SET statement_timeout = ${statementMs}; SET lock_timeout = ${lockMs};
    SET idle_in_transaction_session_timeout = ${idleInTransactionMs};
    ${NOTICE_GONE_CLIENTS}`;
}

const NOTICE_GONE_CLIENTS = `DO $$ BEGIN
    PERFORM set_config('client_connection_check_interval', '2s', false);
  EXCEPTION WHEN OTHERS THEN NULL; END $$`;

/** Opens the pool. No connection is made before the first query. */
export function openDatabase(settings: DatabaseSettings): Database {
  const { url, poolSize, link = new Link() } = settings;
  const session = sessionOf(settings);
  const db = knex({
    client: 'pg',
    connection: {
      connectionString: url,
      application_name: 'sluice',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_MS,
      stream: link.open,
    } as Knex.PgConnectionConfig,
    pool: {
      min: 0,
      max: poolSize,
      afterCreate: (connection: Connection, done: (error: unknown, connection: Connection) => void) => {
        connection.query(session, (error) => done(error, connection));
      },
    },
    acquireConnectionTimeout: ACQUIRE_MS,
    // Whoever asked is told by an exception; knex would print it a second time, with a stack.
    log: { warn() {}, error() {}, deprecate() {}, debug() {} },
  });
  // The one door through which everybody, knex too, comes to a connection of the pool.
  const acquire: () => Promise<Connection> = db.client.acquireConnection.bind(db.client);
  db.client.acquireConnection = () => link.waitFor(acquire, (late) => db.client.releaseConnection(late));
  return db;
}

/**
 * Borrows a connection for `use` and gives it back. A connection on which `use` failed is closed instead of returned:
 * it may be in the middle of a COPY or of a transaction.
 */
export async function borrow<T>(db: Database, use: (connection: Connection) => Promise<T>): Promise<T> {
  const connection: Connection & { __knex__disposed?: unknown } = await db.client.acquireConnection();
  try {
    return await use(connection);
  } catch (error) {
    connection.__knex__disposed = error;
    // The pool lets go of it only when it is next asked for a connection; its locks must not be held until then.
    connection.end().catch(() => {});
    throw error;
  } finally {
    await db.client.releaseConnection(connection);
  }
}

/**
 * Runs `use` on a connection beside the pool, closed afterwards: for what holds it long while others need the pool's. A
 * lock or transaction that is open then ends with it. Its statements and transactions may take as long as they want.
 */
export async function connectApart<T>(db: Database, use: (connection: Connection) => Promise<T>): Promise<T> {
  // knex puts a listener for its errors on it.
  const connection: Connection = await db.client.acquireRawConnection();
  try {
    await connection.query(sessionOf({}));
    return await use(connection);
  } finally {
    await connection.end().catch(() => {});
  }
}

/** Tries of a transaction that loses against others, and the longest pause before the second one. */
const TRIES = 5;
const PAUSE_MS = 50;

/**
 * Does `work` again where Postgres ended it for the sake of another transaction (serialization failure, deadlock): that
 * is no fault of the work, Postgres expects it to be repeated from its beginning, and the next try mostly succeeds. Two
 * who got into each other's way must not come back at the same moment, so the pause is random.
 * https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
 * @param work a whole transaction, or one statement outside of any; nothing in memory may be changed before its end
 */
export async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!isRetryable(error) || tries === TRIES) throw error;
      await pauseBefore(tries + 1);
    }
  }
}

/** The pause before a try, for loops that have more to decide than {@link retried}. */
export function pauseBefore(tries: number): Promise<void> {
  return sleep(Math.random() * PAUSE_MS * (tries - 1));
}

/** {@link borrow}s a connection for one transaction, and does it again where it lost against another one. */
export function transact<T>(db: Database, work: (connection: Connection) => Promise<T>): Promise<T> {
  return retried(() =>
    borrow(db, async (connection) => {
      await connection.query('BEGIN');
      const result = await work(connection);
      await connection.query('COMMIT');
      return result;
    }),
  );
}

/** The SQLSTATE of a database error, or undefined for any other error. */
export function sqlstate(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** True for an error that another try of the same transaction can cure. */
export function isRetryable(error: unknown): boolean {
  const state = sqlstate(error);
  return state === SQLSTATE.serializationFailure || state === SQLSTATE.deadlockDetected;
}

/** True where Postgres does not do this at all, as COPY into a table with row level security. */
export function isUnsupported(error: unknown): boolean {
  return sqlstate(error) === SQLSTATE.featureNotSupported;
}

/**
 * SQLSTATEs by which a table refuses a row: data exceptions, constraint violations, program limits, what a function or a
 * trigger raises (P0, 2F, 38, 39, 44), and classes that the standard leaves to everybody. Read by Postgres too.
 */
export const REFUSALS = /^(22|23|2F|38|39|44|54|P0|[689I-OQ-WYZ])/;

/** True where a value, not the server, is at fault. */
export function isDataError(error: unknown): boolean {
  return REFUSALS.test(sqlstate(error) ?? '');
}

/** True where a table that should be there is not. */
export function isTableMissing(error: unknown): boolean {
  return sqlstate(error) === SQLSTATE.undefinedTable;
}

const UNREACHABLE = /^(ECONN|ENOTFOUND|EAI_|EPIPE|ETIMEDOUT|EHOST|ENET|ENOENT|EADDRNOTAVAIL)/;
/** The operating system gives this process no more: to get to Postgres, or for anything else. */
const EXHAUSTED = /^(EMFILE|ENFILE|ENOBUFS|ENOMEM)$/;
const CONNECTION_LOST = /connection (terminated|ended|timeout|is closed)|timeout (expired|acquiring)|not queryable/i;
/**
 * SQLSTATEs with which Postgres, or its operator, is not ready for us, whatever we ask: connection exceptions, resources,
 * shutdown and start; an idle transaction cut off; a standby; a password or database that is no longer there; a right
 * that was taken away.
 */
const NOT_READY = /^(08|57P|53|25006|25P03|28|3D000|42501)/;
/** Disk errors and damaged pages: nothing that a client could do, and nothing that ends by itself. */
const DAMAGED = /^(58|XX001|XX002)/;

/** What a database error means for the client; undefined for an error that is not the database's doing. */
export function databaseProblem(error: unknown): Problem | undefined {
  const state = sqlstate(error) ?? '';
  if (state === SQLSTATE.diskFull) return problem('storage_full', 'Postgres has no room left', 60, error);
  if (state === SQLSTATE.lockNotAvailable || isRetryable(error)) {
    return problem('database_busy', 'a lock in Postgres was not free in time', 5, error);
  }
  if (state === SQLSTATE.queryCanceled) return problem('database_busy', 'Postgres took too long for it', 5, error);
  if (DAMAGED.test(state)) return problem('database_unavailable', 'Postgres cannot read or write its files', 60, error);
  if (NOT_READY.test(state)) return problem('database_unavailable', 'Postgres does not take it at present', 2, error);
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  if (EXHAUSTED.test(String(code))) {
    return problem('overloaded', 'the server has no files, sockets or memory left', 5, error);
  }
  if (name === 'KnexTimeoutError') {
    return problem('database_busy', 'no connection to Postgres was free in time', 2, error);
  }
  return isLost(error) ? problem('database_unavailable', 'Postgres cannot be reached', 2, error) : undefined;
}

function problem(code: ProblemCode, reason: string, retryAfter: number, cause: unknown): Problem {
  return new Problem(code, `Nothing was stored: ${reason}`, { retryAfter, cause });
}

function isLost(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return (
    (typeof code === 'string' && UNREACHABLE.test(code)) ||
    (typeof message === 'string' && CONNECTION_LOST.test(message)) ||
    (error instanceof AggregateError && error.errors.some((each) => databaseProblem(each) !== undefined))
  );
}
