// Checks about what a column or the table comes to: statistics, distinct values, columns and types.
import t from 'tap';
import type { ColumnType } from '../../src/model.ts';
import { checksOf, type Kwargs, planOf, Stage } from './stage.ts';

t.test('checks about the whole', async (t) => {
  const stage = await Stage.open(t);

  async function observe(type: ColumnType, values: readonly unknown[], name: string, kwargs: Kwargs = {}) {
    const rows = values.map((value) => [value]);
    const result = await stage.check({ a: type }, rows, `expect_column_${name}`, { column: 'a', ...kwargs });
    return [result.observed_value, result.success];
  }

  await t.test('observed values are JSON numbers, also of bigint', async (t) => {
    const values = [1, 2, 3, 4, null];
    t.strictSame(await observe('bigint', values, 'min_to_be_between', { min_value: 1 }), [1, true]);
    t.strictSame(await observe('bigint', values, 'max_to_be_between', { max_value: 3 }), [4, false]);
    t.strictSame(await observe('bigint', values, 'sum_to_be_between', { min_value: 10, max_value: 10 }), [10, true]);
    t.strictSame(await observe('bigint', values, 'mean_to_be_between', { min_value: 2.5, max_value: 2.5 }), [
      2.5,
      true,
    ]);
    t.strictSame(
      await observe('bigint', values, 'median_to_be_between', { max_value: 2 }),
      [2.5, false],
      'it interpolates',
    );
    t.strictSame(
      await observe('bigint', [2, 4], 'stdev_to_be_between', { min_value: 1.41, max_value: 1.42 }),
      [Math.SQRT2, true],
      'of the sample',
    );
    t.strictSame(await observe('double precision', [0.5, 1], 'sum_to_be_between', { max_value: 1.5 }), [1.5, true]);
    t.strictSame(
      await observe('bigint', ['9223372036854775807', '9223372036854775807'], 'sum_to_be_between', { min_value: 1e19 }),
      [2 ** 64, true],
    );
  });

  await t.test('bounds can be strict, and are compared exactly', async (t) => {
    t.strictSame(await observe('bigint', [1], 'min_to_be_between', { min_value: 1, strict_min: true }), [1, false]);
    t.strictSame(await observe('bigint', [1], 'max_to_be_between', { max_value: 1, strict_max: true }), [1, false]);
    const [, isExact] = await observe('bigint', ['9007199254740993'], 'max_to_be_between', {
      max_value: 9007199254740992,
    });
    t.equal(isExact, false);
  });

  await t.test('extremes of dates, times and text', async (t) => {
    t.strictSame(
      await observe('date', ['2024-01-01', '2024-02-29'], 'max_to_be_between', { max_value: '2024-02-29' }),
      ['2024-02-29', true],
    );
    t.strictSame(
      await observe('timestamptz', ['2024-01-01T00:00:00.25+01:00'], 'min_to_be_between', { min_value: '2024-01-01' }),
      ['2023-12-31T23:00:00.25Z', false],
    );
    t.strictSame(await observe('text', ['b', 'a'], 'min_to_be_between', { min_value: 'a', max_value: 'a' }), [
      'a',
      true,
    ]);
  });

  await t.test('without bounds everything passes that has a value', async (t) => {
    for (const name of [
      'min',
      'max',
      'mean',
      'median',
      'stdev',
      'sum',
      'unique_value_count',
      'proportion_of_unique_values',
    ]) {
      const [, success] = await observe('bigint', [1, 2], `${name}_to_be_between`);
      t.equal(success, true, name);
    }
    t.match(await stage.check({ a: 'bigint' }, [], 'expect_table_row_count_to_be_between', {}), {
      success: true,
      observed_value: 0,
    });
    t.match(await stage.check({ a: 'bigint' }, [], 'expect_table_column_count_to_be_between', {}), {
      success: true,
      observed_value: 1,
    });
  });

  await t.test('on zero rows, and on nulls alone, what has no value fails', async (t) => {
    const range = { quantile_ranges: { quantiles: [0.5], value_ranges: [[null, null]] } };
    const cases: [string, Kwargs][] = [
      ...['min', 'max', 'mean', 'median', 'stdev', 'sum'].map((name): [string, Kwargs] => [
        `${name}_to_be_between`,
        {},
      ]),
      ['quantile_values_to_be_between', range],
      ['most_common_value_to_be_in_set', { value_set: [1] }],
    ];
    for (const [name, kwargs] of cases) {
      t.strictSame(await observe('bigint', [], name, kwargs), [null, false], name);
      t.strictSame(await observe('bigint', [null], name, kwargs), [null, false], name);
    }
    t.strictSame(await observe('text', [], 'unique_value_count_to_be_between', { max_value: 0 }), [0, true]);
    t.strictSame(await observe('bigint', [null], 'proportion_of_unique_values_to_be_between', { min_value: 1 }), [
      0,
      false,
    ]);
    t.strictSame(await observe('bigint', [], 'distinct_values_to_be_in_set', { value_set: [1] }), [[], true]);
    t.strictSame(await observe('bigint', [], 'distinct_values_to_contain_set', { value_set: [1] }), [[], false]);
  });

  await t.test('quantiles are values that are there', async (t) => {
    const kwargs = {
      quantile_ranges: {
        quantiles: [0, 0.5, 1],
        value_ranges: [
          [0, 1],
          [null, 2],
          [5, null],
        ],
      },
      allow_relative_error: true,
    };
    const result = await stage.check(
      { a: 'bigint' },
      [[1], [2], [3], [4], [null]],
      'expect_column_quantile_values_to_be_between',
      { column: 'a', ...kwargs },
    );
    t.match(result, {
      success: false,
      observed_value: { quantiles: [0, 0.5, 1], values: [1, 2, 4] },
      details: { success_details: [true, true, false] },
    });
  });

  await t.test('how many distinct values there are, whether they hash or sort', async (t) => {
    const uuid = (end: number) => `a0000000-0000-4000-8000-00000000000${end}`;
    const cases: [ColumnType, unknown[]][] = [
      ['bigint', [1, 2, 2, null]],
      ['text', ['a', 'b', 'b', null]],
      ['uuid', [uuid(1), uuid(2), uuid(2), null]],
      ['jsonb', ['1', '2', '2', null]],
      ['boolean', [true, false, false, null]],
    ];
    for (const [type, values] of cases) {
      t.strictSame(
        await observe(type, values, 'unique_value_count_to_be_between', { min_value: 2, max_value: 2 }),
        [2, true],
        type,
      );
      t.strictSame(
        await observe(type, values, 'proportion_of_unique_values_to_be_between', { max_value: 0.5 }),
        [2 / 3, false],
        type,
      );
      t.strictSame(
        await observe(type, values.slice(0, 2), 'unique_value_count_to_be_between', { min_value: 3 }),
        [2, false],
        type,
      );
      t.strictSame(
        await observe(type, values.slice(0, 2), 'proportion_of_unique_values_to_be_between', { min_value: 1 }),
        [1, true],
        type,
      );
    }
    t.strictSame(
      await observe('text', ['a', null], 'proportion_of_non_null_values_to_be_between', { min_value: 0.6 }),
      [0.5, false],
    );
  });

  await t.test('which distinct values there are', async (t) => {
    const values = [2, 1, 2, null];
    t.strictSame(await observe('bigint', values, 'distinct_values_to_be_in_set', { value_set: [1, 2, 3] }), [
      [1, 2],
      true,
    ]);
    t.strictSame(await observe('bigint', values, 'distinct_values_to_be_in_set', { value_set: [1] }), [[1, 2], false]);
    t.strictSame(await observe('bigint', values, 'distinct_values_to_be_in_set', { value_set: null }), [[1, 2], true]);
    t.strictSame(await observe('bigint', values, 'distinct_values_to_contain_set', { value_set: [2, 2] }), [
      [1, 2],
      true,
    ]);
    t.strictSame(await observe('bigint', values, 'distinct_values_to_contain_set', { value_set: [2, 3] }), [
      [1, 2],
      false,
    ]);
    t.strictSame(await observe('bigint', values, 'distinct_values_to_equal_set', { value_set: [2, 1, 1] }), [
      [1, 2],
      true,
    ]);
    t.strictSame(await observe('bigint', values, 'distinct_values_to_equal_set', { value_set: [1, 2, 3] }), [
      [1, 2],
      false,
    ]);
    t.strictSame(await observe('text', ['b', 'a', 'a'], 'distinct_values_to_equal_set', { value_set: ['a', 'b'] }), [
      ['a', 'b'],
      true,
    ]);
    t.strictSame(
      await observe('timestamptz', ['2024-01-01T00:00:00Z'], 'distinct_values_to_equal_set', {
        value_set: ['2024-01-01', '2024-01-01T01:00:00+01:00'],
      }),
      [['2024-01-01T00:00:00Z'], true],
    );
    const result = await stage.check(
      { a: 'bigint' },
      values.map((value) => [value]),
      'expect_column_distinct_values_to_be_in_set',
      { column: 'a', value_set: [1] },
    );
    t.strictSame(result.details, {
      value_counts: [
        { value: 1, count: 1 },
        { value: 2, count: 2 },
      ],
    });
  });

  await t.test('a result lists no more than 100 distinct values', async (t) => {
    const rows = Array.from({ length: 120 }, (_, at) => [at]);
    const result = await stage.check({ a: 'bigint' }, rows, 'expect_column_distinct_values_to_be_in_set', {
      column: 'a',
      value_set: [1],
    });
    t.strictSame(result.observed_value, rows.slice(0, 100).flat());
    t.match(result.details, { truncated: 'the first 100 distinct values' });
  });

  await t.test('the most common value: all of them, and a tie fails unless it is okay', async (t) => {
    const name = 'most_common_value_to_be_in_set';
    t.strictSame(await observe('bigint', [1, 1, 2, null, null, null], name, { value_set: [1] }), [[1], true]);
    t.strictSame(await observe('bigint', [1, 1, 2], name, { value_set: [2] }), [[1], false]);
    t.strictSame(await observe('bigint', [1, 2], name, { value_set: [1, 2] }), [[1, 2], false]);
    t.strictSame(await observe('bigint', [1, 2], name, { value_set: [2], ties_okay: true }), [[1, 2], true]);
    t.strictSame(await observe('bigint', [1, 2], name, { value_set: [3], ties_okay: true }), [[1, 2], false]);
  });

  await t.test('rows are counted, also with a condition', async (t) => {
    const rows = [[1], [2], [null]];
    const columns = { a: 'bigint' } as const;
    t.match(await stage.check(columns, rows, 'expect_table_row_count_to_equal', { value: 3 }), {
      success: true,
      observed_value: 3,
    });
    t.match(await stage.check(columns, rows, 'expect_table_row_count_to_equal', { value: 2 }), { success: false });
    t.match(await stage.check(columns, rows, 'expect_table_row_count_to_be_between', { min_value: 4 }), {
      success: false,
      observed_value: 3,
    });
    const condition = { row_condition: 'col("a").notNull()', condition_parser: 'great_expectations' };
    t.match(await stage.check(columns, rows, 'expect_table_row_count_to_equal', { value: 2, ...condition }), {
      success: true,
    });
    for (const [name, value] of [
      ['mean', 1.5],
      ['median', 1.5],
      ['sum', 3],
      ['max', 2],
      ['unique_value_count', 2],
    ]) {
      const result = await stage.check(columns, [...rows, [7]], `expect_column_${name}_to_be_between`, {
        column: 'a',
        row_condition: 'a < 5',
        condition_parser: 'pandas',
      });
      t.match(result, { success: true, observed_value: value }, `${name}`);
    }
  });

  await t.test('columns of the schema, their order and their types', async (t) => {
    const columns = {
      b: 'bigint',
      a: 'text',
      x: 'double precision',
      at: 'timestamptz',
      ok: 'boolean',
      day: 'date',
      id: 'uuid',
      j: 'jsonb',
    } as const;
    const plan = { ...planOf(columns), extra: true };
    const names = Object.keys(columns);
    const of = (type: string, kwargs: Kwargs, success: boolean) => ({
      expectation: { type: `expect_${type}`, kwargs },
      success,
    });
    const cases = [
      of('table_column_count_to_equal', { value: 8 }, true),
      of('table_column_count_to_equal', { value: 12 }, false),
      of('table_column_count_to_be_between', { max_value: 7 }, false),
      of('table_columns_to_match_set', { column_set: names.toReversed() }, true),
      of('table_columns_to_match_set', { column_set: ['a'] }, false),
      of('table_columns_to_match_set', { column_set: ['a'], exact_match: false }, true),
      of('table_columns_to_match_set', { column_set: ['a', 'z'], exact_match: false }, false),
      of('table_columns_to_match_set', { column_set: null }, true),
      of('table_columns_to_match_ordered_list', { column_list: names }, true),
      of('table_columns_to_match_ordered_list', { column_list: names.toReversed() }, false),
      of('table_columns_to_match_ordered_list', { column_list: null }, true),
      of('column_to_exist', { column: 'a' }, true),
      of('column_to_exist', { column: 'a', column_index: 1 }, true),
      of('column_to_exist', { column: 'a', column_index: 0 }, false),
      of('column_to_exist', { column: '_line' }, false),
      ...['BIGINT', 'INTEGER', 'bigint'].map((type_) =>
        of('column_values_to_be_of_type', { column: 'b', type_ }, true),
      ),
      ...['TEXT', 'VARCHAR'].map((type_) => of('column_values_to_be_of_type', { column: 'a', type_ }, true)),
      ...['DOUBLE_PRECISION', 'double precision', 'FLOAT'].map((type_) =>
        of('column_values_to_be_of_type', { column: 'x', type_ }, true),
      ),
      ...['TIMESTAMP', 'timestamptz', 'timestamp with time zone'].map((type_) =>
        of('column_values_to_be_of_type', { column: 'at', type_ }, true),
      ),
      of('column_values_to_be_of_type', { column: 'ok', type_: 'BOOLEAN' }, true),
      of('column_values_to_be_of_type', { column: 'day', type_: 'DATE' }, true),
      of('column_values_to_be_of_type', { column: 'id', type_: 'UUID' }, true),
      of('column_values_to_be_of_type', { column: 'j', type_: 'JSONB' }, true),
      of('column_values_to_be_of_type', { column: 'a', type_: 'BIGINT' }, false),
      of('column_values_to_be_in_type_list', { column: 'b', type_list: ['TEXT', 'INTEGER'] }, true),
      of('column_values_to_be_in_type_list', { column: 'b', type_list: [] }, false),
      of('column_values_to_be_in_type_list', { column: 'b', type_list: null }, true),
    ];
    const checks = checksOf(plan, ...cases.map(({ expectation }) => expectation));
    const results = await stage.inspect(await stage.fill(plan, []), plan, checks);
    t.strictSame(
      results.map(({ success }) => success),
      cases.map(({ success }) => success),
    );
    t.match(results[4], {
      observed_value: names,
      details: { mismatched: { unexpected: names.filter((name) => name !== 'a').sort() } },
    });
    t.match(results[9]?.details, { mismatched: [{ 'Expected Column Position': 0, Expected: 'j', Found: 'b' }] });
    t.equal(results.at(-1)?.observed_value, 'BIGINT');
  });

  await t.test('what Postgres cannot compute fails that check alone, and the transaction goes on', async (t) => {
    const plan = planOf({ x: 'double precision', n: 'bigint' });
    const name = await stage.fill(plan, [
      [1.7e308, 1],
      [1.7e308, 2],
    ]);
    const checks = checksOf(
      plan,
      { type: 'expect_column_sum_to_be_between', kwargs: { column: 'x' } },
      { type: 'expect_column_stdev_to_be_between', kwargs: { column: 'x' }, meta: { severity: 'warn' } },
      { type: 'expect_multicolumn_sum_to_equal', kwargs: { column_list: ['x', 'n'], sum_total: 1 } },
      {
        type: 'expect_column_value_z_scores_to_be_less_than',
        kwargs: { column: 'x', threshold: 1 },
        meta: { severity: 'reject_rows' },
      },
      { type: 'expect_column_max_to_be_between', kwargs: { column: 'n', max_value: 2 } },
    );
    const results = await stage.inspect(name, plan, checks);
    t.strictSame(
      results.map(({ status }) => status),
      ['failed', 'warned', 'failed', 'failed', 'passed'],
    );
    t.match(results[0], { success: false, message: /^Postgres could not run this check: .*out of range/ });
    t.match(results[3], { message: /out of range/, severity: 'reject_rows' });
    t.match(results[2], { unexpected_count: 2 });
    t.match(results[4], { observed_value: 2 });
  });
});
