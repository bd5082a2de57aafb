// What statements cost on a real Postgres, and what happens where others use the tables.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { StartError } from '../../src/errors.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import type { Registry } from '../../src/schema/registry.ts';
import { ensureTables, type Patience, planChanges } from '../../src/schema/tables.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { folderOf } from './schemas.ts';

const string = { type: 'string' };
const closed = (properties: object, required: string[] = []) => {
  return { type: 'object', properties, required, additionalProperties: false };
};
const FIRST = closed({ a: string, b: { type: 'integer' } }, ['a', 'b']);
const SECOND = {
  ...closed({ a: { ...string, 'x-id': true }, b: { type: 'number' }, key: string }, ['a']),
  additionalProperties: true,
};

let database: TestDatabase;
t.before(async () => {
  database = await testDatabase(t);
});

async function connect(t: Test): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  t.teardown(() => client.end());
  return client;
}

/** A table of version 1.0.0 with rows, and the registry that wants it as 1.1.0 has it. */
async function grownTable(t: Test, client: pg.Client): Promise<Registry> {
  await client.query('DROP SCHEMA IF EXISTS events, stage CASCADE');
  const files: Record<string, unknown> = { 'a/1.0.0.json': FIRST };
  await ensureTables(client, await loadFolder(folderOf(t, files)));
  await client.query(`INSERT INTO events.a (a, b, _batch_id, _line, _schema_version, _received_at)
    SELECT 'id' || n, n, gen_random_uuid(), n, '1.0.0', now() FROM generate_series(1, 1000) AS n`);
  files['a/1.1.0.json'] = SECOND;
  return loadFolder(folderOf(t, files));
}

t.test('each statement takes the lock that it says, and no table is rewritten', async (t) => {
  const client = await connect(t);
  const registry = await grownTable(t, client);
  await client.query('ALTER TABLE events.a ALTER COLUMN a TYPE varchar(100)');
  const statements = await planChanges(client, registry);
  t.ok(statements.some(({ sql }) => /TYPE text/.test(sql)));
  const files = "SELECT array_agg(pg_relation_filenode(oid) ORDER BY oid) AS files FROM pg_class WHERE relname = 'a'";
  const before = (await client.query(files)).rows;
  for (const { sql, table, lock, rewrites, apart } of statements) {
    t.equal(rewrites, false);
    if (apart) await client.query(sql);
    else {
      await client.query('BEGIN');
      await client.query(sql);
      const { rows } = await client.query<{ mode: string }>(
        `SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = $1::regclass`,
        [table],
      );
      const wanted = lock!.replaceAll(/ ?(\w)(\w*)/g, (_, first, rest) => first + rest.toLowerCase());
      t.ok(
        rows.some(({ mode }) => mode === `${wanted}Lock`),
        `${sql}: ${lock}`,
      );
      const isStronger = rows.some(({ mode }) => mode === 'AccessExclusiveLock') && lock !== 'ACCESS EXCLUSIVE';
      t.notOk(isStronger, 'and no stronger one');
      await client.query('COMMIT');
    }
  }
  t.same((await client.query(files)).rows, before, 'the same files');
  t.same(await planChanges(client, registry), [], 'that was all');
});

t.test('an index on a standing table is built while others write', async (t) => {
  const client = await connect(t);
  const writer = await connect(t);
  const registry = await grownTable(t, client);
  let written = 0;
  let isDone = false;
  const writing = (async () => {
    for (; !isDone && written < 10_000; written++) {
      await writer.query(
        `INSERT INTO events.a (a, b, _batch_id, _line, _schema_version, _received_at)
         VALUES ('w' || $1, 1, gen_random_uuid(), 1, '1.0.0', now())`,
        [written],
      );
    }
  })();
  await ensureTables(client, registry);
  isDone = true;
  await writing;
  t.ok(written > 0);
  const [{ count }] = (await database.query('SELECT count(*)::int FROM events.a')) as [{ count: number }];
  t.equal(count, 1000 + written, 'no row is lost');
  t.same(await planChanges(client, registry), []);
});

const SHORT: Patience = { lockTimeoutMs: 100, tries: 3, pauseMs: 20 };

t.test('a table in use for too long: a clear error that names who uses it, and everything as it was', async (t) => {
  const client = await connect(t);
  const reader = await connect(t);
  const registry = await grownTable(t, client);
  const wanted = await planChanges(client, registry);
  await reader.query("SET application_name = 'a report'; BEGIN; SELECT 1 FROM events.a LIMIT 1");
  // A snapshot is not held, only the lock: the concurrent index comes through, the ALTER TABLE does not.
  const error = await ensureTables(client, registry, SHORT).catch((each: unknown) => each);
  t.type(error, StartError);
  t.match((error as Error).message, /^the tables of a are in use: no lock within \d+ ms/);
  t.match((error as Error).message, /held by process \d+ \(a report, idle in transaction\); they are as they were/);
  await reader.query('COMMIT');
  t.equal((await client.query('SELECT 1')).rows.length, 1, 'no transaction is left open');
  const left = await planChanges(client, registry);
  const alter = (statements: typeof wanted) => statements.filter(({ sql }) => sql.startsWith('ALTER'));
  t.same(alter(left), alter(wanted));
  t.same(await database.query('SELECT FROM pg_index WHERE NOT indisvalid'), []);
  await ensureTables(client, registry, SHORT);
  t.same(await planChanges(client, registry), [], 'and then it works');
});

t.test('a table in use for a while is waited for, and nobody waits long behind', async (t) => {
  const client = await connect(t);
  const holder = await connect(t);
  const registry = await grownTable(t, client);
  await holder.query('BEGIN; SELECT 1 FROM events.a LIMIT 1');
  const migrating = ensureTables(client, registry, { lockTimeoutMs: 50, tries: 200, pauseMs: 20 });
  for (let reads = 0; reads < 10; reads++) {
    t.equal((await database.query('SELECT 1 FROM events.a LIMIT 1')).length, 1, 'a reader gets through');
    await sleep(30);
  }
  await holder.query('COMMIT');
  await migrating;
  t.same(await planChanges(client, registry), []);
});

t.test('several processes migrate a table with rows at once, among them the index', async (t) => {
  const clients = await Promise.all([1, 2, 3, 4].map(() => connect(t)));
  const registry = await grownTable(t, clients[0]!);
  await Promise.all(clients.map((client) => ensureTables(client, registry)));
  t.same(await planChanges(clients[0]!, registry), []);
  const indexes = "SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'events' AND indexdef LIKE '%UNIQUE%'";
  t.same(await database.query(indexes), [{ name: 'a_a_idx' }], 'one index, not four');
});
