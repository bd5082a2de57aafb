// Random row conditions, in every way of writing them, on a real Postgres: the rows that it selects are those that a plain
// evaluation of the condition finds, and no text at all makes SQL that fails.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { parseCondition } from '../../src/expectations/condition.ts';
import type { Comparator, Condition, Literal, Operand } from '../../src/expectations/condition-tree.ts';
import { quote } from '../../src/sql.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { GE, PLAN, sqlOf, TYPES } from './conditions.ts';

type Known = bigint | number | string | boolean;
type Value = Known | null;
type Row = Record<string, Value>;

const COLUMNS = ['n', 'm ä"', 'd', 's', 's2', 'b', 'at', 'day'];
const HOSTILE = ["it's", 'a\\', "\\' OR TRUE --", '%', '$1', '?', '\u{1f600}', '', 'ä'];
const WORDS = ['a', 'ab', 'b', 'zz'];
const INTEGERS = ['-3', '0', '1', '2', '9007199254740993', '-9223372036854775808'];
const FRACTIONS = ['-0.5', '0.1', '1.5', '1e3', '1e-7'];
const MOMENTS = ['2020-01-01T00:00:00Z', '2020-01-01T10:30:00.125Z', '2021-06-30T23:59:59Z'];
const MOMENT_TEXTS = [...MOMENTS, '2020-01-01', '2020-01-01 10:30', '2020-01-01T12:30:00.125+02:00'];
const DAYS = ['2019-12-31', '2020-01-01', '2020-02-29'];

const rowArbitrary: fc.Arbitrary<Row> = fc.record({
  n: fc.option(fc.constantFrom(...INTEGERS).map(BigInt), { freq: 4 }),
  'm ä"': fc.option(fc.constantFrom(...INTEGERS).map(BigInt), { freq: 4 }),
  d: fc.option(fc.constantFrom(...INTEGERS.slice(0, 4), ...FRACTIONS).map(Number), { freq: 4 }),
  s: fc.option(fc.constantFrom(...WORDS, ...HOSTILE), { freq: 4 }),
  s2: fc.option(fc.constantFrom(...WORDS, ...HOSTILE), { freq: 4 }),
  b: fc.option(fc.boolean(), { freq: 4 }),
  at: fc.option(fc.constantFrom(...MOMENTS), { freq: 4 }),
  day: fc.option(fc.constantFrom(...DAYS), { freq: 4 }),
});

const COMPARATORS: Comparator[] = ['==', '!=', '<', '<=', '>', '>='];
const string = (text: string): Literal => ({ kind: 'string', text });
const numeric = (text: string): Literal => ({ kind: 'number', text });
const comparatorOf = (literal: Literal): fc.Arbitrary<Comparator> => {
  // How anything but small letters is ordered is the collation's affair.
  const isOrdered = literal.kind !== 'string' || !HOSTILE.includes(literal.text);
  return fc.constantFrom(...(isOrdered ? COMPARATORS : COMPARATORS.slice(0, 2)));
};

function literalsOf(name: string): fc.Arbitrary<Literal> {
  switch (TYPES[name]) {
    case 'bigint':
    case 'double precision':
      return fc.constantFrom(...INTEGERS, ...FRACTIONS).chain((text) => fc.constantFrom(numeric(text), string(text)));
    case 'boolean':
      return fc.boolean().map((value) => ({ kind: 'boolean', value }));
    case 'timestamptz':
      return fc.constantFrom(...MOMENT_TEXTS).map(string);
    case 'date':
      return fc.constantFrom(...DAYS).map(string);
    default:
      return fc.constantFrom(...WORDS, ...HOSTILE).map(string);
  }
}

const column = (name: string): Operand => ({ kind: 'column', name });
const leaf: fc.Arbitrary<Condition> = fc.constantFrom(...COLUMNS).chain((name) =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: literalsOf(name).chain((right) =>
        comparatorOf(right).map((operator) => {
          return { kind: 'comparison' as const, left: column(name), operator, right };
        }),
      ),
    },
    { weight: 1, arbitrary: fc.boolean().map((isNull) => ({ kind: 'nullity' as const, column: name, isNull })) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.array(literalsOf(name), { maxLength: 3 }), fc.boolean()).map(([values, isNegated]) => {
        return { kind: 'membership' as const, of: column(name), values, isNegated };
      }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(['n', 'd'], ['n', 'm ä"'], ['s', 's2']).chain(([a, b]) => {
        return fc.constantFrom(...(a === 's' ? COMPARATORS.slice(0, 2) : COMPARATORS)).map((operator) => {
          return { kind: 'comparison' as const, left: column(a!), operator, right: column(b!) };
        });
      }),
    },
  ),
);
const conditions: fc.Arbitrary<Condition> = fc.letrec<{ any: Condition }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      conditions: fc.array(tie('any'), { minLength: 2, maxLength: 3 }),
    }),
  ),
})).any;

