// Appendix A of the catalogue: every probe in every column that it can be put into. Where it is accepted, what is stored
// is what a real Postgres makes of the same text; where Postgres refuses, the line says so and nothing else is lost.
import { hostile } from './arena.ts';
import { alone, betweenNeighbours, type LineCase, lineCase } from './lines.ts';
import { postgresSays } from './oracle.ts';
import { THINGS, thing } from './thing.ts';

/** `format`: the schema refuses it; `unstorable`: Postgres would; `stored`: neither, and it is stored as Postgres has it. */
type Fate = 'stored' | 'format' | 'unstorable';

const ones = (count: number): string => '1'.repeat(count);

const MOMENTS: [text: string, fate: Fate][] = [
  ['2021-01-01T00:00:00Z', 'stored'],
  ['2021-01-01t00:00:00z', 'stored'],
  ['2021-01-01 00:00:00Z', 'stored'],
  ['2021-01-01\n00:00:00Z', 'stored'],
  ['2021-01-01\t00:00:00Z', 'stored'],
  ['2021-01-01\v00:00:00Z', 'stored'],
  ['2021-01-01\u00a000:00:00Z', 'unstorable'],
  ['2021-01-01\u200900:00:00Z', 'unstorable'],
  ['2021-01-01\u202800:00:00Z', 'unstorable'],
  ['2021-01-01\u300000:00:00Z', 'unstorable'],
  ['2021-01-01\ufeff00:00:00Z', 'unstorable'],
  ['2021-01-01_00:00:00Z', 'format'],
  ['2021-01-01T00:00:00', 'format'],
  ['2021-01-01', 'format'],
  ['2021-1-1T00:00:00Z', 'format'],
  ['2021-01-01T24:00:00Z', 'format'],
  ['2021-02-29T00:00:00Z', 'format'],
  ['2021-00-01T00:00:00Z', 'format'],
  ['2021-13-01T00:00:00Z', 'format'],
  ['2021-01-01T00:60:00Z', 'format'],
  ['2021-01-01T00:00:61Z', 'format'],
  ['infinity', 'format'],
  ['-infinity', 'format'],
  ['now', 'format'],
  ['epoch', 'format'],
  ['', 'format'],
  ['12021-01-01T00:00:00Z', 'format'],
  ['0000-01-01T00:00:00Z', 'unstorable'],
  ['0000-02-29T00:00:00Z', 'unstorable'],
  ['0001-01-01T00:00:00Z', 'stored'],
  ['0001-01-01T00:00:00+15:59', 'stored'],
  ['9999-12-31T23:59:59.9999999Z', 'stored'],
  ['9999-12-31T23:59:59-15:00', 'stored'],
  ['2016-12-31T23:59:60Z', 'stored'],
  ['2021-06-15T23:59:60Z', 'stored'],
  ['2016-12-31T23:59:60.0Z', 'stored'],
  ['2016-12-31T23:59:60.5Z', 'unstorable'],
  ['2016-12-31T15:59:60-08:00', 'stored'],
  ['2016-12-31T15:59:60.123-08:00', 'stored'],
  ['2016-12-31T24:59:60+01:00', 'unstorable'],
  ['2021-01-01T00:00:00+15:59', 'stored'],
  ['2021-01-01T00:00:00-15:59', 'stored'],
  ['2021-01-01T00:00:00+16:00', 'unstorable'],
  ['2021-01-01T00:00:00-16:00', 'unstorable'],
  ['2021-01-01T00:00:00+23:59', 'unstorable'],
  ['2021-01-01T00:00:00+24:00', 'format'],
  ['2021-01-01T00:00:00+10:60', 'format'],
  ['2021-01-01T00:00:00+05', 'stored'],
  ['2021-01-01T00:00:00+0530', 'stored'],
  ['2021-01-01T00:00:00-00:00', 'stored'],
  ['2021-01-01T00:00:00.1234567Z', 'stored'],
  ['2021-01-01T00:00:00.0000005Z', 'stored'],
  ['2021-01-01T00:00:00.0000015Z', 'stored'],
  ['2021-01-01T00:00:00.9999995Z', 'stored'],
  ['2021-12-31T23:59:59.9999999Z', 'stored'],
  [`2021-01-01T00:00:00.${ones(100)}Z`, 'stored'],
  [`2021-01-01T00:00:00.${ones(110)}Z`, 'stored'],
  [`2021-01-01T00:00:00.${'0'.repeat(130)}Z`, 'unstorable'],
  [`2021-01-01T00:00:00.${ones(5_000)}Z`, 'unstorable'],
  ['2021-01-01T00:00:00.Z', 'format'],
  ['2021-01-01T00:00:00,5Z', 'format'],
  ['2021-01-01T00:00:00Z ', 'format'],
  [' 2021-01-01T00:00:00Z', 'format'],
  ['2021-01-01T00:00:00Zz', 'format'],
  ['２０２１-01-01T00:00:00Z', 'format'],
];

