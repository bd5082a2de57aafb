// Row conditions: what is understood, and what is refused in which words.
import t from 'tap';
import { GE, reasonOf, sqlOf } from './conditions.ts';

t.test('the grammar of Great Expectations becomes SQL', async (t) => {
  const cases: [string, string][] = [
    ['col("n") == 5', '("n" = 5)'],
    ['col("n")==5', '("n" = 5)'],
    [" col ( 'n' ) !=\t-5.50 ", '("n" <> -5.5)'],
    ['col("n") < +5', '("n" < 5)'],
    ['col("n") <= 1e3', '("n" <= 1000)'],
    ['col("d") > .5', '("d" > 0.5)'],
    ['col("d") >= 5.', '("d" >= 5)'],
    ['col("n") == "5"', '("n" = 5)'],
    ['col("n") == 12345678901234567890123', '("n" = 12345678901234567890123)'],
    ['col("s") == "a b"', `("s" = 'a b')`],
    [`col("s") == 'it"s'`, `("s" = 'it"s')`],
    [`col("s") == "it's"`, `("s" = 'it''s')`],
    ['col("s") == "a\\b"', `("s" =  E'a\\\\b')`],
    ['col("s") == ""', `("s" = '')`],
    ['col("s") == date("2020-01-01")', `("s" = '2020-01-01')`],
    ['col("day") >= date("2020-01-01")', `("day" >= '2020-01-01'::date)`],
    ['col("day") >= "2020-01-01T00:00:00"', `("day" >= '2020-01-01'::date)`],
    ["col('at') < date('2020-01-01')", `("at" < '2020-01-01T00:00:00Z'::timestamptz)`],
    ['col("at") < "2020-01-01 10:30"', `("at" < '2020-01-01T10:30:00Z'::timestamptz)`],
    ['col("at") < "2020-01-01T10:30:00.125+02:00"', `("at" < '2020-01-01T10:30:00.125+02:00'::timestamptz)`],
    ['col("b") == True', '("b" = TRUE)'],
    ['col("b") != false', '("b" <> FALSE)'],
    ['col("u") == "0190A5F4-0000-7000-8000-000000000000"', `("u" = '0190A5F4-0000-7000-8000-000000000000'::uuid)`],
    ['col("j").notNull()', '("j" IS NOT NULL)'],
    ['col("n").NOTNULL()', '("n" IS NOT NULL)'],
    ['col("n").isNull()', '("n" IS NULL)'],
    ['col("n") > col("d")', '("n" > "d")'],
    ['col("n") == 1 and col("d") == 2 or col("b") == True', '((("n" = 1) AND ("d" = 2)) OR ("b" = TRUE))'],
    ['col("n") == 1 AND (col("d") == 2 OR col("b") == True)', '(("n" = 1) AND (("d" = 2) OR ("b" = TRUE)))'],
    ['col("n") == 1 | col("d") == 2 & col("b") == True', '(("n" = 1) OR (("d" = 2) AND ("b" = TRUE)))'],
    ['((col("n") == 1))', '("n" = 1)'],
  ];
  for (const [text, sql] of cases) {
    t.equal(sqlOf(text, GE), sql, text);
    t.equal(sqlOf(text, 'great_expectations__experimental__'), sql, `${text}, by the older name`);
  }
});

t.test('simple expressions of pandas become SQL', async (t) => {
  const cases: [string, string][] = [
    ['n == 5', '("n" = 5)'],
    ['n==5', '("n" = 5)'],
    ['`m ä"` > 5', '("m ä""" > 5)'],
    ['s == "a" and n > 3', `(("s" = 'a') AND ("n" > 3))`],
    ['(s == "a") & (n > 3) | b == True', `((("s" = 'a') AND ("n" > 3)) OR ("b" = TRUE))`],
    ['n.isnull()', '("n" IS NULL)'],
    ['`n`.notna() or s.notnull()', '(("n" IS NOT NULL) OR ("s" IS NOT NULL))'],
    ['5 < n', '(5 < "n")'],
    ['1 < n <= 5', '((1 < "n") AND ("n" <= 5))'],
    ['n != d', '("n" <> "d")'],
    ['s in ["a", \'b\',]', `("s" IN ('a', 'b'))`],
    ['n not in (1, 2)', '("n" NOT IN (1, 2))'],
    ['n in []', '(FALSE)'],
    ['n not in []', '(TRUE)'],
    [String.raw`s == 'it\'s\t\\'`, `("s" =  E'it''s\t\\\\')`],
  ];
  for (const [text, sql] of cases) t.equal(sqlOf(text, 'pandas'), sql, text);
});

