import pg from 'pg';
import t, { type Test } from 'tap';
import { StartError } from '../../src/errors.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import type { Registry } from '../../src/schema/registry.ts';
import { ensureTables } from '../../src/schema/tables.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { folderOf } from './schemas.ts';

const string = { type: 'string' };
const object = (properties: object, required: string[] = []) => ({ type: 'object', properties, required });

const load = (t: Test, files: Record<string, unknown>): Promise<Registry> => loadFolder(folderOf(t, files));

/** A connection that notes what is asked of it. */
async function connect(t: Test, url: string): Promise<pg.Client & { asked: string[] }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  const asked: string[] = [];
  const query = client.query.bind(client) as (text: string, values?: unknown[]) => Promise<pg.QueryResult>;
  const noting = (text: string, values?: unknown[]) => {
    asked.push(text);
    return query(text, values);
  };
  return Object.assign(client, { asked, query: noting }) as never;
}

/** `name type` of each column, in order, with `!` for NOT NULL. */
async function columnsOf(database: TestDatabase, table: string): Promise<string[]> {
  const rows = await database.query<{ column: string }>(
    `SELECT attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN '!' ELSE '' END AS column
       FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
    [table],
  );
  return rows.map(({ column }) => column);
}

const PROVENANCE = [
  '_batch_id uuid!',
  '_line integer!',
  '_schema_version text!',
  '_received_at timestamp with time zone!',
];

let shared: Promise<TestDatabase> | undefined;

/** The one database of this file, without any table. */
async function emptyDatabase(): Promise<TestDatabase> {
  shared ??= testDatabase(t);
  const database = await shared;
  await database.query('DROP SCHEMA IF EXISTS events, stage CASCADE');
  return database;
}

t.test('an empty database gets a table and a stage for each subject', async (t) => {
  const database = await emptyDatabase();
  const registry = await load(t, {
    'a/1.0.0.json': object(
      {
        id: { ...string, 'x-id': true },
        'it\'s "odd"': { type: 'integer' },
        o: object({ at: { ...string, format: 'date-time' } }),
      },
      ['id'],
    ),
    'a/2.0.0.json': { ...object({ n: { type: 'number' } }, ['n']), additionalProperties: false },
  });
  await ensureTables(await connect(t, database.url), registry);
  const expected = ['id text!', 'it\'s "odd" bigint', 'o_at timestamp with time zone', '_extra jsonb', ...PROVENANCE];
  t.same(await columnsOf(database, 'events.a'), expected);
  t.same(await columnsOf(database, 'stage.a'), expected);
  t.same(await columnsOf(database, 'events.a__v2'), ['n double precision!', ...PROVENANCE]);
  t.same(await database.query("SELECT col_description('events.a'::regclass, 3) AS comment"), [{ comment: '/o/at' }]);
  t.same(await database.query("SELECT col_description('events.a'::regclass, 2) AS comment"), [
    { comment: '/it\'s "odd"' },
  ]);
  const indexes = "SELECT indexdef AS index FROM pg_indexes WHERE schemaname = 'events' AND tablename = 'a' ORDER BY 1";
  t.match(await database.query(indexes), [{ index: /USING brin \(_batch_id\)/ }, { index: /UNIQUE INDEX .* \(id\)/ }]);
});

t.test('an up-to-date database is asked once and not changed', async (t) => {
  const database = await emptyDatabase();
  const registry = await load(t, { 'a/1.0.0.json': object({ x: string }), 'b/1.0.0.json': true });
  await ensureTables(await connect(t, database.url), registry);
  const client = await connect(t, database.url);
  await ensureTables(client, registry);
  t.match(client.asked, [/^\s*SELECT/], 'one question');
});

t.test('a minor version adds columns, frees what it no longer demands, and keeps the rows', async (t) => {
  const database = await emptyDatabase();
  const client = await connect(t, database.url);
  const first = { ...object({ a: string, b: { type: 'integer' } }, ['a', 'b']), additionalProperties: false };
  const files: Record<string, unknown> = { 'a/1.0.0.json': first };
  await ensureTables(client, await load(t, files));
  await client.query(`INSERT INTO events.a (a, b, _batch_id, _line, _schema_version, _received_at)
                      VALUES ('x', 1, gen_random_uuid(), 1, '1.0.0', now())`);
  files['a/1.1.0.json'] = object(
    { a: string, b: { type: 'number' }, id: { ...string, format: 'uuid', 'x-id': true } },
    ['id'],
  );
  const registry = await load(t, files);
  await ensureTables(client, registry);
  const [, , conflict] = registry.tables[0]!.columns;
  t.match(conflict!.name, /^b_[0-9a-f]{8}$/);
  const expected = [
    'a text',
    'b bigint',
    ...PROVENANCE,
    `${conflict!.name} double precision`,
    'id uuid',
    '_extra jsonb',
  ];
  t.same(await columnsOf(database, 'events.a'), expected);
  t.same(await columnsOf(database, 'stage.a'), expected);
  t.same(await database.query('SELECT a, b, id FROM events.a'), [{ a: 'x', b: '1', id: null }]);
  t.match(await database.query("SELECT 1 FROM pg_indexes WHERE tablename = 'a' AND indexdef LIKE '%UNIQUE%(id)%'"), {
    length: 1,
  });
  client.asked.length = 0;
  await ensureTables(client, registry);
  t.equal(client.asked.length, 1, 'and then it is up to date');
});

t.test('a plan of fewer columns takes nothing away', async (t) => {
  const database = await emptyDatabase();
  const client = await connect(t, database.url);
  const both = {
    'a/1.0.0.json': object({ a: string }, ['a']),
    'a/1.1.0.json': object({ a: string, b: string }, ['a', 'b']),
  };
  await ensureTables(client, await load(t, both));
  await ensureTables(client, await load(t, { 'a/1.0.0.json': both['a/1.0.0.json'] }));
  t.same(await columnsOf(database, 'events.a'), ['a text!', 'b text', '_extra jsonb', ...PROVENANCE]);
  const other = { 'a/1.0.0.json': object({ c: string }) };
  await ensureTables(client, await load(t, other));
  t.same(
    await columnsOf(database, 'events.a'),
    ['a text', 'b text', '_extra jsonb', ...PROVENANCE, 'c text'],
    'a column that nobody fills may be NULL',
  );
});

t.test('a table that cannot become what is planned stops the start', async (t) => {
  const database = await emptyDatabase();
  const client = await connect(t, database.url);
  const registry = await load(t, {
    'a/1.0.0.json': object({ x: { type: 'integer' } }),
    'b/1.0.0.json': object({ y: string }),
  });
  await ensureTables(client, registry);
  const failure = async (sql: string): Promise<unknown> => {
    await client.query(sql);
    return ensureTables(client, registry).catch((error: unknown) => error);
  };
  const retyped = await failure('ALTER TABLE stage.a ALTER COLUMN x TYPE text');
  t.type(retyped, StartError);
  t.match(retyped, { message: 'stage."a": column "x" has type text, the schemas say bigint' });
  t.match(await failure('DROP TABLE stage.a; CREATE VIEW stage.a AS SELECT 1'), {
    message: 'stage."a" is not a table',
  });
  t.match(await failure('DROP VIEW stage.a; CREATE TABLE stage.a ()'), {
    message: /stage\."a" has no column _batch_id/,
  });
  t.equal(await failure('DROP TABLE stage.a'), undefined, 'a missing one is made again');
  t.equal((await client.query('SELECT 1')).rows.length, 1, 'no transaction is left open');
});

t.test('rows that contradict the plan leave the table as it was', async (t) => {
  const database = await emptyDatabase();
  const client = await connect(t, database.url);
  const files: Record<string, unknown> = { 'a/1.0.0.json': object({ x: string }, ['x']) };
  await ensureTables(client, await load(t, files));
  const row = "('same', gen_random_uuid(), 1, '1.0.0', now())";
  await client.query(`INSERT INTO events.a (x, _batch_id, _line, _schema_version, _received_at) VALUES ${row}, ${row}`);
  files['a/1.1.0.json'] = object({ x: { ...string, 'x-id': true }, y: string }, ['x']);
  const registry = await load(t, files);
  await t.rejects(
    ensureTables(client, registry),
    new StartError(
      'the tables of a cannot be brought up to date: could not create unique index "a_x_idx" (Key (x)=(same) is duplicated.)',
    ),
  );
  t.notOk((await columnsOf(database, 'events.a')).includes('y text'));
  t.same(await database.query('SELECT FROM pg_index WHERE NOT indisvalid'), [], 'no unfinished index');
  t.equal((await client.query('SELECT 1')).rows.length, 1);
});

t.test('several processes at once make each table once', async (t) => {
  const database = await emptyDatabase();
  const files = Object.fromEntries(
    Array.from({ length: 120 }, (_, at) => [`s${at}/1.0.0.json`, object({ x: string }, ['x'])]),
  );
  const registry = await load(t, files);
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(t, database.url)));
  await Promise.all(clients.map((client) => ensureTables(client, registry)));
  const [counts] = await database.query(
    `SELECT count(*) FILTER (WHERE schemaname = 'events')::int AS events, count(*) FILTER (WHERE schemaname = 'stage')::int AS stage
       FROM pg_tables`,
  );
  t.same(counts, { events: 120, stage: 120 });
});

t.test('a database full of other things is no hindrance', async (t) => {
  const database = await emptyDatabase();
  const client = await connect(t, database.url);
  await client.query('CREATE SCHEMA events; CREATE TABLE public.a (x int); CREATE TYPE events.b AS (x int)');
  await ensureTables(client, await load(t, { 'a/1.0.0.json': object({ x: string }) }));
  t.same(await columnsOf(database, 'events.a'), ['x text', '_extra jsonb', ...PROVENANCE]);
});
