// Whole rows through a real Postgres: COPY in, COPY out, and every row has the bytes that were sent.
import { finished } from 'node:stream/promises';
import fc from 'fast-check';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import t, { type Test } from 'tap';
import { CopiedRows, int4Field } from '../../src/lines/copied.ts';
import { compileEncoder, NEEDS_EXACT, stageColumns } from '../../src/lines/encode.ts';
import { parseExactly } from '../../src/lines/exact.ts';
import { fingerprint } from '../../src/lines/fingerprint.ts';
import { RowBuffer } from '../../src/lines/rows.ts';
import type { Column, ColumnType, TablePlan } from '../../src/model.ts';
import type { ObjectShape, Slot } from '../../src/schema/shape.ts';
import { quote } from '../../src/sql.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { jsonText, numberText, storableText } from './json-texts.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 3_000);

const TYPES: ColumnType[] = ['bigint', 'double precision', 'boolean', 'text', 'timestamptz', 'date', 'uuid', 'jsonb'];

/** Each type twice: at the top as `bigint`, and inside an object as `in.bigint`. */
const columns: Column[] = [[], ['in']].flatMap((around) =>
  TYPES.map((type) => ({
    name: [...around, type].join('.'),
    path: [...around, type],
    type,
    notNull: false,
    id: false,
  })),
);
const plan: TablePlan = { table: 'round', columns, extra: true };
const slots = (from: number): [string, Slot][] =>
  TYPES.map((type, index) => [type, { kind: 'column', index: from + index, nullable: true }]);
const inner: ObjectShape = { properties: new Map(slots(TYPES.length)), required: new Set() };
const shape: ObjectShape = {
  properties: new Map([...slots(0), ['in', { kind: 'object', shape: inner, nullable: true }]]),
  required: new Set(),
};

const two = (min: number, max: number) => fc.integer({ min, max }).map((n) => String(n).padStart(2, '0'));
const year = fc.oneof(
  fc.constantFrom('0001', '1582', '9999'),
  fc.integer({ min: 1, max: 9999 }).map((n) => String(n).padStart(4, '0')),
);
const date = fc.tuple(year, two(1, 12), two(1, 31)).map((parts) => parts.join('-'));
const time = fc.tuple(two(0, 23), two(0, 59), two(0, 60)).map((parts) => parts.join(':'));
const timestamp = fc
  .tuple(
    date,
    fc.constantFrom('T', ' ', 't'),
    time,
    fc.constantFrom('', '.5', '.123456', '.9999999'),
    fc.constantFrom('Z', '+05:30', '-15:59'),
  )
  .map((parts) => parts.join(''));
const quoted = (texts: fc.Arbitrary<string>) => texts.map((text) => JSON.stringify(text));
const FITTING: Record<ColumnType, fc.Arbitrary<string>> = {
  bigint: fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    fc.constantFrom('-0', '1e3', '9223372036854775807'),
  ),
  'double precision': numberText,
  boolean: fc.constantFrom('true', 'false'),
  text: quoted(storableText),
  timestamptz: quoted(timestamp),
  date: quoted(date),
  uuid: quoted(
    fc.oneof(
      fc.uuid(),
      fc.uuid().map((text) => text.toUpperCase()),
    ),
  ),
  jsonb: jsonText,
};

/** Members of the given names; the rest, and what does not fit, is for `_extra`. */
function eventText(nested: fc.Arbitrary<string> | undefined): fc.Arbitrary<string> {
  const named = TYPES.map((type) => {
    const value = fc.oneof({ weight: 6, arbitrary: FITTING[type] }, { weight: 1, arbitrary: jsonText });
    return fc.option(value, { freq: 4 }).map((text) => (text === null ? [] : [`${JSON.stringify(type)}:${text}`]));
  });
  const inside = fc.option(nested ?? jsonText).map((text) => (text === null ? [] : [`"in":${text}`]));
  const free = fc.array(fc.tuple(quoted(storableText), jsonText), { maxLength: 3 });
  const others = free.map((members) => members.map(([key, value]) => `${key}:${value}`));
  return fc.tuple(...named, inside, others).map((members) => `{${members.flat().join(',')}}`);
}

/** Encodes what can be stored; returns the rows and their events. */
function encoded(texts: readonly string[]): { rows: RowBuffer; events: string[] } {
  const encode = compileEncoder(plan, shape, '1.0.0');
  const rows = new RowBuffer();
  rows.escapes = true;
  const events: string[] = [];
  for (const text of texts) {
    const line = events.length + 1;
    let fault = encode(parseExactly(text) as object, rows, line);
    if (fault === NEEDS_EXACT) fault = encode(parseExactly(text) as object, rows, line);
    if (fault === undefined) events.push(text);
  }
  return { rows, events };
}

