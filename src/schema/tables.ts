// Makes the database's tables what the registry's plans say. Safe with several processes at once and when killed at any
// point: one process at a time works, each step is a transaction (or a statement that Postgres wants outside of one and
// that can be begun again), and whoever comes next goes on from what stands there.
//
// A statement that waits for a lock holds up everybody who comes after it, so it waits shortly, gives way, and tries
// again later: https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, withAdvisoryLock } from '../advisory-lock.ts';
import { INSUFFICIENT_PRIVILEGE, sqlstate } from '../db.ts';
import { MissingRight, StartError } from '../errors.ts';
import type { TablePlan } from '../model.ts';
import { type Catalogue, catalogueKey, missingSchemas, readCatalogue } from './catalogue.ts';
import { type Statement, TABLE_SCHEMAS, TableConflict, updateTable } from './ddl.ts';
import type { Registry } from './registry.ts';

/** Any constant will do, as long as nobody else in the database uses it: `tables` in ASCII. */
const LOCK = '128005904591219';
/**
 * New tables in one transaction. Each costs a lock on every relation that it makes, and Postgres has room for some
 * thousands only (`max_locks_per_transaction`).
 */
const AT_ONCE = 50;

/** How long a change waits for a table that others use. */
export interface Patience {
  /** Milliseconds that one try waits for a lock. */
  lockTimeoutMs: number;
  tries: number;
  /** Milliseconds between two tries, in which those who waited behind the last one get through. */
  pauseMs: number;
}

/** Gives up after less than a minute. */
const PATIENCE: Patience = { lockTimeoutMs: 2_000, tries: 15, pauseMs: 1_000 };

/** SQLSTATEs that pass: lock_not_available, deadlock_detected. */
const BUSY = new Set(['55P03', '40P01']);

/**
 * Creates missing tables and adds missing columns and indexes. On an up-to-date database it reads the catalogue once
 * and changes nothing.
 * @throws {StartError} where a table cannot become what its plan says, or is in use for too long; that table is then as
 *   it was
 */
export async function ensureTables(
  connection: Connection,
  registry: Pick<Registry, 'tables'>,
  patience: Patience = PATIENCE,
): Promise<void> {
  if ((await outdated(connection, registry.tables)).length === 0) return;
  await withAdvisoryLock(connection, LOCK, async () => {
    // Another process may have done the work while this one waited.
    const plans = await outdated(connection, registry.tables);
    if (plans.length === 0) return;
    for (const schema of await missingSchemas(connection)) {
      await connection.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
    }
    const fresh = plans.filter(({ steps }) => steps.every(({ lock }) => lock === null));
    for (let start = 0; start < fresh.length; start += AT_ONCE) {
      await change(connection, fresh.slice(start, start + AT_ONCE), patience);
    }
    for (const plan of plans) if (!fresh.includes(plan)) await change(connection, [plan], patience);
  });
}

/**
 * What {@link ensureTables} would run, in its order.
 * @throws {StartError} where a table cannot become what its plan says
 */
export async function planChanges(connection: Connection, registry: Pick<Registry, 'tables'>): Promise<Statement[]> {
  const plans = await outdated(connection, registry.tables);
  const schemas = plans.length === 0 ? [] : await missingSchemas(connection);
  const about = { table: null, lock: null, rewrites: false, scans: false, apart: false };
  const isFresh = ({ steps }: Outdated) => steps.every(({ lock }) => lock === null);
  return [
    ...schemas.map((schema) => ({ sql: `CREATE SCHEMA IF NOT EXISTS ${schema}`, ...about })),
    ...[...plans.filter(isFresh), ...plans.filter((plan) => !isFresh(plan))].flatMap(({ steps }) => steps),
  ];
}

interface Outdated {
  table: string;
  steps: Statement[];
}

async function outdated(connection: Connection, plans: readonly TablePlan[]): Promise<Outdated[]> {
  const names = plans.map((plan) => plan.table);
  const catalogue = await readCatalogue(connection, names);
  return plans
    .map((plan) => ({ table: plan.table, steps: statementsFor(plan, catalogue) }))
    .filter(({ steps }) => steps.length > 0);
}

function statementsFor(plan: TablePlan, catalogue: Catalogue): Statement[] {
  try {
    return TABLE_SCHEMAS.flatMap((schema) =>
      updateTable(schema, plan, catalogue.get(catalogueKey(schema, plan.table))),
    );
  } catch (error) {
    if (error instanceof TableConflict) throw new StartError(error.message);
    throw error;
  }
}

/** Runs the steps of some tables in their order: those in between two that are apart are one transaction. */
async function change(connection: Connection, plans: readonly Outdated[], patience: Patience): Promise<void> {
  const tables = plans.map(({ table }) => table);
  for (const steps of runsOf(plans.flatMap((plan) => plan.steps))) {
    const limits = steps[0]!.apart ? inOneGo(patience) : patience;
    try {
      await patiently(limits, () => run(connection, steps, limits.lockTimeoutMs));
    } catch (error) {
      throw await explained(connection, error, tables, steps, limits);
    }
  }
}

