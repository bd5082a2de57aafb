// Rejections whose time is over. What stays of each is that its line was rejected, as a run of lines beside the blank and
// the duplicate ones: without it the line would read as accepted.
import { batchesIn, isUnsettled, type Pass, repeat, timeOf } from './steps.ts';

/** Rejections of one step, and bytes of theirs: a single one may have as many as the longest line. */
const ROWS = 2_000;
const BYTES = 8 * 1024 * 1024;

/** Removes those of batches received before `cutoff`, but for those that a held replay has taken. */
export async function removeRejections(pass: Pass, cutoff: Date): Promise<number> {
  let removed = 0;
  for await (const { id, received_at, status } of batchesIn(pass, 'rejections')) {
    if (isUnsettled(status) || (received_at ?? timeOf(id)) >= cutoff) continue;
    removed += await repeat(pass, STEP, [id]);
    await pass.connection.query(FORGET_CAUSES, [id]);
  }
  return removed;
}

const FORGET_CAUSES = `
  DELETE FROM sluice.rejection_causes
  WHERE batch_id = $1 AND NOT EXISTS (SELECT FROM sluice.rejected_lines WHERE batch_id = $1)`;

const STEP = `
  WITH next AS (
    SELECT batch_line, raw FROM sluice.rejected_lines AS rejection
    WHERE batch_id = $1 AND NOT EXISTS (
      SELECT FROM sluice.replays JOIN sluice.batches ON batches.id = replayed_by
      WHERE replays.batch_id = rejection.batch_id AND replays.batch_line = rejection.batch_line
        AND batches.status = 'held')
    ORDER BY batch_line LIMIT ${ROWS}
  ), sized AS (
    SELECT batch_line, sum(octet_length(raw)) OVER (ORDER BY batch_line) - octet_length(raw) AS bytes_before FROM next
  ), gone AS (
    DELETE FROM sluice.rejected_lines
    WHERE batch_id = $1 AND batch_line IN (SELECT batch_line FROM sized WHERE bytes_before < ${BYTES})
    RETURNING batch_line
  ), forgotten AS (
    DELETE FROM sluice.replays WHERE batch_id = $1 AND batch_line IN (SELECT batch_line FROM gone)
  ), runs AS (
    INSERT INTO sluice.line_runs (batch_id, first_line, last_line, verdict)
    SELECT $1, lower(run), upper(run) - 1, 'rejected'
    FROM (SELECT range_agg(int4range(batch_line, batch_line + 1)) AS runs FROM gone) AS lines, unnest(lines.runs) AS run
    WHERE EXISTS (SELECT FROM sluice.batches WHERE id = $1)
  )
  SELECT FROM gone`;
