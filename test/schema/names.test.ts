import t from 'tap';
import { digestName, nameFault } from '../../src/schema/names.ts';
import { openVersions } from './open.ts';

const string = { type: 'string' };

/** Names of the columns, by pointer. */
function namesOf(schema: unknown): Record<string, string> {
  const { plan } = openVersions(schema)!.planned;
  return Object.fromEntries(plan.columns.map(({ name, path }) => [`/${path.join('/')}`, name]));
}

t.test('of two properties for one column the deeper one gets a digest of its path', async (t) => {
  const hook = { type: 'object', properties: { id: string } };
  const expected = { '/hook/id': 'hook_id_727b3a7f', '/hook_id': 'hook_id' };
  t.same(namesOf({ properties: { hook, hook_id: string } }), expected);
  t.same(namesOf({ properties: { hook_id: string, hook } }), expected, 'whatever their order');
});

t.test('of two equally deep ones the later gets it', async (t) => {
  const a = { type: 'object', properties: { b_c: string } };
  const ab = { type: 'object', properties: { c: string } };
  const names = namesOf({ properties: { a, a_b: ab } });
  t.equal(names['/a/b_c'], 'a_b_c');
  t.match(names['/a_b/c'], /^a_b_c_[0-9a-f]{8}$/);
});

t.test('names keep their case, quotes and letters', async (t) => {
  const names = ['Größe', 'eventType', 'select', 'a"b', "a'b", 'a b', 'constructor', '名前'];
  const properties = Object.fromEntries(names.map((name) => [name, string]));
  t.same(Object.values(namesOf({ properties })), names);
});

t.test('names that Postgres does not take get a digest', async (t) => {
  const names = [
    '',
    '_batch_id',
    '_line',
    '_schema_version',
    '_received_at',
    '_extra',
    'ctid',
    'xmin',
    'a\0b',
    '\ud800',
  ];
  const properties = Object.fromEntries(
    [...names, 'x'.repeat(64), 'ü'.repeat(32), `${'a'.repeat(53)}€€€€`].map((name) => [name, string]),
  );
  const found = Object.values(namesOf({ properties }));
  t.equal(new Set(found).size, Object.keys(properties).length, 'all different');
  for (const name of found) {
    t.match(name, /_[0-9a-f]{8}$/);
    t.equal(nameFault(name), undefined, name);
  }
  t.equal(namesOf({ properties })[`/${'ü'.repeat(32)}`]!.slice(0, 28), `${'ü'.repeat(27)}_`, 'cut between characters');
  t.equal(namesOf({ properties: { ['x'.repeat(63)]: string } })[`/${'x'.repeat(63)}`], 'x'.repeat(63), '63 bytes fit');
});

t.test('a digest is the same everywhere, and another one where it is taken', async (t) => {
  t.equal(
    digestName('hook_id', '/hook/id', () => false),
    'hook_id_727b3a7f',
  );
  const second = digestName('hook_id', '/hook/id', (name) => name === 'hook_id_727b3a7f');
  t.match(second, /^hook_id_[0-9a-f]{8}$/);
  t.not(second, 'hook_id_727b3a7f');
});

t.test('x-column chooses the name and comes before all others', async (t) => {
  const hook = { type: 'object', properties: { id: { ...string, 'x-column': 'hook_id' } } };
  const names = namesOf({ properties: { hook_id: string, hook } });
  t.equal(names['/hook/id'], 'hook_id');
  t.match(names['/hook_id'], /^hook_id_[0-9a-f]{8}$/);
});

t.test('x-column is found through references, and a name chosen twice is given once', async (t) => {
  const definitions = {
    city: { ...string, 'x-column': 'town' },
    place: { type: 'object', properties: { city: { $ref: '#/definitions/city' } } },
  };
  const reference = { $ref: '#/definitions/place' };
  const opened = openVersions({ definitions, properties: { from: reference, to: reference } })!;
  const [first, second] = opened.planned.plan.columns;
  t.equal(first!.name, 'town');
  t.match(second!.name, /^town_[0-9a-f]{8}$/);
  t.match(opened.warnings, [{ reason: /^\/to\/city gets the column "town_[0-9a-f]{8}": "town" is taken$/ }]);
});

t.test('x-column on an object with columns of its own only warns', async (t) => {
  const opened = openVersions({
    properties: { o: { type: 'object', properties: { a: string }, 'x-column': 'other' } },
  })!;
  t.equal(opened.planned.plan.columns[0]!.name, 'o_a');
  t.match(opened.warnings, [{ place: '/properties/o', reason: /x-column has no effect/ }]);
});
