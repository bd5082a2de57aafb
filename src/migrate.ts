// Brings the system tables up to date by knex migrations, and holds the lock under which all else is changed: subjects'
// tables, schema versions. Safe with any number of processes at once, and after one of them was killed in the middle.
// A role that may not change anything only looks; where it finds everything there, it goes on.
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { withAdvisoryLock } from './advisory-lock.ts';
import { borrow, type Connection, type Database, INSUFFICIENT_PRIVILEGE, sqlstate } from './db.ts';
import { MissingRight } from './errors.ts';

// Any constant will do, as long as nobody else in the database uses it: 'sluice' in ASCII.
const MIGRATION_LOCK = '126896513803109';
const DIRECTORY = fileURLToPath(new URL('../migrations', import.meta.url));

/**
 * Runs `work` on up-to-date system tables while no other process changes tables or schema versions.
 * @throws {MissingRight} where they are not up to date and this role may not change that
 */
export function migrating<T>(db: Database, work: (connection: Connection) => Promise<T>): Promise<T> {
  return borrow(db, (connection) =>
    withAdvisoryLock(connection, MIGRATION_LOCK, async () => {
      await migrateSystemTables(db, connection);
      return work(connection);
    }),
  );
}

async function migrateSystemTables(db: Database, connection: Connection): Promise<void> {
  let pending: string[] | undefined;
  try {
    pending = await pendingMigrations(connection);
    if (pending.length > 0) await runMigrations(db, connection);
  } catch (error) {
    if (sqlstate(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    // knex puts its SQL in front of what Postgres says.
    const detail =
      pending === undefined
        ? `The database may not be used by this role (${(error as Error).message})`
        : `The database lacks ${pending.length} migrations, and this role may not run them`;
    throw new MissingRight(detail, { cause: error });
  }
}

/**
 * Migrations that have not run. Those that only a newer version has are no matter: migrations add, and what they add an
 * older version leaves alone, so that going back to it needs no work on the database.
 */
async function pendingMigrations(connection: Connection): Promise<string[]> {
  const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.js')).sort();
  const { rows } = await connection.query<{ stands: boolean }>(
    "SELECT to_regclass('sluice.knex_migrations') IS NOT NULL AS stands",
  );
  if (!rows[0]!.stands) return files;
  const done = await connection.query<{ name: string }>('SELECT name FROM sluice.knex_migrations');
  const names = new Set(done.rows.map(({ name }) => name));
  return files.filter((name) => !names.has(name));
}

async function runMigrations(db: Database, connection: Connection): Promise<void> {
  // Even with IF NOT EXISTS it asks for the right to make schemas, so we look first.
  const { rows } = await connection.query<{ stands: boolean }>(
    "SELECT to_regnamespace('sluice') IS NOT NULL AS stands",
  );
  if (!rows[0]!.stands) await connection.query('CREATE SCHEMA sluice');
  const settings = {
    directory: DIRECTORY,
    schemaName: 'sluice',
    loadExtensions: ['.js'],
    // knex would refuse to work on a database that a newer version has migrated.
    disableMigrationsListValidation: true,
  };
  // We hold the advisory lock, so whoever set knex's own lock was killed before clearing it.
  await db.migrate.forceFreeMigrationsLock(settings);
  await db.migrate.latest(settings);
}
