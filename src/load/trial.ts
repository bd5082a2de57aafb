// A chunk that Postgres refused: which of its rows are to blame. They are found by loading the chunk in halves inside a
// transaction that is always rolled back, so finding them changes nothing.
import { borrow, type Connection, type Database, isDataError } from '../db.ts';
import { stageColumns } from '../lines/encode.ts';
import type { Chunk } from './chunk.ts';
import { copyRows } from './copy.ts';
import { type BatchConstants, promoteTable } from './promote.ts';
import { forgetTemporaryStages, type StageTable, temporaryStage } from './stage.ts';

/** The rows of `chunk` that cannot be staged and promoted, with Postgres's reason. */
export function findRefusedRows(db: Database, chunk: Chunk, batch: BatchConstants): Promise<Map<number, string>> {
  return borrow(db, async (connection) => {
    const refused = new Map<number, string>();
    await forgetTemporaryStages(connection, 1);
    const stage = await temporaryStage(connection, chunk.plan);
    await connection.query('BEGIN');
    await bisect(connection, stage, chunk, batch, 0, chunk.rows.rows, refused);
    await connection.query('ROLLBACK');
    return refused;
  });
}

async function bisect(
  connection: Connection,
  stage: StageTable,
  chunk: Chunk,
  batch: BatchConstants,
  from: number,
  to: number,
  refused: Map<number, string>,
): Promise<void> {
  if (from === to) return;
  await connection.query('SAVEPOINT trial');
  try {
    const data = chunk.rows.copyData(from, to);
    await copyRows(connection, stage.name, stageColumns(chunk.plan), data, to - from);
    await promoteTable(connection, stage, batch, { from: chunk.batchLine(from), to: chunk.batchLine(to - 1) });
    await connection.query('RELEASE SAVEPOINT trial');
  } catch (error) {
    if (!isDataError(error)) throw error;
    await connection.query('ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial');
    if (to - from === 1) {
      refused.set(from, (error as Error).message);
      return;
    }
    const middle = (from + to) >> 1;
    await bisect(connection, stage, chunk, batch, from, middle, refused);
    await bisect(connection, stage, chunk, batch, middle, to, refused);
  }
}
