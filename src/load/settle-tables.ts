// The tables that a batch's rows are in, as the catalogue has them: a batch is settled long after it came, perhaps after
// its tables have got further columns, perhaps when its subject is no longer in the schema folder.
import type { Connection } from '../db.ts';
import type { Report, TablePlan } from '../model.ts';
import { tableName } from '../schema/names.ts';
import { quote } from '../sql.ts';
import { recordedTables } from './recorded.ts';

/** How rows of one table get from `stage` to `events`. */
export interface Passage {
  table: string;
  /** Columns that both have and that can be written to. */
  columns: string[];
  /** Columns that only the stage has, or that final fills by itself. */
  stageOnly: string[];
  /** The events' id, where rows have one: a second row with it is a duplicate. */
  id: string | null;
}

/** Names of the batch's tables, in the order in which all batches go through them. */
export async function tablesOf(connection: Connection, batchId: string, report: Report): Promise<string[]> {
  const recorded = await recordedTables(connection, batchId);
  if (recorded.length > 0) return recorded.map(({ table }) => table);
  // Batches from before rows were recorded.
  const names = Object.keys(report.schemas).map((schema) => {
    const [subject = '', version = ''] = schema.split('/');
    return tableName(subject, Number(version.split('.', 1)[0]));
  });
  return [...new Set(names)].sort();
}

/** Whether the table stands. */
export async function isStanding(connection: Connection, schema: 'events' | 'stage', table: string): Promise<boolean> {
  const { rows } = await connection.query<{ stands: boolean }>('SELECT to_regclass($1) IS NOT NULL AS stands', [
    `${schema}.${quote(table)}`,
  ]);
  return rows[0]!.stands;
}

/** @param plan of the table; undefined where no subject in use has it, and then its indexes tell the id */
export async function passageOf(connection: Connection, table: string, plan: TablePlan | undefined): Promise<Passage> {
  const names = [`events.${quote(table)}`, `stage.${quote(table)}`];
  const { rows } = await connection.query<{ name: string; shared: boolean }>(
    `SELECT staged.attname AS name, final.attname IS NOT NULL AS shared
     FROM pg_catalog.pg_attribute AS staged
     LEFT JOIN pg_catalog.pg_attribute AS final
       ON final.attrelid = to_regclass($1) AND final.attname = staged.attname AND final.attnum > 0
       AND NOT final.attisdropped AND final.attgenerated = '' AND final.attidentity <> 'a'
     WHERE staged.attrelid = to_regclass($2) AND staged.attnum > 0 AND NOT staged.attisdropped
     ORDER BY staged.attnum`,
    names,
  );
  const named = (shared: boolean) => rows.filter((row) => row.shared === shared).map(({ name }) => name);
  const columns = named(true);
  const unique = (await uniqueColumns(connection, names[0]!)).filter((name) => columns.includes(name));
  const id = plan === undefined ? unique[0] : plan.columns.find((each) => each.id && unique.includes(each.name))?.name;
  return { table, columns, stageOnly: named(false), id: id ?? null };
}

/** Columns that are unique by themselves, that of the oldest index first: ours is made with the table. */
async function uniqueColumns(connection: Connection, table: string): Promise<string[]> {
  const { rows } = await connection.query<{ name: string }>(
    `SELECT attname AS name
     FROM pg_catalog.pg_index JOIN pg_catalog.pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
     WHERE indrelid = to_regclass($1) AND indisunique AND indisvalid AND indpred IS NULL AND indnkeyatts = 1
       AND attnum > 0
     ORDER BY indexrelid`,
    [table],
  );
  return rows.map(({ name }) => name);
}
