// Reading expectations.json: what a suite may say, and how what is wrong with it is said.
import t from 'tap';
import { load, planOf, suiteOf } from './stage.ts';

const PLAN = planOf({
  n: 'bigint',
  x: 'double precision',
  s: 'text',
  at: 'timestamptz',
  day: 'date',
  ok: 'boolean',
  id: 'uuid',
  j: 'jsonb',
});

const faultsOf = (type: string, kwargs: object, meta?: object) =>
  load(suiteOf({ type, kwargs, ...(meta && { meta }) }), PLAN).faults;

t.test('both names of the type, the severities, and what Great Expectations writes beside', (t) => {
  const { checks, faults, warnings } = load(
    Buffer.from(
      JSON.stringify({
        expectation_suite_name: 'old',
        data_asset_type: null,
        ge_cloud_id: null,
        meta: { great_expectations_version: '0.18' },
        expectations: [
          {
            expectation_type: 'expect_column_values_to_not_be_null',
            kwargs: { column: 'n', result_format: 'COMPLETE' },
          },
          {
            type: 'expect_column_values_to_be_unique',
            kwargs: { column: 'n', mostly: 0.5, row_condition: null, condition_parser: null },
            meta: { severity: 'reject_rows', notes: ['why'] },
            id: '1',
            severity: 'critical',
            rendered_content: [],
            success_on_last_run: true,
          },
          { type: 'expect_table_row_count_to_equal', kwargs: { value: 3 }, meta: { severity: 'warn' } },
        ],
      }),
    ),
    PLAN,
  );
  t.strictSame(faults, []);
  t.strictSame(
    checks.map(({ name, severity, place }) => [name, severity, place]),
    [
      ['expect_column_values_to_not_be_null', 'hold', '/expectations/0'],
      ['expect_column_values_to_be_unique', 'reject_rows', '/expectations/1'],
      ['expect_table_row_count_to_equal', 'warn', '/expectations/2'],
    ],
  );
  t.strictSame(checks[0]?.kwargs, { column: 'n', result_format: 'COMPLETE' });
  t.strictSame(warnings, ['/expectations/0/kwargs/result_format: result_format has no effect here']);
  t.end();
});

t.test('a file that is no suite', (t) => {
  t.strictSame(load(Buffer.from('[1]'), PLAN).faults, [': must be an object: a suite of Great Expectations']);
  t.strictSame(load(Buffer.from('{"name": "s"}'), PLAN).faults, ['/expectations: must be an array']);
  t.match(load(Buffer.from('{"expectations": [}'), PLAN).faults[0], /^1:19: not JSON/);
  t.strictSame(load(suiteOf(3, {}, { type: 'expect_column_to_exist', kwargs: 3 }), PLAN).faults, [
    '/expectations/0: must be an object',
    '/expectations/1/expectation_type: must be the name of an expectation',
    '/expectations/2/kwargs: must be an object',
  ]);
  t.end();
});

t.test('an expectation that is unknown, and one that is refused by name', (t) => {
  t.match(faultsOf('expect_column_value_to_not_be_null', { column: 'n' }), [
    /type: "expect_column_value_to_not_be_null" is no expectation: did you mean expect_column_values_to_not_be_null\?/,
  ]);
  t.match(faultsOf('no_such_thing', {}), [/type: "no_such_thing" is no expectation$/]);
  t.match(faultsOf('expect_column_kl_divergence_to_be_less_than', { column: 'n' }), [
    /expect_column_kl_divergence_to_be_less_than is an expectation of Great Expectations that is not supported here/,
  ]);
  t.end();
});

t.test('severities that are none, or that cannot be', (t) => {
  t.strictSame(faultsOf('expect_table_row_count_to_equal', { value: 1 }, { severity: 'critical' }), [
    '/expectations/0/meta/severity: must be one of hold, warn, reject_rows',
  ]);
  for (const [type, kwargs] of [
    ['expect_table_row_count_to_equal', { value: 1 }],
    ['expect_column_max_to_be_between', { column: 'n' }],
    ['expect_column_distinct_values_to_be_in_set', { column: 'n', value_set: [1] }],
    ['expect_table_column_count_to_equal', { value: 1 }],
    ['expect_column_values_to_be_of_type', { column: 'n', type_: 'BIGINT' }],
  ] as const) {
    t.match(faultsOf(type, kwargs, { severity: 'reject_rows' }), [/meta\/severity: .* is not about rows/], type);
  }
  t.end();
});

