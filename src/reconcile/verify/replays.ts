// Rejections that have become lines of a replay: the replay's rows are where these lines are now.
import type { Connection } from '../../db.ts';
import { quoted, type RowTables } from '../tables.ts';

/** A line, and the line of the replay that has no row. */
export interface MissingReplay {
  line: number;
  replayed_by: string;
  replay_line: number;
}

const PAGE = 5_000;

/**
 * Lines of the batch that a promoted replay loaded, without a row of that replay. Duplicates of an event that was there
 * already have none.
 */
export async function* missingReplays(
  connection: Connection,
  tables: RowTables,
  batchId: string,
): AsyncGenerator<MissingReplay> {
  const { rows } = await connection.query<{ id: string }>(
    `SELECT DISTINCT replayed_by AS id FROM sluice.replays JOIN sluice.batches ON id = replayed_by
     WHERE batch_id = $1 AND status = 'promoted'`,
    [batchId],
  );
  const replays = rows.map(({ id }) => id);
  if (replays.length === 0) return;
  const places = tables
    .in('events')
    .map((table) => `SELECT _batch_id, _line FROM ${quoted(table)} WHERE _batch_id = ANY ($2)`);
  const standing = places.length === 0 ? 'SELECT NULL::uuid, NULL::int' : places.join(' UNION ALL ');
  for (let after = 0; ; ) {
    const page = await connection.query<MissingReplay>(
      `WITH standing (batch, line) AS (${standing})
       SELECT batch_line AS line, replayed_by, replays.line AS replay_line FROM sluice.replays
       WHERE batch_id = $1 AND replayed_by = ANY ($2) AND batch_line > $3
         AND (replayed_by, line) NOT IN (SELECT batch, line FROM standing WHERE batch IS NOT NULL AND line IS NOT NULL)
         AND NOT EXISTS (
           SELECT FROM sluice.line_runs AS run
           WHERE run.batch_id = replayed_by AND verdict = 'duplicate' AND replays.line BETWEEN first_line AND last_line)
       ORDER BY batch_line LIMIT ${PAGE}`,
      [batchId, replays, after],
    );
    yield* page.rows;
    if (page.rows.length < PAGE) return;
    after = page.rows.at(-1)!.line;
  }
}
