import t from 'tap';
import type { TablePlan } from '../../src/model.ts';
import {
  createTable,
  type StandingColumn,
  type StandingTable,
  TableConflict,
  updateTable,
} from '../../src/schema/ddl.ts';

const plan: TablePlan = {
  table: 'user_event',
  columns: [
    { name: 'id', path: ['id'], type: 'uuid', notNull: true, id: true },
    { name: 'at', path: ['data', 'at'], type: 'timestamptz', notNull: false, id: false },
  ],
  extra: true,
};

const PROVENANCE = {
  _batch_id: 'uuid',
  _line: 'integer',
  _schema_version: 'text',
  _received_at: 'timestamp with time zone',
};

const column = (type: string): StandingColumn => ({
  type: type.replace('!', ''),
  notNull: type.endsWith('!'),
  hasDefault: false,
  default: null,
  comment: null,
});

const index = (name: string, method: string, unique: boolean) => ({
  name: `user_event_${name}_idx`,
  columns: [name],
  method,
  unique,
  partial: false,
  valid: true,
});

const INDEXES = [index('_batch_id', 'brin', false), index('id', 'btree', true)];

/** A table as the catalogue would show it; a type with `!` is NOT NULL. */
function standing(columns: Record<string, string>, kind = 'r', indexes = INDEXES): StandingTable {
  const provenance = Object.fromEntries(Object.entries(PROVENANCE).map(([name, type]) => [name, `${type}!`]));
  const all = Object.entries({ ...columns, ...provenance });
  return {
    kind,
    columns: new Map(all.map(([name, type]) => [name, column(type)])),
    indexes: indexes.filter((each) => each.columns[0] === '_batch_id' || Object.hasOwn(columns, each.columns[0]!)),
    own: [],
  };
}

const sqlOf = (statements: { sql: string }[]): string[] => statements.map(({ sql }) => sql);
const update = (schema: 'events' | 'stage', table: StandingTable) => sqlOf(updateTable(schema, plan, table));

t.test('a new table comes with its stage, comments and indexes', async (t) => {
  const columns =
    '"id" uuid NOT NULL, "at" timestamptz, "_extra" jsonb, "_batch_id" uuid NOT NULL, "_line" integer NOT NULL, ' +
    '"_schema_version" text NOT NULL, "_received_at" timestamptz NOT NULL';
  t.same(sqlOf(createTable(plan)), [
    `CREATE TABLE events."user_event" (${columns})`,
    'CREATE INDEX ON events."user_event" USING brin ("_batch_id")',
    `COMMENT ON COLUMN events."user_event"."id" IS '/id'`,
    'CREATE UNIQUE INDEX ON events."user_event" ("id")',
    `COMMENT ON COLUMN events."user_event"."at" IS '/data/at'`,
    `CREATE TABLE stage."user_event" (${columns})`,
  ]);
});

t.test('names and pointers are quoted whatever is in them', async (t) => {
  const odd: TablePlan = {
    table: 'a',
    columns: [
      { name: `say "hi"; --`, path: [`it's`, 'a\\b', 'c/d', 'nul\0'], type: 'text', notNull: false, id: false },
    ],
    extra: false,
  };
  const statements = sqlOf(createTable(odd));
  t.match(statements[0], 'CREATE TABLE events."a" ("say ""hi""; --" text, ');
  t.equal(statements[2], `COMMENT ON COLUMN events."a"."say ""hi""; --" IS E'/it''s/a\\\\b/c~1d/nul\\\\u0000'`);
});

t.test('a table that is as planned needs nothing', async (t) => {
  t.same(update('events', standing({ id: 'uuid!', at: 'timestamp with time zone', _extra: 'jsonb' })), []);
  t.same(update('stage', standing({ id: 'uuid!', at: 'timestamp with time zone', _extra: 'jsonb', more: 'text' })), []);
});

t.test('missing columns are added, and are nullable', async (t) => {
  t.same(update('events', standing({})), [
    'ALTER TABLE events."user_event" ADD COLUMN "id" uuid, ADD COLUMN "at" timestamptz, ADD COLUMN "_extra" jsonb',
    `COMMENT ON COLUMN events."user_event"."id" IS '/id'`,
    `COMMENT ON COLUMN events."user_event"."at" IS '/data/at'`,
    'CREATE UNIQUE INDEX CONCURRENTLY ON events."user_event" ("id")',
  ]);
  t.same(update('stage', standing({ id: 'uuid!' })), [
    'ALTER TABLE stage."user_event" ADD COLUMN "at" timestamptz, ADD COLUMN "_extra" jsonb',
  ]);
});

