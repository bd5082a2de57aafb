// Rows that passed every check of ours and that Postgres refuses all the same: they become rejections, and the rest of the
// batch goes on without them. Which ones they are, trial.ts finds out.
import { borrow, type Connection, type Database } from '../db.ts';
import { subjectOf } from '../schema/names.ts';
import { Chunk, type LinePlace } from './chunk.ts';
import type { BatchConstants } from './promote.ts';
import { lineBytesReader, type Offender } from './sift.ts';
import type { Staging } from './staging.ts';
import { findRefusedRows, type RefusedRow } from './trial.ts';

/** Refused lines whose bytes are in memory at once. */
const PAGE = 1_000;

type RejectAll = (connection: Connection, offenders: readonly Offender[]) => Promise<void>;

/**
 * Rejects rows wherever they are, in a transaction of its own.
 * @param most stop looking behind so many
 * @returns false if they could not be told apart, or the bytes of one are not there: then nothing can be kept
 */
export async function rejectRefusedRows(
  db: Database,
  batch: BatchConstants,
  staging: Staging,
  most: number,
  rejectAll: RejectAll,
): Promise<boolean> {
  const refused = await findRefusedRows(db, staging.suspects(), batch, most);
  // Where somebody gave final a rule while the batch was on its way, bytes were not kept for it.
  let isComplete = refused.size > 0;
  await borrow(db, async (connection) => {
    const bytesOf = lineBytesReader(connection, staging);
    await connection.query('BEGIN');
    for (const [table, rows] of refused) {
      for (let from = 0; from < rows.length && isComplete; from += PAGE) {
        const page = rows.slice(from, from + PAGE);
        const lines = page.map(({ line }) => line);
        const places = await bytesOf(table, lines);
        isComplete = places.size === lines.length;
        if (!isComplete) break;
        await rejectAll(
          connection,
          page.map((row) => offender(table, row, places)),
        );
        await staging.removeSent(connection, table, lines);
      }
    }
    await connection.query('COMMIT');
  });
  for (const [table, rows] of refused) {
    staging.removeUnsent(
      table,
      rows.map(({ line }) => line),
    );
  }
  return isComplete;
}

/** Those of a chunk that has not arrived anywhere, and the chunk without them. */
export async function refusedOfChunk(
  db: Database,
  batch: BatchConstants,
  chunk: Chunk,
  most: number,
): Promise<{ offenders: Offender[]; rest: Chunk }> {
  const refused = await findRefusedRows(db, [{ plan: chunk.plan, stage: undefined, chunk }], batch, most);
  const rows = new Set<number>();
  const offenders: Offender[] = [];
  for (const { line, reason } of refused.get(chunk.plan.table) ?? []) {
    const row = chunk.rowOf(line);
    rows.add(row);
    offenders.push({ place: chunk.place(row), schema: chunk.schema(row).id, errors: errorsOf(reason) });
  }
  return { offenders, rest: offenders.length === 0 ? new Chunk(chunk.plan) : chunk.without(rows) };
}

function offender(
  table: string,
  { line, schemaVersion, reason }: RefusedRow,
  places: ReadonlyMap<number, LinePlace>,
): Offender {
  return { place: places.get(line)!, schema: `${subjectOf(table)}/${schemaVersion}`, errors: errorsOf(reason) };
}

function errorsOf(reason: string): Offender['errors'] {
  return [{ path: '', keyword: 'storable', message: reason }];
}
