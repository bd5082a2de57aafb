// Clears away what was left half done: by processes that died, and by this one where Postgres was away when it mattered.
// Safe with any number of processes at once.
import type { Logger } from 'pino';
import { borrow, type Connection, type Database, retried } from './db.ts';
import { isAlive } from './load/liveness.ts';
import { forgetRows } from './load/row-digests.ts';
import { dropOrphanedStages } from './load/stage.ts';
import type { Presence } from './presence.ts';

const SWEEP_MS = 30_000;
/** While something of this process itself waits to be cleared away. */
const HURRY_MS = 1_000;

export class Sweeper {
  readonly #db: Database;
  readonly #presence: Presence;
  readonly #log: Logger;
  readonly #lost = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(db: Database, presence: Presence, log: Logger) {
    this.#db = db;
    this.#presence = presence;
    this.#log = log;
  }

  /** Sweeps now, and from now on. */
  start(): void {
    this.#sweep().finally(() => this.#schedule());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Notes a batch of this process that failed and could not be recorded as aborted: its key must become free again. */
  add(batchId: string): void {
    this.#lost.add(batchId);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const wait = this.#lost.size > 0 ? HURRY_MS : SWEEP_MS;
    this.#timer = setTimeout(() => this.#sweep().finally(() => this.#schedule()), wait).unref();
  }

  async #sweep(): Promise<void> {
    try {
      const swept = await retried(() => borrow(this.#db, (connection) => this.#sweepAll(connection)));
      if (swept.length > 0) this.#log.warn({ batches: swept }, 'cleared away what was left half done');
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, 'sweep failed, it is tried again');
    }
  }

  async #sweepAll(connection: Connection): Promise<string[]> {
    const lost = [...this.#lost];
    const swept = lost.length === 0 ? [] : await sweepBatches(connection, 'the upload failed', 'id', lost);
    for (const id of lost) this.#lost.delete(id);
    for (const process of await deadProcesses(connection, this.#presence.process)) {
      swept.push(...(await sweepBatches(connection, 'the process that received it died', 'process', [process])));
    }
    await dropOrphanedStages(connection);
    return swept;
  }
}

/** Processes that are gone and left a batch or a key behind. */
async function deadProcesses(connection: Connection, self: string): Promise<string[]> {
  const { rows } = await connection.query<{ process: string }>(
    `SELECT process FROM sluice.batches WHERE status = 'receiving' AND process <> $1
     UNION SELECT process FROM sluice.idempotency_keys WHERE fingerprint IS NULL AND process <> $1`,
    [self],
  );
  const dead: string[] = [];
  for (const { process } of rows) if (!(await isAlive(connection, process))) dead.push(process);
  return dead;
}

/** Records batches that are still being received as aborted, and frees their keys. Returns their ids. */
async function sweepBatches(
  connection: Connection,
  reason: string,
  column: 'id' | 'process',
  values: readonly string[],
): Promise<string[]> {
  const type = column === 'id' ? 'uuid' : 'bigint';
  await connection.query('BEGIN');
  // Of two sweeps at once the second one waits here for the first, and finds nothing left to do.
  const { rows } = await connection.query<{ id: string }>(
    `UPDATE sluice.batches SET status = 'aborted', finished_at = now(), reason = $2
     WHERE status = 'receiving' AND ${column} = ANY ($1::${type}[]) RETURNING id`,
    [values, reason],
  );
  for (const { id } of rows) {
    await connection.query('DELETE FROM sluice.rejected_lines WHERE batch_id = $1', [id]);
    await connection.query('DELETE FROM sluice.rejection_causes WHERE batch_id = $1', [id]);
    await connection.query('DELETE FROM sluice.line_runs WHERE batch_id = $1', [id]);
    await forgetRows(connection, id);
  }
  await connection.query(
    `DELETE FROM sluice.idempotency_keys
     WHERE fingerprint IS NULL AND ${column === 'id' ? 'batch_id' : 'process'} = ANY ($1::${type}[])`,
    [values],
  );
  await connection.query('COMMIT');
  return rows.map(({ id }) => id);
}
