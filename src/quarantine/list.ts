// Stored rejections of all batches, newest first, page by page. A page is bounded in rows and in bytes.
import type { Sight } from '../access/client.ts';
import { borrow, type Database } from '../db.ts';
import { REJECTION_COLUMNS, type RejectionRow, storedRejection } from '../report/rejection.ts';
import { conditionsOf, QUARANTINE, type RejectionFilter } from './filter.ts';

/** Bytes of rejected lines on a page; the line that goes beyond them is its last one. */
const PAGE_BYTES = 8 * 1024 * 1024;

/** `stored`: no replay has taken it; `pending`: one has and is held; `rescued`: one has loaded it. */
export const STATES = ['stored', 'pending', 'rescued'] as const;

type RejectionState = (typeof STATES)[number];

/** Where a page ends. Batch ids are UUIDs of version 7: their order is that of time. */
export interface RejectionPlace {
  batchId: string;
  batchLine: number;
}

export interface RejectionQuery extends RejectionFilter {
  limit: number;
  after: RejectionPlace | null;
  state: RejectionState | null;
}

interface ListedRow extends RejectionRow {
  received_at: Date;
  /** Rows that there would be without a bound on their bytes, at most one more than asked for. */
  found: string;
}

const STATE = `CASE WHEN replays.replayed_by IS NULL THEN 'stored' WHEN replay.status = 'held' THEN 'pending' ELSE 'rescued' END`;

/** One page of the rejections that may be seen, and the place after which the next one begins; null where there is none. */
export async function listRejections(
  db: Database,
  query: RejectionQuery,
  sight: Sight,
): Promise<{ items: object[]; next: RejectionPlace | null }> {
  const { rows } = await borrow(db, (connection) => connection.query<ListedRow>(pageOf(query, sight)));
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const isWhole = last === undefined || Number(last.found) === page.length;
  return {
    items: page.map(listedRejection),
    next: isWhole ? null : { batchId: last.batch_id, batchLine: last.batch_line },
  };
}

function pageOf(query: RejectionQuery, sight: Sight): string {
  const { after, state, limit } = query;
  const conditions = conditionsOf(query, sight);
  if (state !== null) conditions.push(`${STATE} = '${state}'`);
  if (after !== null) {
    conditions.push(`(rejections.batch_id, rejections.batch_line) < ('${after.batchId}'::uuid, ${after.batchLine})`);
  }
  return `
    SELECT * FROM (
      SELECT found.*, count(*) OVER () AS found,
        sum(octet_length(raw)) OVER (ORDER BY batch_id DESC, batch_line DESC) - octet_length(raw) AS bytes_before
      FROM (
        SELECT ${REJECTION_COLUMNS}, batches.received_at
        FROM ${QUARANTINE} LEFT JOIN sluice.batches AS replay ON replay.id = replays.replayed_by
        WHERE ${conditions.join(' AND ')}
        ORDER BY rejections.batch_id DESC, rejections.batch_line DESC LIMIT ${limit + 1}) AS found
    ) AS page
    WHERE bytes_before < ${PAGE_BYTES}
    ORDER BY batch_id DESC, batch_line DESC`;
}

function listedRejection(row: ListedRow): object {
  const { batch_id, received_at, replayed_by, replayed_status } = row;
  const state: RejectionState = replayed_by === null ? 'stored' : replayed_status === 'held' ? 'pending' : 'rescued';
  return { batch_id, received_at: received_at.toISOString(), state, ...storedRejection(row) };
}
