// Makes the database's tables what the registry's plans say. Safe with several processes at once and when killed at any
// point: each step is one transaction under one lock, and the next start goes on from what stands there.
import { sqlstate } from '../db.ts';
import { StartError } from '../errors.ts';
import type { TablePlan } from '../model.ts';
import { type StandingColumn, type StandingTable, TABLE_SCHEMAS, TableConflict, updateTable } from './ddl.ts';
import type { Registry } from './registry.ts';

/** One connection, not a pool: transactions run on it. */
export interface Connection {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Any constant will do, as long as nobody else in the database uses it: `tables` in ASCII. */
const LOCK = '128005904591219';
/**
 * Tables in one transaction. Each costs a lock on every relation that it makes, and Postgres has room for some
 * thousands only (`max_locks_per_transaction`).
 */
const AT_ONCE = 50;

/**
 * Creates missing tables and adds missing columns. On an up-to-date database it reads the catalogue once and changes
 * nothing.
 * @throws {StartError} where a table cannot become what its plan says
 */
export async function ensureTables(connection: Connection, registry: Pick<Registry, 'tables'>): Promise<void> {
  const outdated = needing(registry.tables, await readCatalogue(connection, registry.tables));
  for (let start = 0; start < outdated.length; start += AT_ONCE) {
    await update(connection, outdated.slice(start, start + AT_ONCE));
  }
}

/** `schema.table` → what stands there. */
type Catalogue = ReadonlyMap<string, StandingTable>;

function needing(plans: readonly TablePlan[], catalogue: Catalogue): TablePlan[] {
  return plans.filter((plan) => statementsFor(plan, catalogue).length > 0);
}

function statementsFor(plan: TablePlan, catalogue: Catalogue): string[] {
  try {
    return TABLE_SCHEMAS.flatMap((schema) => updateTable(schema, plan, catalogue.get(`${schema}.${plan.table}`)));
  } catch (error) {
    if (error instanceof TableConflict) throw new StartError(error.message);
    throw error;
  }
}

async function update(connection: Connection, plans: readonly TablePlan[]): Promise<void> {
  await connection.query('BEGIN');
  try {
    await connection.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    // Another process may have done the work while this one waited.
    const catalogue = await readCatalogue(connection, plans);
    for (const statement of await missingSchemas(connection)) await connection.query(statement);
    for (const plan of needing(plans, catalogue)) await change(connection, plan, statementsFor(plan, catalogue));
    await connection.query('COMMIT');
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** Changes one table and its stage. */
async function change(connection: Connection, plan: TablePlan, statements: readonly string[]): Promise<void> {
  try {
    await connection.query(statements.join(';\n'));
  } catch (error) {
    // Rows that contradict the plan (two with one id), or a right that is missing: no retry helps.
    if (!/^(23|42)/.test(sqlstate(error) ?? '')) throw error;
    const reason = (error as Error).message;
    throw new StartError(`the tables of ${plan.table} cannot be brought up to date: ${reason}`, { cause: error });
  }
}

async function missingSchemas(connection: Connection): Promise<string[]> {
  const { rows } = await connection.query(
    'SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname = ANY($1)',
    [TABLE_SCHEMAS],
  );
  const found = new Set((rows as { name: string }[]).map(({ name }) => name));
  return TABLE_SCHEMAS.filter((schema) => !found.has(schema)).map((schema) => `CREATE SCHEMA ${schema}`);
}

/** One row a table: thousands of tables are read in one go. */
const CATALOGUE = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind,
         coalesce(json_agg(json_build_array(
           a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
           a.atthasdef OR a.attidentity <> '', u.column_number IS NOT NULL)) FILTER (WHERE a.attnum > 0), '[]') AS columns
    FROM pg_catalog.pg_namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN (SELECT DISTINCT indrelid, indkey[0] AS column_number FROM pg_catalog.pg_index
                WHERE indisunique AND indisvalid AND indnkeyatts = 1 AND indpred IS NULL) u
      ON u.indrelid = c.oid AND u.column_number = a.attnum
   WHERE n.nspname = ANY($1) AND c.relname = ANY($2)
   GROUP BY n.nspname, c.oid, c.relname, c.relkind`;

interface CatalogueRow {
  schema: string;
  name: string;
  kind: string;
  columns: [name: string, type: string, notNull: boolean, hasDefault: boolean, unique: boolean][];
}

async function readCatalogue(connection: Connection, plans: readonly TablePlan[]): Promise<Catalogue> {
  const { rows } = await connection.query(CATALOGUE, [TABLE_SCHEMAS, plans.map((plan) => plan.table)]);
  return new Map(
    (rows as CatalogueRow[]).map(({ schema, name, kind, columns }) => {
      const standing = columns.map(([column, type, notNull, hasDefault, unique]): [string, StandingColumn] => {
        return [column, { type, notNull, hasDefault, unique }];
      });
      return [`${schema}.${name}`, { kind, columns: new Map(standing) }];
    }),
  );
}
