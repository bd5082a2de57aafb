import t from 'tap';
import type { TablePlan } from '../../src/model.ts';
import { openVersions } from './open.ts';

type Schema = Record<string, unknown>;

const object = (properties: Schema, required: string[] = []): Schema => ({ type: 'object', properties, required });
const string = { type: 'string' };

function columnsOf({ columns }: TablePlan): string[] {
  return columns.map(({ name, type, notNull }) => `${name} ${type}${notNull ? '!' : ''}`);
}

const plan = (...versions: unknown[]): string[] => columnsOf(openVersions(...versions)!.planned.plan);

t.test('a minor version adds its columns behind those that are there', async (t) => {
  const first = object({ b: string, o: object({ x: string }) });
  const second = object({ a: string, b: string, o: object({ w: string, x: string }) });
  t.same(plan(first, second), ['b text', 'o_x text', 'a text', 'o_w text']);
});

t.test('a column is NOT NULL while every version has a value for it', async (t) => {
  const required = object({ a: string }, ['a']);
  t.same(plan(required, object({ a: string, b: string }, ['a', 'b'])), ['a text!', 'b text']);
  t.same(plan(required, object({ a: string })), ['a text']);
  t.same(plan(required, object({ a: { type: ['string', 'null'] } }, ['a'])), ['a text']);
  t.same(plan(required, object({})), ['a text']);
  const nested = (outer: string[]) => object({ o: object({ a: string }, ['a']) }, outer);
  t.same(plan(nested(['o'])), ['o_a text!']);
  t.same(plan(nested(['o']), nested([])), ['o_a text']);
});

t.test('a type that no longer fits gets a further column for that version', async (t) => {
  const { plan: table, shapes } = openVersions(
    object({ n: { type: 'integer' } }),
    object({ n: { type: 'number' } }),
  )!.planned;
  t.match(columnsOf(table), ['n bigint', /^n_[0-9a-f]{8} double precision$/]);
  t.same(table.columns[1]!.path, ['n']);
  t.match(shapes[0]!.properties.get('n'), { index: 0 });
  t.match(shapes[1]!.properties.get('n'), { index: 1 });
  const third = openVersions(
    object({ n: { type: 'integer' } }),
    object({ n: { type: 'number' } }),
    object({ n: { type: 'integer' } }),
  )!;
  t.equal(third.planned.plan.columns.length, 2, 'and the first one is taken up again');
  t.match(third.warnings, [{ file: 'subject/1.1.0.json', reason: /its type is double precision now/ }]);
});

t.test('jsonb goes on taking everything, text every string', async (t) => {
  t.same(plan(object({ x: {} }), object({ x: { type: 'integer' } })), ['x jsonb']);
  t.same(plan(object({ x: {} }), object({ x: object({ a: string }) })), ['x jsonb']);
  t.same(plan(object({ x: string }), object({ x: { ...string, format: 'date-time' } })), ['x text']);
  t.match(plan(object({ x: { ...string, format: 'date' } }), object({ x: string })), ['x date', /^x_\w{8} text$/]);
});

t.test('an object that was spread stays spread, whatever came between', async (t) => {
  const spread = object({ o: object({ a: string }) });
  const whole = object({ o: { type: ['object', 'array'] } });
  t.same(plan(spread, whole), ['o_a text', 'o jsonb']);
  t.same(plan(spread, whole, object({ o: object({ a: string, b: string }) })), ['o_a text', 'o jsonb', 'o_b text']);
  t.same(plan(object({ o: string }), spread), ['o text', 'o_a text']);
});

const many = (count: number, prefix = 'p'): Schema =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`${prefix}${at}`, string]));

t.test('a name chosen for a column that is there comes too late', async (t) => {
  const { planned, warnings } = openVersions(object({ a: string }), object({ a: { ...string, 'x-column': 'b' } }))!;
  t.same(columnsOf(planned.plan), ['a text']);
  t.match(warnings, [{ file: 'subject/1.1.0.json', place: '/properties/a', reason: /keeps the column "a"/ }]);
});

t.test('250 columns fit, and one more folds the deepest object', async (t) => {
  const deep = { top: object({ ...many(3), inner: object(many(2)) }) };
  t.equal(plan(object({ ...many(245), ...deep })).length, 250);
  const folded = openVersions(object({ ...many(246), ...deep }))!;
  t.same(columnsOf(folded.planned.plan).slice(-4), ['top_p0 text', 'top_p1 text', 'top_p2 text', 'top_inner jsonb']);
  t.equal(folded.planned.plan.columns.length, 250);
  t.match(folded.warnings, [{ reason: /^more than 250 columns: one jsonb column each for the objects \/top\/inner$/ }]);
  t.same(plan(object({ ...many(249), ...deep })).at(-1), 'top jsonb');
});

t.test('of equally deep objects the later is folded first', async (t) => {
  const columns = plan(object({ a: object(many(2)), ...many(247), b: object(many(2)) }));
  t.equal(columns.length, 250);
  t.same([columns[0], columns.at(-1)], ['a_p0 text', 'b jsonb']);
});

