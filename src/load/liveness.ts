// Whether a process lives: it holds an advisory lock with its own key for as long as it does (src/presence.ts).
import type { Connection } from '../db.ts';

/**
 * Whether some process holds the lock. It looks and does not touch: who took the lock only to see whether it is free
 * would seem to be the process itself to the next who looks.
 * @param process the key, as in `sluice.batches.process`
 */
export async function isAlive(connection: Connection, process: string): Promise<boolean> {
  // How a key of 64 bits stands in pg_locks: https://www.postgresql.org/docs/current/view-pg-locks.html
  const { rowCount } = await connection.query(
    `SELECT FROM pg_catalog.pg_locks
     WHERE locktype = 'advisory' AND granted AND objsubid = 1
       AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
       AND classid = ($1::bigint >> 32)::oid AND objid = ($1::bigint & 4294967295)::oid`,
    [process],
  );
  return rowCount !== 0;
}