const DAYS: [text: string, fate: Fate][] = [
  ['0000-01-01', 'unstorable'],
  ['0000-02-29', 'unstorable'],
  ['0001-01-01', 'stored'],
  ['9999-12-31', 'stored'],
  ['2000-02-29', 'stored'],
  ['2024-02-29', 'stored'],
  ['1900-02-29', 'format'],
  ['2021-02-29', 'format'],
  ['2021-02-31', 'format'],
  ['2021-04-31', 'format'],
  ['2021-19-39', 'format'],
  ['2021-00-00', 'format'],
  ['2021-1-1', 'format'],
  ['21-01-01', 'format'],
  ['20210101', 'format'],
  ['10000-01-01', 'format'],
  ['-0001-01-01', 'format'],
  ['2021-01-01T00:00:00Z', 'format'],
  ['2021-01-01 ', 'format'],
  ['infinity', 'format'],
  ['today', 'format'],
  ['', 'format'],
];

const UUIDS: [text: string, fate: Fate][] = [
  ['123e4567-e89b-12d3-a456-426614174000', 'stored'],
  ['123E4567-E89B-12D3-A456-426614174000', 'stored'],
  ['00000000-0000-0000-0000-000000000000', 'stored'],
  ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'stored'],
  ['urn:uuid:123e4567-e89b-12d3-a456-426614174000', 'unstorable'],
  ['URN:UUID:123E4567-E89B-12D3-A456-426614174000', 'unstorable'],
  ['{123e4567-e89b-12d3-a456-426614174000}', 'format'],
  ['123e4567e89b12d3a456426614174000', 'format'],
  ['123e4567-e89b-12d3-a456-42661417400', 'format'],
  ['123e4567-e89b-12d3-a456-42661417400g', 'format'],
  ['', 'format'],
];

/** There is no column of type time: the text is stored as it is, where the format lets it pass. */
const CLOCKS: [text: string, fate: Fate][] = [
  ['23:59:60Z', 'stored'],
  ['23:59:60.5Z', 'stored'],
  ['23:29:60+23:30', 'stored'],
  ['00:29:60-23:30', 'stored'],
  ['10:00:00+16:00', 'stored'],
  ['23:59:59.9999999Z', 'stored'],
  [`10:00:00.${ones(120)}Z`, 'stored'],
  ['10:00:00', 'format'],
  ['24:00:00Z', 'format'],
  ['25:00:00Z', 'format'],
  ['22:59:60Z', 'format'],
];

/** Nor is there one of type interval. */
const SPANS: [text: string, fate: Fate][] = [
  ['P178000000Y', 'stored'],
  ['P178956971Y', 'stored'],
  ['P2147483647D', 'stored'],
  ['P2147483648D', 'stored'],
  ['PT99999999999H', 'stored'],
  [`P${'9'.repeat(400)}D`, 'stored'],
  ['P', 'format'],
  ['PT', 'format'],
  ['P1M1Y', 'format'],
  ['1 day', 'format'],
];

/** JSON texts, for a text column: what COPY, SQL or a terminal might take for something else. */
const TEXTS: [json: string, fate: Fate][] = [
  ['"a\\u0000b"', 'unstorable'],
  ['"\\\\."', 'stored'],
  ['"\\\\N"', 'stored'],
  ['"\\\\"', 'stored'],
  ['"\\\\x00"', 'stored'],
  ['"a\\tb"', 'stored'],
  ['"a\\nb\\rc"', 'stored'],
  ['"\\n\\\\.\\n"', 'stored'],
  ['"\\"quoted\\""', 'stored'],
  ['"it\'s"', 'stored'],
  ['"\'; drop table events.thing; --"', 'stored'],
  ['"$1 $$ %s {0}"', 'stored'],
  ['"NULL"', 'stored'],
  ['"\ufeffmark first"', 'stored'],
  ['""', 'stored'],
  ['" "', 'stored'],
  ['"=cmd|calc"', 'stored'],
  ['"<script>alert(1)</script>"', 'stored'],
  ['"\\u001b[31mred"', 'stored'],
];

/** JSON documents, each as a declared list and as an undeclared member. */
const DOCUMENTS: [json: string, verdict: string | null, keyword?: string][] = [
  ['{"a":"x\\u0000y"}', 'unstorable_value', 'storable'],
  ['{"a\\u0000":1}', 'unstorable_value', 'storable'],
  ['{"a":"\\ud800"}', 'unstorable_value', 'storable'],
  ['{"a":"\\udc00\\ud800"}', 'unstorable_value', 'storable'],
  ['{"a":1,"a":2}', 'duplicate_key', 'uniqueKeys'],
  ['{"a":1e400}', null],
  ['{"a":1e131071}', null],
  ['{"a":1e131072}', 'unstorable_value', 'storable'],
  ['{"a":1e-16383}', null],
  ['{"a":1e-16384}', 'unstorable_value', 'storable'],
  ['{"a":12345678901234567890.12345678901234567890}', null],
  ['{"b":1,"a":2,"aa":3,"":4}', null],
  ['{"a":[true,false,null,"x",{}]}', null],
  ['{"a":"\\u00e9\\/\\b\\u007f"}', null],
];

