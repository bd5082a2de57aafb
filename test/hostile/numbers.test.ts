// Numbers, in every column that can hold one: stored to the last digit, or rejected on their line.
import { hostile } from './arena.ts';
import { alone, betweenNeighbours, type LineCase, lineCase } from './lines.ts';
import { postgresSays } from './oracle.ts';
import { THINGS, thing } from './thing.ts';

type Verdict = 'stored' | 'unstorable_value' | 'schema_violation' | 'invalid_json';
const S = 'stored';
const U = 'unstorable_value';
const V = 'schema_violation';
const J = 'invalid_json';

/** A literal, and what becomes of it in a `bigint`, a `double precision`, a `jsonb` and the undeclared rest. */
const NUMBERS: [literal: string, whole: Verdict, number: Verdict, list: Verdict, extra: Verdict][] = [
  ['0', S, S, S, S],
  ['-0', S, S, S, S],
  ['-0.0', S, S, S, S],
  ['0e5', S, S, S, S],
  ['0.0e-5', S, S, S, S],
  ['1.0', S, S, S, S],
  ['1.10', V, S, S, S],
  ['1e3', S, S, S, S],
  ['1E2', S, S, S, S],
  ['1E+2', S, S, S, S],
  ['100e-2', S, S, S, S],
  ['1.5', V, S, S, S],
  ['1e-7', V, S, S, S],
  ['32768', S, S, S, S],
  ['2147483648', S, S, S, S],
  ['9007199254740991', S, S, S, S],
  ['9007199254740992', S, S, S, S],
  ['9007199254740993', S, U, S, S],
  ['-9007199254740993', S, U, S, S],
  ['1e18', S, S, S, S],
  ['9223372036854775807', S, U, S, S],
  ['9223372036854775808', U, U, S, S],
  ['-9223372036854775808', S, U, S, S],
  ['-9223372036854775809', U, U, S, S],
  ['9223372036854775807.0', S, U, S, S],
  ['1e20', U, S, S, S],
  ['1e21', U, S, S, S],
  ['1e308', U, S, S, S],
  ['123456789012345678901234567890', U, U, S, S],
  ['1.0000000000000000001', U, U, S, S],
  ['0.1', V, S, S, S],
  ['0.30000000000000004', V, S, S, S],
  ['0.1000000000000000055511151231257827', V, U, S, S],
  ['12345678.999', V, S, S, S],
  ['99999999.995', V, S, S, S],
  ['123456789.125', V, S, S, S],
  ['3.5e38', U, S, S, S],
  ['1e39', U, S, S, S],
  ['1e-46', V, S, S, S],
  ['5e-324', V, S, S, S],
  ['2.2250738585072014e-308', V, S, S, S],
  ['1.7976931348623157e308', U, S, S, S],
  ['1.7976931348623158e308', U, U, S, S],
  ['1e400', V, V, S, S],
  ['-1e400', V, V, S, S],
  ['1e-400', U, U, S, S],
  ['1e131071', V, V, S, S],
  ['1e131072', V, V, U, U],
  ['1e-16383', U, U, S, S],
  ['1e-16384', U, U, U, U],
  ['1e99999999999', V, V, U, U],
  ['0e99999999999', S, S, S, S],
  ['NaN', J, J, J, J],
  ['Infinity', J, J, J, J],
  ['-Infinity', J, J, J, J],
  ['0x1', J, J, J, J],
  ['0b1', J, J, J, J],
  ['1_000', J, J, J, J],
  ['+1', J, J, J, J],
  ['01', J, J, J, J],
  ['-01', J, J, J, J],
  ['.5', J, J, J, J],
  ['5.', J, J, J, J],
  ['1e', J, J, J, J],
  ['1 5', J, J, J, J],
  ['--1', J, J, J, J],
  ['1n', J, J, J, J],
];

const COLUMNS = ['whole', 'number', 'list', 'extra'] as const;
type ColumnName = (typeof COLUMNS)[number];

/** What of a line's `column` the literal stands for. */
const memberOf = (column: ColumnName, literal: string): string =>
  column === 'list' ? `"list":[${literal}]` : column === 'extra' ? `"x":${literal}` : `"${column}":${literal}`;

const PATHS: Record<ColumnName, string> = { whole: '/whole', number: '/number', list: '/list', extra: '/x' };

const idOf = (column: ColumnName, at: number): string => `${column}-${at}`;

const CASES: LineCase[] = NUMBERS.flatMap(([literal, ...verdicts], at) =>
  COLUMNS.map((column, index) => {
    const verdict = verdicts[index]!;
    const sent = thing(idOf(column, at), memberOf(column, literal));
    const name = `${literal.slice(0, 40)} in ${column}`;
    if (verdict === S) return lineCase(name, sent, null);
    const keyword = { [U]: 'storable', [V]: 'type', [J]: 'json' }[verdict];
    return lineCase(name, sent, verdict, keyword, verdict === J ? '' : PATHS[column]);
  }),
);

