// The transaction in which one batch is settled: of any number of requests that want to settle it, one at a time.
import { setTimeout as sleep } from 'node:timers/promises';
import { borrow, type Connection, type Database, databaseProblem, isRetryable } from '../db.ts';
import { Problem } from '../errors.ts';
import type { BatchStatus, Report } from '../model.ts';

/** Tries of the transaction when it loses against another one. */
const TRIES = 5;
/** Looks at a batch that somebody else is settling, and the pause between them: 10 s, as for any lock. */
const LOOKS = 100;
const PAUSE_MS = 100;

/** The record of a batch, locked. */
export interface LockedBatch {
  id: string;
  status: BatchStatus;
  /** Null while the batch is being received, and where its process died. */
  report: Report | null;
}

/** Returns a problem to have everything rolled back. */
export type Work = (connection: Connection, batch: LockedBatch) => Promise<Problem | undefined>;

/** What is committed with the work, and only with it. */
export type Alongside = (connection: Connection) => Promise<void>;

const NOTHING_ELSE: Alongside = async () => {};

/**
 * Runs `work` on the locked batch and commits.
 * @throws {Problem} that of `work`; `batch_not_found`; `database_busy` where another one is at it for too long;
 *   `database_unavailable` where Postgres goes away
 */
export async function onBatch(
  db: Database,
  batchId: string,
  work: Work,
  alongside: Alongside = NOTHING_ELSE,
): Promise<void> {
  let tries = 1;
  for (let look = 1; look <= LOOKS; look++) {
    try {
      const ending = await once(db, batchId, work, alongside);
      if (ending instanceof Problem) throw ending;
      if (ending === 'done') return;
    } catch (error) {
      if (!isRetryable(error) || tries++ === TRIES) throw unchanged(error);
    }
    // No connection is held meanwhile: uploads need them.
    await sleep(PAUSE_MS);
  }
  throw new Problem('database_busy', 'Nothing was changed: another request is at this batch', { retryAfter: 5 });
}

async function once(
  db: Database,
  batchId: string,
  work: Work,
  alongside: Alongside,
): Promise<'done' | 'taken' | Problem> {
  let committing: string | undefined;
  try {
    return await borrow(db, async (connection) => {
      await connection.query('BEGIN');
      const batch = await lock(connection, batchId);
      const problem = typeof batch === 'string' ? undefined : await work(connection, batch);
      if (batch === 'taken' || problem !== undefined) {
        await connection.query('ROLLBACK');
        return problem ?? 'taken';
      }
      if (batch === 'unknown') {
        await connection.query('ROLLBACK');
        return new Problem('batch_not_found', `There is no batch ${batchId}`);
      }
      await alongside(connection);
      const { rows } = await connection.query<{ id: string | null }>(
        'SELECT pg_current_xact_id_if_assigned()::text AS id',
      );
      committing = rows[0]!.id ?? undefined;
      await connection.query('COMMIT');
      return 'done';
    });
  } catch (error) {
    if (committing === undefined || databaseProblem(error) === undefined) throw error;
    if (await wasCommitted(db, batchId, committing)) return 'done';
    throw error;
  }
}

async function lock(connection: Connection, batchId: string): Promise<LockedBatch | 'taken' | 'unknown'> {
  const { rows } = await connection.query<Omit<LockedBatch, 'report'> & { report: string | null }>(
    'SELECT id, status, report::text AS report FROM sluice.batches WHERE id = $1 FOR UPDATE SKIP LOCKED',
    [batchId],
  );
  const [batch] = rows;
  if (batch !== undefined) return { ...batch, report: batch.report === null ? null : JSON.parse(batch.report) };
  const { rowCount } = await connection.query('SELECT FROM sluice.batches WHERE id = $1', [batchId]);
  return rowCount === 0 ? 'unknown' : 'taken';
}

/**
 * The connection was lost after COMMIT had been sent; Postgres remembers what became of the transaction:
 * https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
 */
async function wasCommitted(db: Database, batchId: string, transaction: string): Promise<boolean> {
  try {
    for (let look = 1; look <= LOOKS; look++) {
      const { rows } = await borrow(db, (connection) =>
        connection.query<{ status: string }>('SELECT pg_xact_status($1::xid8) AS status', [transaction]),
      );
      if (rows[0]!.status !== 'in progress') return rows[0]!.status === 'committed';
      await sleep(PAUSE_MS);
    }
  } catch {
    // Said below.
  }
  throw new Problem(
    'database_unavailable',
    'Postgres went away at the very end: what became of the batch, its address tells once Postgres is back',
    { retryAfter: 2, members: { batch_id: batchId } },
  );
}

/** The words for a database error are those for an upload. */
function unchanged(error: unknown): unknown {
  const problem = error instanceof Problem ? undefined : databaseProblem(error);
  if (problem === undefined) return error;
  const { code, message, retryAfter } = problem;
  return new Problem(code, message.replace('Nothing was stored', 'Nothing was changed'), {
    ...(retryAfter === undefined ? {} : { retryAfter }),
    cause: error,
  });
}
