// Stage → final. Runs inside the caller's transaction.
import type { Connection } from '../db.ts';
import { stageColumns } from '../lines/encode.ts';
import type { TablePlan } from '../model.ts';
import { subjectOf } from '../schema/names.ts';
import { quote } from '../sql.ts';
import type { StageTable } from './stage.ts';

/** What is the same for all rows of a batch. */
export interface BatchConstants {
  id: string;
  receivedAt: Date;
}

/** Copies the stage's rows into final. */
export async function promoteTable(connection: Connection, stage: StageTable, batch: BatchConstants): Promise<number> {
  const sql = promotion(stage.plan, stage.name, { id: '$1::uuid', receivedAt: '$2::timestamptz', where: '' });
  const { rowCount } = await connection.query(sql, [batch.id, batch.receivedAt]);
  return rowCount ?? 0;
}

/**
 * The statement that copies rows into final.
 * @param source a table like the stage, quoted
 * @param terms SQL for what is the same for all rows, and the condition that restricts them
 */
export function promotion(
  plan: TablePlan,
  source: string,
  terms: { id: string; receivedAt: string; where: string },
): string {
  const columns = stageColumns(plan).map(quote).join(', ');
  const id = plan.columns.find((column) => column.id);
  // One order for all batches: two with the same ids would otherwise wait for each other. The first line wins.
  const uniquely =
    id === undefined ? '' : `ORDER BY ${quote(id.name)}, _line ON CONFLICT (${quote(id.name)}) DO NOTHING`;
  return `INSERT INTO events.${quote(plan.table)} (${columns}, _batch_id, _received_at)
    SELECT ${columns}, ${terms.id}, ${terms.receivedAt} FROM ${source} ${terms.where} ${uniquely}`;
}

/** Copies the stage's rows to where held batches wait: a logged table, which survives a crash of Postgres. */
export async function holdTable(connection: Connection, stage: StageTable, batch: BatchConstants): Promise<number> {
  const { plan, name } = stage;
  const columns = stageColumns(plan).map(quote).join(', ');
  const { rowCount } = await connection.query(
    `INSERT INTO stage.${quote(plan.table)} (${columns}, _batch_id, _received_at)
     SELECT ${columns}, $1::uuid, $2::timestamptz FROM ${name}`,
    [batch.id, batch.receivedAt],
  );
  return rowCount ?? 0;
}

/** Records the lines of the stage that did not get into final as runs of duplicates; counts them by schema version id. */
export async function recordDuplicates(
  connection: Connection,
  stage: StageTable,
  batch: BatchConstants,
): Promise<Map<string, number>> {
  const { plan, name } = stage;
  const id = quote(idOf(plan));
  const missing = `
    FROM ${name} AS staged
    WHERE NOT EXISTS (
      SELECT FROM events.${quote(plan.table)} AS final
      WHERE final.${id} = staged.${id} AND final._batch_id = $1 AND final._line = staged._line)`;
  await connection.query(
    `INSERT INTO sluice.line_runs (batch_id, first_line, last_line, verdict)
     SELECT $1, lower(run), upper(run) - 1, 'duplicate'
     FROM (SELECT range_agg(int4range(staged._line, staged._line + 1)) AS runs ${missing}) AS lines, unnest(lines.runs) AS run`,
    [batch.id],
  );
  const { rows } = await connection.query<{ version: string; count: string }>(
    `SELECT staged._schema_version AS version, count(*) AS count ${missing} GROUP BY 1`,
    [batch.id],
  );
  const subject = subjectOf(plan.table);
  return new Map(rows.map(({ version, count }) => [`${subject}/${version}`, Number(count)]));
}

function idOf(plan: TablePlan): string {
  const id = plan.columns.find((column) => column.id);
  if (id === undefined) throw new Error(`events.${plan.table} has no id and so no duplicates`);
  return id.name;
}
