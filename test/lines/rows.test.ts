// Our own encoders against a real Postgres: what we write is what Postgres reads from text, and what we refuse Postgres
// refuses.
import { finished } from 'node:stream/promises';
import { Ajv } from 'ajv';
import addFormats, { type FormatName } from 'ajv-formats';
import fc from 'fast-check';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import t, { type Test } from 'tap';
import { parseExactly } from '../../src/lines/exact.ts';
import { RowBuffer, UNSTORABLE, WRITTEN } from '../../src/lines/rows.ts';
import { testDatabase } from '../helpers/postgres.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 3_000);

type Method = 'bigint' | 'double' | 'timestamptz' | 'date' | 'uuid' | 'text' | 'jsonb';

const SQL_TYPES: Record<Method, string> = {
  bigint: 'bigint',
  double: 'double precision',
  timestamptz: 'timestamptz',
  date: 'date',
  uuid: 'uuid',
  text: 'text',
  jsonb: 'jsonb',
};

/** A connection, and a function there that says how Postgres reads a text as a type. */
async function connect(t: Test): Promise<pg.Client> {
  const { url } = await testDatabase(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  await client.query(`
    SET timezone = 'UTC';
    CREATE FUNCTION try_read(input text, kind regtype) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE result text;
    BEGIN
      EXECUTE format('SELECT $1::%s::text', kind) INTO result USING input;
      RETURN result;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN RETURN NULL;
    END $$;`);
  return client;
}

/** How Postgres reads each text; null where it refuses. */
async function asPostgresReads(client: pg.Client, method: Method, texts: string[]): Promise<(string | null)[]> {
  const { rows } = await client.query(
    'SELECT try_read(input, $2::regtype) AS read FROM unnest($1::text[]) WITH ORDINALITY AS u (input, n) ORDER BY n',
    [texts, SQL_TYPES[method]],
  );
  return rows.map(({ read }) => read);
}

/** How our rows come out of Postgres; null where we refuse. `text` is what Postgres would be given. */
async function asWeWrite(client: pg.Client, method: Method, values: unknown[]): Promise<(string | null)[]> {
  const rows = new RowBuffer();
  rows.escapes = true;
  const stored = values.map((value) => {
    rows.begin(1);
    if (rows[method](value) !== WRITTEN) {
      rows.rollback();
      return false;
    }
    rows.end();
    return true;
  });
  await client.query(`DROP TABLE IF EXISTS written; CREATE TABLE written (n serial, v ${SQL_TYPES[method]})`);
  const stream = client.query(copyFrom('COPY written (v) FROM STDIN (FORMAT binary)'));
  stream.end(rows.copyData());
  await finished(stream);
  const { rows: read } = await client.query('SELECT v::text AS v FROM written ORDER BY n');
  let next = 0;
  return stored.map((isStored) => (isStored ? read[next++].v : null));
}

async function compare(t: Test, client: pg.Client, method: Method, values: unknown[], texts: string[]): Promise<void> {
  const [ours, theirs] = [await asWeWrite(client, method, values), await asPostgresReads(client, method, texts)];
  const different = texts.flatMap((text, index) =>
    ours[index] === theirs[index] ? [] : [{ text: text.slice(0, 200), ours: ours[index], theirs: theirs[index] }],
  );
  t.strictSame(different.slice(0, 5), [], `${texts.length} values of ${method}, ${different.length} different`);
}

function valid(format: FormatName, texts: string[]): string[] {
  const ajv = new Ajv();
  addFormats.default(ajv, { mode: 'full', formats: [format] });
  const validate = ajv.compile({ type: 'string', format });
  return texts.filter((text) => validate(text));
}

const DATE_TIMES = [
  ...['2021-01-01T00:00:00Z', '2021-01-01t00:00:00z', '2021-01-01 00:00:00Z', '0000-01-01T00:00:00Z'],
  ...['\n', '\t', '\v', '\f', '\r', '\u00a0', '\u3000', '\ufeff', '\u2028'].map((s) => `2021-01-01${s}00:00:00Z`),
  ...['0001-01-01T00:00:00+15:59', '9999-12-31T23:59:59.9999999Z', '9999-12-31T23:59:59-15:00', '0000-02-29T00:00:00Z'],
  ...['2016-12-31T23:59:60Z', '2016-12-31T23:59:60.5Z', '2016-12-31T15:59:60-08:00', '2016-12-31T24:59:60+01:00'],
  ...[
    '2016-12-31T15:59:60.123-08:00',
    '2016-12-31T23:59:60.0000001Z',
    '2021-06-15T23:59:60Z',
    '2016-12-31T23:59:60.0Z',
  ],
  ...['+15:59', '+16:00', '-16:00', '+23:59', '+05', '+0530', '-00:00', '-15:59'].map((z) => `2021-01-01T10:00:00${z}`),
  ...['5', '05', '0000005', '0000015', '1234565', '999999', '9999999', '1'.repeat(100), '1'.repeat(110)].map(
    (digits) => `2021-01-01T00:00:00.${digits}Z`,
  ),
  ...[126, 127, 128, 129, 130, 131].flatMap((n) => [
    `2021-01-01T00:00:00.${'0'.repeat(n)}Z`,
    `2021-01-01 00:00:00.${'1'.repeat(n)}Z`,
    `2021-01-01T00:00:00.${'1'.repeat(n - 5)}+05:30`,
    `2021-01-01T00:00:00.${'1'.repeat(n - 4)}+0530`,
  ]),
  `2021-01-01T00:00:00.${'1'.repeat(5_000)}Z`,
];

const two = (max: number) => fc.nat(max).map((n) => String(n).padStart(2, '0'));
const year = fc.oneof(
  fc.constantFrom('0000', '0001', '1582', '1900', '2000', '9999'),
  fc.nat(9999).map((n) => String(n).padStart(4, '0')),
);
const dateText = fc.tuple(year, two(13), two(32)).map((parts) => parts.join('-'));
const timeText = fc.tuple(two(24), two(60), two(61)).map((parts) => parts.join(':'));
const leapText = fc.constantFrom('23:59:60', '15:59:60', '24:59:60', '22:29:60');
const fraction = fc.oneof(
  fc.constant(''),
  fc.stringMatching(/^\.[0-9]{1,9}$/),
  fc.stringMatching(/^\.[0-9]{100,135}$/),
);
const zone = fc.oneof(
  fc.constantFrom('Z', 'z', '+01:00', '-08:00', '+01:30'),
  fc.tuple(fc.constantFrom('+', '-'), two(24), fc.constantFrom(':', ''), two(60)).map((parts) => parts.join('')),
  fc.tuple(fc.constantFrom('+', '-'), two(24)).map((parts) => parts.join('')),
);
const separator = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('T', 't', ' ') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\t', '\u00a0') },
);
const dateTimeText = fc
  .tuple(dateText, separator, fc.oneof(timeText, leapText), fraction, zone)
  .map((parts) => parts.join(''));

