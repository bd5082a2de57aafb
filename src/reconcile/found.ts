// A batch's rows as they stand in a table now: copied out in the order of their lines, in the very format in which they
// were copied in, so that equal rows have equal bytes.
import type { Connection } from '../db.ts';
import { type CopiedBlock, int4Field } from '../lines/copied.ts';
import { FINGERPRINT_BYTES, fingerprint } from '../lines/fingerprint.ts';
import { copyOut } from '../load/copy.ts';
import type { RowBlock } from '../load/recorded.ts';
import { quote } from '../sql.ts';
import { quoted, type RowTable, receivedWithBatch } from './tables.ts';

/**
 * The batch's rows in a table.
 * @param columns of the row format that the recorded fingerprints were taken of. One that stands there no more counts as
 *   NULL, so that rows which had a value in it are changed ones
 */
export async function* foundRows(
  connection: Connection,
  table: RowTable,
  columns: readonly string[],
  batchId: string,
): AsyncGenerator<RowBlock> {
  const values = columns.map((name) => {
    if (!table.columns.has(name)) return 'NULL::text';
    if (name !== '_schema_version') return quote(name);
    // A row that says it was received at another time is a changed one.
    const other = `_schema_version::text || ' received at another time'`;
    return `CASE WHEN ${receivedWithBatch(table, batchId)} THEN _schema_version::text ELSE ${other} END`;
  });
  const select = `SELECT ${values.join(', ')} FROM ${quoted(table)} WHERE _batch_id = '${batchId}' ORDER BY _line`;
  const before = columns.indexOf('_line');
  for await (const block of copyOut(connection, select, columns.length)) yield toRowBlock(block, before);
}

/** @param before number of fields before `_line` */
function toRowBlock({ view, count, starts, ends }: CopiedBlock, before: number): RowBlock {
  const lines = new Float64Array(count);
  const fingerprints = Buffer.allocUnsafeSlow(count * FINGERPRINT_BYTES);
  for (let row = 0; row < count; row++) {
    lines[row] = int4Field(view, starts[row]!, before) ?? Number.NaN;
    fingerprint(view, starts[row]!, ends[row]!, fingerprints, row * FINGERPRINT_BYTES);
  }
  return { count, lines, fingerprints };
}
