// The rights of the roles beside the owner: what the server needs to serve, and what somebody needs who only reads. No
// right to make, change or drop a table is among them. Run by the owner, as often as anybody likes.
import { type Connection, sqlstate } from './db.ts';
import { StartError } from './errors.ts';
import { quote } from './sql.ts';

/** Roles that are to get their rights; undefined: none. */
export interface Roles {
  /** The server's. */
  app: string | undefined;
  /** Of `sluice reconcile` and of whoever analyses the events. */
  reader: string | undefined;
}

/** System tables on which the server has less than all four; on those not named here, and on later ones, it has all. */
const APP_ON: Readonly<Record<string, string>> = {
  // Keys are made and revoked by `sluice keys`, run by the owner: a server that was broken into makes none.
  api_keys: 'SELECT',
  // What was written there stays.
  audit_log: 'SELECT, INSERT',
  // A version in use never changes.
  schema_versions: 'SELECT, INSERT',
  knex_migrations: 'SELECT',
  knex_migrations_lock: 'SELECT',
};
const ALL_FOUR = 'SELECT, INSERT, UPDATE, DELETE';
/** Rows of events are added, and taken back as a batch; nobody changes one. */
const ON_EVENTS = 'SELECT, INSERT, DELETE';

/** What whoever reads has no business with: hashes of keys, keys of requests, who did what. */
const NOT_FOR_READERS = new Set(['api_keys', 'audit_log', 'idempotency_keys']);

/** What migration 4 made for the server; its other functions are called by these alone. */
const FUNCTIONS = [
  'create_stage(uuid, integer, text)',
  'create_line_bytes(uuid)',
  'index_line_bytes(uuid)',
  'drop_stages(uuid)',
  'drop_orphaned_stages()',
];

/**
 * Gives the roles their rights on what there is, and on what this role will make later.
 * https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
 * @throws {StartError} where there is no such role, or where this role may not give the rights
 */
export async function grantRights(connection: Connection, { app, reader }: Roles): Promise<void> {
  const tables = await systemTables(connection);
  const statements = [
    ...(app === undefined ? [] : forApp(quote(app), tables)),
    ...(reader === undefined ? [] : forReader(quote(reader), tables)),
  ];
  try {
    await connection.query('BEGIN');
    for (const statement of statements) await connection.query(statement);
    for (const role of [app, reader]) if (role !== undefined) await grantDatabase(connection, role);
    await connection.query('COMMIT');
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {});
    // A right that is missing, a role or table that does not exist.
    if (!/^(42|0L|0P)/.test(sqlstate(error) ?? '')) throw error;
    throw new StartError(`The rights cannot be given, and none was: ${(error as Error).message}`, { cause: error });
  }
}

function forApp(role: string, tables: readonly string[]): string[] {
  return [
    `GRANT USAGE ON SCHEMA sluice, events, stage TO ${role}`,
    ...tables.map((table) => `GRANT ${APP_ON[table] ?? ALL_FOUR} ON sluice.${quote(table)} TO ${role}`),
    `GRANT ${ON_EVENTS} ON ALL TABLES IN SCHEMA events, stage TO ${role}`,
    `GRANT EXECUTE ON FUNCTION ${FUNCTIONS.map((each) => `sluice.${each}`).join(', ')} TO ${role}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA sluice GRANT ${ALL_FOUR} ON TABLES TO ${role}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA events, stage GRANT ${ON_EVENTS} ON TABLES TO ${role}`,
  ];
}

function forReader(role: string, tables: readonly string[]): string[] {
  const readable = tables.filter((table) => !NOT_FOR_READERS.has(table)).map((table) => `sluice.${quote(table)}`);
  return [
    `GRANT USAGE ON SCHEMA sluice, events, stage TO ${role}`,
    `GRANT SELECT ON ${readable.join(', ')} TO ${role}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA events, stage TO ${role}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA sluice, events, stage GRANT SELECT ON TABLES TO ${role}`,
  ];
}

async function systemTables(connection: Connection): Promise<string[]> {
  const { rows } = await connection.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = 'sluice'
     UNION ALL SELECT viewname FROM pg_catalog.pg_views WHERE schemaname = 'sluice' ORDER BY name`,
  );
  return rows.map(({ name }) => name);
}

/**
 * Everybody may connect and make temporary tables, unless somebody has taken that from PUBLIC; then the owner of the
 * database has to give it back to these roles.
 * https://www.postgresql.org/docs/current/ddl-priv.html
 */
async function grantDatabase(connection: Connection, role: string): Promise<void> {
  const { rows } = await connection.query<{ database: string; has: boolean }>(
    `SELECT current_database() AS database, has_database_privilege($1, current_database(), 'CONNECT')
       AND has_database_privilege($1, current_database(), 'TEMPORARY') AS has`,
    [role],
  );
  const { database, has } = rows[0]!;
  if (!has) await connection.query(`GRANT CONNECT, TEMPORARY ON DATABASE ${quote(database)} TO ${quote(role)}`);
}
