import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import t from 'tap';
import { compare } from '../../../src/schema/compare/compare.ts';
import { SchemaFault } from '../../../src/schema/compare/fault.ts';

function fault(schema: unknown): SchemaFault {
  try {
    compare(schema, true);
  } catch (error) {
    if (error instanceof SchemaFault) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(schema).slice(0, 100)}`);
}

t.test('a schema nested 10,000 deep is an error with a place, not a stack overflow', async (t) => {
  const deep = (inner: string, outer: [string, string], times: number) =>
    JSON.parse(outer[0].repeat(times) + inner + outer[1].repeat(times)) as unknown;
  for (const [open, close] of [
    ['{"items":', '}'],
    ['{"allOf":[', ']}'],
    ['{"properties":{"a":', '}}'],
    ['{"const":', '}'],
    ['{"not":', '}'],
  ] as [string, string][]) {
    const { message, pointer } = fault(deep('{}', [open, close], 10_000));
    t.match(message, /nested deeper/);
    t.ok(pointer.startsWith('/'));
  }
  t.equal(
    compare(deep('{"type":"integer"}', ['{"items":', '}'], 250), deep('{"type":"number"}', ['{"items":', '}'], 250))
      .compatible,
    true,
  );
});

t.test('references that leave the document, lead nowhere or in circles are errors with a place', async (t) => {
  t.match(fault({ properties: { a: { $ref: 'http://127.0.0.1:9/x.json' } } }), {
    pointer: '/properties/a/$ref',
    message: /leaves the document/,
  });
  t.match(fault({ $ref: 'other.json#/a' }), { message: /leaves the document/ });
  t.match(fault({ $ref: '#/definitions/none' }), { message: /nowhere/ });
  t.match(fault({ $ref: '#none' }), { message: /anchor/ });
  t.match(fault({ $ref: '#' }), { message: /itself/ });
  t.match(fault({ allOf: [{ $ref: '#' }] }), { message: /itself/ });
  t.match(fault({ anyOf: [{ $ref: '#/definitions/a' }], definitions: { a: { not: { $ref: '#' } } } }), {
    message: /itself/,
  });
});

t.test('what is no schema is an error with a place', async (t) => {
  for (const [schema, pointer] of [
    [1, ''],
    [[], ''],
    [{ type: 'strin' }, '/type'],
    [{ type: 'constructor' }, '/type'],
    [{ properties: { a: 'string' } }, '/properties/a'],
    [{ minimum: { $data: '1/a' } }, '/minimum'],
    [{ maxLength: -1 }, '/maxLength'],
    [{ pattern: '(' }, '/pattern'],
    [{ patternProperties: { '[': {} } }, '/patternProperties/['],
    [{ required: 'a' }, '/required'],
    [{ multipleOf: 0 }, '/multipleOf'],
    [{ anyOf: [] }, '/anyOf'],
    [{ $schema: 'http://json-schema.org/draft-04/schema#' }, '/$schema'],
    [{ allOf: [{}, { items: { 'a/b': 1, minItems: 'x' } }] }, '/allOf/1/items/minItems'],
  ] as [unknown, string][]) {
    t.equal(fault(schema).pointer, pointer);
  }
});

t.test('names from the prototype chain are names like others', async (t) => {
  const schema = (name: string, type: string) =>
    JSON.parse(`{"properties":{"${name}":{"type":"${type}"}},"required":["${name}"]}`) as unknown;
  for (const name of ['constructor', 'toString', 'hasOwnProperty', '__proto__', 'valueOf']) {
    const result = compare(schema(name, 'integer'), schema(name, 'string'));
    t.equal(result.compatible, false, name);
    t.equal(compare(schema(name, 'integer'), schema(name, 'number')).compatible, true, name);
  }
  const { differences } = compare({}, { required: ['toString'] });
  t.same(differences[0]?.witness, {});
  t.equal(({} as Record<string, unknown>).type, undefined, 'nothing is polluted');
});

t.test('a spent budget is said, counts as incompatible, and ends the comparison', async (t) => {
  // Every member may be one of several things: many combinations, none of them enough.
  const hard = (limit: number) => ({
    type: 'object',
    allOf: Array.from({ length: 14 }, (_, i) => ({
      anyOf: Array.from({ length: 6 }, (_, j) => ({
        properties: { [`m${i}`]: { multipleOf: j + 2 }, [`m${(i + 1) % 14}`]: { minimum: j * limit } },
      })),
    })),
  });
  const started = performance.now();
  const result = compare(hard(1), hard(2), { budgetMs: 300 });
  t.ok(performance.now() - started < 20_000, 'it ends');
  if (result.backward === 'undecided') {
    t.equal(result.compatible, false);
    t.ok(result.differences.some(({ type }) => type === 'undecided'));
  }
  const steps = compare(hard(1), hard(2), { steps: 50 });
  t.equal(steps.backward, 'undecided');
  t.equal(steps.budget_exhausted, true);
  t.equal(steps.compatible, false);
});

const require = createRequire(import.meta.url);
const webhooks = readFileSync(require.resolve('@octokit/webhooks-schemas/schema.json'), 'utf8');
interface Webhooks {
  definitions: Record<string, { properties?: Record<string, unknown>; required?: string[] }>;
  oneOf: unknown[];
}
const copy = () => JSON.parse(webhooks) as Webhooks;

t.test('two schemas of 600 kB are compared with the order of alternatives as it may be', async (t) => {
  const turned = copy();
  turned.oneOf.reverse();
  const result = compare(copy(), turned);
  t.same([result.backward, result.forward, result.needed_bump], ['holds', 'holds', 'patch']);
});

t.test('one change deep inside of 600 kB is found, explained and proved', async (t) => {
  const after = copy();
  const { issue } = after.definitions;
  issue!.required = issue!.required!.filter((name) => name !== 'title');
  const { backward, forward, needed_bump, differences } = compare(copy(), after, { budgetMs: 30_000 });
  t.same([backward, forward, needed_bump], ['holds', 'fails', 'minor']);
  t.match(differences, [{ type: 'required_removed', breaks: 'forward', old_path: '/definitions/issue/required' }]);
  t.ok(differences[0]?.witness);
});

t.test('alternatives taken away from 600 kB break old documents', async (t) => {
  const after = copy();
  after.oneOf.splice(3, 2);
  const { backward, forward, differences } = compare(copy(), after, { budgetMs: 30_000 });
  t.same([backward, forward], ['fails', 'holds']);
  t.ok(differences.every(({ type, witness }) => type === 'one_of_alternative_removed' && witness !== undefined));
});

t.test('large lists of alternatives, constants and members are compared without trying combinations', async (t) => {
  const range = (n: number) => Array.from({ length: n }, (_, i) => i);
  const constants = range(300).map((i) => ({ const: `v${i}` }));
  const names = constants.map((schema) => schema.const);
  t.match(compare({ anyOf: constants }, { enum: names }), { backward: 'holds', forward: 'holds' });
  t.match(compare({ enum: names }, { enum: [...names, 'more'] }), { backward: 'holds', forward: 'fails' });
  const union = (limit: number) => ({
    anyOf: range(25).map((i) => ({
      type: 'object',
      required: [`r${i}`],
      properties: { [`r${i}`]: { maximum: i + limit } },
    })),
  });
  t.match(compare(union(0), union(1), { budgetMs: 30_000 }), { backward: 'holds', forward: 'fails' });
  const maps = (type: unknown) => ({
    patternProperties: Object.fromEntries(range(10).map((i) => [`^p${i}`, { type }])),
  });
  t.match(compare(maps('string'), maps(['string', 'null'])), { backward: 'holds', forward: 'fails' });
  t.match(compare({ type: 'array', minItems: 100_000 }, { type: 'array', minItems: 99_999 }), {
    backward: 'holds',
    forward: 'fails',
  });
});