/** Three-valued, as SQL has it; written without a look at the code under test. */
function evaluate(condition: Condition, row: Row): boolean | null {
  switch (condition.kind) {
    case 'nullity':
      return (row[condition.column] === null) === condition.isNull;
    case 'and': {
      const parts = condition.conditions.map((each) => evaluate(each, row));
      return parts.includes(false) ? false : parts.includes(null) ? null : true;
    }
    case 'or': {
      const parts = condition.conditions.map((each) => evaluate(each, row));
      return parts.includes(true) ? true : parts.includes(null) ? null : false;
    }
    case 'membership': {
      if (condition.values.length === 0) return condition.isNegated;
      const parts = condition.values.map((right) => compare(condition.of, '==', right, row));
      if (parts.includes(null)) return null;
      return parts.includes(true) !== condition.isNegated;
    }
    default:
      return compare(condition.left, condition.operator, condition.right, row);
  }
}

function compare(left: Operand, operator: Comparator, right: Operand, row: Row): boolean | null {
  const name = left.kind === 'column' ? left.name : '';
  const [a, b] = [meaning(left, row, name), meaning(right, row, name)];
  if (a === null || b === null) return null;
  const [x, y] = typeof a === 'number' || typeof b === 'number' ? [asDouble(name, a, b), asDouble(name, b, a)] : [a, b];
  const order = x < y ? -1 : x > y ? 1 : 0;
  return { '==': order === 0, '!=': order !== 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[
    operator
  ];
}

/** Beside a column of doubles everything is one; an integer beside a fraction stays exact. */
function asDouble(name: string, value: Known, other: Known): Known {
  const isFraction = TYPES[name] === 'bigint' && typeof other === 'number' && !Number.isInteger(other);
  return typeof value === 'bigint' && !isFraction ? Number(value) : value;
}

function meaning(operand: Operand, row: Row, beside: string): Value {
  const type = TYPES[operand.kind === 'column' ? operand.name : beside];
  const value: Value =
    operand.kind === 'column' ? row[operand.name]! : operand.kind === 'boolean' ? operand.value : operand.text;
  if (value === null || typeof value !== 'string') return value;
  if (type === 'timestamptz') return Date.parse(/[Z+]/.test(value) || value.length === 10 ? value : `${value}Z`);
  if (type === 'bigint' || type === 'double precision') return /^-?\d+$/.test(value) ? BigInt(value) : Number(value);
  return value;
}

/** In the grammar of Great Expectations, or undefined where it cannot say so. */
function inGreatExpectations(condition: Condition, isInner = false): string | undefined {
  const side = (operand: Operand) =>
    operand.kind === 'column' ? quotedName(operand.name) : literalText(operand, false);
  const quotedName = (name: string) => (name.includes('"') ? `col('${name}')` : `col("${name}")`);
  switch (condition.kind) {
    case 'nullity':
      return `${quotedName(condition.column)}${condition.isNull ? '.isNull()' : '.notNull()'}`;
    case 'membership':
      return undefined;
    case 'comparison': {
      const [left, right] = [side(condition.left), side(condition.right)];
      return right === undefined ? undefined : `${left}${condition.operator} ${right}`;
    }
    default: {
      const parts = condition.conditions.map((each) =>
        inGreatExpectations(each, condition.kind === 'and' || each.kind === 'or'),
      );
      if (parts.includes(undefined)) return undefined;
      const text = parts.join(` ${condition.kind} `);
      return isInner ? `(${text})` : text;
    }
  }
}

function inPandas(condition: Condition, isInner = false): string {
  const name = (text: string) => (/^\w+$/.test(text) ? text : `\`${text}\``);
  const side = (operand: Operand) => (operand.kind === 'column' ? name(operand.name) : literalText(operand, true)!);
  switch (condition.kind) {
    case 'nullity':
      return `${name(condition.column)}.${condition.isNull ? 'isnull' : 'notnull'}()`;
    case 'membership':
      return `${side(condition.of)} ${condition.isNegated ? 'not in' : 'in'} [${condition.values.map(side).join(', ')}]`;
    case 'comparison':
      return `${side(condition.left)} ${condition.operator} ${side(condition.right)}`;
    default: {
      const inner = condition.conditions.map((each) => inPandas(each, condition.kind === 'and' || each.kind === 'or'));
      const text = inner.join(condition.kind === 'and' ? ' & ' : ' | ');
      return isInner ? `(${text})` : text;
    }
  }
}

function literalText(literal: Literal, hasEscapes: boolean): string | undefined {
  if (literal.kind === 'number') return literal.text;
  if (literal.kind === 'boolean') return literal.value ? 'True' : 'False';
  const { text } = literal;
  if (hasEscapes) return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  if (!text.includes('"')) return `"${text}"`;
  return text.includes("'") ? undefined : `'${text}'`;
}

/** As Great Expectations 1.x writes it. */
function asObject(condition: Condition): unknown {
  switch (condition.kind) {
    case 'nullity':
      return { type: 'nullity', column: { name: condition.column }, is_null: condition.isNull };
    case 'membership': {
      const { of, isNegated, values } = condition;
      const operator = isNegated ? 'NOT_IN' : 'IN';
      return {
        type: 'comparison',
        column: { name: (of as { name: string }).name },
        operator,
        parameter: values.map(parameterOf),
      };
    }
    case 'comparison': {
      const { left, operator, right } = condition;
      const start = { column: { name: (left as { name: string }).name }, operator };
      if (right.kind === 'column') return { type: 'column_comparison', ...start, other_column: { name: right.name } };
      return { type: 'comparison', ...start, parameter: parameterOf(right) };
    }
    default:
      return { type: condition.kind, conditions: condition.conditions.map(asObject) };
  }
}

function parameterOf(literal: Literal): unknown {
  if (literal.kind === 'boolean') return literal.value;
  if (literal.kind === 'string') return literal.text;
  const value = Number(literal.text);
  return Number.isSafeInteger(value) || !Number.isInteger(value) ? value : literal.text;
}

async function tableOf(t: Test, rows: readonly Row[]) {
  const database = await testDatabase(t);
  await database.query("SET timezone = 'Asia/Kolkata'");
  const columns = COLUMNS.map((name) => `${quote(name)} ${TYPES[name]}`).join(', ');
  await database.query(`CREATE TABLE sale (row integer, ${columns})`);
  const names = ['row', ...COLUMNS];
  for (const [at, row] of rows.entries()) {
    const values = [at, ...COLUMNS.map((name) => (typeof row[name] === 'bigint' ? `${row[name]}` : row[name]))];
    const places = names.map((_, each) => `$${each + 1}`).join(', ');
    await database.query(`INSERT INTO sale (${names.map(quote).join(', ')}) VALUES (${places})`, values);
  }
  return database;
}

t.test('Postgres selects the rows that a condition means, however it is written', async (t) => {
  const rows = fc.sample(rowArbitrary, { numRuns: 60, seed: 20 });
  const database = await tableOf(t, rows);
  let written = 0;
  const check = async (condition: Condition) => {
    const wanted = rows.flatMap((row, at) => (evaluate(condition, row) === true ? [at] : []));
    const text = inGreatExpectations(condition);
    const forms: [unknown, unknown][] = [
      [inPandas(condition), 'pandas'],
      [asObject(condition), undefined],
      ...(text === undefined ? [] : [[text, GE] as [unknown, unknown]]),
    ];
    const sqls = new Set(forms.map(([form, parser]) => sqlOf(form, parser)));
    written += forms.length;
    for (const sql of sqls) {
      const found = await database.query<{ row: number }>(`SELECT row FROM sale WHERE ${sql} ORDER BY row`);
      const same = JSON.stringify(found.map(({ row }) => row)) === JSON.stringify(wanted);
      if (!same) throw new Error(`${JSON.stringify(forms)}\n${sql}\nfound ${JSON.stringify(found)}, wanted ${wanted}`);
    }
  };
  await fc.assert(fc.asyncProperty(conditions, check), { numRuns: 1_000 });
  t.ok(written > 2_000, `${written} conditions`);
});

t.test('no text makes SQL that Postgres cannot run', async (t) => {
  const database = await tableOf(t, []);
  const pieces = [
    'col("',
    'col("n")',
    'n',
    's',
    '"',
    "'",
    '`',
    '\\',
    ' ',
    '==',
    '<',
    '5',
    '-',
    '.',
    '(',
    ')',
    'and',
    'or',
    '|',
    '[',
    ']',
    ',',
    'in',
    '.notNull()',
    '$1',
    ';',
    '--',
    '\0',
    "'; DROP TABLE sale; --",
  ];
  const texts = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 12 });
  let understood = 0;
  const check = async (parts: string[], parser: string) => {
    const read = parseCondition(parts.join(''), parser, PLAN);
    if ('reason' in read) return;
    understood++;
    await database.query(`SELECT row FROM sale WHERE ${read.sql}`);
  };
  const likely = fc.tuple(
    fc.constantFrom('n', 's', 'col("n")', 'col("s")'),
    fc.constantFrom('==', '<', '!='),
    fc.oneof(
      texts.map((parts) => JSON.stringify(parts.join(''))),
      fc.constantFrom('5', '"5"'),
    ),
  );
  const any = fc.oneof(
    texts,
    likely.map((parts) => [parts.join(' ')]),
  );
  await fc.assert(fc.asyncProperty(any, fc.constantFrom(GE, 'pandas'), check), { numRuns: 2_000 });
  t.ok(understood > 50, `${understood} understood`);
});