t.test('a date-time that ajv accepts is stored as Postgres reads it, or refused as Postgres refuses it', async (t) => {
  const client = await connect(t);
  const listed = valid('date-time', DATE_TIMES);
  t.ok(listed.length > 60, 'most of the listed values are valid');
  await compare(t, client, 'timestamptz', listed, listed);
  const random = valid('date-time', fc.sample(dateTimeText, RUNS * 4));
  t.ok(random.length > RUNS, `${random.length} random values are valid`);
  await compare(t, client, 'timestamptz', random, random);
});

t.test('a date that ajv accepts is stored as Postgres reads it, or refused as Postgres refuses it', async (t) => {
  const client = await connect(t);
  const listed = ['0000-01-01', '0000-02-29', '0001-01-01', '9999-12-31', '1900-02-28', '2000-02-29', '2024-02-29'];
  const dates = valid('date', [...listed, ...fc.sample(dateText, RUNS)]);
  await compare(t, client, 'date', dates, dates);
});

t.test('a uuid that ajv accepts is stored as Postgres reads it, or refused as Postgres refuses it', async (t) => {
  const client = await connect(t);
  const listed = ['urn:uuid:123e4567-e89b-12d3-a456-426614174000', 'URN:UUID:123e4567-e89b-12d3-a456-426614174000'];
  const uuids = valid('uuid', [...listed, '123E4567-E89B-12D3-A456-426614174000', ...fc.sample(fc.uuid(), 500)]);
  await compare(t, client, 'uuid', uuids, uuids);
});

