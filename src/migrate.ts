// Brings the system tables up to date by knex migrations, and holds the lock under which all else is changed: subjects'
// tables, schema versions. Safe with any number of processes at once, and after one of them was killed in the middle.
import { fileURLToPath } from 'node:url';
import { withAdvisoryLock } from './advisory-lock.ts';
import { borrow, type Connection, type Database } from './db.ts';

// Any constant will do, as long as nobody else in the database uses it: 'sluice' in ASCII.
const MIGRATION_LOCK = '126896513803109';
const DIRECTORY = fileURLToPath(new URL('../migrations', import.meta.url));

/** Runs `work` on up-to-date system tables while no other process changes tables or schema versions. */
export function migrating<T>(db: Database, work: (connection: Connection) => Promise<T>): Promise<T> {
  return borrow(db, (connection) =>
    withAdvisoryLock(connection, MIGRATION_LOCK, async () => {
      await connection.query('CREATE SCHEMA IF NOT EXISTS sluice');
      await migrateSystemTables(db);
      return work(connection);
    }),
  );
}

async function migrateSystemTables(db: Database): Promise<void> {
  const settings = { directory: DIRECTORY, schemaName: 'sluice', loadExtensions: ['.js'] };
  const [, pending] = await db.migrate.list(settings);
  if (pending.length === 0) return;
  // We hold the advisory lock, so whoever set knex's own lock was killed before clearing it.
  await db.migrate.forceFreeMigrationsLock(settings);
  await db.migrate.latest(settings);
}