/** A text that can stand in a test's title. */
const plain = (text: string): string =>
  text.slice(0, 60).replace(/[^ -~]/g, (character) => `U+${character.charCodeAt(0).toString(16)}`);

function caseOf(column: string, json: string, fate: Fate, id: string): LineCase {
  const name = `${plain(json)} in ${column}`;
  const sent = thing(id, `"${column}":${json}`);
  if (fate === 'stored') return lineCase(name, sent, null);
  if (fate === 'format') return lineCase(name, sent, 'schema_violation', 'format', `/${column}`);
  return lineCase(name, sent, 'unstorable_value', 'storable', `/${column}`);
}

const PROBES: [column: string, type: string, probes: [text: string, fate: Fate][]][] = [
  ['moment', 'timestamptz', MOMENTS],
  ['day', 'date', DAYS],
  ['uid', 'uuid', UUIDS],
  ['clock', 'text', CLOCKS],
  ['span', 'text', SPANS],
];

hostile(
  'every probe has its exact verdict, and what is stored is what Postgres makes of it',
  { schemas: THINGS },
  async (t, arena) => {
    const cases = [
      ...PROBES.flatMap(([column, , probes]) =>
        probes.map(([text, fate], at) => caseOf(column, JSON.stringify(text), fate, `${column}-${at}`)),
      ),
      ...TEXTS.map(([json, fate], at) => caseOf('text', json, fate, `text-${at}`)),
    ];
    await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
    await alone(t, arena, cases, thing('good'));
    for (const [column, type, probes] of PROBES) {
      for (const [at, [text, fate]] of probes.entries()) {
        const name = `${column} ${plain(text)}`;
        const says = await postgresSays(arena.query, text, type);
        if (fate === 'stored') {
          const read = `SELECT ${column}::text AS value FROM events.thing WHERE id = $1`;
          const [row] = await arena.query(read, [`${column}-${at}`]);
          t.equal(row!.value, says, name);
        } else if (fate === 'unstorable') {
          t.match(says, /^refused 22/, `${name}: Postgres refuses it indeed`);
        }
      }
    }
    for (const [at, [json, fate]] of TEXTS.entries()) {
      if (fate !== 'stored') continue;
      const [row] = await arena.query('SELECT text FROM events.thing WHERE id = $1', [`text-${at}`]);
      t.equal(row!.text, JSON.parse(json), plain(json));
    }
  },
);

hostile('a document in jsonb is the one that was sent', { schemas: THINGS }, async (t, arena) => {
  const PLACES = {
    list: (json: string) => `"list":[${json}]`,
    any: (json: string) => `"any":${json}`,
    x: (json: string) => `"x":${json}`,
  };
  const cases = Object.entries(PLACES).flatMap(([place, memberOf]) =>
    DOCUMENTS.map(([json, verdict, keyword], at) =>
      lineCase(`${json} in ${place}`, thing(`${place}-${at}`, memberOf(json)), verdict, keyword),
    ),
  );
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
  await alone(t, arena, cases, thing('good'));
  const reads = { list: 'list->0', any: '"any"', x: "_extra->'x'" };
  for (const [place, expression] of Object.entries(reads)) {
    for (const [at, [json, verdict]] of DOCUMENTS.entries()) {
      const says = await postgresSays(arena.query, json, 'jsonb');
      if (verdict === null) {
        const [row] = await arena.query(`SELECT (${expression})::text AS value FROM events.thing WHERE id = $1`, [
          `${place}-${at}`,
        ]);
        t.equal(row!.value, says, `${json} in ${place}`);
      } else if (verdict === 'unstorable_value') {
        t.match(says, /^refused 22/, `${json} in ${place}: Postgres refuses it indeed`);
      }
    }
  }
});

hostile(
  'a value of another type than its column is a violation, in every column',
  { schemas: THINGS },
  async (t, arena) => {
    const WRONG: Record<string, string[]> = {
      whole: ['"1"', 'true', 'null', '{}', '[]', '""', '1.5'],
      number: ['"1.5"', 'false', 'null', '[1]'],
      flag: ['"true"', '0', '1', 'null', '"t"'],
      text: ['1', 'true', '{}', '[]'],
      moment: ['0', 'null', '1609459200', '{}'],
      day: ['0', 'null'],
      uid: ['0', 'null'],
      list: ['{}', '"[]"', 'null'],
      inner: ['1', '"x"', '[]', 'null'],
    };
    const cases = Object.entries(WRONG).flatMap(([column, values]) =>
      values.map((value) =>
        lineCase(`${value} in ${column}`, thing('x', `"${column}":${value}`), 'schema_violation', 'type', `/${column}`),
      ),
    );
    cases.push(lineCase('a colour that is none', thing('x', '"colour":"blue"'), 'schema_violation', 'enum', '/colour'));
    cases.push(
      lineCase('a colour in another case', thing('x', '"colour":"Red"'), 'schema_violation', 'enum', '/colour'),
    );
    await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
  },
);
