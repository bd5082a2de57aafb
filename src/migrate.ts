// Brings a database up to date: system tables by knex migrations, subjects' tables from the schemas.
// Safe with any number of processes at once, and after one of them was killed in the middle.
import { fileURLToPath } from 'node:url';
import { borrow, type Database } from './db.ts';
import type { Registry } from './schema/registry.ts';
import { ensureTables } from './schema/tables.ts';

// Any constant will do, as long as nobody else in the database uses it: 'sluice' in ASCII.
const MIGRATION_LOCK = '126896513803109';
const DIRECTORY = fileURLToPath(new URL('../migrations', import.meta.url));

/** Applies what is missing; does nothing on an up-to-date database. */
export async function migrate(db: Database, registry: Registry): Promise<void> {
  await borrow(db, async (connection) => {
    await connection.query('SET lock_timeout = 0');
    await connection.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await connection.query("SET lock_timeout = '10s'");
    try {
      await connection.query('CREATE SCHEMA IF NOT EXISTS sluice');
      await migrateSystemTables(db);
      await ensureTables(connection, registry);
    } finally {
      await connection.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    }
  });
}

async function migrateSystemTables(db: Database): Promise<void> {
  const settings = { directory: DIRECTORY, schemaName: 'sluice', loadExtensions: ['.js'] };
  const [, pending] = await db.migrate.list(settings);
  if (pending.length === 0) return;
  // We hold the advisory lock, so whoever set knex's own lock was killed before clearing it.
  await db.migrate.forceFreeMigrationsLock(settings);
  await db.migrate.latest(settings);
}
