// The tables of API keys, for a command: made where no server has made them yet.
import { borrow, type Connection, type Database, sqlstate } from '../db.ts';
import { StartError } from '../errors.ts';
import { migrating } from '../migrate.ts';
import { withPool } from './database.ts';

/** One that works, one that migrates, one that holds the lock meanwhile. */
const POOL_SIZE = 3;

/**
 * Runs `use` in one transaction.
 * @throws {StartError} where Postgres cannot be reached or does not let us
 */
export function withKeys<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
  return withPool(async (db) => {
    try {
      if (!(await hasKeys(db))) await migrating(db, async () => {});
      return await borrow(db, (connection) => inTransaction(connection, use));
    } catch (error) {
      // A right that is missing: a fault for the operator.
      if (!/^(42|25006|3F)/.test(sqlstate(error) ?? '')) throw error;
      throw new StartError(`Postgres cannot be used: ${(error as Error).message}`, { cause: error });
    }
  }, POOL_SIZE);
}

async function hasKeys(db: Database): Promise<boolean> {
  const { rows } = await db.raw("SELECT to_regclass('sluice.api_keys') IS NOT NULL AS there");
  return rows[0].there;
}

async function inTransaction<T>(connection: Connection, use: (connection: Connection) => Promise<T>): Promise<T> {
  await connection.query('BEGIN');
  const result = await use(connection);
  await connection.query('COMMIT');
  return result;
}
