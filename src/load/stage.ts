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
  /** The last line among them: chunks come in the order of lines. */
  lastLine: number;
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
    // What is the same for a whole batch is added on the way to final.
    await connection.query(
      `ALTER TABLE ${name} ALTER COLUMN _batch_id DROP NOT NULL, ALTER COLUMN _received_at DROP NOT NULL`,
    );
    known.add(name);
  }
  return { plan, name, rows: 0, lastLine: 0 };
}

/** Makes room for further temporary tables. Must run outside of a transaction. */
export async function forgetTemporaryStages(connection: Connection, wanted: number): Promise<void> {
  const known = temporaryTables.get(connection);
  if (known === undefined || known.size + wanted <= MOST_TEMPORARY) return;
  await connection.query('DISCARD TEMP');
  known.clear();
}

/**
 * Creates the unlogged stage of one table of a large batch. As all that is done to these tables, by a function of the
 * database (migration 4): the server needs no right to make tables.
 */
export async function createUnloggedStage(
  db: Database,
  batchId: string,
  index: number,
  plan: TablePlan,
): Promise<StageTable> {
  await borrow(db, (connection) =>
    connection.query('SELECT sluice.create_stage($1, $2, $3)', [batchId, index, plan.table]),
  );
  return { plan, name: unloggedName(batchId, String(index)), rows: 0, lastLine: 0 };
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
           AND NOT (indisunique AND indpred IS NULL AND indnkeyatts = 1 AND EXISTS (
             SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = $2 AND attnum = indkey[0]))
       ) AS may
     FROM pg_class WHERE oid = $1::regclass`,
    [`events.${quote(plan.table)}`, id],
  );
  return rows[0]?.may ?? true;
}

/** Drops all stage tables of a batch. */
export async function dropUnloggedStages(connection: Connection, batchId: string): Promise<void> {
  await connection.query('SELECT sluice.drop_stages($1)', [batchId]);
}

/**
 * The name of a table of a large batch, as the functions in the database make it; quoted, qualified. Subjects start
 * with a letter, so `0` keeps these names apart from theirs.
 */
export function unloggedName(batchId: string, part: string): string {
  return `stage.${quote(`0${batchId.replaceAll('-', '')}_${part}`)}`;
}

// Check constraints that somebody put on final hold in the stage too: there they cost a line, in final the batch.
function likeFinal(plan: TablePlan): string {
  return `(LIKE events.${quote(plan.table)} INCLUDING CONSTRAINTS INCLUDING DEFAULTS)`;
}

/** Drops unlogged stages whose batch is no longer being received. */
export async function dropOrphanedStages(connection: Connection): Promise<void> {
  await connection.query('SELECT sluice.drop_orphaned_stages()');
}
