import t from 'tap';
import type { Bundle } from '../../src/schema/bundle.ts';
import { Validator, ValidatorCache } from '../../src/schema/compile.ts';
import { SchemaFolderError } from '../../src/schema/faults.ts';
import { openVersions } from './open.ts';

const validatorOf = (schema: unknown): Validator => openVersions(schema)!.validators[0]!;

t.test('nothing about an event is coerced, filled in or removed', async (t) => {
  const { accepts } = validatorOf({
    type: 'object',
    properties: { n: { type: 'integer', default: 1 }, s: { type: 'string' } },
    required: ['n'],
  });
  t.equal(accepts({ n: '1' }), false);
  t.equal(accepts({}), false);
  t.equal(accepts({ n: 1.5 }), false);
  t.equal(accepts({ n: 1, s: 5 }), false);
  const event = { n: 1, other: true };
  t.equal(accepts(event), true);
  t.same(event, { n: 1, other: true });
});

t.test('a number that no double can hold is no number', async (t) => {
  const { accepts } = validatorOf({ properties: { n: { type: 'number' }, i: { type: 'integer' } } });
  t.equal(accepts(JSON.parse('{"n":1e400}')), false);
  t.equal(accepts(JSON.parse('{"i":1e400}')), false);
  t.equal(accepts({ n: 1e300, i: 1e300 }), true);
});

t.test('formats are checked in full', async (t) => {
  const { accepts } = validatorOf({
    properties: { d: { format: 'date' }, t: { format: 'date-time' }, u: { format: 'uri' }, x: { format: 'odd' } },
  });
  t.equal(accepts({ d: '2023-02-29' }), false);
  t.equal(accepts({ t: '2023-02-28T25:00:00Z' }), false);
  t.equal(accepts({ u: 'no uri' }), false);
  t.equal(accepts({ x: 'anything' }), true, 'an unknown one is an annotation');
});

t.test('members of Object.prototype are no properties of an event', async (t) => {
  const schema = { properties: { constructor: { type: 'string' }, toString: { type: 'string' } } };
  const { accepts } = validatorOf(schema);
  t.equal(accepts({}), true);
  t.equal(accepts({ constructor: 'x' }), true);
  t.equal(accepts({ constructor: 1 }), false);
  t.equal(validatorOf({ required: ['toString'] }).accepts({}), false);
  t.equal(validatorOf({ required: ['__proto__'] }).accepts({}), false);
  t.equal(validatorOf({ dependencies: { a: ['valueOf'] } }).accepts({ a: 1 }), false);
  const closed = validatorOf({ properties: { a: true }, additionalProperties: false });
  t.equal(closed.accepts(JSON.parse('{"__proto__": 1}')), false);
});

t.test('keywords that ajv would stumble over are taken as annotations', async (t) => {
  const string = { type: 'string' };
  const odd = [
    { id: 'x' },
    { $async: true },
    { nullable: true },
    { discriminator: { propertyName: 'a' } },
    { $recursiveRef: '#' },
  ];
  for (const keywords of odd) {
    const { accepts } = validatorOf({ properties: { a: { ...keywords, allOf: [string] } }, ...keywords });
    t.equal(accepts({ a: 'x' }), true, JSON.stringify(keywords));
    t.equal(accepts({ a: 1 }), false);
  }
  t.equal(
    validatorOf({ properties: { a: { ...string, nullable: true } } }).accepts({ a: null }),
    true,
    'OpenAPI’s nullable works',
  );
  t.equal(validatorOf({ properties: { a: { type: 'null', nullable: false } } }).accepts({ a: null }), true);
});

t.test('a pattern that is no Unicode one works as a plain one', async (t) => {
  const { accepts } = validatorOf({
    properties: { a: { pattern: '^\\_\\-$' }, b: { pattern: '^.$' } },
    patternProperties: { '^\\@': false },
  });
  t.equal(accepts({ a: '_-' }), true);
  t.equal(accepts({ a: '_' }), false);
  t.equal(accepts({ b: '😀' }), true, 'a character is a character');
  t.equal(accepts({ '@x': 1 }), false);
});

t.test('draft 2020-12 has its own keywords, draft-07 does not know them', async (t) => {
  const keywords = {
    type: 'object',
    dependentRequired: { a: ['b'] },
    properties: { list: { prefixItems: [{ type: 'string' }], items: false } },
  };
  const modern = validatorOf({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...keywords });
  t.equal(modern.accepts({ a: 1 }), false);
  t.equal(modern.accepts({ list: ['x'] }), true);
  t.equal(modern.accepts({ list: ['x', 1] }), false);
  const { items: _, ...prefix } = keywords.properties.list;
  const old = validatorOf({ ...keywords, properties: { list: prefix } });
  t.equal(old.accepts({ a: 1, list: [1] }), true);
  const unevaluated = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    allOf: [{ properties: { a: true } }],
    unevaluatedProperties: false,
  };
  t.equal(validatorOf(unevaluated).accepts({ a: 1 }), true);
  t.equal(validatorOf(unevaluated).accepts({ b: 1 }), false);
});