t.test('an object of one column is not worth folding', async (t) => {
  const deep = object({ inner: object(many(1)) });
  t.same(plan(object({ ...many(248), top: object(many(2)), deep })).slice(-2), ['top jsonb', 'deep_inner jsonb']);
});

t.test('where nothing is left to fold, the last properties go into _extra', async (t) => {
  const closed = { ...object(many(300)), additionalProperties: false };
  const { planned, warnings } = openVersions(closed)!;
  t.equal(planned.plan.columns.length, 250);
  t.equal(planned.plan.extra, true);
  t.equal(planned.shapes[0]!.properties.has('p249'), true);
  t.equal(planned.shapes[0]!.properties.has('p250'), false);
  t.match(warnings, [{ reason: /^more than 250 columns: _extra takes \/p250, .* and 45 more$/ }]);
});

t.test('an id keeps its column however crowded the table is', async (t) => {
  const id = object({ ...many(5), key: { ...string, 'x-id': true } }, ['key']);
  const { plan: table } = openVersions(object({ ...many(260), id }, ['id']))!.planned;
  t.equal(table.columns.length, 250);
  t.match(
    table.columns.filter((column) => column.id),
    [{ name: 'id_key', notNull: true }],
  );
});

t.test('a later version folds its new objects and leaves the standing columns alone', async (t) => {
  const first = object({ ...many(100), o: object(many(100)) });
  const second = object({ ...many(100), o: object({ ...many(100), more: object(many(60)) }), late: object(many(30)) });
  const columns = plan(first, second);
  t.same(columns.slice(0, 200), plan(first));
  t.same(columns.slice(200, 201), ['o_more jsonb']);
  t.equal(columns.length, 231, 'late has room');
});

t.test('what a later version has no room for is new, never old', async (t) => {
  const first = object(many(240));
  const later = openVersions(first, object({ ...many(20, 'n'), ...many(240) }))!.planned;
  t.same(columnsOf(later.plan).slice(0, 240), plan(first));
  t.equal(later.plan.columns.length, 250);
  t.equal(later.shapes[1]!.properties.has('p239'), true);
  t.equal(later.shapes[1]!.properties.has('n10'), false);
});

t.test('x-id makes the id', async (t) => {
  for (const type of [{ type: 'string' }, { type: 'integer' }, { type: 'string', format: 'uuid' }]) {
    const { plan: table } = openVersions(object({ id: { ...type, 'x-id': true } }, ['id']))!.planned;
    t.match(table.columns, [{ id: true, notNull: true }]);
  }
  const marked = object({ id: { ...string, 'x-id': true } }, ['id']);
  t.match(
    openVersions(object({ a: string }), object({ a: string, ...(marked.properties as Schema) }, ['id']))!.planned.plan
      .columns,
    [
      { name: 'a', id: false },
      { name: 'id', id: true, notNull: false },
    ],
  );
  t.match(openVersions(marked, object({ id: string }, ['id']))!.planned.plan.columns, [{ id: true }]);
  const branch = object({ id: { ...string, 'x-id': true } }, ['id']);
  t.match(openVersions({ anyOf: [branch, { ...branch, minProperties: 2 }] })!.faults, []);
});

t.test('x-id where no id can be is a fault with its place', async (t) => {
  const id = { ...string, 'x-id': true };
  const wrong: [unknown, string][] = [
    [object({ id }), '/properties/id/x-id'],
    [object({ id: { type: ['string', 'null'], 'x-id': true } }, ['id']), '/properties/id/x-id'],
    [object({ id: { type: 'number', 'x-id': true } }, ['id']), '/properties/id/x-id'],
    [object({ id: { type: 'string', format: 'date', 'x-id': true } }, ['id']), '/properties/id/x-id'],
    [object({ id: { type: 'array', 'x-id': true } }, ['id']), '/properties/id/x-id'],
    [object({ o: object({ id }, ['id']) }), '/properties/o/properties/id/x-id'],
    [
      object({ list: { type: 'array', items: object({ id }, ['id']) } }, ['list']),
      '/properties/list/items/properties/id/x-id',
    ],
    [{ ...object({}), additionalProperties: id }, '/additionalProperties/x-id'],
    [{ ...object({ id: string }, ['id']), 'x-id': true }, '/x-id'],
    [{ anyOf: [object({ id }, ['id']), object({})] }, '/anyOf/0/properties/id/x-id'],
    [object({ id, other: id }, ['id', 'other']), '/properties/other/x-id'],
  ];
  for (const [schema, place] of wrong) {
    t.match(openVersions(schema)!.faults, [{ file: 'subject/1.0.0.json', place }], JSON.stringify(schema));
  }
  const shared = {
    definitions: { id },
    ...object({ a: { $ref: '#/definitions/id' }, b: { $ref: '#/definitions/id' } }, ['a', 'b']),
  };
  t.match(openVersions(shared)!.faults, [{ place: '/definitions/id/x-id', reason: 'a second one beside /a' }]);
  t.match(openVersions(object({ a: id }, ['a']), object({ a: string, b: id }, ['a', 'b']))!.faults, [
    { file: 'subject/1.1.0.json', reason: 'an earlier version has it on /a' },
  ]);
  t.same(openVersions({ ...object({}), definitions: { id } })!.faults, [], 'unless nobody refers to it');
});