t.test('NOT NULL goes where no version demands it any more', async (t) => {
  const table = standing({ id: 'uuid!', at: 'timestamp with time zone!', _extra: 'jsonb', gone: 'text!' });
  t.same(update('events', table), [
    'ALTER TABLE events."user_event" ALTER COLUMN "at" DROP NOT NULL, ALTER COLUMN "gone" DROP NOT NULL',
  ]);
  const withDefault = standing({ id: 'uuid!', at: 'timestamp with time zone', _extra: 'jsonb', own: 'integer!' });
  const own = { ...column('integer!'), hasDefault: true };
  const columns = new Map(withDefault.columns).set('own', own);
  t.same(update('events', { ...withDefault, columns }), [], 'unless a default fills it');
});

t.test('a nullable column never becomes NOT NULL', async (t) => {
  t.same(update('events', standing({ id: 'uuid', at: 'timestamp with time zone', _extra: 'jsonb' })), []);
});

t.test('another type, another kind of relation, or somebody else’s table is a conflict', async (t) => {
  const conflict = (table: StandingTable, message: string) =>
    t.throws(() => updateTable('events', plan, table), new TableConflict(message));
  conflict(standing({ id: 'text!' }), 'events."user_event": column "id" has type text, the schemas say uuid');
  conflict(
    standing({ at: 'timestamp without time zone' }),
    'events."user_event": column "at" has type timestamp without time zone, the schemas say timestamp with time zone',
  );
  conflict(standing({}, 'v'), 'events."user_event" is not a table');
  conflict(
    { kind: 'r', columns: new Map(), indexes: [], own: [] },
    'events."user_event" has no column _batch_id: it is not one of ours',
  );
});

const AS_PLANNED = { id: 'uuid!', at: 'timestamp with time zone', _extra: 'jsonb' };

t.test('what a new table takes locks nobody out; what a standing one takes says so', async (t) => {
  t.same(new Set(createTable(plan).map(({ lock }) => lock)), new Set([null]));
  const statements = updateTable('events', plan, standing({}));
  t.same(
    statements.map(({ lock, rewrites, scans, apart }) => [lock, rewrites, scans, apart]),
    [
      ['ACCESS EXCLUSIVE', false, false, false],
      ['SHARE UPDATE EXCLUSIVE', false, false, false],
      ['SHARE UPDATE EXCLUSIVE', false, false, false],
      ['SHARE UPDATE EXCLUSIVE', false, true, true],
    ],
  );
});

t.test('an index on a column that stands there is built before anything is changed', async (t) => {
  const table = standing({ id: 'uuid!', _extra: 'jsonb' }, 'r', [INDEXES[0]!]);
  t.same(update('events', table), [
    'CREATE UNIQUE INDEX CONCURRENTLY ON events."user_event" ("id")',
    'ALTER TABLE events."user_event" ADD COLUMN "at" timestamptz',
    `COMMENT ON COLUMN events."user_event"."at" IS '/data/at'`,
  ]);
  t.match(updateTable('events', plan, { ...table, kind: 'p' })[0], {
    sql: 'CREATE UNIQUE INDEX ON events."user_event" ("id")',
    lock: 'SHARE',
    apart: false,
  });
});

t.test('what an interrupted build left behind is dropped and built anew', async (t) => {
  const broken = [INDEXES[0]!, { ...INDEXES[1]!, valid: false }];
  t.same(update('events', standing(AS_PLANNED, 'r', broken)), [
    'DROP INDEX CONCURRENTLY IF EXISTS events."user_event_id_idx"',
    'CREATE UNIQUE INDEX CONCURRENTLY ON events."user_event" ("id")',
  ]);
});

t.test('a missing batch index is built, for whatever index begins with the batch', async (t) => {
  t.same(update('events', standing(AS_PLANNED, 'r', [INDEXES[1]!])), [
    'CREATE INDEX CONCURRENTLY ON events."user_event" USING brin ("_batch_id")',
  ]);
  const btree = { ...index('_batch_id', 'btree', false), columns: ['_batch_id', '_line'] };
  t.same(update('events', standing(AS_PLANNED, 'r', [INDEXES[1]!, btree])), []);
});

t.test('a type that Postgres widens without touching a row is widened', async (t) => {
  const wide: TablePlan = {
    ...plan,
    columns: [...plan.columns, { name: 's', path: ['s'], type: 'text', notNull: false, id: false }],
  };
  const table = standing({ ...AS_PLANNED, at: 'timestamp(3) with time zone', s: 'character varying(10)' });
  t.match(updateTable('events', wide, table), [
    {
      sql: 'ALTER TABLE events."user_event" ALTER COLUMN "at" TYPE timestamptz, ALTER COLUMN "s" TYPE text',
      lock: 'ACCESS EXCLUSIVE',
      rewrites: false,
    },
  ]);
});