t.test('an explanation names every fault once, in the same order each time', async (t) => {
  const { explain } = validatorOf({
    properties: { n: { type: 'integer' }, d: { format: 'date' }, o: { propertyNames: { maxLength: 2 } } },
    required: ['x'],
    additionalProperties: false,
  });
  const event = { n: 'a', d: 'b', o: { long: 1 }, more: 1 };
  const expected = [
    { path: '', keyword: 'required', message: "must have required property 'x'" },
    { path: '', keyword: 'additionalProperties', message: 'must NOT have additional properties: "more"' },
    { path: '/n', keyword: 'type', message: 'must be integer' },
    { path: '/d', keyword: 'format', message: 'must match format "date"' },
    { path: '/o', keyword: 'maxLength', message: 'must NOT have more than 2 characters: "long"' },
    { path: '/o', keyword: 'propertyNames', message: 'property name must be valid: "long"' },
  ];
  t.same(explain(event), expected);
  t.same(explain(event), expected);
  t.same(validatorOf({ anyOf: [{ required: ['a'] }, { required: ['a'] }] }).explain({}), [
    { path: '', keyword: 'required', message: "must have required property 'a'" },
    { path: '', keyword: 'anyOf', message: 'must match a schema in anyOf' },
  ]);
});

t.test('an explanation is short, whatever the event', async (t) => {
  const { explain } = validatorOf({
    additionalProperties: { $ref: '#/definitions/no' },
    definitions: { no: { type: 'null', enum: [null] } },
  });
  const event = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, at]));
  t.equal(explain(event(100)).length, 20);
  t.equal(explain(event(200_000)).length, 1, 'a large event gets its first fault only');
  const long = explain({ ['x'.repeat(1_000_000)]: 1 });
  t.ok(JSON.stringify(long).length < 5_000);
  t.match(long[0]!.path, /^\/x+…$/);
  const names = validatorOf({ additionalProperties: false }).explain({ ['y'.repeat(1_000_000)]: 1 });
  t.match(names[0]!.message, /^must NOT have additional properties: "y{100}…"$/);
});

t.test('an event too deep for its schema is refused, not a crash', async (t) => {
  const { accepts, explain } = validatorOf({ type: 'object', additionalProperties: { $ref: '#' } });
  const deep = JSON.parse(`${'{"a":'.repeat(100_000)}{}${'}'.repeat(100_000)}`);
  t.equal(accepts(deep), false);
  t.match(explain(deep), [{ path: '', keyword: 'depth' }]);
  t.equal(accepts({ a: {} }), true, 'and the next one is judged as ever');
});

const bundleOf = (schema: Bundle['schema']): Bundle => ({
  schema,
  draft: 'draft-07',
  namesPrototype: false,
  usesMetaSchema: false,
});

t.test('a schema is compiled at its first event and forgotten when others are in use', async (t) => {
  const cache = new ValidatorCache(2);
  const compiled: string[] = [];
  const make = (name: string) =>
    new Validator(
      name,
      () => {
        compiled.push(name);
        return bundleOf({ type: 'object' });
      },
      cache,
    );
  const [a, b, c] = [make('a'), make('b'), make('c')];
  t.same(compiled, []);
  for (const validator of [a, a, b, a, c, a, b]) t.ok(validator.accepts({}));
  t.same(compiled, ['a', 'b', 'c', 'b'], 'b was used longest ago when c came');
});

t.test('a schema that ajv cannot compile is a fault that names it', async (t) => {
  const nested = (levels: number): Bundle['schema'] => (levels === 0 ? {} : { items: nested(levels - 1) });
  const deep = new Validator('a/1.0.0.json', () => bundleOf(nested(3_000)), new ValidatorCache());
  t.throws(
    () => deep.accepts({}),
    new SchemaFolderError('in use', [{ file: 'a/1.0.0.json', place: '', reason: 'too deep to be compiled' }]),
  );
  const broken = new Validator('b/1.0.0.json', () => bundleOf({ $ref: '#/nowhere' }), new ValidatorCache());
  t.throws(() => broken.explain({}), { message: /b.1.0.0.json: cannot be compiled: / });
});
