// A fresh database for each test that asks, on the Postgres of the run (or one of its own, for a file run by hand).
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Test } from 'tap';
import { type Embedded, startEmbedded } from '../../src/embedded.ts';

export interface TestDatabase {
  url: string;
  name: string;
  /** Rows of one statement; connects at its first use. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, params?: unknown[]): Promise<Row[]>;
}

/**
 * Makes an empty database. It is dropped when the test ends, also under open connections; after a failed test it is
 * kept, on a server that outlives the run, and its name is printed.
 * @param template a database to copy instead of the empty one; nobody may be connected to it
 */
export async function testDatabase(t: Test, template = 'template0'): Promise<TestDatabase> {
  const server = await serverUrl(t);
  const name = `sluice_test_${process.pid}_${randomBytes(6).toString('hex')}`;
  await administer(server, `CREATE DATABASE ${name} TEMPLATE ${pg.escapeIdentifier(template)}`);
  t.teardown(async () => {
    if (t.passing()) await administer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    else t.comment(`kept database ${name}`);
  });
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, name, query: queryOn(t, url.href) };
}

function queryOn(t: Test, url: string): TestDatabase['query'] {
  let pool: pg.Pool | undefined;
  t.teardown(() => pool?.end());
  return async <Row extends pg.QueryResultRow>(sql: string, params: unknown[] = []) => {
    // A connection cut off by a test that does just that must not end the process.
    pool ??= new pg.Pool({ connectionString: url, max: 2 }).on('error', () => {});
    return (await pool.query<Row>(sql, params)).rows;
  };
}

async function administer(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

let own: Promise<Embedded> | undefined;
let users = 0;

/** The run's server, or this process's own, which goes when the last test that uses it ends. */
async function serverUrl(t: Test): Promise<string> {
  const given = process.env.SLUICE_TEST_DATABASE_URL;
  if (given) return given;
  users++;
  own ??= startOwn();
  const { url, stop } = await own;
  t.teardown(async () => {
    if (--users > 0) return;
    own = undefined;
    await stop();
  });
  return url;
}

async function startOwn(): Promise<Embedded> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-'));
  // Postgres may have to run as another user.
  chmodSync(dataDir, 0o755);
  const log = {
    info() {},
    error: (fields: object, message: string) => process.stderr.write(`${message} ${JSON.stringify(fields)}\n`),
  };
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: '300' };
  const embedded = await startEmbedded({ dataDir, log, settings });
  return {
    ...embedded,
    async stop() {
      await embedded.stop();
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