/** The expression that prints the stored literal, and the type in which Postgres is asked for the same. */
const READ: Record<ColumnName, [expression: string, type: string]> = {
  whole: ['whole::text', 'numeric::bigint'],
  number: ['number::text', 'double precision'],
  list: ['(list->0)::text', 'jsonb'],
  extra: ["(_extra->'x')::text", 'jsonb'],
};

hostile('a number is stored to the last digit, or rejected on its line', { schemas: THINGS }, async (t, arena) => {
  await betweenNeighbours(t, arena, CASES, (index) => thing(`good-${index}`));
  await alone(t, arena, CASES, thing('good'));
  for (const [at, [literal, ...verdicts]] of NUMBERS.entries()) {
    for (const [index, column] of COLUMNS.entries()) {
      if (verdicts[index] !== S) continue;
      const [expression, type] = READ[column];
      const read = `SELECT ${expression} AS value FROM events.thing WHERE id = $1`;
      const [row] = await arena.query(read, [idOf(column, at)]);
      // Of a zero numeric looks at the exponent all the same.
      const decimal = literal === '0e99999999999' ? '0' : literal;
      const oracle = await postgresSays(arena.query, decimal, type);
      const name = `${literal.slice(0, 40)} in ${column}`;
      // A jsonb keeps the value of a number, not the zeros at its end.
      if (type === 'jsonb') await isSameNumber(row!.value, oracle, name);
      else t.equal(row!.value, oracle, `${name} is what Postgres makes of it`);
      // What Postgres prints for a double is the shortest decimal for it: it must be the one that was sent.
      if (column === 'number') await isSameNumber(row!.value, decimal, name);
    }
  }

  async function isSameNumber(one: string, other: string, name: string): Promise<void> {
    const [row] = await arena.query('SELECT $1::numeric = $2::numeric AS same', [one, other]);
    t.equal(row!.same, true, `${name} is no other number`);
  }
});

hostile(
  'bounds of a schema hold for numbers that a double would move across them',
  { schemas: THINGS },
  async (t, arena) => {
    const cases = [
      lineCase('32767', thing('1', '"small":32767'), null),
      lineCase('32768', thing('2', '"small":32768'), 'schema_violation', 'maximum', '/small'),
      lineCase('-32769', thing('3', '"small":-32769'), 'schema_violation', 'minimum', '/small'),
      lineCase(
        '32767.00000000000000001',
        thing('4', '"small":32767.00000000000000001'),
        'unstorable_value',
        'storable',
      ),
    ];
    await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
  },
);

type Codes = (string | null)[];

/** What becomes of a literal with 10,000 and with 100,000 such digits, in each column. */
const DIGITS: [name: string, literal: (length: number) => string, few: Codes, many: Codes][] = [
  ['digits before the point', (length) => '7'.repeat(length), [V, V, null, null], [V, V, null, null]],
  ['digits behind the point', (length) => `0.${'7'.repeat(length)}`, [V, U, null, null], [V, U, U, U]],
  ['zeros behind the point', (length) => `0.${'0'.repeat(length)}1`, [U, U, null, null], [U, U, U, U]],
  ['digits of an exponent', (length) => `1e${'7'.repeat(length)}`, [V, V, U, U], [V, V, U, U]],
  ['zeros of an exponent', (length) => `1e${'0'.repeat(length)}1`, [null, null, null, null], [null, null, null, null]],
];

hostile(
  'a number of 100,000 digits is judged in a time that follows its length',
  { schemas: THINGS },
  async (t, arena) => {
    for (const [name, literal, ...codes] of DIGITS) {
      for (const [index, column] of COLUMNS.entries()) {
        const spent: number[] = [];
        for (const [at, length] of [10_000, 100_000].entries()) {
          const started = performance.now();
          const sent = `${thing('long', memberOf(column, literal(length)))}\n${thing('good')}`;
          const { json: report } = await arena.post(name, sent, { query: { dry_run: 'true' } });
          spent.push(performance.now() - started);
          const code = codes[at]![index] ?? null;
          t.equal(report.rejections[0]?.code ?? null, code, `${length} ${name} in ${column}`);
          t.equal(report.lines.accepted, code === null ? 2 : 1, 'the line after it is accepted');
        }
        t.comment(`${name} in ${column}: 10,000 in ${spent[0]!.toFixed(1)} ms, 100,000 in ${spent[1]!.toFixed(1)} ms`);
      }
    }
  },
);

hostile('numbers that grow when they are written out do not fill memory', { schemas: THINGS }, async (t, arena) => {
  const cases = [
    lineCase('128 times 1e131071', thing('1', `"list":[${Array(127).fill('1e131071').join()}]`), null),
    lineCase(
      'more than 16 MiB of zeros',
      thing('2', `"list":[${Array(130).fill('1e131071').join()}]`),
      'unstorable_value',
      'storable',
      '/list',
    ),
    lineCase(
      'a line full of them',
      thing('3', `"x":[${Array(100_000).fill('1e131071').join()}]`),
      'unstorable_value',
      'storable',
      '/x',
    ),
  ];
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
});