t.test('whole numbers are stored to the last digit, or refused', async (t) => {
  const client = await connect(t);
  const listed = [
    ...['0', '-0', '1.0', '1e3', '1E2', '9007199254740993', '9223372036854775807', '9223372036854775808'],
    ...['-9223372036854775808', '-9223372036854775809', '1e18', '1e19', '1e20', '90071992547409e3', '9007199254740992'],
    ...['123456789012345678901234567890', '2147483648', '32768', '123456789012345e4', '1000000000000000000000'],
  ];
  const texts = [...listed, ...fc.sample(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), RUNS).map(String)];
  const plain = texts.map((text) => exactDigits(text));
  await compare(t, client, 'bigint', texts.map(parseExactly), plain);
  const safe = fc.sample(fc.maxSafeInteger(), RUNS);
  await compare(t, client, 'bigint', safe, safe.map(String));
});

/** The digits of a whole number written with an exponent or a point, for Postgres's bigint, which takes neither. */
function exactDigits(text: string): string {
  const [, sign = '', whole = '', power = '0'] = /^(-?)(\d+)(?:\.0+)?(?:[eE](\d+))?$/.exec(text) ?? [];
  return `${sign}${whole}${'0'.repeat(Number(power))}`;
}

t.test('a number is stored as the double that prints as it, or refused', async (t) => {
  const rows = new RowBuffer();
  const outcome = (text: string) => {
    rows.begin(1);
    const result = rows.double(parseExactly(text));
    rows.rollback();
    return result;
  };
  for (const text of ['0.1', '-0.0', '1e308', '5e-324', '0.30000000000000004', '1e23', '9007199254740992', '1.10']) {
    t.equal(outcome(text), WRITTEN, `${text} is stored`);
  }
  for (const text of [
    '9007199254740993',
    '0.1000000000000000055',
    '1e400',
    '-1e400',
    '1e-400',
    '1.0000000000000000001',
  ]) {
    t.equal(outcome(text), UNSTORABLE, `${text} is refused`);
  }
  const client = await connect(t);
  const doubles = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), RUNS);
  await compare(
    t,
    client,
    'double',
    doubles,
    doubles.map((value) => (Object.is(value, -0) ? '-0' : String(value))),
  );
});

t.test('text and jsonb are stored as sent, or refused where Postgres refuses', async (t) => {
  const client = await connect(t);
  const texts = [
    '',
    '\\.',
    '\\N',
    'tab\t',
    'a\u0001',
    '\ufffe',
    '😀',
    'é',
    'e\u0301',
    'x'.repeat(5_000),
    'ä'.repeat(40),
  ];
  await compare(t, client, 'text', texts, texts);
  const refused = await asWeWrite(client, 'text', ['a\0b', '\ud800', '\udc00\ud800']);
  t.strictSame(refused, [null, null, null]);
  const documents = [
    ...[
      '{"a":"x\\u0000y"}',
      '{"a\\u0000":1}',
      '{"a":"\\ud800"}',
      '{"a":"\\udc00\\ud800"}',
      '{"a":1e400}',
      '{"\\ud800":1}',
    ],
    ...['{"a":1e131071}', '{"a":1e131072}', '{"a":1e-16383}', '{"a":1e-16384}', '{"a":[1.5,9007199254740993,0.1]}'],
    ...[
      '[12345678901234567890.123456789, "12345678901234567890"]',
      '{"a":"exact:1"}',
      '{"__proto__":{"x":1e30}}',
      '[]',
    ],
  ];
  const random = fc.sample(fc.json(), 500);
  const all = [...documents, ...random];
  await compare(t, client, 'jsonb', all.map(parseExactly), all);
});