/**
 * A concurrent build waits for other transactions again and again, which counts as waiting for a lock but holds up
 * nobody: beginning anew would only throw away what it has done.
 */
function inOneGo({ lockTimeoutMs, tries, pauseMs }: Patience): Patience {
  return { lockTimeoutMs: tries * (lockTimeoutMs + pauseMs), tries: 1, pauseMs };
}

function runsOf(steps: readonly Statement[]): Statement[][] {
  const runs: Statement[][] = [];
  for (const step of steps) {
    const last = runs.at(-1);
    if (step.apart || last === undefined || last[0]!.apart) runs.push([step]);
    else last.push(step);
  }
  return runs;
}

async function patiently(patience: Patience, work: () => Promise<void>): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (!BUSY.has(sqlstate(error) ?? '') || tried >= patience.tries) throw error;
      // Two who got into each other's way must not come back at the same moment.
      await sleep(patience.pauseMs * (0.5 + Math.random()));
    }
  }
}

async function run(connection: Connection, steps: readonly Statement[], lockTimeoutMs: number): Promise<void> {
  if (steps[0]!.apart) return runApart(connection, steps[0]!, lockTimeoutMs);
  await connection.query('BEGIN');
  try {
    // What it does to a large table takes its time.
    await connection.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}; SET LOCAL statement_timeout = 0`);
    await connection.query(steps.map(({ sql }) => sql).join(';\n'));
    await connection.query('COMMIT');
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/**
 * CREATE INDEX CONCURRENTLY that fails leaves an invalid index, which is to be dropped:
 * https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
 */
async function runApart(connection: Connection, { sql, table }: Statement, lockTimeoutMs: number): Promise<void> {
  const before = await unfinishedOn(connection, table!);
  const { rows } = await connection.query(
    `SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement`,
  );
  const usual = rows[0] as { lock: string; statement: string };
  await connection.query(`SET lock_timeout = ${lockTimeoutMs}; SET statement_timeout = 0`);
  try {
    await connection.query(sql);
  } catch (error) {
    for (const index of await unfinishedOn(connection, table!).catch(() => [])) {
      if (before.includes(index)) continue;
      // If even that fails, the next start finds the leftover and drops it first.
      await connection.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index}`).catch(() => {});
    }
    throw error;
  } finally {
    const { lock, statement } = usual;
    await connection.query(`SET lock_timeout = '${lock}'; SET statement_timeout = '${statement}'`).catch(() => {});
  }
}

/** Invalid indexes of a table, as SQL names them. */
async function unfinishedOn(connection: Connection, table: string): Promise<string[]> {
  const { rows } = await connection.query(
    'SELECT indexrelid::regclass::text AS name FROM pg_catalog.pg_index WHERE indrelid = $1::regclass AND NOT indisvalid',
    [table],
  );
  return (rows as { name: string }[]).map(({ name }) => name);
}

/** The error in words for the operator where no bug of ours is behind it. */
async function explained(
  connection: Connection,
  error: unknown,
  tables: readonly string[],
  steps: readonly Statement[],
  { tries, lockTimeoutMs }: Patience,
): Promise<unknown> {
  const state = sqlstate(error) ?? '';
  const some = tables.length > 3 ? `${tables.slice(0, 3).join(', ')} and ${tables.length - 3} more` : tables.join(', ');
  if (BUSY.has(state)) {
    const users = await usersOf(connection, steps).catch(() => '');
    return new StartError(
      `the tables of ${some} are in use: no lock within ${lockTimeoutMs} ms${tries > 1 ? `, ${tries} times in a row` : ''}${users}; ` +
        'they are as they were, try again later',
      { cause: error },
    );
  }
  // Rows that contradict the plan (two with one id), a right that is missing, a view in the way: no retry helps.
  if (!/^(23|42|0A|2B)/.test(state)) return error;
  const { message, detail } = error as { message: string; detail?: string };
  const reason = detail === undefined ? message : `${message} (${detail})`;
  const what = `the tables of ${some} cannot be brought up to date: ${reason}`;
  return new (state === INSUFFICIENT_PRIVILEGE ? MissingRight : StartError)(what, { cause: error });
}

/** Who holds locks on these tables, for whoever has to talk to them. */
async function usersOf(connection: Connection, steps: readonly Statement[]): Promise<string> {
  const names = [...new Set(steps.map(({ table }) => table))];
  const { rows } = await connection.query(
    `SELECT DISTINCT a.pid, a.application_name AS name, a.state
       FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
      WHERE l.granted AND l.locktype = 'relation' AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        AND l.relation = ANY (SELECT to_regclass(each) FROM unnest($1::text[]) AS each)
      ORDER BY a.pid LIMIT 5`,
    [names],
  );
  const users = (rows as { pid: number; name: string; state: string }[]).map(
    ({ pid, name, state }) => `${pid} (${[name, state].filter(Boolean).join(', ')})`,
  );
  return users.length === 0 ? '' : `; held by process ${users.join(', ')}`;
}
