// This process, as other processes see it: a connection that holds an advisory lock for as long as the process lives.
// Postgres frees the lock the moment the process is gone, however it went, so nobody waits for a heartbeat to run out.
// Also the sweep that clears away what dead processes left behind.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Logger } from 'pino';
import { borrow, type Connection, type Database } from './db.ts';
import { isAlive } from './load/liveness.ts';
import { dropOrphanedStages, dropUnloggedStages } from './load/stage.ts';

const SWEEP_MS = 30_000;
const RECONNECT_MS = 1_000;

export class Presence {
  /** The key of the lock: a positive bigint as text, different for every process. */
  readonly process = (randomBytes(8).readBigUInt64BE() >> 1n).toString();
  readonly #url: string;
  readonly #log: Logger;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
  }

  /** Takes the lock, and takes it again whenever the connection is lost. */
  async start(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'sluice presence',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    client.on('error', () => this.#reconnect(client));
    client.on('end', () => this.#reconnect(client));
    try {
      await client.connect();
      await client.query('SELECT pg_advisory_lock($1)', [this.process]);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
  }

  async stop(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#client?.end().catch(() => {});
  }

  #reconnect(lost: pg.Client): void {
    if (this.#ended || this.#client !== lost) return;
    this.#client = undefined;
    this.#retry();
  }

  #retry(): void {
    this.#timer = setTimeout(() => {
      if (this.#ended) return;
      this.start().catch((error: Error) => {
        this.#log.warn({ reason: error.message }, 'presence lost, trying again');
        this.#retry();
      });
    }, RECONNECT_MS).unref();
  }
}

/** Sweeps now and every half minute. Returns how to stop it. */
export function startSweeping(db: Database, presence: Presence, log: Logger): () => void {
  const run = (): void => {
    sweep(db, presence.process).then(
      (batches) => batches.length > 0 && log.warn({ batches }, 'cleared away what a dead process left behind'),
      (error: Error) => log.warn({ reason: error.message }, 'sweep failed, it is tried again'),
    );
  };
  run();
  const timer = setInterval(run, SWEEP_MS).unref();
  return () => clearInterval(timer);
}

/**
 * Marks the batches of dead processes as aborted, drops their stages and frees their idempotency keys. Safe with any
 * number of processes at once.
 * @returns the batches' ids
 */
function sweep(db: Database, self: string): Promise<string[]> {
  return borrow(db, async (connection) => {
    const { rows } = await connection.query<{ process: string }>(
      `SELECT process FROM sluice.batches WHERE status = 'receiving' AND process <> $1
       UNION SELECT process FROM sluice.idempotency_keys WHERE fingerprint IS NULL AND process <> $1`,
      [self],
    );
    const swept: string[] = [];
    for (const { process } of rows) {
      if (!(await isAlive(connection, process))) swept.push(...(await sweepProcess(connection, process)));
    }
    await dropOrphanedStages(connection);
    return swept;
  });
}

async function sweepProcess(connection: Connection, process: string): Promise<string[]> {
  await connection.query('BEGIN');
  // Two sweeps of the same process: the second one waits here for the first, and finds nothing left to do.
  const { rows } = await connection.query<{ id: string }>(
    `UPDATE sluice.batches SET status = 'aborted', finished_at = now(), reason = 'the process that received it died'
     WHERE status = 'receiving' AND process = $1 RETURNING id`,
    [process],
  );
  for (const { id } of rows) {
    await connection.query('DELETE FROM sluice.rejections WHERE batch_id = $1', [id]);
    await connection.query('DELETE FROM sluice.line_runs WHERE batch_id = $1', [id]);
    await dropUnloggedStages(connection, id);
  }
  await connection.query('DELETE FROM sluice.idempotency_keys WHERE fingerprint IS NULL AND process = $1', [process]);
  await connection.query('COMMIT');
  return rows.map(({ id }) => id);
}
