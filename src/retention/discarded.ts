// Rows of discarded batches, which wait in the stage for the time in which somebody may still want to look at them.
import { quote } from '../sql.ts';
import { type Pass, walk } from './steps.ts';

/** Removes the rows of batches discarded before `cutoff`. */
export async function removeDiscarded(pass: Pass, cutoff: Date): Promise<number> {
  const { rows } = await pass.connection.query<{ id: string }>(
    `SELECT id FROM sluice.batches
     WHERE status = 'discarded' AND coalesce((history -> -1 ->> 'at')::timestamptz, received_at) < $1`,
    [cutoff],
  );
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  let removed = 0;
  for (const table of await stageTables(pass))
    removed += await walk(pass, table, '_batch_id = ANY ($3::uuid[])', [ids]);
  return removed;
}

/** Those of `ids` that have rows in the stage. */
export async function stagedOf(pass: Pass, ids: readonly string[]): Promise<Set<string>> {
  const staged = new Set<string>();
  if (ids.length === 0) return staged;
  for (const table of await stageTables(pass)) {
    const { rows } = await pass.connection.query<{ id: string }>(
      `SELECT DISTINCT _batch_id AS id FROM ${table} WHERE _batch_id = ANY ($1::uuid[])`,
      [ids],
    );
    for (const { id } of rows) staged.add(id);
  }
  return staged;
}

/** The tables where held batches wait, quoted. Those that begin with a digit are stages of uploads under way. */
async function stageTables({ connection }: Pass): Promise<string[]> {
  const { rows } = await connection.query<{ name: string }>(
    `SELECT relname AS name FROM pg_catalog.pg_class AS stage
     WHERE relnamespace = to_regnamespace('stage') AND relkind = 'r' AND relname ~ '^[a-z]' AND EXISTS (
       SELECT FROM pg_catalog.pg_attribute
       WHERE attrelid = stage.oid AND attname = '_batch_id' AND NOT attisdropped)
     ORDER BY relname`,
  );
  return rows.map(({ name }) => `stage.${quote(name)}`);
}