t.test('the condition objects of Great Expectations 1.x become SQL, whatever the parser', async (t) => {
  const compare = (name: string, operator: string, parameter: unknown) => {
    return { type: 'comparison', column: { name }, operator, parameter };
  };
  const isNull = (name: string, is_null: boolean) => ({ type: 'nullity', column: { name }, is_null });
  const cases: [object, string][] = [
    [compare('n', '==', 5), '("n" = 5)'],
    [compare('d', '!=', 0.5), '("d" <> 0.5)'],
    [compare('s', '<', "x'"), `("s" < 'x''')`],
    [compare('b', '==', true), '("b" = TRUE)'],
    [compare('at', '>=', '2020-01-01T00:00:00'), `("at" >= '2020-01-01T00:00:00Z'::timestamptz)`],
    [compare('s', 'IN', ['a', 'b']), `("s" IN ('a', 'b'))`],
    [compare('n', 'NOT_IN', []), '(TRUE)'],
    [isNull('j', true), '("j" IS NULL)'],
    [isNull('j', false), '("j" IS NOT NULL)'],
    [{ type: 'and', conditions: [compare('n', '==', 1), isNull('s', true)] }, '(("n" = 1) AND ("s" IS NULL))'],
    [{ type: 'or', conditions: [compare('n', '==', 1), isNull('s', true)] }, '(("n" = 1) OR ("s" IS NULL))'],
    [{ type: 'column_comparison', column: { name: 's' }, operator: '<', other_column: { name: 's2' } }, '("s" < "s2")'],
  ];
  for (const [object, sql] of cases) {
    for (const parser of [undefined, null, 'pandas', 'spark']) t.equal(sqlOf(object, parser), sql);
  }
});

t.test('what is not understood is refused with the place and with what is', async (t) => {
  const cases: [unknown, unknown, RegExp][] = [
    ['', GE, /^at character 1: expected a column or a value, found the end; understood is col\("x"\) == 5/],
    ['x == 5', GE, /^at character 1: expected col\("…"\) or a value, found "x"/],
    ['col(n) == 5', GE, /^at character 5: expected a name in quotes, found "n"/],
    ['col("n") = 5', GE, /^at character 10: expected ==, !=, <, <=, > or >=, found "="/],
    ['col("n") <> 5', GE, /found "<>"/],
    ['col("n") == 5 col("n") == 6', GE, /^at character 15: expected and, or or the end, found "col"/],
    ['col("n") == 5 and', GE, /found the end/],
    ['(col("n") == 5', GE, /expected "\)", found the end/],
    ['col("n") == 5)', GE, /expected and, or or the end, found "\)"/],
    ['col("n") == 5x', GE, /^at character 13: "5x" is no number/],
    ['col("n") == None', GE, /None compares with nothing: ask with \.isNull\(\)/],
    ['col("n").foo()', GE, /expected a column with \.notNull\(\) or \.isNull\(\), found "foo"/],
    ['col("n").constructor()', GE, /found "constructor"/],
    ['col("s") == "a', GE, /^at character 13: the quotation does not end/],
    ['col("n") == 5; DROP TABLE x', GE, /^at character 14: ";" is not understood/],
    ['not col("n") == 5', GE, /not is not understood/],
    ['col("n") in [5]', GE, /found "in"/],
    ['1 < col("n") < 5', GE, /expected and, or or the end, found "<"/],
    ['lower(col("s")) == "a"', GE, /the function "lower" is not understood/],
    ['"a" == "a"', GE, /a comparison has a column on one side/],
    ['col("n") == 5', 'pandas', /the function "col" is not understood; understood is x == 5/],
    ['n + 1 == 5', 'pandas', /expected ==.*, found "\+"|"\+" is not understood/],
    ['n == @limit', 'pandas', /found "@"/],
    ['s.str.startswith("a")', 'pandas', /expected a column with \.notNull\(\)/],
    ['~(n == 5)', 'pandas', /found "~"/],
    ['n not == 5', 'pandas', /expected in, found "=="/],
    ['n in [s]', 'pandas', /a list has values in it, not the column "s"/],
    [String.raw`s == "\d"`, 'pandas', /^at character 7: a backslash before this is not understood/],
    ['5 in [5]', 'pandas', /what is looked for in a list is a column/],
    ['col("n") == 5', undefined, /needs a condition_parser beside it: "great_expectations" and "pandas"/],
    ['col("n") == 5', null, /needs a condition_parser beside it/],
    ['n > 5', 'spark', /^the condition_parser "spark" is not supported: "great_expectations" and "pandas"/],
    ['n > 5', 7, /^the condition_parser "7" is not supported/],
    ['n > 5', 'constructor', /is not supported/],
    [5, GE, /a condition is an object with a type/],
    [[], GE, /a condition is an object with a type/],
    [{}, GE, /of type "nothing" is not supported; understood are comparison/],
    [{ type: 'pass_through', pass_through_filter: 'x' }, GE, /pass_through condition is for pandas and Spark/],
    [{ type: 'comparison', column: 'n', operator: '==', parameter: 1 }, GE, /a column is an object with a name/],
    [
      { type: 'comparison', column: { name: 'n' }, operator: '=', parameter: 1 },
      GE,
      /the operator "=" is not supported/,
    ],
    [{ type: 'comparison', column: { name: 'n' }, operator: '==', parameter: null }, GE, /not "null"/],
    [
      { type: 'comparison', column: { name: 'n' }, operator: 'IN', parameter: 'a' },
      GE,
      /the parameter of IN is a list/,
    ],
    [
      { type: 'comparison', column: { name: 'n' }, operator: '==', parameter: 2 ** 60 },
      GE,
      /beyond 2\^53: put it in quotes/,
    ],
    [{ type: 'nullity', column: { name: 'n' } }, GE, /is_null is true or false/],
    [{ type: 'and', conditions: [] }, GE, /and has a list of conditions, at least one/],
  ];
  for (const [condition, parser, reason] of cases)
    t.match(reasonOf(condition, parser), reason, JSON.stringify(condition));
});

