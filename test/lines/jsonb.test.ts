// Our jsonb text against a real Postgres: byte for byte what it prints, or refused where it refuses.
import fc from 'fast-check';
import pg from 'pg';
import t, { type Test } from 'tap';
import { ExactNumber, parseExactly } from '../../src/lines/exact.ts';
import { JsonbText } from '../../src/lines/jsonb.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { jsonText, numberText } from './json-texts.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 10_000);
const STEP = 2_000;

async function connect(t: Test): Promise<pg.Client> {
  const { url } = await testDatabase(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  await client.query(`
    CREATE FUNCTION try_print(input text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
      RETURN input::jsonb::text;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN NULL;
    END $$;`);
  return client;
}

/** A value as JSON in the simplest way: members in their own order, exact numbers by their literals. */
function plainJson(value: unknown): string {
  if (value instanceof ExactNumber) return value.text;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(plainJson).join(',')}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}:${plainJson(member)}`)
    .join(',')}}`;
}

const json = new JsonbText();

/** Our text of a value, or null where we refuse it. */
function printed(value: unknown): string | null {
  return json.write(value, true) === undefined ? json.bytes.toString('utf8', 0, json.length) : null;
}

async function compare(t: Test, client: pg.Client, values: unknown[]): Promise<void> {
  const different: object[] = [];
  for (let start = 0; start < values.length; start += STEP) {
    const some = values.slice(start, start + STEP);
    const { rows } = await client.query(
      'SELECT try_print(input) AS theirs FROM unnest($1::text[]) WITH ORDINALITY AS u (input, n) ORDER BY n',
      [some.map(plainJson)],
    );
    for (const [index, value] of some.entries()) {
      const ours = printed(value);
      const { theirs } = rows[index];
      if (ours !== theirs) different.push({ value: plainJson(value).slice(0, 300), ours, theirs });
    }
  }
  t.strictSame(different.slice(0, 5), [], `${values.length} values, ${different.length} different`);
}

t.test('any JSON value is written as Postgres prints it', async (t) => {
  const client = await connect(t);
  const texts = fc.sample(jsonText, RUNS);
  const sizes = texts.map((text) => text.length);
  t.ok(Math.max(...sizes) > 500 && sizes.filter((size) => size > 30).length > RUNS / 10, 'values are not all small');
  await compare(t, client, texts.map(parseExactly));
  const safe = texts.filter((text) => plainJson(parseExactly(text)) === JSON.stringify(JSON.parse(text)));
  t.ok(safe.length > RUNS / 4, `${safe.length} values need no exact numbers`);
  await compare(
    t,
    client,
    safe.map((text) => JSON.parse(text)),
  );
});

t.test('any number literal is written as Postgres prints it', async (t) => {
  const client = await connect(t);
  const texts = fc.sample(numberText, RUNS);
  await compare(t, client, texts.map(parseExactly));
  // Whether a double would hold it must not matter.
  await compare(
    t,
    client,
    texts.map((text) => new ExactNumber(text)),
  );
});

t.test('numbers at the limits of numeric are written or refused as by Postgres', async (t) => {
  const client = await connect(t);
  const literals = [
    ...[
      '1e131071',
      '1e131072',
      '-9.99e131071',
      '10e131071',
      '0.01e131073',
      '0.01e131074',
      '1e999999999',
      '1e99999999999999',
    ],
    ...[
      '1e-16383',
      '1e-16384',
      '10e-16384',
      '1.0e-16382',
      '1.00e-16382',
      '0e-16383',
      '0e-16384',
      '0e131072',
      '0e999999',
    ],
    ...[`1${'0'.repeat(131_071)}`, `1${'0'.repeat(131_072)}`, `9007199254740993.${'0'.repeat(16_383)}`],
    ...[`9007199254740993.${'0'.repeat(16_384)}`, `0.${'1'.repeat(16_383)}`, `0.${'1'.repeat(16_384)}`],
    ...[
      `1.${'5'.repeat(20_000)}e5000`,
      `1.${'5'.repeat(20_000)}e3616`,
      `${'7'.repeat(131_073)}e-1`,
      `${'7'.repeat(131_073)}e-20000`,
    ],
  ];
  const numbers = literals.map((text) => new ExactNumber(text));
  t.ok(numbers.some((number) => printed(number) === null) && numbers.some((number) => printed(number) !== null));
  await compare(t, client, numbers);
  await compare(
    t,
    client,
    numbers.map((number) => ({ a: [1, number, 2] })),
  );
});

t.test('keys are in the order of jsonb, few or many, whatever their characters', async (t) => {
  const client = await connect(t);
  const units = ['a', 'b', 'é', 'ß', '€', '\ue000', '\uffff', '😀', '\u{10000}'];
  const key = fc.string({ unit: fc.constantFrom(...units), maxLength: 4 });
  const keys = fc.oneof(
    fc.uniqueArray(key, { maxLength: 12 }),
    fc.uniqueArray(key, { minLength: 17, maxLength: 60 }),
    fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 }), { minLength: 1, maxLength: 40 }),
  );
  const objects = fc
    .sample(keys, RUNS / 4)
    .map((names) => Object.fromEntries(names.map((name, index) => [name, index])));
  await compare(t, client, objects);
});

t.test('what is no number is refused and not changed', async (t) => {
  for (const value of [Number.POSITIVE_INFINITY, [Number.NEGATIVE_INFINITY], { a: Number.NaN }])
    t.equal(printed(value), null);
});

t.test('U+0000 and halves of surrogate pairs are refused, in values and in keys', async (t) => {
  for (const text of [
    '"\\u0000"',
    '"\\ud800"',
    '["\\udc00\\ud800"]',
    '{"a\\u0000":1}',
    '{"\\ud800":1}',
    '{"a":["x\\u0000"]}',
  ]) {
    t.equal(printed(JSON.parse(text)), null, text);
  }
  t.equal(json.write('\0', true), 'Postgres text cannot hold U+0000');
});

t.test(
  'a value whose numbers take more than 16 MiB when they are written out is refused before that is done',
  async (t) => {
    const number = new ExactNumber('1e131071');
    const fits = Array.from({ length: 128 }, () => number);
    t.equal(printed(fits)?.length, 128 * 131_072 + 127 * 2 + 2);
    const tooLong = Array.from({ length: 100_000 }, () => number);
    t.match(json.write(tooLong, false), /more than 16 MiB/);
    t.ok(json.bytes.length < 64 * 1024 * 1024, 'the numbers behind the limit are not written');
    t.match(
      json.write(
        Array.from({ length: 100_000 }, () => 5e-324),
        false,
      ),
      /more than 16 MiB/,
    );
    t.equal(printed({ a: 1 }), '{"a": 1}', 'the next value is written as ever');
    t.ok(json.bytes.length <= 1024 * 1024, 'and memory is given back');
  },
);

t.test('a long value of small numbers and text is not refused for its length', async (t) => {
  const value = { text: 'ä'.repeat(12 * 1024 * 1024), numbers: Array.from({ length: 100_000 }, (_, index) => index) };
  t.ok(printed(value)!.length > 12 * 1024 * 1024);
  t.strictSame(JSON.parse(printed(value)!), value);
});
