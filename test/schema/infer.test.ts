import fc from 'fast-check';
import t from 'tap';
import { Inference } from '../../src/schema/infer.ts';
import { openVersions } from './open.ts';
import { values } from './schemas.ts';

function infer(...events: object[]): Record<string, unknown> {
  const inference = new Inference();
  for (const event of events) inference.add(event);
  return inference.schema();
}

const propertiesOf = (schema: Record<string, unknown>) => schema.properties as Record<string, object>;
/** The schema of property `x` that these values lead to. */
const inferred = (...each: unknown[]) => propertiesOf(infer(...each.map((x) => ({ x })))).x;

t.test('every sample passes the schema that was inferred from it', async (t) => {
  const json = fc.jsonValue({ maxDepth: 4 });
  const odd = fc.dictionary(fc.constantFrom('a', '', 'constructor', '__proto__', 'toString', 'a/b'), json, {
    maxKeys: 4,
  });
  const event = fc.oneof(
    values.filter((value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
    odd,
    fc.dictionary(fc.string(), json),
  ) as fc.Arbitrary<object>;
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 20 }), (made) => {
      // As they come from a line: own properties only, whatever their names.
      const events = made.map((each) => JSON.parse(JSON.stringify(each)));
      const schema = infer(...events);
      const { validators, faults } = openVersions(schema)!;
      t.same(faults, []);
      for (const each of events) {
        if (!validators[0]!.accepts(each)) {
          throw new Error(`${JSON.stringify(each)}: ${JSON.stringify(validators[0]!.explain(each))}`);
        }
      }
    }),
    { numRuns: 150 },
  );
  t.pass('150 sets of samples');
});

t.test('types: integer until there is a fraction, null beside, several where there are several', async (t) => {
  t.same(inferred(1, 2), { type: 'integer' });
  t.same(inferred(1, 2.5), { type: 'number' });
  t.same(inferred(1e20), { type: 'number' }, 'more than a bigint holds');
  t.same(inferred(true, null), { type: ['boolean', 'null'] });
  t.same(inferred(null), {}, 'null alone says nothing');
  t.same(inferred('a', 1), { type: ['string', 'integer'], maxLength: 64 });
  t.same(inferred([1, 'a'], []), { type: 'array', items: { type: ['string', 'integer'], maxLength: 64 } });
});

t.test('required is what every sample has, at each level', async (t) => {
  t.match(infer({ a: 1, o: { b: 1 } }, { a: 2, o: { b: 2, c: 3 } }), {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { o: { type: 'object', required: ['b'] } },
    required: ['a', 'o'],
  });
  t.notOk('required' in infer({ a: 1 }, {}));
  t.notOk('additionalProperties' in infer({ a: 1 }), 'it is open');
});

t.test('formats only where every string has them', async (t) => {
  const id = '0190d6b8-0000-7000-8000-000000000000';
  t.same(inferred('2026-01-01T00:00:00Z', '2026-01-01T00:00:00+02:00'), { type: 'string', format: 'date-time' });
  t.same(inferred('2026-01-01'), { type: 'string', format: 'date' });
  t.same(inferred(id), { type: 'string', format: 'uuid' });
  t.same(inferred('a@example.com'), { type: 'string', format: 'email', maxLength: 64 });
  t.same(inferred('https://example.com/x'), { type: 'string', format: 'uri', maxLength: 64 });
  t.same(inferred('a:b'), { type: 'string', maxLength: 64 });
  t.same(inferred(id, 'no'), { type: 'string', maxLength: 128 });
  t.same(inferred('2026-01-01', '2026-01-01T00:00:00Z'), { type: 'string', maxLength: 64 });
});

t.test('few strings that come again and again are an enum', async (t) => {
  const kinds = Array.from({ length: 24 }, (_, at) => ['view', 'click', 'buy'][at % 3]);
  t.same(inferred(...kinds), { type: 'string', enum: ['buy', 'click', 'view'] });
  t.same(inferred(...kinds, null), { type: ['string', 'null'], enum: ['buy', 'click', 'view', null] });
  t.notOk('enum' in inferred(...kinds, 'once')!, 'not with one that came once');
  t.notOk('enum' in inferred('a', 'a', 'b', 'b')!, 'nor from few samples');
});

t.test('an object with very many names is a map', async (t) => {
  const map = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`k${at}`, at]));
  t.same(inferred(map, { other: 1.5 }), { type: 'object', additionalProperties: { type: 'number' } });
});
