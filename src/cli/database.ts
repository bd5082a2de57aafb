// The database for a command that only looks or only changes tables: no server, no pool to speak of.
import { readConfig } from '../config.ts';
import { borrow, type Connection, type Database, databaseProblem, openDatabase } from '../db.ts';
import { startEmbedded } from '../embedded.ts';
import { StartError } from '../errors.ts';

/** What is said of the embedded Postgres; a command prints its result only. */
const SILENT = { info() {}, error() {} };

/**
 * Connects to DATABASE_URL, or to the embedded Postgres, for as long as `use` takes.
 * @throws {StartError} where Postgres cannot be reached or does not let us
 */
export function withDatabase<T>(use: (connection: Connection) => Promise<T>): Promise<T> {
  return withPool((db) => borrow(db, use));
}

/** As {@link withDatabase}, for whoever needs connections of its own. */
export async function withPool<T>(use: (db: Database) => Promise<T>, poolSize = 1): Promise<T> {
  const { databaseUrl, dataDir } = readConfig();
  const embedded = databaseUrl === undefined ? await startEmbedded({ dataDir, log: SILENT }) : undefined;
  const db = openDatabase({ url: databaseUrl ?? embedded!.url, poolSize });
  try {
    return await use(db);
  } catch (error) {
    if (databaseProblem(error) === undefined && !isRefused(error)) throw error;
    throw new StartError(`Postgres cannot be used: ${(error as Error).message}`, { cause: error });
  } finally {
    await db.destroy();
    await embedded?.stop();
  }
}

/** A wrong password, a missing database, a right that is missing. */
function isRefused(error: unknown): boolean {
  return /^(28|3D|42501)/.test(String((error as { code?: unknown } | null)?.code));
}
