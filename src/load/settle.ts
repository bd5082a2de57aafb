// What becomes of a batch after its first answer: a held one is promoted or discarded, a promoted one is undone. Each is
// one transaction, after which the record and the report say so. Only retention ever removes anything but rows.
import type { Connection, Database } from '../db.ts';
import { Problem } from '../errors.ts';
import type { HistoryEntry, Report } from '../model.ts';
import { httpStatus } from '../report/build.ts';
import { correctDigest } from './digests.ts';
import { type Plans, promoteRows, removeRows } from './settle-rows.ts';
import { type Alongside, type LockedBatch, onBatch, type Work } from './settle-transaction.ts';

/**
 * Moves a held batch into final.
 * @param plans of the tables in use
 * @throws {Problem} `batch_not_found`, `batch_not_held`; `batch_incomplete`, `row_refused`: it stays held
 */
export function promoteBatch(
  db: Database,
  batchId: string,
  reason: string,
  plans: Plans,
  alongside?: Alongside,
): Promise<void> {
  const work: Work = async (connection, batch) => {
    if (batch.status !== 'held') return notHeld(batch);
    const report = batch.report!;
    const duplicates = await promoteRows(connection, batchId, report, plans);
    await record(connection, { ...withDuplicates(report, duplicates), status: 'promoted' }, entry('promoted', reason));
    if (duplicates.size > 0) await correctDigest(connection, batchId);
    return undefined;
  };
  return onBatch(db, batchId, work, alongside);
}

/**
 * Gives a held batch up. Its rows stay in the stage until retention removes them.
 * @throws {Problem} `batch_not_found`, `batch_not_held`
 */
export function discardBatch(
  db: Database,
  batchId: string,
  reason: string | undefined,
  alongside?: Alongside,
): Promise<void> {
  const work: Work = async (connection, batch) => {
    if (batch.status !== 'held') return notHeld(batch);
    await forgetReplays(connection, batchId);
    await record(connection, { ...batch.report!, status: 'discarded' }, entry('discarded', reason));
    return undefined;
  };
  return onBatch(db, batchId, work, alongside);
}

/**
 * Takes a promoted batch's rows out of final. Done again it changes nothing.
 * @throws {Problem} `batch_not_found`, `batch_unfinished`, `batch_not_promoted`, `row_refused`
 */
export function undoBatch(db: Database, batchId: string, alongside?: Alongside): Promise<void> {
  const work: Work = async (connection, batch) => {
    if (batch.status === 'undone') return undefined;
    if (batch.status !== 'promoted') return notPromoted(batch);
    const report = batch.report!;
    const rows = await removeRows(connection, batchId, report);
    await forgetReplays(connection, batchId);
    await record(connection, { ...report, status: 'undone' }, { ...entry('undone', undefined), rows });
    return undefined;
  };
  return onBatch(db, batchId, work, alongside);
}

function entry(action: HistoryEntry['action'], reason: string | undefined): HistoryEntry {
  return { action, at: new Date().toISOString(), ...(reason === undefined ? {} : { reason }) };
}

function withDuplicates(report: Report, duplicates: ReadonlyMap<string, number>): Report {
  const lines = { ...report.lines };
  const schemas = { ...report.schemas };
  for (const [schema, count] of duplicates) {
    lines.accepted -= count;
    lines.duplicate += count;
    schemas[schema] = (schemas[schema] ?? 0) - count;
    if (schemas[schema] <= 0) delete schemas[schema];
  }
  return { ...report, lines, schemas };
}

/** What a replay had taken out of the quarantine goes back to it. */
async function forgetReplays(connection: Connection, batchId: string): Promise<void> {
  await connection.query('DELETE FROM sluice.replays WHERE replayed_by = $1', [batchId]);
}

async function record(connection: Connection, report: Report, entry: HistoryEntry): Promise<void> {
  const { status, lines } = report;
  const told = withHistory(report, [...(report.history ?? []), entry]);
  await connection.query(
    `UPDATE sluice.batches SET status = $2, http_status = $3, accepted = $4, duplicate = $5, report = $6,
       history = history || $7::jsonb
     WHERE id = $1`,
    [
      report.batch_id,
      status,
      httpStatus(report),
      lines.accepted,
      lines.duplicate,
      JSON.stringify(told),
      JSON.stringify([entry]),
    ],
  );
}

/** The report with its members in the order of the contract. */
function withHistory(report: Report, history: HistoryEntry[]): Report {
  const { batch_id, status, reason, replay_of, history: _, ...rest } = report;
  return {
    batch_id,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(replay_of === undefined ? {} : { replay_of }),
    history,
    ...rest,
  };
}

function notHeld({ id, status }: LockedBatch): Problem {
  return new Problem('batch_not_held', `The batch is ${status}: only a held one can be promoted or discarded`, {
    members: { batch_id: id, batch_status: status },
  });
}

function notPromoted({ id, status }: LockedBatch): Problem {
  const members = { batch_id: id, batch_status: status };
  if (status === 'receiving') {
    return new Problem('batch_unfinished', 'The batch is still being received', { members, retryAfter: 1 });
  }
  const detail =
    status === 'held'
      ? `The batch is held, and none of its rows is in final: POST /v1/batches/${id}/discard gives it up`
      : `The batch is ${status}: none of its rows is in final`;
  return new Problem('batch_not_promoted', detail, { members });
}
