// Checks about rows on random tables, against a plain reading of Great Expectations' rules in JavaScript.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { checksOf, type Kwargs, planOf, Stage } from './stage.ts';

type Value = number | string | null;
type Row = [a: number | null, b: number | null, s: string | null];

interface Rule {
  type: string;
  kwargs: Kwargs;
  /** Whether a row counts. */
  counts: (row: Row) => boolean;
  /** Whether a row that counts is unexpected. */
  unexpected: (row: Row, all: Row[]) => boolean;
}

const PLAN = planOf({ a: 'bigint', b: 'bigint', s: 'text' });
const INDEX = { a: 0, b: 1, s: 2 } as const;

const small = fc.integer({ min: -3, max: 3 });
const word = fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'aab', "'", '\\');
const row: fc.Arbitrary<Row> = fc.tuple(
  fc.option(small, { freq: 4 }),
  fc.option(small, { freq: 4 }),
  fc.option(word, { freq: 4 }),
);

const column = fc.constantFrom('a', 's') as fc.Arbitrary<'a' | 's'>;
const isThere = (name: keyof typeof INDEX) => (each: Row) => each[INDEX[name]] !== null;

const membership = fc
  .tuple(column, fc.boolean(), fc.array(small, { maxLength: 3 }), fc.array(word, { maxLength: 3 }))
  .map(([name, isIn, numbers, words]): Rule => {
    const set: Value[] = name === 'a' ? numbers : words;
    return {
      type: `expect_column_values_to_${isIn ? '' : 'not_'}be_in_set`,
      kwargs: { column: name, value_set: set },
      counts: isThere(name),
      unexpected: (each) => set.includes(each[INDEX[name]]) !== isIn,
    };
  });

const bounds = fc
  .tuple(fc.double({ min: -4, max: 0, noNaN: true }), fc.integer({ min: 0, max: 4 }), fc.boolean(), fc.boolean())
  .map(
    ([min, max, strictMin, strictMax]): Rule => ({
      type: 'expect_column_values_to_be_between',
      kwargs: { column: 'a', min_value: min, max_value: max, strict_min: strictMin, strict_max: strictMax },
      counts: isThere('a'),
      unexpected: ([a]) => a! < min || a! > max || (strictMin && a === min) || (strictMax && a === max),
    }),
  );

const patterns = fc
  .tuple(fc.array(fc.constantFrom('a', '^b', 'b$', 'aa'), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(
    ([list, all]): Rule => ({
      type: 'expect_column_values_to_match_regex_list',
      kwargs: { column: 's', regex_list: list, match_on: all ? 'all' : 'any' },
      counts: isThere('s'),
      unexpected: ([, , s]) => {
        const found = list.map((source) => new RegExp(source).test(s!));
        return !(all ? found.every(Boolean) : found.some(Boolean));
      },
    }),
  );

const unique = column.map(
  (name): Rule => ({
    type: 'expect_column_values_to_be_unique',
    kwargs: { column: name },
    counts: isThere(name),
    unexpected: (each, all) => all.filter((other) => other[INDEX[name]] === each[INDEX[name]]).length > 1,
  }),
);

const IGNORE_PAIRS = {
  both_values_are_missing: ([a, b]: Row) => a !== null || b !== null,
  either_value_is_missing: ([a, b]: Row) => a !== null && b !== null,
  neither: () => true,
};

const pairs = fc
  .tuple(
    fc.constantFrom('equal', 'greater', 'or_equal'),
    fc.constantFrom(...(Object.keys(IGNORE_PAIRS) as (keyof typeof IGNORE_PAIRS)[])),
  )
  .map(
    ([kind, ignored]): Rule => ({
      type: `expect_column_pair_values_${kind === 'equal' ? 'to_be_equal' : 'a_to_be_greater_than_b'}`,
      kwargs: { column_A: 'a', column_B: 'b', ignore_row_if: ignored, ...(kind === 'or_equal' && { or_equal: true }) },
      counts: IGNORE_PAIRS[ignored],
      unexpected: ([a, b]) => {
        if (a === null || b === null) return !(kind === 'or_equal' && a === b);
        return kind === 'equal' ? a !== b : kind === 'or_equal' ? a < b : a <= b;
      },
    }),
  );

const IGNORE_RECORDS = {
  all_values_are_missing: (each: Row) => each.some((value) => value !== null),
  any_value_is_missing: (each: Row) => each.every((value) => value !== null),
  never: () => true,
};

const compound = fc.constantFrom(...(Object.keys(IGNORE_RECORDS) as (keyof typeof IGNORE_RECORDS)[])).map(
  (ignored): Rule => ({
    type: 'expect_compound_columns_to_be_unique',
    kwargs: { column_list: ['a', 'b', 's'], ignore_row_if: ignored },
    counts: IGNORE_RECORDS[ignored],
    unexpected: (each, all) => all.filter((other) => JSON.stringify(other) === JSON.stringify(each)).length > 1,
  }),
);

const rule = fc.oneof(membership, bounds, patterns, unique, pairs, compound);
const mostly = fc.constantFrom(0, 0.25, 0.5, 0.9, 1);

t.test('counts, lines and success are those of the rules', async (t) => {
  const stage = await Stage.open(t);
  const cases = fc.tuple(
    fc.array(row, { maxLength: 12 }),
    fc.array(fc.tuple(rule, mostly), { minLength: 1, maxLength: 8 }),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([rows, rules, isConditional]) => {
      const condition = isConditional && { row_condition: 'col("b") >= 0', condition_parser: 'great_expectations' };
      const expectations = rules.map(([{ type, kwargs }, share]) => ({
        type,
        kwargs: { ...kwargs, mostly: share, ...condition },
      }));
      const checks = checksOf(PLAN, ...expectations);
      const results = await stage.inspect(await stage.fill(PLAN, rows), PLAN, checks);
      const numbered = rows.map((each, at) => ({ each, line: at + 1 }));
      const domain = numbered.filter(({ each }) => !isConditional || (each[1] ?? -1) >= 0);
      for (const [at, [{ type, kwargs, counts, unexpected }, share]] of rules.entries()) {
        const counted = domain.filter(({ each }) => counts(each));
        const all = counted.map(({ each }) => each);
        const lines = counted.filter(({ each }) => unexpected(each, all)).map(({ line }) => line);
        const expected = {
          element_count: domain.length,
          missing_count: domain.length - counted.length,
          unexpected_count: lines.length,
          partial_unexpected_lines: lines,
          success: counted.length === 0 || (counted.length - lines.length) / counted.length >= share,
        };
        const result = results[at] as unknown as Record<string, unknown>;
        const found = Object.fromEntries(Object.keys(expected).map((name) => [name, result[name]]));
        assert.deepEqual(found, expected, `${type} ${JSON.stringify(kwargs)}: ${JSON.stringify(found)}`);
      }
    }),
    { numRuns: 60 },
  );
});
