// Stage → final. Runs inside the caller's transaction.
import type { Connection } from '../db.ts';
import { stageColumns } from '../lines/encode.ts';
import type { TablePlan } from '../model.ts';
import { subjectOf } from '../schema/names.ts';
import { quote } from '../sql.ts';
import type { Chunk } from './chunk.ts';
import { copyRows, copyStatement } from './copy.ts';
import type { StageTable } from './stage.ts';
import type { Step } from './trip.ts';

/** What is the same for all rows of a batch. */
export interface BatchConstants {
  id: string;
  receivedAt: Date;
}

/** Some rows of a stage: those from behind one place in the table up to another, of some lines. */
export interface Part {
  behind: string;
  upTo?: string;
  /** Lines up to this one; all where it is absent. */
  untilLine?: number;
  /** Lines from behind this one. */
  behindLine?: number;
}

/**
 * Copies the stage's rows into final.
 * @param part restricts it to some of them
 * @returns how many rows final has got
 */
export async function promoteTable(
  connection: Connection,
  stage: StageTable,
  batch: BatchConstants,
  part?: Part,
): Promise<number> {
  const where = part === undefined ? '' : `WHERE ${condition(part)}`;
  const sql = promotion(stage.plan, stage.name, { ...PROMOTED, where });
  const { rowCount } = await connection.query(sql, [batch.id, batch.receivedAt]);
  return rowCount ?? 0;
}

const PROMOTED = { id: '$1::uuid', receivedAt: '$2::timestamptz', where: '' };

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

function condition({ behind, upTo, untilLine, behindLine }: Part): string {
  const terms = [`ctid > '${behind}'`];
  if (upTo !== undefined) terms.push(`ctid <= '${upTo}'`);
  if (untilLine !== undefined) terms.push(`_line <= ${untilLine}`);
  if (behindLine !== undefined) terms.push(`_line > ${behindLine}`);
  return terms.join(' AND ');
}

/**
 * Copies rows in memory to where they are to stay, without a stage in between: into final, or to the held batches.
 * @param room gives memory for them as they are sent, which is free again afterwards
 * @throws {Error} if Postgres counted another number of rows than were sent
 */
export async function copyToFinal(
  connection: Connection,
  chunk: Chunk,
  batch: BatchConstants,
  schema: 'events' | 'stage',
  room?: (bytes: number) => Buffer,
): Promise<number> {
  const { plan, rows } = chunk;
  const columns = [...stageColumns(plan), '_batch_id', '_received_at'];
  const data = rows.copyDataWith(provenance(batch), 2, room);
  await copyRows(connection, `${schema}.${quote(plan.table)}`, columns, data, rows.rows);
  return rows.rows;
}

/**
 * What takes rows in memory by way of a stage into final, as {@link promoteTable} does. The second tells of fewer rows
 * where some are duplicates.
 */
export function stagedSteps({ plan, rows }: Chunk, stage: StageTable, batch: BatchConstants): Step[] {
  const count = rows.rows;
  const sql = promotion(plan, stage.name, PROMOTED);
  return [
    { text: copyStatement(stage.name, stageColumns(plan)), data: rows.copyData(), rows: count },
    { text: sql, values: [batch.id, batch.receivedAt.toISOString()], rows: count },
  ];
}

/** {@link copyToFinal} into final, as a step. */
export function finalStep({ plan, rows }: Chunk, batch: BatchConstants): Step {
  const columns = [...stageColumns(plan), '_batch_id', '_received_at'];
  const text = copyStatement(`events.${quote(plan.table)}`, columns);
  return { text, data: rows.copyDataWith(provenance(batch), 2), rows: rows.rows };
}

/** `_batch_id` and `_received_at` in the format of binary COPY: a uuid, and microseconds since 2000-01-01 UTC. */
function provenance({ id, receivedAt }: BatchConstants): Buffer {
  const fields = Buffer.alloc(4 + 16 + 4 + 8);
  fields.writeInt32BE(16, 0);
  fields.write(id.replaceAll('-', ''), 4, 'hex');
  fields.writeInt32BE(8, 20);
  fields.writeBigInt64BE(BigInt(receivedAt.getTime() - Date.UTC(2000, 0, 1)) * 1_000n, 24);
  return fields;
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
