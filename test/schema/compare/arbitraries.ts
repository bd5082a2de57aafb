// Random schemas over the whole vocabulary, pairs that differ a little or a lot, and random documents.
// Names, constants and bounds come from small sets so that the two sides of a pair meet often.

import fc from 'fast-check';

const NAMES = ['a', 'b', 'c', 'ab', 'x1'];
const PATTERNS = ['^a', 'b$', '^[a-c]+$', '^x', '\\d', '^.{2}$', '^(a|b)*$', 'a.c', '^\\w+$', '^[^x]*$'];
const FORMATS = ['date', 'ipv4', 'uuid', 'email', 'date-time', 'json-pointer'];

const scalar = fc.oneof(
  fc.constantFrom(null, true, false, 0, 1, 2, 3, -1, 1.5, 0.5, 10, '', 'a', 'b', 'ab', 'abc', 'x1', '12', 'é'),
  fc.integer({ min: -5, max: 12 }),
  fc.constantFrom('2020-02-29', '127.0.0.1', 'a@b.co', '2020-01-01T00:00:00Z', '/a', 'bb', 'aab'),
);
const name = fc.oneof(fc.constantFrom(...NAMES), fc.constantFrom('y', 'zz'));

/** Documents, small and of all types. */
export const documents: fc.Arbitrary<unknown> = fc
  .letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', maxDepth: 3 },
      scalar,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(name, tie('value'), { maxKeys: 4 }),
    ),
  }))
  .value.map((value) => JSON.parse(JSON.stringify(value)) as unknown);

type Schema = boolean | Record<string, unknown>;

const small = fc.integer({ min: 0, max: 4 });
const bound = fc.constantFrom(-1, 0, 1, 1.5, 2, 3, 5, 10);

/** A record with one to four of the keys: more would leave hardly a document. */
function few(keys: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .subarray(Object.keys(keys), { minLength: 1, maxLength: Math.min(4, Object.keys(keys).length) })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map((key) => [key, keys[key]!]))));
}

function pick(...records: fc.Arbitrary<Record<string, unknown>>[]): fc.Arbitrary<Record<string, unknown>> {
  return fc.oneof(...records);
}

