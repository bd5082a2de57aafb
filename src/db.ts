// Postgres: knex for everything small, and one way to borrow a plain connection for COPY and transactions.
// Also the one place that says what a database error means for the client.
import knex, { type Knex } from 'knex';
import type { Client } from 'pg';
import { Problem } from './errors.ts';

export type Database = Knex;
/** A plain pg connection, borrowed from knex's pool. */
export type Connection = Client;

export interface DatabaseSettings {
  url: string;
  poolSize: number;
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

/** Dates without a zone must mean the same everywhere, and a lock must never be waited for without end. */
const SESSION = "SET timezone = 'UTC'; SET lock_timeout = '10s'; SET client_min_messages = 'warning'";

/** Opens the pool. No connection is made before the first query. */
export function openDatabase({ url, poolSize }: DatabaseSettings): Database {
  return knex({
    client: 'pg',
    connection: { connectionString: url, application_name: 'sluice', keepAlive: true, connectionTimeoutMillis: 5_000 },
    pool: {
      min: 0,
      max: poolSize,
      afterCreate: (connection: Connection, done: (error: unknown, connection: Connection) => void) => {
        connection.query(SESSION, (error) => done(error, connection));
      },
    },
    acquireConnectionTimeout: 10_000,
    // Whoever asked is told by an exception; knex would print it a second time, with a stack.
    log: { warn() {}, error() {}, deprecate() {}, debug() {} },
  });
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
 * lock or transaction that is open then ends with it.
 */
export async function connectApart<T>(db: Database, use: (connection: Connection) => Promise<T>): Promise<T> {
  // knex puts a listener for its errors on it.
  const connection: Connection = await db.client.acquireRawConnection();
  try {
    await connection.query(SESSION);
    return await use(connection);
  } finally {
    await connection.end().catch(() => {});
  }
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

/** True where a value, not the server, is at fault: data exceptions, constraint violations, program limits. */
export function isDataError(error: unknown): boolean {
  return /^(22|23|54)/.test(sqlstate(error) ?? '');
}

const UNREACHABLE = /^(ECONN|ENOTFOUND|EAI_|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOENT)/;
const CONNECTION_LOST = /connection (terminated|ended|timeout|is closed)|timeout (expired|acquiring)|not queryable/i;

/** What a database error means for the client; undefined for an error that is not the database's doing. */
export function databaseProblem(error: unknown): Problem | undefined {
  const state = sqlstate(error);
  const { code, message, name } = (error ?? {}) as { code?: unknown; message?: unknown; name?: unknown };
  if (state === SQLSTATE.diskFull) {
    return new Problem('storage_full', 'Nothing was stored: Postgres has no room left', {
      retryAfter: 60,
      cause: error,
    });
  }
  if (state === SQLSTATE.lockNotAvailable || state === SQLSTATE.queryCanceled || isRetryable(error)) {
    return new Problem('database_busy', 'Nothing was stored: a lock in Postgres was not free in time', {
      retryAfter: 5,
      cause: error,
    });
  }
  const lost =
    /^(08|57P|53|25006)/.test(state ?? '') ||
    (typeof code === 'string' && UNREACHABLE.test(code)) ||
    name === 'KnexTimeoutError' ||
    (typeof message === 'string' && CONNECTION_LOST.test(message)) ||
    (error instanceof AggregateError && error.errors.some((each) => databaseProblem(each) !== undefined));
  if (!lost) return undefined;
  return new Problem('database_unavailable', 'Nothing was stored: Postgres cannot be reached', {
    retryAfter: 2,
    cause: error,
  });
}
