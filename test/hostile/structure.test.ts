// Depth, breadth, keys: events whose shape is the attack.
import { isDeepStrictEqual } from 'node:util';
import { ndjson } from '../helpers/http.ts';
import { hostile } from './arena.ts';
import { alone, betweenNeighbours, lineCase as line } from './lines.ts';
import { THINGS, thing } from './thing.ts';

const arrays = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const objects = (levels: number): string => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;

const DEEP = [100, 1_000, 5_000, 100_000].flatMap((levels) => [
  line(`${levels} arrays in each other`, thing(`a${levels}`, `"x":${arrays(levels)}`), 'too_deep', 'depth'),
  line(`${levels} objects in each other`, thing(`o${levels}`, `"x":${objects(levels)}`), 'too_deep', 'depth'),
  line(`${levels} arrays in a declared list`, thing(`l${levels}`, `"list":${arrays(levels)}`), 'too_deep', 'depth'),
  line(`${levels} brackets that never close`, `${'['.repeat(levels)}`, 'invalid_json', 'json'),
]);

const KEYS = [
  line('a key twice', thing('k1', '"x":1,"x":2'), 'duplicate_key', 'uniqueKeys', '/x'),
  line('a key twice, the same value', thing('k2', '"x":1,"x":1'), 'duplicate_key', 'uniqueKeys', '/x'),
  line('the id twice', '{"id":"a","id":"b"}', 'duplicate_key', 'uniqueKeys', '/id'),
  line('a key twice, once escaped', thing('k3', '"x":1,"\\u0078":2'), 'duplicate_key', 'uniqueKeys', '/x'),
  line('a key twice, deep inside', thing('k4', '"x":[{"y":{"z":1,"z":2}}]'), 'duplicate_key', 'uniqueKeys', '/x/0/y/z'),
  line(
    '__proto__ twice',
    thing('k5', '"__proto__":1,"\\u005f_proto__":2'),
    'duplicate_key',
    'uniqueKeys',
    '/__proto__',
  ),
  line('an empty key twice', thing('k6', '"":1,"":2'), 'duplicate_key', 'uniqueKeys', '/'),
  line('the same key in two objects', thing('k7', '"x":{"y":1},"z":{"y":1}'), null),
  line('a dot in a key beside what it looks like', thing('k8', '"inner":{"flag":true},"inner.flag":1'), null),
  line('keys that differ by case', thing('k9', '"x":1,"X":2'), null),
];

/** Names that mean something to JavaScript, kept as the data they are. */
const NAMES: [name: string, members: string][] = [
  ['__proto__', '"__proto__":{"polluted":true}'],
  ['__proto__, escaped', '"\\u005f_proto__":{"polluted":true}'],
  ['__proto__ with null', '"__proto__":null'],
  ['constructor.prototype', '"constructor":{"prototype":{"polluted":true}}'],
  ['toString and valueOf', '"toString":1,"valueOf":2'],
  ['hasOwnProperty', '"hasOwnProperty":1'],
  ['then', '"then":1'],
  ['an empty key', '"":1'],
  ['a key with dots', '"a.b":1,"a..b":2'],
  ['a key with slashes and tildes', '"a/b":1,"a~b":2'],
  ['keys that are numbers', '"10":1,"9":2,"-1":3'],
  ['names of system columns', '"ctid":1,"xmin":2,"tableoid":3'],
  ['names of our own columns', '"_line":1,"_batch_id":"x","_extra":{"y":1},"_schema_version":0'],
  ['a key that is SQL', '"\\"; drop table events.thing; --":1'],
  ['an undeclared member of a declared object', '"inner":{"other":{"x":1}}'],
  ['a declared object that is empty', '"inner":{}'],
  ['a key of 10,000 characters', `"${'k'.repeat(10_000)}":1`],
];

hostile('the shape of an event is judged before anything else looks at it', { schemas: THINGS }, async (t, arena) => {
  const named = NAMES.map(([name, members], at) => line(name, thing(`n${at}`, members), null));
  const cases = [...DEEP, ...KEYS, ...named];
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
  await alone(t, arena, cases, thing('good'));
  for (const [at, [name, members]] of NAMES.entries()) {
    const [row] = await arena.query('SELECT _extra::text AS extra FROM events.thing WHERE id = $1', [`n${at}`]);
    t.ok(isDeepStrictEqual(JSON.parse(row!.extra), JSON.parse(`{${members}}`)), name);
  }
  t.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
  const after = await arena.post('after', '{"id":"after"}');
  t.match(after, { status: 201, json: { lines: { accepted: 1 } } });
  t.strictSame(await arena.query("SELECT _extra FROM events.thing WHERE id = 'after'"), [{ _extra: null }]);
});

hostile('the deepest event that is allowed is stored', { schemas: THINGS }, async (t, arena) => {
  const cases = [
    line('64 levels', thing('64', `"x":${arrays(63)}`), null),
    line('65 levels', thing('65', `"x":${arrays(64)}`), 'too_deep', 'depth'),
    line('64 levels of objects', thing('64o', `"x":${objects(63)}`), null),
    line('65 levels of objects', thing('65o', `"x":${objects(64)}`), 'too_deep', 'depth'),
    line('brackets in a string are no levels', thing('text', `"text":"${'['.repeat(1_000)}"`), null),
  ];
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
  await alone(t, arena, cases, thing('good'));
});

