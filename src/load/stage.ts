// Where a batch's rows wait for promotion. A batch that fits into one chunk per table waits in a temporary table inside
// the promoting transaction; a larger one in unlogged tables of its own, filled chunk by chunk on whichever connection
// is free, so that no connection is held while a client is slow. Neither survives a crash of Postgres, and neither is
// ever acknowledged: only final is, and stage.<table> for held batches, which are logged.
import { createHash } from 'node:crypto';
import { borrow, type Connection, type Database } from '../db.ts';
import { stageColumns } from '../lines/encode.ts';
import type { TablePlan } from '../model.ts';
import { quote } from '../sql.ts';

/** Temporary tables kept per connection: at each commit Postgres empties all of them. */
const MOST_TEMPORARY = 32;

/** A stage table named for use in SQL. */
export interface StageTable {
  plan: TablePlan;
  name: string;
  /** Rows sent to it that Postgres has confirmed. */
  rows: number;
}

// A connection on which anything failed is closed, so what is noted here stays true.
const temporaryTables = new WeakMap<Connection, Set<string>>();

/** The connection's temporary stage for a table: empty at the beginning of every transaction. */
export async function temporaryStage(connection: Connection, plan: TablePlan): Promise<StageTable> {
  const known = temporaryTables.get(connection) ?? new Set<string>();
  temporaryTables.set(connection, known);
  // A table that has got further columns, or that demands fewer, needs another stage.
  const demanded = plan.columns.filter(({ notNull }) => notNull).map(({ name }) => name);
  const digest = createHash('sha256')
    .update(JSON.stringify([plan.table, stageColumns(plan), demanded]))
    .digest('hex');
  const name = `pg_temp.${quote(`stage_${digest.slice(0, 16)}`)}`;
  if (!known.has(name)) {
    await connection.query(`CREATE TEMPORARY TABLE ${name} ${likeFinal(plan)} ON COMMIT DELETE ROWS`);
    await connection.query(withoutProvenance(name));
    known.add(name);
  }
  return { plan, name, rows: 0 };
}

/** Makes room for further temporary tables. Must run outside of a transaction. */
export async function forgetTemporaryStages(connection: Connection, wanted: number): Promise<void> {
  const known = temporaryTables.get(connection);
  if (known === undefined || known.size + wanted <= MOST_TEMPORARY) return;
  await connection.query('DISCARD TEMP');
  known.clear();
}

/** Creates the unlogged stage of one table of a large batch. */
export async function createUnloggedStage(
  db: Database,
  batchId: string,
  index: number,
  plan: TablePlan,
): Promise<StageTable> {
  const name = `stage.${quote(`${unloggedPrefix(batchId)}${index}`)}`;
  await borrow(db, (connection) =>
    connection.query(
      `CREATE UNLOGGED TABLE ${name} ${likeFinal(plan)} WITH (autovacuum_enabled = false); ${withoutProvenance(name)}`,
    ),
  );
  return { plan, name, rows: 0 };
}

/**
 * Whether final may refuse a row that its stage has taken: rules that are not copied with `LIKE`. Of indexes those count
 * that are unique, computed, or hold values of any length.
 */
export async function mayFinalRefuse(connection: Connection, plan: TablePlan): Promise<boolean> {
  const id = plan.columns.find((column) => column.id)?.name ?? null;
  const { rows } = await connection.query<{ may: boolean }>(
    `SELECT relkind <> 'r' OR relhastriggers OR relhasrules
       OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attgenerated <> '')
       OR EXISTS (
         SELECT FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid JOIN pg_am ON pg_am.oid = i.relam
         WHERE indrelid = pg_class.oid AND amname <> 'brin'
           AND (indisunique OR indisexclusion OR indexprs IS NOT NULL OR indpred IS NOT NULL OR EXISTS (
             SELECT FROM pg_attribute WHERE attrelid = indexrelid AND attlen = -1))
           AND NOT (indisunique AND indpred IS NULL AND indnkeyatts = 1 AND indkey[0] = (
             SELECT attnum FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = $2))
       ) AS may
     FROM pg_class WHERE oid = $1::regclass`,
    [`events.${quote(plan.table)}`, id],
  );
  return rows[0]?.may ?? true;
}

/** Drops all stage tables of a batch. */
export async function dropUnloggedStages(connection: Connection, batchId: string): Promise<void> {
  const { rows } = await connection.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = 'stage' AND starts_with(tablename, $1)`,
    [unloggedPrefix(batchId)],
  );
  for (const { name } of rows) await connection.query(`DROP TABLE IF EXISTS stage.${quote(name)}`);
}

/** Subjects start with a letter, so `0` keeps these names apart from theirs. */
export function unloggedPrefix(batchId: string): string {
  return `0${batchId.replaceAll('-', '')}_`;
}

// Check constraints that somebody put on final hold in the stage too: there they cost a line, in final the batch.
function likeFinal(plan: TablePlan): string {
  return `(LIKE events.${quote(plan.table)} INCLUDING CONSTRAINTS)`;
}

// What is the same for a whole batch is added on the way to final.
function withoutProvenance(name: string): string {
  return `ALTER TABLE ${name} ALTER COLUMN _batch_id DROP NOT NULL, ALTER COLUMN _received_at DROP NOT NULL`;
}

/** Drops unlogged stages whose batch is no longer being received. */
export async function dropOrphanedStages(connection: Connection): Promise<void> {
  const { rows } = await connection.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_catalog.pg_tables
     WHERE schemaname = 'stage' AND tablename ~ '^0[0-9a-f]{32}_([0-9]+|lines)$'
       AND NOT EXISTS (
         SELECT FROM sluice.batches WHERE id = substr(tablename, 2, 32)::uuid AND status = 'receiving')`,
  );
  for (const { name } of rows) await connection.query(`DROP TABLE IF EXISTS stage.${quote(name)}`);
}
