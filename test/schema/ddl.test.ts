import t from 'tap';
import type { TablePlan } from '../../src/model.ts';
import { createTable, type StandingTable, TableConflict, updateTable } from '../../src/schema/ddl.ts';

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

/** A table as the catalogue would show it; a type with `!` is NOT NULL. */
function standing(columns: Record<string, string>, kind = 'r'): StandingTable {
  const all = {
    ...columns,
    ...Object.fromEntries(Object.entries(PROVENANCE).map(([name, type]) => [name, `${type}!`])),
  };
  return {
    kind,
    columns: new Map(
      Object.entries(all).map(([name, type]) => {
        return [
          name,
          { type: type.replace('!', ''), notNull: type.endsWith('!'), hasDefault: false, unique: name === 'id' },
        ];
      }),
    ),
  };
}

t.test('a new table comes with its stage, comments and indexes', async (t) => {
  const columns =
    '"id" uuid NOT NULL, "at" timestamptz, "_extra" jsonb, "_batch_id" uuid NOT NULL, "_line" integer NOT NULL, ' +
    '"_schema_version" text NOT NULL, "_received_at" timestamptz NOT NULL';
  t.same(createTable(plan), [
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
  const statements = createTable(odd);
  t.match(statements[0], 'CREATE TABLE events."a" ("say ""hi""; --" text, ');
  t.equal(statements[2], `COMMENT ON COLUMN events."a"."say ""hi""; --" IS E'/it''s/a\\\\b/c~1d/nul\\\\u0000'`);
});

t.test('a table that is as planned needs nothing', async (t) => {
  t.same(updateTable('events', plan, standing({ id: 'uuid!', at: 'timestamp with time zone', _extra: 'jsonb' })), []);
  t.same(
    updateTable(
      'stage',
      plan,
      standing({ id: 'uuid!', at: 'timestamp with time zone', _extra: 'jsonb', more: 'text' }),
    ),
    [],
  );
});

t.test('missing columns are added, and are nullable', async (t) => {
  t.same(updateTable('events', plan, standing({})), [
    'ALTER TABLE events."user_event" ADD COLUMN "id" uuid, ADD COLUMN "at" timestamptz, ADD COLUMN "_extra" jsonb',
    `COMMENT ON COLUMN events."user_event"."id" IS '/id'`,
    'CREATE UNIQUE INDEX ON events."user_event" ("id")',
    `COMMENT ON COLUMN events."user_event"."at" IS '/data/at'`,
  ]);
  t.same(updateTable('stage', plan, standing({ id: 'uuid!' })), [
    'ALTER TABLE stage."user_event" ADD COLUMN "at" timestamptz, ADD COLUMN "_extra" jsonb',
  ]);
});

t.test('NOT NULL goes where no version demands it any more', async (t) => {
  const table = standing({ id: 'uuid!', at: 'timestamp with time zone!', _extra: 'jsonb', gone: 'text!' });
  t.same(updateTable('events', plan, table), [
    'ALTER TABLE events."user_event" ALTER COLUMN "at" DROP NOT NULL, ALTER COLUMN "gone" DROP NOT NULL',
  ]);
  const withDefault = standing({ id: 'uuid!', at: 'timestamp with time zone', _extra: 'jsonb', own: 'integer!' });
  const columns = new Map(withDefault.columns).set('own', {
    type: 'integer',
    notNull: true,
    hasDefault: true,
    unique: false,
  });
  t.same(updateTable('events', plan, { ...withDefault, columns }), [], 'unless a default fills it');
});

t.test('a nullable column never becomes NOT NULL', async (t) => {
  t.same(updateTable('events', plan, standing({ id: 'uuid', at: 'timestamp with time zone', _extra: 'jsonb' })), []);
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
  conflict({ kind: 'r', columns: new Map() }, 'events."user_event" has no column _batch_id: it is not one of ours');
});
