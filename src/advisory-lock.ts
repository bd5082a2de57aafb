// Work that one process at a time may do, all over the database.
// The lock is asked for again and again instead of waited for: a session that waits inside of a statement holds a
// snapshot, CREATE INDEX CONCURRENTLY waits for all snapshots, and Postgres would call that a deadlock.
import { setTimeout as sleep } from 'node:timers/promises';

/** One connection, not a pool: locks belong to it. */
export interface Connection {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

const PAUSE_MS = 50;
const MOST_PAUSE_MS = 1_000;

/**
 * Runs `work` while this connection holds the advisory lock `key`. Waits as long as another process is at work: its
 * lock goes with its connection, however it ends.
 * https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
 */
export async function withAdvisoryLock<T>(connection: Connection, key: string, work: () => Promise<T>): Promise<T> {
  await takeAdvisoryLock(connection, key, Number.POSITIVE_INFINITY);
  try {
    return await work();
  } finally {
    // A connection that broke has given its locks back already.
    await connection.query('SELECT pg_advisory_unlock($1)', [key]).catch(() => {});
  }
}

/**
 * Asks for the lock until this connection holds it, which it does until it is closed or unlocks it.
 * @returns false if that did not come to be within `patienceMs`
 */
export async function takeAdvisoryLock(connection: Connection, key: string, patienceMs: number): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  for (let pause = PAUSE_MS; !(await tryLock(connection, key)); pause = Math.min(pause * 2, MOST_PAUSE_MS)) {
    if (performance.now() + pause > deadline) return false;
    await sleep(pause);
  }
  return true;
}

async function tryLock(connection: Connection, key: string): Promise<boolean> {
  const { rows } = await connection.query('SELECT pg_try_advisory_lock($1) AS locked', [key]);
  return (rows[0] as { locked: boolean }).locked;
}
