// Rows of a batch that is being settled: from the stage to final, or out of final. All of it in SQL, so that it does not
// matter how many there are, and inside the caller's transaction.
import { type Connection, databaseProblem, isRetryable, sqlstate } from '../db.ts';
import { Problem } from '../errors.ts';
import type { Report, TablePlan } from '../model.ts';
import { subjectOf } from '../schema/names.ts';
import { quote } from '../sql.ts';
import { isStanding, type Passage, passageOf, tablesOf } from './settle-tables.ts';

/** What a table is to look like, by its name. */
export type Plans = ReadonlyMap<string, TablePlan>;

/**
 * Moves the batch's rows from the stage to final. Rows whose id is in final already are recorded as duplicates.
 * @returns the number of duplicates by schema version id
 * @throws {Problem} `batch_incomplete` where rows are missing in the stage, `row_refused` where final does not take them
 */
export async function promoteRows(
  connection: Connection,
  batchId: string,
  report: Report,
  plans: Plans,
): Promise<Map<string, number>> {
  const staged = new Map<string, number>();
  for (const table of await tablesOf(connection, batchId, report)) {
    staged.set(table, await countStaged(connection, batchId, table));
  }
  const found = [...staged.values()].reduce((sum, count) => sum + count, 0);
  if (found !== report.lines.accepted) {
    const detail = `The stage has ${found} rows of the batch, and its report ${report.lines.accepted}: nothing was changed`;
    throw new Problem('batch_incomplete', detail, { members: { batch_id: batchId } });
  }
  const duplicates = new Map<string, number>();
  for (const [table, count] of staged) {
    if (count === 0) continue;
    await inTable(table, batchId, async () => {
      const passage = await passageOf(connection, table, plans.get(table));
      await refuseLosses(connection, batchId, passage);
      for (const [schema, doubled] of await promoteTable(connection, batchId, passage, count)) {
        duplicates.set(schema, doubled);
      }
    });
  }
  return duplicates;
}

/** Deletes the batch's rows from final. Returns their number. */
export async function removeRows(connection: Connection, batchId: string, report: Report): Promise<number> {
  let removed = 0;
  for (const table of await tablesOf(connection, batchId, report)) {
    if (!(await isStanding(connection, 'events', table))) continue;
    await inTable(table, batchId, async () => {
      const { rowCount } = await connection.query(`DELETE FROM events.${quote(table)} WHERE _batch_id = $1`, [batchId]);
      removed += rowCount ?? 0;
    });
  }
  return removed;
}

async function countStaged(connection: Connection, batchId: string, table: string): Promise<number> {
  if (!(await isStanding(connection, 'stage', table))) return 0;
  const { rows } = await connection.query<{ count: string }>(
    `SELECT count(*) AS count FROM stage.${quote(table)} WHERE _batch_id = $1`,
    [batchId],
  );
  return Number(rows[0]!.count);
}

/** A value that final has no column for any more must not be lost on the way. */
async function refuseLosses(connection: Connection, batchId: string, { table, stageOnly }: Passage): Promise<void> {
  if (stageOnly.length === 0) return;
  const { rows } = await connection.query<Record<string, boolean>>(
    `SELECT ${stageOnly.map((name) => `count(${quote(name)}) > 0 AS ${quote(name)}`).join(', ')}
     FROM stage.${quote(table)} WHERE _batch_id = $1`,
    [batchId],
  );
  const lost = stageOnly.filter((name) => rows[0]![name]);
  if (lost.length > 0) throw refused(table, batchId, `it does not take values of ${lost.map(quote).join(', ')}`);
}

async function promoteTable(
  connection: Connection,
  batchId: string,
  { table, columns, id }: Passage,
  staged: number,
): Promise<Map<string, number>> {
  const names = columns.map(quote).join(', ');
  // As in promote.ts: one order for all batches, and the first line wins.
  const uniquely = id === null ? '' : `ORDER BY ${quote(id)}, _line ON CONFLICT (${quote(id)}) DO NOTHING`;
  const inserted = await connection.query(
    `INSERT INTO events.${quote(table)} (${names})
     SELECT ${names} FROM stage.${quote(table)} WHERE _batch_id = $1 ${uniquely}`,
    [batchId],
  );
  let arrived = inserted.rowCount ?? 0;
  const isWhole = id === null || arrived === staged;
  const duplicates = isWhole ? new Map<string, number>() : await recordDuplicates(connection, batchId, table, id);
  for (const count of duplicates.values()) arrived += count;
  if (arrived !== staged) throw refused(table, batchId, `${staged - arrived} of ${staged} rows did not get into it`);
  await connection.query(`DELETE FROM stage.${quote(table)} WHERE _batch_id = $1`, [batchId]);
  return duplicates;
}

/** Duplicate is only what has its id in final in another row: a row that a trigger kept out is none. */
async function recordDuplicates(
  connection: Connection,
  batchId: string,
  table: string,
  id: string,
): Promise<Map<string, number>> {
  const { rows } = await connection.query<{ version: string; count: string }>(
    `WITH doubled AS MATERIALIZED (
       SELECT staged._line, staged._schema_version FROM stage.${quote(table)} AS staged
       WHERE staged._batch_id = $1 AND EXISTS (
         SELECT FROM events.${quote(table)} AS final
         WHERE final.${quote(id)} = staged.${quote(id)}
           AND (final._batch_id, final._line) IS DISTINCT FROM (staged._batch_id, staged._line))
     ), recorded AS (
       INSERT INTO sluice.line_runs (batch_id, first_line, last_line, verdict)
       SELECT $1, lower(run), upper(run) - 1, 'duplicate'
       FROM (SELECT range_agg(int4range(_line, _line + 1)) AS runs FROM doubled) AS lines, unnest(lines.runs) AS run
     )
     SELECT _schema_version AS version, count(*) AS count FROM doubled GROUP BY 1`,
    [batchId],
  );
  const subject = subjectOf(table);
  return new Map(rows.map(({ version, count }) => [`${subject}/${version}`, Number(count)]));
}

/** Runs `work` on a table of the batch; what the table itself says against it is the client's to know. */
async function inTable(table: string, batchId: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const isOurs = error instanceof Problem || isRetryable(error) || databaseProblem(error) !== undefined;
    // Internal errors, and SQL that is wrong, are no word of the table's.
    if (isOurs || /^(XX|42601|$)/.test(sqlstate(error) ?? '')) throw error;
    throw refused(table, batchId, (error as Error).message, error);
  }
}

function refused(table: string, batchId: string, reason: string, cause?: unknown): Problem {
  return new Problem('row_refused', `Nothing was changed: events.${quote(table)}: ${reason}`, {
    members: { batch_id: batchId },
    cause,
  });
}