/** A schema of a draft. Each takes a few keywords that belong together, so that most can be satisfied. */
export function schemas(draft: 'draft-07' | '2020-12'): fc.Arbitrary<Schema> {
  const modern = draft === '2020-12';
  const { root } = fc.letrec<{ root: Schema; deep: Schema }>((tie) => {
    const sub = tie('root') as fc.Arbitrary<Schema>;
    const some = fc.array(sub, { minLength: 1, maxLength: 3 });
    const names = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 2 });
    const map = fc.dictionary(fc.constantFrom(...NAMES), sub, { maxKeys: 3 });
    const numeric = few({
      type: fc.constantFrom('number', 'integer', ['integer', 'null'], ['number', 'string']),
      minimum: bound,
      maximum: bound,
      exclusiveMinimum: bound,
      exclusiveMaximum: bound,
      multipleOf: fc.constantFrom(1, 2, 3, 0.5, 0.1, 1.5, 4),
    });
    const textual = few({
      type: fc.constantFrom('string', ['string', 'null']),
      minLength: small,
      maxLength: small,
      pattern: fc.constantFrom(...PATTERNS),
      format: fc.constantFrom(...FORMATS),
    });
    const objects = few({
      type: fc.constantFrom('object', ['object', 'array']),
      properties: map,
      required: names,
      additionalProperties: fc.oneof(fc.constant<Schema>(false), fc.constant<Schema>(false), sub),
      patternProperties: fc.dictionary(fc.constantFrom('^a', 'b$', '\\d', '^x'), sub, { maxKeys: 2 }),
      propertyNames: fc.oneof(
        fc.constantFrom<Schema>({ maxLength: 1 }, { pattern: '^[a-c]' }, { enum: ['a', 'b', 'x1'] }),
        sub,
      ),
      minProperties: small,
      maxProperties: small,
      dependencies: fc.dictionary(fc.constantFrom(...NAMES), fc.oneof(names, sub), { maxKeys: 2 }),
      ...(modern
        ? {
            dependentRequired: fc.dictionary(fc.constantFrom(...NAMES), names, { maxKeys: 1 }),
            unevaluatedProperties: fc.oneof(fc.constant<Schema>(false), sub),
          }
        : {}),
    });
    const arrays = few({
      type: fc.constantFrom('array', ['array', 'string']),
      items: modern ? sub : fc.oneof(sub, some),
      ...(modern ? { prefixItems: some } : { additionalItems: sub }),
      minItems: small,
      maxItems: small,
      uniqueItems: fc.boolean(),
      contains: sub,
      ...(modern ? { minContains: small, maxContains: small, unevaluatedItems: sub } : {}),
    });
    const combined = pick(
      fc.record({ allOf: some }),
      fc.record({ anyOf: some }),
      fc.record({ oneOf: some }),
      fc.record({ not: sub }),
      few(Object.fromEntries(['if', 'then', 'else'].map((key) => [key, sub]))),
      fc
        .constant({ $ref: '#' })
        .map((ref) => ({ type: ['object', 'null'], properties: { a: ref }, additionalProperties: ref })),
    );
    const values = pick(
      fc.uniqueArray(scalar, { minLength: 1, maxLength: 4 }).map((list) => ({ enum: list })),
      documents.map((value) => ({ const: value })),
    );
    const leaf = fc.oneof(
      numeric,
      textual,
      values,
      fc.constantFrom<Schema>(true, false, {}),
      fc.constantFrom('string', 'number', 'integer', 'boolean', 'null', 'object', 'array').map((type) => ({ type })),
    );
    const mixed = fc.tuple(fc.oneof(objects, arrays, numeric, textual), combined).map(([a, b]) => ({ ...a, ...b }));
    return {
      root: fc.oneof(
        { depthSize: 'small', maxDepth: 3 },
        leaf,
        objects,
        arrays,
        combined,
        mixed,
      ) as fc.Arbitrary<Schema>,
      deep: leaf as fc.Arbitrary<Schema>,
    };
  });
  const uri = modern ? 'https://json-schema.org/draft/2020-12/schema' : 'http://json-schema.org/draft-07/schema#';
  return root.map((schema) =>
    typeof schema === 'boolean' || (!modern && !('x' in schema)) ? schema : { $schema: uri, ...schema },
  );
}

/** Changes one thing somewhere inside of a schema. */
function mutate(schema: unknown, seed: number, replacement: unknown): unknown {
  const places: { holder: Record<string, unknown>; key: string }[] = [];
  const copy = structuredClone(schema);
  const walk = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      if (key === '$schema' || key === '$ref') continue;
      places.push({ holder: value as Record<string, unknown>, key });
      walk((value as Record<string, unknown>)[key]);
    }
  };
  walk(copy);
  if (places.length === 0) return copy;
  const { holder, key } = places[seed % places.length]!;
  const value = holder[key];
  if (typeof value === 'number')
    holder[key] = key === 'multipleOf' ? value * 2 : Math.max(0, value + ((seed >> 8) % 3) - 1);
  else if (typeof value === 'boolean') holder[key] = !value;
  else if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (seed % 3 === 0 && typeof value === 'object' && !Array.isArray(value)) holder[key] = replacement;
  else delete holder[key];
  return copy;
}

/** Pairs of schemas: unrelated ones, and (mostly) ones that differ in one or two places. */
export const pairs: fc.Arbitrary<[unknown, unknown]> = fc
  .tuple(fc.constantFrom('draft-07' as const, '2020-12' as const), fc.nat(), fc.nat(), fc.nat(3))
  .chain(([draft, one, two, kind]) =>
    fc.tuple(schemas(draft), schemas(draft)).map(([left, right]): [unknown, unknown] => {
      const plain = typeof right === 'object' ? { ...right } : right;
      if (typeof plain === 'object') delete plain.$schema;
      if (kind === 0) return [left, right];
      if (kind === 1) return [left, mutate(mutate(left, one, plain), two, plain)];
      return one % 2 === 0 ? [left, mutate(left, two, plain)] : [mutate(left, two, plain), left];
    }),
  );
