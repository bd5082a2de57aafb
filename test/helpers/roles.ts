// A database with an owner, a role that serves and one that reads, none of them a superuser.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Test } from 'tap';
import { type TestDatabase, testDatabase } from './postgres.ts';

export interface RoleDatabase extends TestDatabase {
  /** Names of the roles. */
  roles: Record<Role, string>;
  /** The database's URL as this role. */
  urlAs(role: Role): string;
  /** Runs one statement as this role. @returns the SQLSTATE of its error, or its rows */
  as(role: Role, sql: string): Promise<pg.QueryResultRow[] | string>;
}

export type Role = 'owner' | 'app' | 'reader';

const PASSWORD = 'made for a test';

/** The roles and the database go when the test ends. */
export async function roleDatabase(t: Test): Promise<RoleDatabase> {
  // Roles belong to the whole server, and can be dropped only after the database in which they have rights.
  const desk = await testDatabase(t);
  const suffix = randomBytes(6).toString('hex');
  const roles = { owner: `owner ${suffix}`, app: `app"${suffix}`, reader: `reader_${suffix}` };
  for (const role of Object.values(roles)) {
    await desk.query(`CREATE ROLE ${pg.escapeIdentifier(role)} LOGIN PASSWORD ${pg.escapeLiteral(PASSWORD)}`);
    t.teardown(() => desk.query(`DROP ROLE ${pg.escapeIdentifier(role)}`).catch(() => {}));
  }
  const database = await testDatabase(t);
  await desk.query(`ALTER DATABASE ${database.name} OWNER TO ${pg.escapeIdentifier(roles.owner)}`);
  // As it is since Postgres 15.
  await database.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  const urlAs = (role: Role): string => {
    const url = new URL(database.url);
    url.username = encodeURIComponent(roles[role]);
    url.password = encodeURIComponent(PASSWORD);
    return url.href;
  };
  const as = async (role: Role, sql: string): Promise<pg.QueryResultRow[] | string> => {
    const client = new pg.Client({ connectionString: urlAs(role) });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } catch (error) {
      return (error as { code: string }).code;
    } finally {
      await client.end();
    }
  };
  return { ...database, roles, urlAs, as };
}
