// Records of batches whose time is over. The record goes first: what hangs on it, removed piece by piece, is then not
// missed by anybody, and a process that dies in the middle leaves nothing that a later pass does not find.
import { retried } from '../db.ts';
import { stagedOf } from './discarded.ts';
import { batchesIn, firstIdOf, type Pass, pause, repeat } from './steps.ts';

/** Batches of one step. */
const BATCHES = 500;
/** Rows of one step, and bytes where a single row may have many. */
const ROWS = 5_000;
const BYTES = 8 * 1024 * 1024;

interface OldBatch {
  id: string;
  status: string;
  /** With all its digits. */
  cursor: string;
}

/** Removes the records of batches received before `cutoff` that nothing refers to any more. */
export async function removeBatches(pass: Pass, cutoff: Date): Promise<number> {
  await removeOrphans(pass, cutoff);
  let removed = 0;
  for await (const batches of oldBatches(pass, cutoff)) {
    const discarded = batches.filter(({ status }) => status === 'discarded').map(({ id }) => id);
    const staged = await stagedOf(pass, discarded);
    const ids = batches.map(({ id }) => id).filter((id) => !staged.has(id));
    const { rows } = await retried(() => pass.connection.query<{ id: string }>(REMOVE, [ids]));
    if (rows.length === 0) continue;
    removed += rows.length;
    await pause(pass);
    await removeRest(
      pass,
      rows.map(({ id }) => id),
    );
  }
  return removed;
}

async function* oldBatches({ connection, signal }: Pass, cutoff: Date): AsyncGenerator<OldBatch[]> {
  for (let after = ['-infinity', '00000000-0000-0000-0000-000000000000']; !signal.aborted; ) {
    const { rows } = await connection.query<OldBatch>(
      `SELECT id, status, received_at::text AS cursor FROM sluice.batches
       WHERE received_at < $1 AND (received_at, id) > ($2::timestamptz, $3::uuid)
       ORDER BY received_at, id LIMIT ${BATCHES}`,
      [cutoff, ...after],
    );
    if (rows.length > 0) yield rows;
    if (rows.length < BATCHES) return;
    const last = rows.at(-1)!;
    after = [last.cursor, last.id];
  }
}

// A batch that somebody is settling is left for the next pass. One that rescued rejections stays as long as these do.
const REMOVE = `
  WITH due AS (
    SELECT id FROM sluice.batches AS batch
    WHERE id = ANY ($1::uuid[]) AND status NOT IN ('held', 'receiving')
      AND NOT EXISTS (SELECT FROM sluice.rejections WHERE batch_id = batch.id)
      AND NOT EXISTS (SELECT FROM sluice.idempotency_keys WHERE batch_id = batch.id)
      AND NOT EXISTS (
        SELECT FROM sluice.replays JOIN sluice.rejections USING (batch_id, batch_line) WHERE replayed_by = batch.id)
    FOR UPDATE SKIP LOCKED
  )
  DELETE FROM sluice.batches WHERE id IN (SELECT id FROM due) RETURNING id`;

/** What a pass left behind that ended in the middle. */
async function removeOrphans(pass: Pass, cutoff: Date): Promise<void> {
  const orphans = new Set<string>();
  for (const table of ['line_runs', 'row_digests'] as const) {
    for await (const { id, status } of batchesIn(pass, table, firstIdOf(cutoff))) if (status === null) orphans.add(id);
  }
  if (orphans.size > 0) await removeRest(pass, [...orphans]);
}

/** Removes what hung on records that are gone. */
async function removeRest(pass: Pass, ids: readonly string[]): Promise<void> {
  await repeat(
    pass,
    `DELETE FROM sluice.line_runs WHERE ctid = ANY (ARRAY (
       SELECT ctid FROM sluice.line_runs WHERE batch_id = ANY ($1::uuid[]) LIMIT ${ROWS}))`,
    [ids],
  );
  await repeat(
    pass,
    `DELETE FROM sluice.replays WHERE ctid = ANY (ARRAY (
       SELECT ctid FROM sluice.replays WHERE batch_id = ANY ($1::uuid[]) OR replayed_by = ANY ($1::uuid[])
       LIMIT ${ROWS}))`,
    [ids],
  );
  await repeat(
    pass,
    `WITH next AS (
       SELECT ctid AS place, octet_length(fingerprints) + octet_length(lines) AS bytes FROM sluice.row_digests
       WHERE batch_id = ANY ($1::uuid[]) LIMIT ${ROWS}
     ), sized AS (
       SELECT place, sum(bytes) OVER (ORDER BY place) - bytes AS bytes_before FROM next
     )
     DELETE FROM sluice.row_digests
     WHERE ctid = ANY (ARRAY (SELECT place FROM sized WHERE bytes_before < ${BYTES}))`,
    [ids],
  );
}
