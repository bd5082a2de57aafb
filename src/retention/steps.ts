// How retention goes through tables: in steps so small that nobody waits for one, each a transaction of its own.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { retried } from '../db.ts';

/** Pause after a step that removed something. */
const PAUSE_MS = 20;

/** The connection of one pass, and whether it is to go on. */
export interface Pass {
  connection: Client;
  /** Aborted when the process is to end. */
  signal: AbortSignal;
}

/** Lets others have Postgres for a moment. */
export async function pause({ signal }: Pass): Promise<void> {
  await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
}

/**
 * Repeats a statement that removes a limited number of rows until it finds none.
 * @returns the number of rows removed
 */
export async function repeat(pass: Pass, sql: string, values: unknown[]): Promise<number> {
  let removed = 0;
  while (!pass.signal.aborted) {
    const { rowCount } = await retried(() => pass.connection.query(sql, values));
    if (!rowCount) break;
    removed += rowCount;
    await pause(pass);
  }
  return removed;
}

/** Pages of a step through a whole table: a MiB. */
const PAGES = 128;

/**
 * Deletes rows all through a table that has no index for it, a range of pages at a time. Rows that are written meanwhile
 * may be left for the next pass.
 * @param table quoted, qualified
 * @param condition which rows of it go; its parameters begin with $3
 */
export async function walk(pass: Pass, table: string, condition: string, values: unknown[]): Promise<number> {
  const { connection, signal } = pass;
  const { rows } = await connection.query<{ pages: number }>(
    `SELECT (pg_relation_size($1) / current_setting('block_size')::int)::int AS pages`,
    [table],
  );
  const { pages } = rows[0]!;
  let removed = 0;
  for (let page = 0; page < pages && !signal.aborted; page += PAGES) {
    const { rowCount } = await retried(() =>
      connection.query(`DELETE FROM ${table} AS old WHERE ctid >= $1::tid AND ctid < $2::tid AND ${condition}`, [
        `(${page},0)`,
        `(${page + PAGES},0)`,
        ...values,
      ]),
    );
    removed += rowCount ?? 0;
    if (rowCount) await pause(pass);
  }
  return removed;
}

/** A batch that has rows in a table, and what its record says; null where there is no record. */
export interface FoundBatch {
  id: string;
  received_at: Date | null;
  status: string | null;
}

const BATCHES = 500;
const FIRST_ID = '00000000-0000-0000-0000-000000000000';
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * The batches that have rows in a table whose primary key begins with `batch_id`, by a jump from one to the next in its
 * index. https://wiki.postgresql.org/wiki/Loose_indexscan
 * @param before only ids below this one
 */
export async function* batchesIn(
  { connection, signal }: Pass,
  table: 'rejections' | 'line_runs' | 'row_digests',
  before = LAST_ID,
): AsyncGenerator<FoundBatch> {
  for (let after = FIRST_ID; !signal.aborted; ) {
    const { rows } = await connection.query<FoundBatch>(
      `WITH RECURSIVE found (id, place) AS (
         (SELECT batch_id, 1 FROM sluice.${table} WHERE batch_id > $1 AND batch_id < $2 ORDER BY batch_id LIMIT 1)
         UNION ALL
         SELECT next.batch_id, place + 1 FROM found, LATERAL (
           SELECT batch_id FROM sluice.${table} WHERE batch_id > found.id AND batch_id < $2 ORDER BY batch_id LIMIT 1
         ) AS next
         WHERE place < ${BATCHES}
       )
       SELECT id, received_at, status FROM found LEFT JOIN sluice.batches USING (id) ORDER BY id`,
      [after, before],
    );
    yield* rows;
    if (rows.length < BATCHES) return;
    after = rows.at(-1)!.id;
  }
}

/** Batch ids are UUIDs of version 7, which begin with their time: RFC 9562 section 5.7. */
export function timeOf(batchId: string): Date {
  return new Date(Number.parseInt(batchId.replaceAll('-', '').slice(0, 12), 16));
}

/** The least id of that time. */
export function firstIdOf(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** Nothing of these is ever removed. */
export function isUnsettled(status: string | null): boolean {
  return status === 'held' || status === 'receiving';
}