t.test('arguments that are missing, unknown or of the wrong type, all at once', (t) => {
  t.strictSame(faultsOf('expect_column_values_to_match_regex', { columm: 'n', mostly: 2 }), [
    '/expectations/0/kwargs/column: is missing',
    '/expectations/0/kwargs/mostly: must be a number from 0 to 1',
    '/expectations/0/kwargs/regex: is missing',
    '/expectations/0/kwargs/columm: is no argument of this expectation: it has column, condition_parser, mostly, regex, row_condition',
  ]);
  const cases: [string, object, string][] = [
    ['expect_column_values_to_be_in_set', { column: 'n', value_set: 1 }, 'value_set: must be an array'],
    [
      'expect_column_values_to_be_in_set',
      { column: 'n', value_set: [1, []] },
      'value_set/1: must be a string, a number or a boolean',
    ],
    ['expect_column_values_to_be_in_set', { column: 'n' }, 'value_set: is missing'],
    [
      'expect_column_values_to_be_between',
      { column: 'n', min_value: { $PARAMETER: 'x' } },
      'min_value: parameters ($PARAMETER) are not supported: write the value',
    ],
    ['expect_column_values_to_be_between', { column: 'n' }, 'min_value: or max_value must be given'],
    ['expect_column_value_lengths_to_be_between', { column: 's' }, 'min_value: or max_value must be given'],
    [
      'expect_column_value_lengths_to_be_between',
      { column: 's', min_value: 1.5 },
      'min_value: must be a whole number, 0 or more',
    ],
    ['expect_column_value_lengths_to_equal', { column: 's', value: -1 }, 'value: must be a whole number, 0 or more'],
    [
      'expect_column_values_to_match_regex_list',
      { column: 's', regex_list: ['a'], match_on: 'some' },
      'match_on: must be one of any, all',
    ],
    [
      'expect_column_values_to_match_regex_list',
      { column: 's', regex_list: [] },
      'regex_list: must have at least 1 element',
    ],
    [
      'expect_column_pair_values_to_be_equal',
      { column_A: 'n', column_B: 'n', ignore_row_if: 'x' },
      'ignore_row_if: must be one of both_values_are_missing, either_value_is_missing, neither, never',
    ],
    [
      'expect_column_pair_values_to_be_in_set',
      { column_A: 'n', column_B: 'n', value_pairs_set: [[1]] },
      'value_pairs_set/0: must be a pair',
    ],
    ['expect_compound_columns_to_be_unique', { column_list: ['n'] }, 'column_list: must have at least 2 elements'],
    ['expect_compound_columns_to_be_unique', { column_list: ['n', 'n'] }, 'column_list: names a column twice'],
    [
      'expect_column_quantile_values_to_be_between',
      { column: 'n', quantile_ranges: { quantiles: [2], value_ranges: [[0, 1]] } },
      'quantile_ranges/quantiles/0: must be a number from 0 to 1',
    ],
    [
      'expect_column_quantile_values_to_be_between',
      { column: 'n', quantile_ranges: { quantiles: [0.5], value_ranges: [[2, 1]] } },
      'quantile_ranges/value_ranges/0: 2 is greater than 1',
    ],
    [
      'expect_column_quantile_values_to_be_between',
      { column: 'n', quantile_ranges: { quantiles: [0.5], value_ranges: [] } },
      'quantile_ranges/value_ranges: there are 1 quantiles and 0 value_ranges',
    ],
    [
      'expect_column_distinct_values_to_contain_set',
      { column: 'n', value_set: [null] },
      'value_set/0: must be a string, a number or a boolean',
    ],
    ['expect_column_distinct_values_to_equal_set', { column: 'n', value_set: null }, 'value_set: must not be null'],
    [
      'expect_table_column_count_to_equal',
      { value: 1, row_condition: 'col("n") > 1', condition_parser: 'great_expectations' },
      'row_condition: means nothing here: expect_table_column_count_to_equal is not about rows',
    ],
  ];
  for (const [type, kwargs, fault] of cases) t.strictSame(faultsOf(type, kwargs), [`/expectations/0/kwargs/${fault}`]);
  t.end();
});

