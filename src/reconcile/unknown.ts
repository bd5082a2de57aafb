// Rows that carry a batch's id although none of its lines accounts for them, read to be shown.
import type { Connection } from '../db.ts';
import type { Differences } from './differences.ts';
import { quoted, type RowTable } from './tables.ts';

/** Of a row as JSON. A larger one is shown by its provenance alone. */
const MOST_BYTES = 65_536;
const PROVENANCE = ['_batch_id', '_line', '_schema_version', '_received_at'];

export async function countRows(connection: Connection, table: RowTable, batchId: string): Promise<number> {
  const { rows } = await connection.query<{ count: string }>(
    `SELECT count(*) AS count FROM ${quoted(table)} WHERE _batch_id = $1`,
    [batchId],
  );
  return Number(rows[0]!.count);
}

/**
 * Notes the batch's rows of a table as unknown ones, as many as fit into the list.
 * @param lines those of these lines only, NaN for rows without a line; null: all of the table
 */
export async function readRows(
  connection: Connection,
  table: RowTable,
  batchId: string,
  differences: Differences,
  lines: readonly number[] | null,
): Promise<void> {
  const { rows } = await connection.query<{ line: number | null; row: unknown }>(
    `SELECT line, CASE WHEN octet_length(whole::text) <= ${MOST_BYTES} THEN whole ELSE shown END AS row
     FROM (SELECT _line AS line, to_jsonb(found) AS whole,
             (SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(found)) WHERE key = ANY ($4)) AS shown
           FROM ${quoted(table)} AS found
           WHERE _batch_id = $1 AND ($2::int[] IS NULL OR _line = ANY ($2) OR ($3 AND _line IS NULL))
           ORDER BY _line LIMIT ${differences.room + 1}) AS rows`,
    [batchId, lines?.filter((line) => !Number.isNaN(line)) ?? null, lines?.some(Number.isNaN) ?? false, PROVENANCE],
  );
  const name = `${table.schema}.${table.name}`;
  for (const { line, row } of rows) differences.noteRow({ table: name, line, row });
}
