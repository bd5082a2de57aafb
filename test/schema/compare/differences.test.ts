import t from 'tap';
import { compare } from '../../../src/schema/compare/compare.ts';
import { falseWitnesses } from './judge.ts';

type Told = [type: string, breaks: string, oldPath: string, newPath: string];

function told(before: unknown, after: unknown): Told[] {
  return compare(before, after).differences.map((d): Told => [d.type, d.breaks, d.old_path, d.new_path]);
}

const person = {
  type: 'object',
  properties: {
    age: { type: 'integer', minimum: 0, maximum: 150 },
    name: { type: 'string' },
    tags: { type: 'array', items: { type: 'string' } },
    kind: { enum: ['a', 'b'] },
  },
  required: ['name'],
  additionalProperties: false,
};

t.test('each difference has its type, whom it breaks and a pointer into both schemas', async (t) => {
  const after = structuredClone(person) as typeof person & { properties: Record<string, unknown> };
  after.properties.age.maximum = 120;
  after.properties.name = { type: ['string', 'null'] } as never;
  after.properties.tags.items = { type: 'string', maxLength: 5 } as never;
  after.properties.kind.enum = ['a', 'c'];
  after.properties.extra = { type: 'boolean' };
  after.required = ['name', 'age'];
  t.same(told(person, after), [
    ['required_added', 'backward', '/required', '/required'],
    ['maximum_decreased', 'backward', '/properties/age/maximum', '/properties/age/maximum'],
    ['type_extended', 'forward', '/properties/name/type', '/properties/name/type'],
    ['max_length_added', 'backward', '/properties/tags/items/maxLength', '/properties/tags/items/maxLength'],
    ['enum_changed', 'both', '/properties/kind/enum', '/properties/kind/enum'],
    ['property_added_to_closed_content_model', 'forward', '/properties/extra', '/properties/extra'],
  ]);
});

t.test('content models are named after what the other side says about a member', async (t) => {
  const [open, closed] = [{ properties: { a: true } }, { properties: { a: true }, additionalProperties: false }];
  const partial = { properties: { a: true }, additionalProperties: { type: 'string' } };
  const plus = (schema: { properties: object }) => ({
    ...schema,
    properties: { ...schema.properties, b: { type: 'integer' } },
  });
  const type = (before: object, after: object) => told(before, after)[0]?.slice(0, 2);
  t.same(type(open, plus(open)), ['property_added_to_open_content_model', 'backward']);
  t.same(type(closed, plus(closed)), ['property_added_to_closed_content_model', 'forward']);
  t.same(type(partial, plus(partial)), ['property_added_to_partially_open_content_model', 'both']);
  t.same(type(plus(open), open), ['property_removed_from_open_content_model', 'forward']);
  t.same(type(plus(closed), closed), ['property_removed_from_closed_content_model', 'backward']);
});

t.test('a difference that another keyword makes void breaks nothing', async (t) => {
  t.same(told({ type: 'integer', minimum: 1 }, { type: 'integer', minimum: 0.5 }), [
    ['minimum_decreased', 'none', '/minimum', '/minimum'],
  ]);
  const before = { enum: ['a', 'b'], type: 'string', maxLength: 5 };
  t.same(told(before, { ...before, maxLength: 3 }), [['max_length_decreased', 'none', '/maxLength', '/maxLength']]);
});

t.test('pointers lead to the keyword behind a reference', async (t) => {
  const schema = (type: string) => ({ properties: { a: { $ref: '#/definitions/x' } }, definitions: { x: { type } } });
  t.same(told(schema('integer'), schema('number')), [
    ['type_extended', 'forward', '/definitions/x/type', '/definitions/x/type'],
  ]);
  const inline = { properties: { a: { type: 'number' } } };
  t.same(told(schema('integer'), inline), [['type_extended', 'forward', '/definitions/x/type', '/properties/a/type']]);
});

t.test('alternatives are matched by what they look like, not by their place', async (t) => {
  const event = (kind: string, value: object) => ({
    type: 'object',
    required: ['kind'],
    properties: { kind: { const: kind }, value },
    additionalProperties: false,
  });
  const before = { oneOf: [event('a', { type: 'string' }), event('b', { type: 'integer' }), event('c', {})] };
  const after = {
    oneOf: [event('c', {}), event('b', { type: 'number' }), event('d', {}), event('a', { type: 'string' })],
  };
  t.same(told(before, after), [
    ['type_extended', 'forward', '/oneOf/1/properties/value/type', '/oneOf/1/properties/value/type'],
    ['one_of_alternative_added', 'forward', '/oneOf', '/oneOf/2'],
  ]);
});

t.test('annotations are listed, break nothing, and only those about storage ask for a new minor version', async (t) => {
  const schema = { title: 'A', type: 'object', properties: { a: { type: 'string', description: 'one' } } };
  const other = { title: 'B', type: 'object', properties: { a: { type: 'string', description: 'two' } } };
  const result = compare(schema, other);
  t.same(
    result.differences.map((d) => [d.type, d.breaks, d.new_path]),
    [
      ['title_changed', 'none', '/title'],
      ['description_changed', 'none', '/properties/a/description'],
    ],
  );
  t.equal(result.needed_bump, 'patch');
  const stored = { type: 'object', properties: { a: { type: 'string', 'x-id': true } } };
  t.equal(compare({ type: 'object', properties: { a: { type: 'string' } } }, stored).needed_bump, 'minor');
});

t.test('what no single keyword explains is told of the whole, with a witness', async (t) => {
  const before = { anyOf: [{ type: 'integer' }, { type: 'string', maxLength: 3 }] };
  const after = { type: ['integer', 'string'], not: { enum: [7, 'abc'] } };
  const result = compare(before, after, { mode: 'FULL' });
  t.equal(result.compatible, false);
  t.same(falseWitnesses(before, after, result), []);
  for (const direction of ['backward', 'forward']) {
    t.ok(result.differences.some((d) => (d.breaks === direction || d.breaks === 'both') && d.witness !== undefined));
  }
});

t.test('a required member with a default breaks all the same: validation does not fill it in', async (t) => {
  const member = { properties: { a: { type: 'string', default: 'x' } } };
  const { compatible, differences } = compare(member, { ...member, required: ['a'] });
  t.equal(compatible, false);
  t.match(differences[0]?.message, /default/);
  t.match(differences[0]?.witness, {});
});
