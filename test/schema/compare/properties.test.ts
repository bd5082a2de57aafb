// Random pairs of schemas against random documents. FUZZ_RUNS=100000 makes a long run; FUZZ_SEED repeats one.

import fc from 'fast-check';
import t from 'tap';
import { compare } from '../../../src/schema/compare/compare.ts';
import type { Comparison } from '../../../src/schema/compare/difference.ts';
import { SchemaFault } from '../../../src/schema/compare/fault.ts';
import { documents, pairs, schemas } from './arbitraries.ts';
import { falseWitnesses, judge } from './judge.ts';

const numRuns = Number(process.env.FUZZ_RUNS ?? 400);
const seed = process.env.FUZZ_SEED === undefined ? Date.now() & 0xffffff : Number(process.env.FUZZ_SEED);
const settings = { numRuns, seed, endOnFailure: true };
t.setTimeout(60_000 + numRuns * 100);
t.comment(`FUZZ_RUNS=${numRuns} FUZZ_SEED=${seed}`);

/**
 * Where ajv departs from the specification there is nothing to learn from it: `contains` over empty arrays beside
 * other array keywords, and unevaluated keywords whose neighbours it merges differently.
 */
function ajvIsReliable(schema: unknown): boolean {
  return !/"contains"|"unevaluated|"enum":\[\]/.test(JSON.stringify(schema));
}

function attempt(before: unknown, after: unknown, lenient = false): Comparison | undefined {
  try {
    return compare(before, after, { budgetMs: 3000, lenient });
  } catch (error) {
    // Mutation makes some schemas invalid.
    if (error instanceof SchemaFault) return undefined;
    throw error;
  }
}

const totals = { pairs: 0, undecided: 0, holds: 0, fails: 0 };

function check(before: unknown, after: unknown, values: readonly unknown[]): void {
  const result = attempt(before, after);
  if (result === undefined) return;
  totals.pairs++;
  for (const direction of ['backward', 'forward'] as const) totals[result[direction]]++;
  const wrong = falseWitnesses(before, after, result);
  if (wrong.length > 0) throw new Error(`the witness does not separate: ${JSON.stringify(wrong[0])}`);
  if (!ajvIsReliable([before, after])) return;
  const [old, next] = [judge(before), judge(after)];
  for (const value of values) {
    const [one, two] = [old(value), next(value)];
    if (result.backward === 'holds' && one === true && two === false) {
      throw new Error(`backward was claimed, but see ${JSON.stringify(value)}`);
    }
    if (result.forward === 'holds' && two === true && one === false) {
      throw new Error(`forward was claimed, but see ${JSON.stringify(value)}`);
    }
  }
}

t.test('what is claimed compatible has no counter-example, and each witness separates the versions', async (t) => {
  const values = fc.array(documents, { minLength: 25, maxLength: 25 });
  fc.assert(
    fc.property(pairs, values, ([before, after], list) => check(before, after, list)),
    settings,
  );
  t.ok(totals.pairs > 0, `${JSON.stringify(totals)}`);
  t.ok(totals.undecided <= totals.pairs / 20, 'few pairs stay undecided');
});

t.test('a schema is compatible with itself, whatever the order of its members', async (t) => {
  const turned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turned);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, turned(member)]),
    );
  };
  for (const draft of ['draft-07', '2020-12'] as const) {
    fc.assert(
      fc.property(schemas(draft), (schema) => {
        const result = compare(schema, turned(schema));
        return result.backward === 'holds' && result.forward === 'holds' && result.needed_bump === 'patch';
      }),
      { ...settings, numRuns: Math.ceil(numRuns / 4) },
    );
  }
  t.pass();
});

