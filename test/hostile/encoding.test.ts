// Bytes that are not UTF-8, and characters that are, but that JSON, Postgres or a reader may stumble over.
import { get, lines, userEvent } from '../helpers/http.ts';
import { hostile } from './arena.ts';
import { alone, betweenNeighbours, type LineCase, lineCase as line, lineOf } from './lines.ts';
import { THINGS, thing } from './thing.ts';

const good = JSON.stringify(userEvent());
const DOT = '\u00b7';

/** A line with bytes in the place of the middle dot. */
function withBytes(text: string, bytes: readonly number[]): Buffer {
  const [before, after] = text.split(DOT) as [string, string];
  return Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
}

const BROKEN: [name: string, bytes: number[]][] = [
  ['a byte ff', [0xff]],
  ['a byte fe', [0xfe]],
  ['a continuation byte alone', [0x80]],
  ['an overlong NUL (c0 80)', [0xc0, 0x80]],
  ['an overlong slash (e0 80 af)', [0xe0, 0x80, 0xaf]],
  ['an encoded surrogate (ed a0 80)', [0xed, 0xa0, 0x80]],
  ['a pair of encoded surrogates (CESU-8)', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['a truncated character (e2 82)', [0xe2, 0x82]],
  ['a truncated emoji (f0 9f 98)', [0xf0, 0x9f, 0x98]],
  ['a code point too high (f4 90 80 80)', [0xf4, 0x90, 0x80, 0x80]],
  ['a lead byte that does not exist (f5 80 80 80)', [0xf5, 0x80, 0x80, 0x80]],
  ['latin-1 (e4)', [0xe4]],
];

const INVALID: LineCase[] = BROKEN.flatMap(([name, bytes]) => [
  line(`${name} in a value`, withBytes(good.replace('+49', DOT), bytes), 'invalid_utf8', 'encoding', ''),
  line(
    `${name} in a key`,
    withBytes(good.replace('event_type', `event${DOT}type`), bytes),
    'invalid_utf8',
    'encoding',
    '',
  ),
  line(`${name} outside of strings`, withBytes(`${good}${DOT}`, bytes), 'invalid_utf8', 'encoding', ''),
  {
    ...line(`${name} at the end of a line`, withBytes(`{"a":"${DOT}`, bytes), 'invalid_utf8', 'encoding', ''),
    betweenOnly: true,
  },
]);

hostile('bytes that are not UTF-8 cost their line, which is kept to the byte', {}, async (t, arena) => {
  const { json: report } = await betweenNeighbours(t, arena, INVALID, () => good);
  await alone(t, arena, INVALID, good);
  const kept = lines(await get(arena.server, report.links.rejections));
  t.equal(kept.length, INVALID.length);
  for (const { name, line: sent } of INVALID) {
    const { raw_base64 } = kept.find((each) => each.line === lineOf(INVALID, name));
    t.strictSame(Buffer.from(raw_base64, 'base64'), sent, name);
  }
});

const NUL_REASON = 'unstorable_value';
const ESCAPES: LineCase[] = [
  line('\\u0000 in a text column', thing('1', '"text":"a\\u0000b"'), NUL_REASON, 'storable', '/text'),
  line('\\u0000 in the id', '{"id":"a\\u0000b"}', NUL_REASON, 'storable', '/id'),
  line('\\u0000 in a list', thing('2', '"list":["a\\u0000"]'), NUL_REASON, 'storable', '/list'),
  line('\\u0000 in an undeclared value', thing('3', '"x":"a\\u0000"'), NUL_REASON, 'storable', '/x'),
  line('\\u0000 in an undeclared key', thing('4', '"a\\u0000":1'), NUL_REASON, 'storable', '/a\ufffd'),
  line('\\u0000 in a key of a list', thing('5', '"list":[{"a\\u0000":1}]'), NUL_REASON, 'storable', '/list'),
  line('a NUL byte in a value', thing('6', '"text":"a\0b"'), 'invalid_json', 'json'),
  line('a NUL byte in a key', thing('7', '"a\0":1'), 'invalid_json', 'json'),
  line('a high surrogate alone', thing('8', '"text":"\\ud800"'), NUL_REASON, 'storable', '/text'),
  line('a low surrogate alone', thing('9', '"text":"\\udc00"'), NUL_REASON, 'storable', '/text'),
  line('surrogates reversed', thing('10', '"text":"\\udc00\\ud800"'), NUL_REASON, 'storable', '/text'),
  line('a high surrogate before a letter', thing('11', '"text":"\\ud83dx"'), NUL_REASON, 'storable', '/text'),
  line('half a pair in a list', thing('12', '"list":["\\ud800"]'), NUL_REASON, 'storable', '/list'),
  line('half a pair in an undeclared value', thing('13', '"x":{"y":"\\ud800"}'), NUL_REASON, 'storable', '/x'),
  line('half a pair in an undeclared key', thing('14', '"\\ud800":1'), NUL_REASON, 'storable', '/\ufffd'),
  line('half a pair in the id', '{"id":"\\ud800"}', NUL_REASON, 'storable', '/id'),
  line('an escape that is none', thing('15', '"text":"\\x00"'), 'invalid_json', 'json'),
  line('an escape cut off', thing('16', '"text":"\\u00"'), 'invalid_json', 'json'),
  line('a control character that is not escaped', thing('17', '"text":"a\u0001"'), 'invalid_json', 'json'),
];

/** Characters that are stored as they are. */
const KEPT: [name: string, json: string][] = [
  ['a pair of surrogates', '\\ud83d\\ude00'],
  ['the noncharacters U+FFFE and U+FFFF', '\ufffe\uffff\\ufffe'],
  ['noncharacters of higher planes', '\u{1fffe}\u{10ffff}'],
  ['a byte order mark inside', 'a\ufeffb'],
  ['bidirectional controls', '\u202eabc\u202c\u2066x\u2069\u061c'],
  ['zero width characters', 'a\u200b\u200c\u200d\u2060b'],
  ['U+2028 and U+2029', 'a\u2028b\u2029c'],
  ['control characters, escaped', '\\u0001\\u001f\\u007f\\b\\f\\n\\r\\t'],
  ['C1 controls', '\u0080\u009f'],
  ['a composed letter', '\u00e9'],
  ['a letter and a combining mark', 'e\u0301'],
  ['the same letter escaped', '\\u00e9'],
  ['a family of emoji', '👨‍👩‍👧‍👦'],
  ['private use', '\ue000\u{f0000}'],
  ['an ideographic variation', '\u{20bb7}\u{e0100}'],
  ['white space of all kinds', '\u00a0\u3000\u1680\u2003 '],
];

hostile(
  'what is a character is stored as it is, what is none costs its line',
  { schemas: THINGS },
  async (t, arena) => {
    const kept = KEPT.map(([name, text], at) =>
      line(name, thing(`kept-${at}`, `"text":"${text}","list":["${text}"],"${text}":"${text}"`), null),
    );
    const cases = [...ESCAPES, ...kept];
    await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
    await alone(t, arena, cases, thing('good'));
    for (const [at, [name, text]] of KEPT.entries()) {
      const [row] = await arena.query('SELECT text, list->>0 AS item, _extra FROM events.thing WHERE id = $1', [
        `kept-${at}`,
      ]);
      const value = JSON.parse(`"${text}"`);
      t.strictSame(row, { text: value, item: value, _extra: { [value]: value } }, name);
    }
  },
);

hostile('ids are compared by their code points: NFC and NFD are two', { schemas: THINGS }, async (t, arena) => {
  const body = ['\u00e9', 'e\u0301', '\\u00e9', 'É', '\u00e9 '].map((id) => `{"id":"${id}"}`).join('\n');
  const { json: report } = await arena.post('ids', body, { query: { report: 'full' } });
  t.strictSame(
    report.verdicts.map(({ verdict }: { verdict: string }) => verdict),
    ['accepted', 'accepted', 'duplicate', 'accepted', 'accepted'],
  );
});

hostile('lengths are counted in code points, by the schema as by Postgres', { schemas: THINGS }, async (t, arena) => {
  const cases = [
    line('five emoji', thing('five', '"short":"😀😀😀😀😀"'), null),
    line('six emoji', thing('six', '"short":"😀😀😀😀😀😀"'), 'schema_violation', 'maxLength', '/short'),
    line('five letters', thing('letters', '"short":"abcde"'), null),
    line('six letters', thing('more', '"short":"abcdef"'), 'schema_violation', 'maxLength', '/short'),
    line(
      'five letters and three spaces',
      thing('spaces', '"short":"abcde   "'),
      'schema_violation',
      'maxLength',
      '/short',
    ),
    line('spaces at the end', thing('kept', '"short":"ab   "'), null),
  ];
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
  await alone(t, arena, cases, thing('good'));
  const rows = await arena.query(
    'SELECT short, length(short) AS size FROM events.thing WHERE short IS NOT NULL ORDER BY _line',
  );
  t.strictSame(rows, [
    { short: '😀😀😀😀😀', size: 5 },
    { short: 'abcde', size: 5 },
    { short: 'ab   ', size: 5 },
  ]);
});