t.test('arguments that do not fit the column are found at load', (t) => {
  const cases: [string, object, RegExp][] = [
    [
      'expect_column_values_to_be_between',
      { column: 's', min_value: 1 },
      /min_value: the column "s" is text: 1 is not a string$/,
    ],
    [
      'expect_column_values_to_be_between',
      { column: 'n', min_value: '1' },
      /min_value: the column "n" is bigint: "1" is not a number$/,
    ],
    [
      'expect_column_values_to_be_between',
      { column: 'n', min_value: 2, max_value: 1 },
      /min_value: 2 is greater than max_value 1$/,
    ],
    [
      'expect_column_values_to_be_between',
      { column: 'at', min_value: '2024-01-02T00:00:00Z', max_value: '2024-01-02T00:30:00+01:00' },
      /min_value: .* is greater than/,
    ],
    [
      'expect_column_values_to_be_between',
      { column: 'at', max_value: 'yesterday' },
      /max_value: .*"yesterday" is not an ISO 8601 date-time/,
    ],
    [
      'expect_column_values_to_be_between',
      { column: 'day', max_value: '2023-02-29' },
      /max_value: .*is not an ISO 8601 date/,
    ],
    ['expect_column_values_to_be_between', { column: 'ok', max_value: true }, /is boolean and has no order/],
    ['expect_column_values_to_be_between', { column: 'j', max_value: 1 }, /is jsonb/],
    [
      'expect_column_values_to_be_in_set',
      { column: 'n', value_set: [1, '2'] },
      /value_set\/1: the column "n" is bigint: "2" is not a number/,
    ],
    [
      'expect_column_values_to_be_in_set',
      { column: 'n', value_set: [1.5] },
      /value_set\/0: the column "n" is bigint: it never holds 1.5/,
    ],
    ['expect_column_values_to_be_in_set', { column: 'n', value_set: [1e30] }, /it never holds 1e\+30/],
    ['expect_column_values_to_be_in_set', { column: 'id', value_set: ['x'] }, /"x" is not a UUID as a string/],
    ['expect_column_values_to_be_in_set', { column: 's', value_set: ['a\u0000'] }, /NUL/],
    ['expect_column_values_to_be_in_set', { column: 'ok', value_set: ['true'] }, /"true" is not true or false/],
    ['expect_column_values_to_be_in_set', { column: 'j', value_set: [1] }, /is jsonb/],
    [
      'expect_column_value_lengths_to_equal',
      { column: 'n', value: 3 },
      /column: only strings have a length.*which is bigint/,
    ],
    [
      'expect_column_values_to_match_regex',
      { column: 'n', regex: 'a' },
      /column: only strings match a regular expression.*which is bigint/,
    ],
    ['expect_column_values_to_match_like_pattern', { column: 'j', like_pattern: 'a' }, /which is jsonb/],
    ['expect_column_mean_to_be_between', { column: 's' }, /only numbers have a mean/],
    ['expect_column_sum_to_be_between', { column: 'day' }, /only numbers have a sum/],
    ['expect_column_min_to_be_between', { column: 'ok' }, /there is no minimum of the column "ok", which is boolean/],
    ['expect_column_max_to_be_between', { column: 's', max_value: 3 }, /the maximum of "s" is text: 3 is not a string/],
    [
      'expect_column_stdev_to_be_between',
      { column: 'n', max_value: 'x' },
      /max_value: the standard deviation of "n" is double precision: "x" is not a number/,
    ],
    ['expect_column_value_z_scores_to_be_less_than', { column: 's', threshold: 1 }, /z-scores are of numbers/],
    [
      'expect_column_pair_values_to_be_equal',
      { column_A: 'n', column_B: 's' },
      /column_B: "s" is text and cannot be compared with "n", which is bigint/,
    ],
    [
      'expect_multicolumn_sum_to_equal',
      { column_list: ['n', 's'], sum_total: 1 },
      /column_list\/1: only numbers can be added/,
    ],
    [
      'expect_column_values_to_be_unique',
      { column: 'none' },
      /column: the table event has no column "none": it has n, x, s, at, day, ok, id, j$/,
    ],
    [
      'expect_compound_columns_to_be_unique',
      { column_list: ['n', 'none'] },
      /column_list\/1: the table event has no column "none"/,
    ],
  ];
  for (const [type, kwargs, fault] of cases) {
    const faults = faultsOf(type, kwargs);
    t.equal(faults.length, 1, `${type} ${JSON.stringify(kwargs)}`);
    t.match(faults[0], fault);
  }
  t.end();
});

