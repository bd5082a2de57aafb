// One pass of retention over the database, by one process at a time, on a connection of its own: uploads need those of
// the pool.
import pg from 'pg';
import type { RetentionSettings } from '../config.ts';
import { Link } from '../link.ts';
import { removeBatches } from './batches.ts';
import { removeDiscarded } from './discarded.ts';
import { removeKeys } from './keys.ts';
import { removeRejections } from './rejections.ts';
import type { Pass } from './steps.ts';

// As in migrate.ts: any constant will do. 'retain' in ASCII.
const LOCK = '125780069804398';

/** How much a pass removed. */
export interface Removed {
  rejections: number;
  idempotency_keys: number;
  discarded_rows: number;
  batches: number;
}

/**
 * Removes everything whose time is over.
 * @param signal ends the pass after the step under way
 * @param link that its connection is cut with
 * @returns null where another process is at it
 */
export async function runPass(
  url: string,
  settings: RetentionSettings,
  signal: AbortSignal,
  link = new Link(),
): Promise<Removed | null> {
  const connection = new pg.Client({
    connectionString: url,
    application_name: 'sluice retention',
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    stream: link.open,
  });
  // A lost connection is told by the query under way, or by the next one.
  connection.on('error', () => {});
  try {
    await connection.connect();
    // It can always be done again, and it must not be what others wait for.
    await connection.query(
      "SET timezone = 'UTC'; SET lock_timeout = '2s'; SET statement_timeout = 0; SET synchronous_commit = off",
    );
    const { rows } = await connection.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [LOCK]);
    return rows[0]!.locked ? await removeAll({ connection, signal }, settings) : null;
  } finally {
    // The lock goes with the connection.
    await connection.end().catch(() => {});
  }
}

/** In an order in which what one rule removes is out of the way of the next. */
async function removeAll(pass: Pass, settings: RetentionSettings): Promise<Removed> {
  const { rows } = await pass.connection.query<{ now: Date }>('SELECT now()');
  const { now } = rows[0]!;
  const rule = (hours: number, remove: (pass: Pass, cutoff: Date) => Promise<number>): Promise<number> | number =>
    hours === 0 ? 0 : remove(pass, new Date(now.getTime() - hours * 3_600_000));
  return {
    rejections: await rule(settings.rejectionsDays * 24, removeRejections),
    idempotency_keys: await rule(settings.keysHours, removeKeys),
    discarded_rows: await rule(settings.discardedDays * 24, removeDiscarded),
    batches: await rule(settings.batchesDays * 24, removeBatches),
  };
}