t.test('a document is accepted exactly when the schema of that one document is contained', async (t) => {
  const draft = 'draft-07';
  fc.assert(
    fc.property(schemas(draft), documents, (schema, value) => {
      const accepted = judge(schema)(value);
      if (accepted === undefined || !ajvIsReliable(schema)) return;
      const only = compare({ const: value }, schema).backward;
      if (only !== (accepted ? 'holds' : 'fails')) throw new Error(`const says ${only}, ajv ${accepted}`);
      const without = attempt(schema, { not: { const: value } })!.backward;
      if (without !== (accepted ? 'fails' : 'holds')) throw new Error(`not const says ${without}, ajv ${accepted}`);
    }),
    settings,
  );
  t.pass();
});

t.test('set algebra: parts are contained in wholes', async (t) => {
  const two = fc.tuple(schemas('draft-07'), schemas('draft-07'));
  const plain = two.map((list) => list.map((schema) => structuredClone(schema)) as [unknown, unknown]);
  const rules: [string, (a: unknown, b: unknown) => [unknown, unknown]][] = [
    ['a and b is within a', (a, b) => [{ allOf: [a, b] }, a]],
    ['a is within a or b', (a, b) => [a, { anyOf: [b, a] }]],
    ['one of a and b is within any of them', (a, b) => [{ oneOf: [a, b] }, { anyOf: [a, b] }]],
    ['not (a or b) is within not b', (a, b) => [{ not: { anyOf: [a, b] } }, { not: b }]],
  ];
  for (const [title, make] of rules) {
    let undecided = 0;
    fc.assert(
      fc.property(plain, ([a, b]) => {
        // A reference to the root would mean something else inside of a whole.
        if (JSON.stringify([a, b]).includes('$ref')) return;
        const { backward } = compare(...make(a, b), { budgetMs: 2000 });
        if (backward === 'undecided') undecided++;
        if (backward === 'fails') throw new Error(title);
      }),
      { ...settings, numRuns: Math.ceil(numRuns / 4) },
    );
    t.ok(undecided <= numRuns / 20, title);
  }
});

t.test('under the lenient policy every witness still separates the versions', async (t) => {
  fc.assert(
    fc.property(pairs, ([before, after]) => {
      const result = attempt(before, after, true);
      if (result === undefined) return;
      const wrong = falseWitnesses(before, after, result);
      if (wrong.length > 0) throw new Error(JSON.stringify(wrong[0]));
      const strict = attempt(before, after)!;
      // Fewer documents are looked at, so whatever holds strictly holds leniently.
      for (const direction of ['backward', 'forward'] as const) {
        if (strict[direction] === 'holds' && result[direction] === 'fails')
          throw new Error(`${direction} fails leniently`);
      }
    }),
    { ...settings, numRuns: Math.ceil(numRuns / 2) },
  );
  t.pass();
});

t.test('lenient means: as if every open object of the writing schema were closed', async (t) => {
  type Plain = Record<string, unknown>;
  const { plain } = fc.letrec<{ plain: Plain }>((tie) => ({
    plain: fc.oneof(
      { depthSize: 'small', maxDepth: 3 },
      fc.constantFrom<Plain>({ type: 'string' }, { type: 'integer' }, { type: 'number' }, { type: ['string', 'null'] }),
      fc.record({
        type: fc.constant('object'),
        properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('plain'), { maxKeys: 3 }),
        required: fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 1 }),
        additionalProperties: fc.boolean(),
      }),
      fc.record({ type: fc.constant('array'), items: tie('plain') }),
    ),
  }));
  const closed = (schema: Plain): Plain => {
    const { items, properties } = schema as { items?: Plain; properties?: Record<string, Plain> };
    if (items) return { ...schema, items: closed(items) };
    if (!properties) return schema;
    const members = Object.entries(properties).map(([name, member]) => [name, closed(member)] as const);
    return { ...schema, properties: Object.fromEntries(members), additionalProperties: false };
  };
  fc.assert(
    fc.property(plain, plain, (before, after) => {
      const lenient = compare(before, after, { lenient: true });
      const { backward } = compare(closed(before), after);
      const { forward } = compare(before, closed(after));
      return lenient.backward === backward && lenient.forward === forward;
    }),
    settings,
  );
  t.pass();
});
