// Checks about each row, on Postgres: what is unexpected, what counts, and what the result shows.
import t from 'tap';
import type { ColumnType } from '../../src/model.ts';
import { checksOf, type Kwargs, planOf, Stage } from './stage.ts';

t.test('checks about rows', async (t) => {
  const stage = await Stage.open(t);

  /** Unexpected values and the counts behind them. */
  async function unexpected(type: ColumnType, values: readonly unknown[], name: string, kwargs: Kwargs = {}) {
    const rows = values.map((value) => [value]);
    const result = await stage.check({ a: type }, rows, `expect_column_${name}`, { column: 'a', ...kwargs });
    return result.partial_unexpected_list;
  }

  await t.test('the result has the names, the shape and the order of Great Expectations', async (t) => {
    const kwargs = { column: 'a', value_set: ['x'], mostly: 0.5 };
    const rows = [['x'], [null], ['y'], ['z'], ['y']];
    const result = await stage.check({ a: 'text' }, rows, 'expect_column_values_to_be_in_set', kwargs, 'warn');
    t.equal(
      JSON.stringify(result),
      JSON.stringify({
        name: 'expect_column_values_to_be_in_set',
        status: 'warned',
        success: false,
        severity: 'warn',
        subject: 'event',
        kwargs,
        element_count: 5,
        missing_count: 1,
        missing_percent: 20,
        unexpected_count: 3,
        unexpected_percent: 75,
        unexpected_percent_total: 60,
        unexpected_percent_nonmissing: 75,
        partial_unexpected_list: ['y', 'z', 'y'],
        partial_unexpected_lines: [3, 4, 5],
        partial_unexpected_counts: [
          { value: 'y', count: 2 },
          { value: 'z', count: 1 },
        ],
      }),
    );
  });

  await t.test('severity decides the status of what fails', async (t) => {
    const check = (severity?: string) =>
      stage.check({ a: 'text' }, [[null]], 'expect_column_values_to_not_be_null', { column: 'a' }, severity);
    t.match(await check(), { status: 'failed', success: false, severity: 'hold' });
    t.match(await check('warn'), { status: 'warned', severity: 'warn' });
    t.match(await check('reject_rows'), { status: 'rejected_rows', severity: 'reject_rows' });
  });

  await t.test('mostly counts the values that are there; the checks for null count all rows', async (t) => {
    const check = (name: string, mostly: number) =>
      stage.check({ a: 'bigint' }, [[1], [2], [3], [null]], `expect_column_values_to_${name}`, {
        column: 'a',
        mostly,
        ...(name === 'be_in_set' && { value_set: [1, 2] }),
      });
    t.match(await check('be_in_set', 0.66), { success: true, status: 'passed', unexpected_count: 1 });
    t.match(await check('be_in_set', 0.67), { success: false });
    t.match(await check('not_be_null', 0.75), { success: true, unexpected_count: 1, unexpected_percent: 25 });
    t.match(await check('not_be_null', 0.76), { success: false, partial_unexpected_list: [null] });
    t.match(await check('be_null', 0.25), {
      success: true,
      unexpected_percent: 75,
      partial_unexpected_list: [1, 2, 3],
    });
    t.match(await check('be_null', 0.26), { success: false });
    t.notOk('missing_count' in (await check('not_be_null', 1)));
  });

  await t.test('the first 20 by line, whatever the order in the table', async (t) => {
    const plan = planOf({ a: 'bigint' });
    const name = await stage.fill(plan, []);
    await stage.connection.query(`INSERT INTO ${name} SELECT i, i, '1.0.0' FROM generate_series(100, 1, -1) AS i`);
    const checks = checksOf(plan, { type: 'expect_column_values_to_be_null', kwargs: { column: 'a' } });
    const [result] = await stage.inspect(name, plan, checks);
    const first = Array.from({ length: 20 }, (_, at) => at + 1);
    t.match(result, { partial_unexpected_list: first, partial_unexpected_lines: first, unexpected_count: 100 });
  });

  await t.test('every copy of a repeated value is unexpected', async (t) => {
    t.strictSame(await unexpected('text', ['2', '2', '2'], 'values_to_be_unique'), ['2', '2', '2']);
    t.strictSame(await unexpected('bigint', [1, 2, 1, null, null], 'values_to_be_unique'), [1, 1]);
    t.strictSame(
      await unexpected(
        'uuid',
        ['a0000000-0000-4000-8000-000000000000', 'a0000000-0000-4000-8000-000000000001'],
        'values_to_be_unique',
      ),
      [],
    );
    t.strictSame(await unexpected('jsonb', ['{"a":1}', '{"a": 1}', '[]'], 'values_to_be_unique'), [{ a: 1 }, { a: 1 }]);
    t.strictSame(await unexpected('boolean', [true, false], 'values_to_be_unique'), []);
    t.strictSame(
      await unexpected('timestamptz', ['2024-01-01T00:00:00Z', '2024-01-01T01:00:00+01:00'], 'values_to_be_unique'),
      ['2024-01-01T00:00:00Z', '2024-01-01T00:00:00Z'],
    );
  });

  await t.test('sets of every type; empty ones, and none', async (t) => {
    t.strictSame(await unexpected('bigint', [1, 2, null], 'values_to_be_in_set', { value_set: [1] }), [2]);
    t.strictSame(await unexpected('bigint', [1, 2, null], 'values_to_not_be_in_set', { value_set: [1] }), [1]);
    t.strictSame(await unexpected('bigint', [1, null], 'values_to_be_in_set', { value_set: [] }), [1]);
    t.strictSame(await unexpected('bigint', [1, null], 'values_to_not_be_in_set', { value_set: [] }), []);
    t.strictSame(await unexpected('bigint', [1], 'values_to_be_in_set', { value_set: null }), []);
    t.strictSame(await unexpected('bigint', [1, 2, null], 'values_to_be_in_set', { value_set: [1, null] }), [2]);
    t.strictSame(
      await unexpected('text', ["it's", 'a\\b', 'c'], 'values_to_be_in_set', { value_set: ["it's", 'a\\b'] }),
      ['c'],
    );
    t.strictSame(
      await unexpected('double precision', [0.1, 1e300, -0], 'values_to_be_in_set', { value_set: [0.1, 1e300, 0] }),
      [],
    );
    t.strictSame(await unexpected('boolean', [true, false], 'values_to_be_in_set', { value_set: [true] }), [false]);
    t.strictSame(
      await unexpected('date', ['2024-02-29', '2024-03-01'], 'values_to_be_in_set', { value_set: ['2024-02-29'] }),
      ['2024-03-01'],
    );
    t.strictSame(
      await unexpected('uuid', ['A0000000-0000-4000-8000-000000000000'], 'values_to_be_in_set', {
        value_set: ['a0000000-0000-4000-8000-000000000000'],
      }),
      [],
    );
    t.strictSame(
      await unexpected('timestamptz', ['2024-01-01T00:00:00Z', '2024-01-01T00:00:00.5Z'], 'values_to_be_in_set', {
        value_set: ['2024-01-01', '2024-01-01T02:00:00+02:00'],
      }),
      ['2024-01-01T00:00:00.5Z'],
    );
    const many = Array.from({ length: 5_000 }, (_, at) => `value ${at}`);
    t.strictSame(await unexpected('text', ['value 4999', 'value 5000'], 'values_to_be_in_set', { value_set: many }), [
      'value 5000',
    ]);
  });

  await t.test('bounds are inclusive unless they are strict', async (t) => {
    const values = [1, 2, 3, null];
    t.strictSame(await unexpected('bigint', values, 'values_to_be_between', { min_value: 1, max_value: 2 }), [3]);
    t.strictSame(await unexpected('bigint', values, 'values_to_be_between', { min_value: 1, strict_min: true }), [1]);
    t.strictSame(await unexpected('bigint', values, 'values_to_be_between', { max_value: 3, strict_max: true }), [3]);
    t.strictSame(
      await unexpected('bigint', values, 'values_to_be_between', { min_value: 1.5, max_value: 2.5 }),
      [1, 3],
    );
    t.strictSame(
      await unexpected('bigint', values, 'values_to_be_between', {
        min_value: 1.5,
        max_value: 2.5,
        strict_min: true,
        strict_max: true,
      }),
      [1, 3],
    );
    t.strictSame(await unexpected('bigint', values, 'values_to_be_between', { min_value: -1e30, max_value: 1e30 }), []);
    t.strictSame(await unexpected('bigint', values, 'values_to_be_between', { min_value: 1e30 }), [1, 2, 3]);
    t.strictSame(
      await unexpected('double precision', [0.1, 0.30000000000000004], 'values_to_be_between', { max_value: 0.3 }),
      [0.30000000000000004],
    );
    t.strictSame(await unexpected('text', ['a', 'b'], 'values_to_be_between', { min_value: 'b' }), ['a']);
    t.strictSame(
      await unexpected('date', ['2023-12-31', '2024-01-01'], 'values_to_be_between', { min_value: '2024-01-01' }),
      ['2023-12-31'],
    );
    t.strictSame(
      await unexpected('timestamptz', ['2024-01-01T00:00:00Z', '2024-01-01T00:00:01Z'], 'values_to_be_between', {
        max_value: '2024-01-01T01:00:00+01:00',
      }),
      ['2024-01-01T00:00:01Z'],
    );
  });

  await t.test('lengths are counted in characters', async (t) => {
    t.strictSame(await unexpected('text', ['äö', '😀', '', null], 'value_lengths_to_equal', { value: 2 }), ['😀', '']);
    t.strictSame(
      await unexpected('text', ['a', 'bb', 'ccc'], 'value_lengths_to_be_between', {
        min_value: 2,
        max_value: 3,
        strict_max: true,
      }),
      ['a', 'ccc'],
    );
  });

  await t.test('regular expressions are not anchored, and match_on is any unless it is all', async (t) => {
    const values = ['abc', 'b', 'xyz', null];
    t.strictSame(await unexpected('text', values, 'values_to_match_regex', { regex: 'b' }), ['xyz']);
    t.strictSame(await unexpected('text', values, 'values_to_not_match_regex', { regex: 'b' }), ['abc', 'b']);
    t.strictSame(await unexpected('text', values, 'values_to_match_regex', { regex: '^b' }), ['abc', 'xyz']);
    t.strictSame(await unexpected('text', ["a'b", 'a\\d'], 'values_to_match_regex', { regex: "'|\\\\d" }), []);
    t.strictSame(await unexpected('text', values, 'values_to_match_regex_list', { regex_list: ['a', 'x'] }), ['b']);
    t.strictSame(
      await unexpected('text', values, 'values_to_match_regex_list', { regex_list: ['a', 'b'], match_on: 'all' }),
      ['b', 'xyz'],
    );
    t.strictSame(await unexpected('text', values, 'values_to_not_match_regex_list', { regex_list: ['a', 'x'] }), [
      'abc',
      'xyz',
    ]);
  });

  await t.test('like patterns', async (t) => {
    const values = ['abc', 'b', 'xyz', null];
    t.strictSame(await unexpected('text', values, 'values_to_match_like_pattern', { like_pattern: '_b%' }), [
      'b',
      'xyz',
    ]);
    t.strictSame(await unexpected('text', values, 'values_to_not_match_like_pattern', { like_pattern: '%b%' }), [
      'abc',
      'b',
    ]);
    t.strictSame(
      await unexpected('text', values, 'values_to_match_like_pattern_list', { like_pattern_list: ['a%', 'x%'] }),
      ['b'],
    );
    t.strictSame(
      await unexpected('text', values, 'values_to_match_like_pattern_list', {
        like_pattern_list: ['a%', '%c'],
        match_on: 'all',
      }),
      ['b', 'xyz'],
    );
    t.strictSame(
      await unexpected('text', values, 'values_to_not_match_like_pattern_list', { like_pattern_list: ['a%', 'x%'] }),
      ['abc', 'xyz'],
    );
  });

  await t.test('z-scores', async (t) => {
    const values = [1, 1, 1, 1, 1, 1, 1, 1, 1, 50, null];
    t.strictSame(await unexpected('bigint', values, 'value_z_scores_to_be_less_than', { threshold: 2 }), [50]);
    t.strictSame(
      await unexpected(
        'bigint',
        values.map((value) => value && -value),
        'value_z_scores_to_be_less_than',
        { threshold: 2 },
      ),
      [-50],
    );
    t.strictSame(
      await unexpected(
        'bigint',
        values.map((value) => value && -value),
        'value_z_scores_to_be_less_than',
        { threshold: 2, double_sided: false },
      ),
      [],
    );
    t.strictSame(await unexpected('bigint', [3, 3], 'value_z_scores_to_be_less_than', { threshold: 1 }), []);
  });

  await t.test('pairs compare null-safely; those of two nulls are ignored unless told otherwise', async (t) => {
    const rows = [
      [6, 6],
      [6, null],
      [null, null],
      [7, 6],
      [6, 7],
    ];
    const pairs = async (name: string, kwargs: Kwargs = {}) => {
      const result = await stage.check({ a: 'bigint', b: 'bigint' }, rows, `expect_column_pair_values_${name}`, {
        column_A: 'a',
        column_B: 'b',
        ...kwargs,
      });
      return [result.partial_unexpected_list, result.missing_count];
    };
    t.strictSame(await pairs('to_be_equal'), [
      [
        [6, null],
        [7, 6],
        [6, 7],
      ],
      1,
    ]);
    t.strictSame(await pairs('to_be_equal', { ignore_row_if: 'either_value_is_missing' }), [
      [
        [7, 6],
        [6, 7],
      ],
      2,
    ]);
    t.strictSame(await pairs('to_be_equal', { ignore_row_if: 'neither' }), [
      [
        [6, null],
        [null, null],
        [7, 6],
        [6, 7],
      ],
      0,
    ]);
    t.strictSame(await pairs('a_to_be_greater_than_b'), [
      [
        [6, 6],
        [6, null],
        [6, 7],
      ],
      1,
    ]);
    t.strictSame(await pairs('a_to_be_greater_than_b', { or_equal: true }), [
      [
        [6, null],
        [6, 7],
      ],
      1,
    ]);
    t.strictSame(
      await pairs('to_be_in_set', {
        value_pairs_set: [
          [6, 6],
          [6, null],
        ],
      }),
      [
        [
          [7, 6],
          [6, 7],
        ],
        1,
      ],
    );
    t.strictSame(await pairs('to_be_in_set', { value_pairs_set: [] }), [
      [
        [6, 6],
        [6, null],
        [7, 6],
        [6, 7],
      ],
      1,
    ]);
    t.strictSame(await pairs('to_be_in_set', { value_pairs_set: null }), [[], 1]);
    t.strictSame(
      await pairs('to_be_equal', { row_condition: 'col("a") == 7', condition_parser: 'great_expectations' }),
      [[[7, 6]], 0],
    );
    const mostly = await stage.check({ a: 'bigint', b: 'bigint' }, rows, 'expect_column_pair_values_to_be_equal', {
      column_A: 'a',
      column_B: 'b',
      mostly: 0.25,
    });
    t.match(mostly, {
      success: true,
      element_count: 5,
      missing_count: 1,
      unexpected_percent: 75,
      unexpected_percent_total: 60,
    });
  });

  await t.test('a set of thousands of pairs, of texts and times', async (t) => {
    const set = Array.from({ length: 3_000 }, (_, at) => [`it's ${at}`, '2024-01-01']);
    const rows = [
      ["it's 2999", '2024-01-01T00:00:00Z'],
      ["it's 3000", '2024-01-01T00:00:00Z'],
      [null, '2024-01-01T00:00:00Z'],
    ];
    const kwargs = { column_A: 's', column_B: 'at', value_pairs_set: [...set, [null, '2024-01-01']] };
    const result = await stage.check(
      { s: 'text', at: 'timestamptz' },
      rows,
      'expect_column_pair_values_to_be_in_set',
      kwargs,
    );
    t.strictSame(result.partial_unexpected_lines, [2]);
  });

  await t.test('several columns of a row', async (t) => {
    const rows = [
      [1, 2, 3],
      [1, 1, 3],
      [1, null, null],
      [null, null, null],
      [1, 2, null],
      [2, 2, 2],
    ];
    const columns = { a: 'bigint', b: 'bigint', c: 'double precision' } as const;
    const records = async (name: string, kwargs: Kwargs = {}) => {
      const result = await stage.check(columns, rows, `expect_${name}`, { column_list: ['a', 'b', 'c'], ...kwargs });
      return [result.partial_unexpected_lines, result.missing_count];
    };
    const within = 'select_column_values_to_be_unique_within_record';
    t.strictSame(await records(within), [[2, 3, 6], 1]);
    t.strictSame(await records(within, { ignore_row_if: 'any_value_is_missing' }), [[2, 6], 3]);
    t.strictSame(await records(within, { ignore_row_if: 'never' }), [[2, 3, 4, 6], 0]);
    t.strictSame(await records('multicolumn_values_to_be_unique'), [[2, 3, 6], 1]);
    t.strictSame(await records('multicolumn_sum_to_equal', { sum_total: 6 }), [[2], 1], 'what is missing has no sum');
    const shown = await stage.check(columns, rows, `expect_${within}`, {
      column_list: ['a', 'b', 'c'],
      ignore_row_if: 'any_value_is_missing',
    });
    t.strictSame(shown.partial_unexpected_list, [
      { a: 1, b: 1, c: 3 },
      { a: 2, b: 2, c: 2 },
    ]);
  });

  await t.test('compound uniqueness takes nulls for equal', async (t) => {
    const rows = [
      ['a', 1],
      ['a', 1],
      ['a', 2],
      ['b', null],
      ['b', null],
      [null, null],
      [null, null],
    ];
    const lines = async (kwargs: Kwargs = {}) => {
      const result = await stage.check({ s: 'text', key: 'bigint' }, rows, 'expect_compound_columns_to_be_unique', {
        column_list: ['s', 'key'],
        ...kwargs,
      });
      return [result.partial_unexpected_lines, result.unexpected_count];
    };
    t.strictSame(await lines(), [[1, 2, 4, 5], 4]);
    t.strictSame(await lines({ ignore_row_if: 'any_value_is_missing' }), [[1, 2], 2]);
    t.strictSame(await lines({ ignore_row_if: 'never' }), [[1, 2, 4, 5, 6, 7], 6]);
    t.strictSame(await lines({ row_condition: 'col("key") == 2', condition_parser: 'great_expectations' }), [[], 0]);
  });

  await t.test('a row condition makes other rows as if they were not there', async (t) => {
    const rows = [
      ['x', 1],
      ['x', 2],
      ['y', 1],
      [null, 1],
    ];
    const kwargs = { row_condition: 'col("n") == 1', condition_parser: 'great_expectations' };
    const columns = { s: 'text', n: 'bigint' } as const;
    const unique = await stage.check(columns, rows, 'expect_column_values_to_be_unique', { column: 's', ...kwargs });
    t.match(unique, { success: true, element_count: 3, missing_count: 1 });
    const inSet = await stage.check(columns, rows, 'expect_column_values_to_be_in_set', {
      column: 's',
      value_set: ['x'],
      ...kwargs,
    });
    t.match(inSet, { element_count: 3, unexpected_count: 1, unexpected_percent: 50, partial_unexpected_lines: [3] });
    const count = await stage.check(columns, rows, 'expect_table_row_count_to_equal', { value: 3, ...kwargs });
    t.match(count, { success: true, observed_value: 3 });
    const z = await stage.check(columns, rows, 'expect_column_value_z_scores_to_be_less_than', {
      column: 'n',
      threshold: 1,
      ...kwargs,
    });
    t.match(z, { success: true, element_count: 3 });
  });

  await t.test('on zero rows, and where nothing is there, all of them pass', async (t) => {
    const kwargs: Record<string, Kwargs> = {
      expect_column_values_to_not_be_null: { column: 'a' },
      expect_column_values_to_be_null: { column: 'a' },
      expect_column_values_to_be_unique: { column: 'a' },
      expect_column_values_to_be_in_set: { column: 'a', value_set: [] },
      expect_column_values_to_be_between: { column: 'a', min_value: 1 },
      expect_column_value_z_scores_to_be_less_than: { column: 'a', threshold: 1 },
      expect_column_pair_values_to_be_equal: { column_A: 'a', column_B: 'b' },
      expect_compound_columns_to_be_unique: { column_list: ['a', 'b'] },
      expect_multicolumn_sum_to_equal: { column_list: ['a', 'b'], sum_total: 1 },
    };
    const plan = planOf({ a: 'bigint', b: 'bigint' });
    const checks = checksOf(plan, ...Object.entries(kwargs).map(([type, each]) => ({ type, kwargs: each })));
    for (const result of await stage.inspect(await stage.fill(plan, []), plan, checks)) {
      t.match(
        result,
        { success: true, status: 'passed', element_count: 0, unexpected_count: 0, unexpected_percent: null },
        result.name,
      );
      t.strictSame(result.partial_unexpected_list, []);
    }
    const results = await stage.inspect(await stage.fill(plan, [[null, null]]), plan, checks.slice(2));
    for (const result of results)
      t.match(result, { success: true, unexpected_percent: null, missing_percent: 100 }, result.name);
  });

  await t.test('values that JSON, or a report, cannot hold as they are', async (t) => {
    t.strictSame(await unexpected('bigint', ['9007199254740993', 5], 'values_to_be_null'), ['9007199254740993', 5]);
    const [long] = (await unexpected('text', ['ä'.repeat(5_000)], 'values_to_be_null')) as [string];
    t.equal(long, `${'ä'.repeat(1_000)}…`);
    const [json] = (await unexpected('jsonb', [JSON.stringify({ a: 'x'.repeat(5_000) })], 'values_to_be_null')) as [
      string,
    ];
    t.equal(json.length, 1_001);
  });

  await t.test('names of columns and values are data, whatever they look like', async (t) => {
    const columns = { 'a"b': 'text', v: 'bigint', n: 'bigint', k: 'text', "it's \\": 'text' } as const;
    const plan = planOf(columns);
    const checks = checksOf(
      plan,
      ...Object.keys(columns).map((column) => ({ type: 'expect_column_values_to_be_unique', kwargs: { column } })),
      { type: 'expect_compound_columns_to_be_unique', kwargs: { column_list: Object.keys(columns) } },
      {
        type: 'expect_column_values_to_not_be_in_set',
        kwargs: { column: "it's \\", value_set: ["'); DROP TABLE x; --", '\\'] },
      },
      { type: 'expect_column_most_common_value_to_be_in_set', kwargs: { column: 'n', value_set: [1] } },
    );
    const row = ["'", 1, 1, '$1', '\\'];
    const results = await stage.inspect(await stage.fill(plan, [row, row]), plan, checks);
    t.strictSame(
      results.map(({ unexpected_count }) => unexpected_count),
      [2, 2, 2, 2, 2, 2, 2, undefined],
    );
    t.strictSame(results.at(-1)?.observed_value, [1]);
  });

  await t.test('many columns that are unique, and some that are not', async (t) => {
    const names = Array.from({ length: 30 }, (_, at) => `c${at}`);
    const plan = planOf(Object.fromEntries(names.map((name) => [name, 'text' as const])));
    const checks = checksOf(
      plan,
      ...names.map((column) => ({ type: 'expect_column_values_to_be_unique', kwargs: { column } })),
    );
    const rows = ['x', 'y'].map((value) => names.map((_, at) => (at % 10 === 0 ? 'same' : value)));
    const results = await stage.inspect(await stage.fill(plan, rows), plan, checks);
    t.strictSame(
      results.map(({ unexpected_count }) => unexpected_count),
      names.map((_, at) => (at % 10 === 0 ? 2 : 0)),
    );
  });

  await t.test('more checks than a SELECT has columns', async (t) => {
    const names = Array.from({ length: 250 }, (_, at) => `c${at}`);
    const plan = planOf(Object.fromEntries(names.map((name) => [name, 'bigint' as const])));
    const expectations = names.flatMap((column) =>
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((max_value) => ({
        type: 'expect_column_values_to_be_between',
        kwargs: { column, max_value },
      })),
    );
    const checks = checksOf(plan, ...expectations);
    const results = await stage.inspect(await stage.fill(plan, [names.map(() => 5)]), plan, checks);
    t.equal(results.filter(({ success }) => !success).length, 4 * 250);
  });
});