t.test('a value that does not fit its column is refused', async (t) => {
  const cases: [string, RegExp][] = [
    ['col("x") == 5', /^there is no column "x" in events\.sale$/],
    ['col("_line") == 5', /^there is no column "_line"/],
    ['col("s") == 5', /^the column "s" is text and compares with text in quotes, not with 5$/],
    ['col("s") == True', /not with true$/],
    ['col("n") == "five"', /^the column "n" is bigint and compares with a number, not with "five"$/],
    ['col("n") == True', /compares with a number, not with true/],
    ['col("n") == ""', /compares with a number/],
    ['col("n") == 1e400', /compares with a number/],
    ['col("d") == "NaN"', /compares with a number/],
    ['col("b") == 1', /compares with True or False, not with 1/],
    ['col("b") == "yes"', /compares with True or False/],
    ['col("at") > 5', /compares with an ISO 8601 date, or date and time, in quotes, not with 5/],
    ['col("at") > "yesterday"', /compares with an ISO 8601/],
    ['col("at") > "2020-02-30"', /compares with an ISO 8601/],
    ['col("at") > "2020-01-01T24:00"', /compares with an ISO 8601/],
    ['col("at") > "2020-01-01T00:00+16:00"', /compares with an ISO 8601/],
    ['col("at") > "0000-01-01"', /compares with an ISO 8601/],
    ['col("day") > "2020-13-01"', /compares with an ISO 8601 date in quotes/],
    ['col("day") > "2020-01-01T10:00:00"', /compares with an ISO 8601 date in quotes/],
    ['col("u") == "x"', /compares with a UUID in quotes/],
    ['col("j") == "x"', /is jsonb and compares with nothing: only \.notNull\(\) and \.isNull\(\)/],
    ['col("s") == "\0"', /no text with NUL/],
    ['col("s") == "\ud800"', /no valid Unicode/],
    ['col("s") == col("n")', /the columns "s" \(text\) and "n" \(bigint\) do not compare/],
    ['col("j") == col("j")', /do not compare/],
  ];
  for (const [text, reason] of cases) t.match(reasonOf(text, GE), reason, text);
});

t.test('size and depth are bounded', async (t) => {
  const nested = (levels: number) => `${'('.repeat(levels)}col("n") == 5${')'.repeat(levels)}`;
  t.equal(sqlOf(nested(32), GE), '("n" = 5)');
  t.match(reasonOf(nested(33), GE), /nested deeper than 32 levels/);
  t.match(reasonOf('('.repeat(1_000_000), GE), /nested deeper than 32 levels/);
  const many = (count: number) => Array.from({ length: count }, () => 'col("n") == 5').join(' or ');
  t.match(sqlOf(many(100), GE), /OR/);
  t.match(reasonOf(many(101), GE), /at most 100 comparisons/);
  let object: object = { type: 'nullity', column: { name: 'n' }, is_null: true };
  for (let level = 0; level < 33; level++) object = { type: 'and', conditions: [object] };
  t.match(reasonOf(object, GE), /nested deeper than 32 levels/);
});