t.test('regular expressions that are surely not of Postgres, and those that it may take', (t) => {
  const faulty = ['(?P<name>a)', '(?<name>a)', '(?>a)', '\\p{L}', 'a\\', '[a', 'a\u0000', '[^]a'];
  for (const regex of faulty)
    t.match(faultsOf('expect_column_values_to_match_regex', { column: 's', regex })[0], /kwargs\/regex: /, regex);
  const fine = [
    '',
    '^[^@]+@[^@]+$',
    '(?<=a)b',
    '(?<!a)b',
    '(?:a)',
    '(?i)a',
    '[]a]',
    '[[:alpha:]]',
    '\\(?P<',
    '[(?P<]',
    '[\\]]',
  ];
  for (const regex of fine)
    t.strictSame(faultsOf('expect_column_values_to_match_regex', { column: 's', regex }), [], regex);
  t.match(faultsOf('expect_column_values_to_match_regex_list', { column: 's', regex_list: ['a', '(?P<n>a)'] }), [
    /regex_list\/1: /,
  ]);
  t.match(faultsOf('expect_column_values_to_match_like_pattern', { column: 's', like_pattern: 'a\\' }), [
    /must not end in a backslash/,
  ]);
  t.end();
});

t.test('what old suites say without effect is noted, and what would have one is refused', (t) => {
  const between = (kwargs: object) =>
    load(
      suiteOf({ type: 'expect_column_values_to_be_between', kwargs: { column: 'n', min_value: 1, ...kwargs } }),
      PLAN,
    );
  const old = between({ parse_strings_as_datetimes: true, catch_exceptions: false });
  t.strictSame(old.faults, []);
  t.strictSame(old.warnings, [
    '/expectations/0/kwargs/parse_strings_as_datetimes: parse_strings_as_datetimes has no effect here',
    '/expectations/0/kwargs/catch_exceptions: catch_exceptions has no effect here',
  ]);
  t.strictSame(between({ allow_cross_type_comparisons: false }).faults, []);
  t.strictSame(between({ allow_cross_type_comparisons: true }).faults, [
    '/expectations/0/kwargs/allow_cross_type_comparisons: is not supported',
  ]);
  const regex = (source: string) =>
    load(suiteOf({ type: 'expect_column_values_to_match_regex', kwargs: { column: 's', regex: source } }), PLAN)
      .warnings;
  t.match(regex('\\bword'), [/kwargs\/regex: to Postgres \\b is a backspace/]);
  t.strictSame(regex('\\\\b'), []);
  t.strictSame(
    load(suiteOf({ type: 'expect_table_row_count_to_equal', kwargs: { value: 1 }, severity: 'warn' }), PLAN).warnings,
    ['/expectations/0/severity: has no effect here, only in meta'],
  );
  t.end();
});

t.test('a column that only an older table lacks leaves the check out there, with a warning', (t) => {
  const suite = suiteOf(
    { type: 'expect_column_values_to_not_be_null', kwargs: { column: 'new' } },
    { type: 'expect_column_values_to_not_be_null', kwargs: { column: 'n' } },
  );
  const { checks, faults, warnings } = load(suite, planOf({ n: 'bigint' }, 'event'), false);
  t.strictSame(faults, []);
  t.match(warnings, [
    /^\/expectations\/0\/kwargs\/column: is not checked in event: the table event has no column "new"/,
  ]);
  t.strictSame(
    checks.map(({ place }) => place),
    ['/expectations/1'],
  );
  t.end();
});

t.test('a row condition that is not understood is a fault where it stands', (t) => {
  const kwargs = { column: 'n', row_condition: 'import os', condition_parser: 'spark' };
  t.match(faultsOf('expect_column_values_to_not_be_null', kwargs), [/^\/expectations\/0\/kwargs\/row_condition: /]);
  t.end();
});