const closed = (properties: object, required: string[] = []): object => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

hostile(
  'a closed schema refuses names of Object.prototype, and does not find them where they are not',
  {
    schemas: {
      'shut/1.0.0.json': closed({ a: { type: 'integer' } }),
      'odd/1.0.0.json': closed({
        constructor: { type: 'integer' },
        toString: { type: 'string' },
        a: { type: 'integer' },
      }),
      'must/1.0.0.json': closed({ valueOf: { type: 'integer' } }, ['valueOf']),
    },
  },
  async (t, arena) => {
    const shut = [
      '"__proto__":{}',
      '"\\u005f_proto__":1',
      '"constructor":1',
      '"toString":1',
      '"hasOwnProperty":1',
      '"":1',
      '"a.b":1',
    ].map((member) => line(member, `{"$schema":"shut","a":1,${member}}`, 'schema_violation', 'additionalProperties'));
    const cases = [
      ...shut,
      line('a schema that declares constructor, an event without', '{"$schema":"odd","a":1}', null),
      line('an empty event of it', '{"$schema":"odd"}', null),
      line('an event with both', '{"$schema":"odd","constructor":5,"toString":"x"}', null),
      line('one of the wrong type', '{"$schema":"odd","constructor":"x"}', 'schema_violation', 'type', '/constructor'),
      line('a required valueOf that is missing', '{"$schema":"must"}', 'schema_violation', 'required'),
      line('a required valueOf', '{"$schema":"must","valueOf":7}', null),
    ];
    await betweenNeighbours(t, arena, cases, () => '{"$schema":"shut","a":2}');
    await alone(t, arena, cases, '{"$schema":"shut","a":2}');
    t.strictSame(await arena.query('SELECT "constructor", "toString", a FROM events.odd ORDER BY _line'), [
      { constructor: null, toString: null, a: '1' },
      { constructor: null, toString: null, a: null },
      { constructor: '5', toString: 'x', a: null },
    ]);
    t.strictSame(await arena.query('SELECT "valueOf" FROM events.must'), [{ valueOf: '7' }]);
  },
);

/** Wide events, by the count of what they have. */
const WIDE: [name: string, line: (count: number) => string, count: number][] = [
  [
    'keys in one object',
    (count) => thing('keys', Array.from({ length: count }, (_, at) => `"k${at}":${at}`).join()),
    100_000,
  ],
  ['elements of an array', (count) => thing('elements', `"list":[${Array(count).fill('1').join()}]`), 1_000_000],
  ['empty objects in an array', (count) => thing('objects', `"x":[${Array(count).fill('{}').join()}]`), 300_000],
  [
    'undeclared keys with long names',
    (count) => thing('names', Array.from({ length: count }, (_, at) => `"${'k'.repeat(80)}${at}":1`).join()),
    10_000,
  ],
  ['escaped quotes in a text', (count) => thing('quotes', `"text":"${'\\"'.repeat(count)}"`), 400_000],
  [
    'keys that are all twice',
    (count) => thing('twice', Array.from({ length: count }, (_, at) => `"k${at}":1,"k${at}":2`).join()),
    20_000,
  ],
];

hostile(
  'an event may be as wide as a line is long: the time it takes follows its length',
  { schemas: THINGS, env: { MAX_LINE_BYTES: String(8 * 1024 * 1024) } },
  async (t, arena) => {
    for (const [name, of, count] of WIDE) {
      const spent: number[] = [];
      for (const each of [count / 10, count]) {
        const started = performance.now();
        const { json: report } = await arena.post(name, ndjson(of(each), thing(`${name} ${each}`)), {
          query: { dry_run: 'true' },
        });
        spent.push(performance.now() - started);
        const isTwice = name === 'keys that are all twice';
        t.strictSame(
          report.lines,
          { received: 2, accepted: isTwice ? 1 : 2, rejected: isTwice ? 1 : 0, duplicate: 0, blank: 0 },
          name,
        );
        if (isTwice) t.equal(report.rejections[0].code, 'duplicate_key');
      }
      t.comment(`${name}: ${count / 10} in ${Math.round(spent[0]!)} ms, ${count} in ${Math.round(spent[1]!)} ms`);
      if (name === 'keys that are all twice') continue;
      const stored = await arena.post(name, ndjson(of(count)));
      t.match(stored, { status: 201, json: { lines: { accepted: 1 } } }, `${name}, stored`);
    }
    const [row] = await arena.query("SELECT jsonb_array_length(list) AS size FROM events.thing WHERE id = 'elements'");
    t.equal(row!.size, 1_000_000);
  },
);

hostile('an event longer than a line may be is cut, however it is made', { schemas: THINGS }, async (t, arena) => {
  const cases = [
    line(
      '1,000,000 elements',
      thing('x', `"list":[${Array(1_000_000).fill('1').join()}]`),
      'line_too_long',
      'maxLength',
    ),
    line('a key of 2 MB', thing('x', `"${'k'.repeat(2_000_000)}":1`), 'line_too_long', 'maxLength'),
    line('2 MB of white space', `${' '.repeat(2_000_000)}${thing('x')}`, 'line_too_long', 'maxLength'),
  ];
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
});
