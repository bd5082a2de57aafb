import pg from 'pg';
import t, { type Test } from 'tap';
import { type Catalogue, readCatalogue } from '../../src/schema/catalogue.ts';
import { findDrift } from '../../src/schema/drift.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import type { Registry } from '../../src/schema/registry.ts';
import { ensureTables } from '../../src/schema/tables.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { folderOf } from './schemas.ts';

const string = { type: 'string' };

let database: TestDatabase;
let client: pg.Client;
let registry: Registry;

t.before(async () => {
  database = await testDatabase(t);
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  t.teardown(() => client.end());
  registry = await loadFolder(
    folderOf(t, {
      'a/1.0.0.json': {
        type: 'object',
        properties: { id: { ...string, 'x-id': true }, at: { ...string, format: 'date-time' }, n: { type: 'integer' } },
        required: ['id', 'at'],
      },
      'a/2.0.0.json': { type: 'object', properties: { s: string }, additionalProperties: false },
      'a/2.1.0.json': { type: 'object', properties: { s: string, more: string }, additionalProperties: false },
    }),
  );
});
async function fresh(): Promise<void> {
  await client.query('DROP SCHEMA IF EXISTS events, stage CASCADE');
  await ensureTables(client, registry);
}

const catalogue = (): Promise<Catalogue> => readCatalogue(client, null);
const drifts = async () => findDrift(registry.tables, await catalogue());

t.test('tables that were just made have no drift', async (t) => {
  await fresh();
  t.same(await drifts(), []);
});

/** Each is undone before the next. */
const CASES: [sql: string, expected: object[], healed?: boolean][] = [
  ['DROP TABLE stage.a', [{ type: 'missing_table', table: 'stage."a"', migrate: true }], true],
  [
    'CREATE TABLE events.gone (LIKE events.a)',
    [{ type: 'extra_table', table: 'events."gone"', message: /has no schema/ }],
  ],
  ['DROP TABLE stage.a; CREATE VIEW stage.a AS SELECT 1', [{ type: 'not_our_table', table: 'stage."a"' }]],
  [
    'ALTER TABLE events.a DROP COLUMN n',
    [{ type: 'missing_column', table: 'events."a"', column: 'n', expected: 'bigint', migrate: true }],
    true,
  ],
  [
    "ALTER TABLE events.a ADD COLUMN extra text; COMMENT ON COLUMN events.a.extra IS '/old/extra'",
    [{ type: 'extra_column', column: 'extra', found: 'text', message: /it held \/old\/extra/, migrate: false }],
  ],
  [
    'ALTER TABLE events.a ALTER COLUMN n TYPE numeric',
    [{ type: 'type_differs', column: 'n', expected: 'bigint', found: 'numeric', migrate: false }],
  ],
  [
    'ALTER TABLE events.a ALTER COLUMN n SET NOT NULL',
    [{ type: 'nullability_differs', column: 'n', expected: 'NULL', found: 'NOT NULL', migrate: true }],
    true,
  ],
  [
    'ALTER TABLE events.a ALTER COLUMN at DROP NOT NULL',
    [{ type: 'nullability_differs', column: 'at', expected: 'NOT NULL', found: 'NULL', migrate: false }],
  ],
  [
    'ALTER TABLE stage.a ALTER COLUMN n SET DEFAULT 7',
    [{ type: 'default_differs', table: 'stage."a"', column: 'n', found: '7' }],
  ],
  [
    'DROP INDEX events.a_id_idx, events.a__batch_id_idx',
    [
      { type: 'missing_index', column: '_batch_id', migrate: true },
      { type: 'missing_index', column: 'id', migrate: true },
    ],
    true,
  ],
  [
    "COMMENT ON COLUMN events.a.n IS 'mine'; COMMENT ON COLUMN events.a__v2.s IS NULL",
    [
      { type: 'comment_differs', column: 'n', expected: '/n', found: 'mine' },
      { type: 'comment_differs', table: 'events."a__v2"', column: 's', expected: '/s' },
    ],
  ],
];

for (const [sql, expected, heals = false] of CASES) {
  t.test(`${sql}: ${expected.map((each) => (each as { type: string }).type).join(', ')}`, async (t) => {
    await fresh();
    await client.query(sql);
    const found = await drifts();
    t.equal(found.length, expected.length);
    t.match(found, expected);
    if (!heals) return;
    await ensureTables(client, registry);
    t.same(await drifts(), [], 'migrating puts it right');
  });
}

t.test('what users added is named as theirs', async (t) => {
  await fresh();
  await client.query(`
    ALTER TABLE events.a ADD CONSTRAINT positive CHECK (n > 0);
    CREATE INDEX mine ON events.a (n);
    CREATE FUNCTION pg_temp.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER watch BEFORE INSERT ON events.a FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing();
    CREATE VIEW events.overview AS SELECT id FROM events.a;
    CREATE TABLE events.notes (x int);
    CREATE TABLE stage."0${'0'.repeat(32)}_0" (LIKE events.a)`);
  const found = await drifts();
  t.same(new Set(found.map(({ type }) => type)), new Set(['yours']));
  t.same(found.map(({ message }) => message).sort(), [
    'events."a" has a constraint positive of yours',
    'events."a" has a trigger watch of yours',
    'events."a" has an index "mine" of yours',
    'events."notes" is a table of yours',
    'events."overview" is a view or a foreign table of yours',
  ]);
});

t.test('every kind of migration leaves no drift: a table grows version by version', async (t: Test) => {
  await client.query('DROP SCHEMA IF EXISTS events, stage CASCADE');
  const closed = (properties: object, required: string[] = []) => {
    return { type: 'object', properties, required, additionalProperties: false };
  };
  const files: Record<string, unknown> = {};
  const steps: [string, object][] = [
    ['1.0.0', closed({ a: string, b: { type: 'integer' } }, ['a', 'b'])],
    ['1.1.0', closed({ a: string, b: { type: 'integer' }, c: { type: 'number' } }, ['a'])],
    ['1.2.0', closed({ a: { type: ['string', 'null'] }, b: { type: 'number' }, c: { type: 'number' } })],
    ['1.3.0', { type: 'object', properties: { a: { ...string, 'x-id': true } }, required: ['a'] }],
    ['2.0.0', closed({ a: { type: 'boolean' } })],
  ];
  for (const [version, schema] of steps) {
    files[`grows/${version}.json`] = schema;
    const grown = await loadFolder(folderOf(t, files));
    await ensureTables(client, grown);
    t.same(findDrift(grown.tables, await catalogue()), [], version);
  }
});
