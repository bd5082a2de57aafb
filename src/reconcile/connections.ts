// Two connections that see the same moment: rows stream through one of them while what they are held against is read
// page by page through the other. They are opened for the purpose and no part of the pool, so that no upload ever waits
// for a reconciliation. Nothing is written, and a role that may only read is enough.
import type { Connection, Database } from '../db.ts';
import { Problem } from '../errors.ts';

export interface Reading {
  /** For everything small. */
  reader: Connection;
  /** For COPY. */
  copier: Connection;
}

/** Of one statement; the largest batches take about a second a quarter of a million rows. */
const STATEMENT_MS = 600_000;

/**
 * Opens the connections for as long as `use` takes.
 * @param signal when it is aborted both are closed, and what is under way fails
 */
export async function withReading<T>(
  db: Database,
  use: (reading: Reading) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const opened: Connection[] = [];
  const close = () => Promise.allSettled(opened.map((connection) => connection.end()));
  const stop = (): void => void close();
  signal?.addEventListener('abort', stop);
  try {
    for (let count = 0; count < 2; count++) {
      signal?.throwIfAborted();
      opened.push(await db.client.acquireRawConnection());
    }
    return await use({ reader: opened[0]!, copier: opened[1]! });
  } finally {
    signal?.removeEventListener('abort', stop);
    await close();
  }
}

/**
 * Runs `look` while both connections see the database as it is now.
 * @throws {Problem} `database_unavailable` if the connection whose moment it is was lost meanwhile
 */
export async function atOneMoment<T>({ reader, copier }: Reading, look: () => Promise<T>): Promise<T> {
  await copier.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows } = await copier.query<{ id: string }>('SELECT pg_export_snapshot() AS id');
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await reader.query(`SET TRANSACTION SNAPSHOT '${rows[0]!.id}'`).catch((cause: unknown) => {
    // A snapshot lives as long as the transaction that exported it, and nothing else can be wrong with it.
    throw new Problem('database_unavailable', 'A connection to Postgres was lost', { retryAfter: 2, cause });
  });
  for (const connection of [reader, copier]) await connection.query(SETTINGS);
  const result = await look();
  for (const connection of [reader, copier]) await connection.query('COMMIT');
  return result;
}

/**
 * For the transaction only. A backend whose client is gone notices it before it has sorted all rows, where Postgres can
 * do that (14 and later).
 */
const SETTINGS = `
  SET LOCAL timezone = 'UTC';
  SET LOCAL lock_timeout = '10s';
  SET LOCAL statement_timeout = ${STATEMENT_MS};
  SET LOCAL idle_in_transaction_session_timeout = 0;
  SET LOCAL jit = off;
  SELECT set_config(name, '2s', true) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval'`;