/** Row bytes of a stream of binary COPY, each with its `_line`. */
async function rowsOf(
  pieces: AsyncIterable<Buffer> | Buffer[],
): Promise<{ line: number | null; bytes: string; print: string }[]> {
  const fields = stageColumns(plan).length;
  const copied = new CopiedRows(fields);
  const rows = [];
  const print = Buffer.alloc(8);
  for await (const piece of pieces) {
    const { view, count, starts, ends } = copied.push(piece);
    for (let row = 0; row < count; row++) {
      const start = starts[row]!;
      const end = ends[row]!;
      fingerprint(view, start, end, print, 0);
      const bytes = Buffer.from(view.buffer, view.byteOffset + start, end - start).toString('latin1');
      rows.push({ line: int4Field(view, start, fields - 2), bytes, print: print.toString('hex') });
    }
  }
  copied.end();
  return rows;
}

async function createTable(t: Test): Promise<pg.Client> {
  const { url } = await testDatabase(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  const defined = columns.map(({ name, type }) => `${quote(name)} ${type}`).join(', ');
  await client.query(`CREATE TABLE round (${defined}, _extra jsonb, _line int, _schema_version text)`);
  return client;
}

t.test('a row read back by binary COPY has the bytes and the fingerprint of the row that was sent', async (t) => {
  const client = await createTable(t);
  const names = stageColumns(plan).map(quote).join(', ');
  const { rows, events } = encoded(fc.sample(eventText(eventText(undefined)), RUNS));
  t.ok(rows.rows > RUNS / 4, `${rows.rows} of ${RUNS} events can be stored`);
  const sent = await rowsOf([Buffer.from(rows.copyData())]);
  t.equal(sent.length, rows.rows);
  t.equal(sent.map(({ print }) => print).join(''), rows.fingerprints().toString('hex'));

  const into = client.query(copyFrom(`COPY round (${names}) FROM STDIN (FORMAT binary)`));
  into.end(rows.copyData());
  await finished(into);
  const read = await rowsOf(
    client.query(copyTo(`COPY (SELECT ${names} FROM round ORDER BY _line) TO STDOUT (FORMAT binary)`)),
  );
  t.equal(read.length, sent.length);
  const different = read.flatMap(({ line, bytes, print }, index) => {
    const same = line === index + 1 && bytes === sent[index]!.bytes && print === sent[index]!.print;
    return same ? [] : [{ event: events[index]!.slice(0, 500), line, sent: sent[index]!.bytes, read: bytes }];
  });
  t.strictSame(different.slice(0, 3), [], `${read.length} rows, ${different.length} different`);
  const [filled] = (
    await client.query(
      `SELECT ${columns.map(({ name }) => `count(${quote(name)})`).join(' + ')} AS n, count(_extra) AS extra FROM round`,
    )
  ).rows;
  t.ok(Number(filled.n) > read.length * 4 && Number(filled.extra) > read.length / 2, 'columns and _extra are used');
});

t.test('an altered value has another fingerprint, and so has one that only moved to another column', async (t) => {
  const texts = ['{"text":"a","in":{"text":"b"}}', '{"text":"b","in":{"text":"a"}}', '{"text":"a","jsonb":{"a":1.0}}'];
  texts.push('{"text":"a"}', '{"in":{"text":"a"}}', '{"text":"a","boolean":null}', '{"text":"a","jsonb":{"a":2}}');
  const { rows } = encoded(texts);
  const prints = (await rowsOf([rows.copyData()])).map(({ print }) => print);
  t.equal(new Set(prints).size, texts.length);
});

t.test('what keeps _extra from being stored is named by its place in the event', async (t) => {
  const encode = compileEncoder(plan, shape, '1.0.0');
  const rows = new RowBuffer();
  rows.escapes = true;
  const fault = (text: string) => encode(parseExactly(text) as object, rows, 1);
  const long = `[${Array.from({ length: 80 }, () => '1e131071').join(',')}]`;
  t.match(fault('{"x":1e-16384}'), { path: '/x', keyword: 'storable', message: /digits/ });
  t.match(fault('{"a":1,"in":{"y/z":{"deep":"\\u0000"}}}'), { path: '/in/y~1z', message: /U\+0000/ });
  t.match(fault('{"in":{"text":5,"a":["\\ud800"]}}'), { path: '/in/a', message: /surrogate/ });
  t.match(fault('{"in":{"\\u0000":5}}'), { path: '/in/\0', message: /U\+0000/ });
  t.match(fault(`{"a":${long},"b":${long}}`), { path: '', message: /16 MiB/ });
  t.match(fault(`{"a":1,"b":[${long},${long}]}`), { path: '/b', message: /16 MiB/ });
  t.equal(rows.rows, 0, 'nothing is written');
  t.equal(fault('{"__proto__":{"x":1},"in":{"__proto__":2}}'), undefined);
  t.match(rows.copyData().toString('latin1'), '{"in": {"__proto__": 2}, "__proto__": {"x": 1}}');
});
