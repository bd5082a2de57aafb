// Keys that stand twice: the counting that finds them, the search that names them, and the verdicts that come of it.
import fc from 'fast-check';
import t, { type Test } from 'tap';
import {
  countEscapedQuotes,
  countQuotes,
  countStrings,
  duplicateKeys,
  TOO_DEEP,
} from '../../src/lines/duplicate-keys.ts';
import type { ExactNumber } from '../../src/lines/exact.ts';
import type { Framing, Lines } from '../../src/lines/framing.ts';
import { JsonFraming } from '../../src/lines/json.ts';
import { isPassed, Judge, type Judgement, type Passed } from '../../src/lines/judge.ts';
import { NdjsonFraming } from '../../src/lines/ndjson.ts';
import type { LineError } from '../../src/model.ts';
import { pointer } from '../../src/pointer.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import { schemaFolder } from '../helpers/schemas.ts';
import { jsonText, numberText, storableText } from './json-texts.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 3_000);

/** Errors for a valid text; null if it is too deep. */
function repeated(text: string, levels = 1_000): LineError[] | null {
  const errors = duplicateKeys(text, levels);
  return errors === TOO_DEEP ? null : errors;
}

const paths = (text: string) => repeated(text)?.map(({ path }) => path);

/** What the judge computes of a line: whether the text has strings that the parsed value does not account for. */
function losesKeys(text: string): boolean {
  const bytes = Buffer.from(`\n${text}\n`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const quotes = countQuotes(view, 1, bytes.length - 1) - countEscapedQuotes(text);
  return quotes !== 2 * countStrings(JSON.parse(text), 1_000);
}

t.test('a key that stands twice in one object is named, by what it is after unescaping', async (t) => {
  t.strictSame(repeated('{"a":1,"b":2,"a":3}'), [
    { path: '/a', keyword: 'uniqueKeys', message: 'the key "a" stands more than once in its object' },
  ]);
  t.strictSame(paths('{"a":1,"\\u0061":1}'), ['/a']);
  t.strictSame(paths('{"__proto__":1,"\\u005f_proto__":{}}'), ['/__proto__']);
  t.strictSame(paths('{"":1,"":1}'), ['/']);
  t.strictSame(paths('{"\\"":1,"\\u0022":1}'), ['/"']);
  t.strictSame(paths('{"\\\\":1,"\\u005C":1}'), ['/\\']);
  t.strictSame(paths('{"a/b":1,"a\\/b":1}'), ['/a~1b']);
  t.strictSame(paths('{"\\ud83d\\ude00":1,"😀":1}'), ['/😀']);
  t.strictSame(paths('{"\\ud800":1,"\\uD800":1}'), ['/\ud800']);
  t.strictSame(paths('{"constructor":1,"toString":1,"toString":2}'), ['/toString']);
  t.strictSame(paths('{"1":1,"0":1,"1":2}'), ['/1']);
  t.strictSame(paths(' { "a" : 1 ,\n\t"a" : 2 } '), ['/a']);
});

t.test('keys that are different, or of different objects, may stand', async (t) => {
  const good = [
    '{}',
    '{"a":{"a":{"a":[]}},"b":{"a":"a"}}',
    '{"a":"a","b":"a","c":["a","a","a"]}',
    '{"a":[{"b":1},{"b":2}]}',
    '{"A":1,"a":1,"a ":1}',
    '{"\u00e9":1,"e\u0301":1}',
    '{"a":"\\",\\"a\\":1","b":"\\\\","c":"\\\\\\""}',
    '{"a":"{\\"a\\":1,\\"a\\":2}","b":"},{[","c":":,\\"","d":"\\u0022"}',
    '{"\\ud800":1,"\\ud801":1,"\ufffd":1}',
    '{"__proto__":{"__proto__":{}},"constructor":{},"hasOwnProperty":0}',
    '{"1":1,"01":1,"1.0":1,"-1":1,"4294967295":1,"4294967296":1}',
  ];
  for (const text of good) {
    t.strictSame(repeated(text), [], text);
    t.equal(losesKeys(text), false, text);
  }
});

t.test('the place is that of the repeated member, in objects and arrays at any depth', async (t) => {
  t.strictSame(paths('{"a":[0,"x",{"b":[[],{}, {"c":{},"d":[{}],"c":0}]}]}'), ['/a/2/b/2/c']);
  t.strictSame(paths('{"a":{"b":1,"b":2},"c":{"b":1},"a":3,"a":4}'), ['/a/b', '/a'], 'in the order of the text');
  t.strictSame(paths('{"a":[{"x":1,"x":1}],"b":[{},{"x":1,"x":1}]}'), ['/a/0/x', '/b/1/x']);
});

t.test('errors are few and short whatever the line is like', async (t) => {
  const name = 'x'.repeat(100_000);
  const [long] = repeated(`{"${name}":1,"${name}":2}`)!;
  t.equal(long!.path.length, 1_001);
  t.equal(long!.message, `the key ${JSON.stringify(`${'x'.repeat(60)}…`)} stands more than once in its object`);
  const many = Array.from({ length: 50 }, (_, index) => `"${index}":0,"${index}":0`).join();
  t.equal(repeated(`{${many}}`)!.length, 20);
  t.equal(repeated(`{${'"a":0,'.repeat(150_000)}"a":0}`)!.length, 1);
});

t.test('large objects, and a line of nothing but double keys, take time in proportion to their length', async (t) => {
  const keys = Array.from({ length: 100_000 }, (_, index) => `"key ${index}":{"a":"\\n"}`).join();
  t.strictSame(repeated(`{${keys}}`), []);
  t.notOk(losesKeys(`{${keys}}`));
  t.strictSame(paths(`{${keys},"key 99999":1}`), ['/key 99999']);
  const doubled = `{"a":[${'{"b":0,"b":0},'.repeat(75_000)}0]}`;
  t.ok(losesKeys(doubled));
  t.equal(repeated(doubled)!.length, 20);
  const outer = `{"${'k'.repeat(500_000)}":[${'{"b":0,"b":0},'.repeat(36_000)}0]}`;
  t.equal(repeated(outer)!.length, 20, 'paths are not made for errors that are not given');
});

t.test('a text is too deep by all of its members, those that parsing drops among them', async (t) => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  t.equal(repeated(`{"a":${nested(5)},"a":0}`, 5), null);
  t.strictSame(repeated(`{"a":${nested(4)},"a":0}`, 5)?.length, 1);
  t.equal(repeated(`{"a":0,"a":1,"b":${nested(5)},"b":0}`, 5), null, 'behind a key that is known to be double, too');
  t.equal(repeated(`{"a":${nested(500_000)},"a":0}`, 1_000), null, 'without recursion');
  t.equal(countStrings(JSON.parse(nested(5)), 5), 0);
  t.equal(countStrings(JSON.parse(nested(6)), 5), TOO_DEEP);
  t.equal(countStrings(JSON.parse('{"a":{"b":[{}]}}'), 4), 2);
  t.equal(countStrings(JSON.parse('{"a":{"b":[{}]}}'), 3), TOO_DEEP);
});

t.test('quotes are counted whatever the bytes around them and wherever they begin', async (t) => {
  const near = fc.constantFrom(0x22, 0x22, 0x22, 0x21, 0x23, 0xa2, 0xa1, 0xa3, 0x00, 0x80, 0x5c, 0x02, 0xff, 0x7f);
  const some = fc.array(fc.oneof(near, fc.integer({ min: 0, max: 255 })), { maxLength: 40 });
  const count = (bytes: number[]) => bytes.filter((byte) => byte === 0x22).length;
  const counted = (bytes: number[], start: number, end: number) => {
    const at = Uint8Array.from([0x22, ...bytes]);
    return countQuotes(new DataView(at.buffer, 1), start, end);
  };
  fc.assert(
    fc.property(some, fc.nat(40), fc.nat(40), (bytes, from, length) => {
      const start = Math.min(from, bytes.length);
      const end = Math.min(start + length, bytes.length);
      return counted(bytes, start, end) === count(bytes.slice(start, end));
    }),
    { numRuns: RUNS },
  );
  for (const byte of [0x22, 0x20, 0xa2]) {
    for (const size of [1_007, 1_008, 1_016, 1_024, 2_031, 2_032, 2_040, 5_000]) {
      const bytes = Array.from({ length: size }, () => byte);
      t.equal(counted(bytes, 0, size), count(bytes), `${size} times ${byte}`);
    }
  }
});

const coded = (text: string) =>
  text.replaceAll(/./gs, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
const inside = (text: string) => JSON.stringify(text).slice(1, -1);
const SPELLINGS: ((text: string) => string)[] = [
  inside,
  coded,
  (text) => coded(text.slice(0, 1)).replaceAll(/[a-f]/g, (digit) => digit.toUpperCase()) + inside(text.slice(1)),
  (text) => inside(text).replaceAll('/', '\\/'),
];
const spelled = (text: fc.Arbitrary<string>) =>
  fc.tuple(text, fc.constantFrom(...SPELLINGS)).map(([text, spell]) => ({ text, token: `"${spell(text)}"` }));

/** A JSON text, and the paths of its repeated members found the plain way, while it is put together. */
interface Made {
  text: string;
  repeated: string[][];
}

const tricky = ['"', '\\', '\\"', '\\\\', '{"a":1,"a":1}', '},{', ':', ',"a":', '[[', 'é"😀', '\0\ud800', '/', ''];
const key = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', '1', '__proto__', 'toString', 'é😀', 'ü"', ...tricky) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }) },
);
const space = fc.constantFrom('', '', ' ', '\n\t');
const made = fc.letrec<{ value: Made; object: Made; array: Made }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.oneof(numberText, fc.constantFrom('true', 'false', 'null')).map((text) => ({ text, repeated: [] })),
    spelled(fc.oneof(fc.constantFrom(...tricky), storableText)).map(({ token }) => ({ text: token, repeated: [] })),
    tie('object'),
    tie('array'),
  ),
  object: fc.array(fc.tuple(spelled(key), space, tie('value')), { maxLength: 5 }).map((members) => ({
    text: `{${members.map(([{ token }, space, { text }]) => `${space}${token}${space}:${text}`).join(',')}}`,
    repeated: members.flatMap(([{ text }, , value], at) => {
      const before = members.slice(0, at).filter(([other]) => other.text === text).length;
      return [...(before === 1 ? [[text]] : []), ...value.repeated.map((path) => [text, ...path])];
    }),
  })),
  array: fc.array(tie('value'), { maxLength: 4 }).map((items) => ({
    text: `[${items.map(({ text }) => text).join(' , ')}]`,
    repeated: items.flatMap(({ repeated }, at) => repeated.map((path) => [String(at), ...path])),
  })),
}));

t.test('what is found is what a plain search finds, whatever keys, strings and numbers are like', async (t) => {
  let some = 0;
  fc.assert(
    fc.property(made.object, ({ text, repeated: wanted }) => {
      if (wanted.length > 0) some++;
      const found = paths(text)!;
      const same = found.join('\n') === wanted.slice(0, 20).map(pointer).join('\n');
      return same && losesKeys(text) === wanted.length > 0;
    }),
    { numRuns: RUNS },
  );
  t.ok(some > RUNS / 10 && some < RUNS * 0.9, `${some} of ${RUNS} texts have double keys`);
});

t.test('counting and searching are of one opinion about any JSON text', async () => {
  fc.assert(
    fc.property(jsonText, (text) => {
      const inObject = `{"a":${text}}`;
      return losesKeys(inObject) === repeated(inObject)!.length > 0;
    }),
    { numRuns: RUNS },
  );
});

const SCHEMA = {
  type: 'object',
  properties: { id: { type: 'integer' }, payload: { type: 'object' }, name: { type: 'string' } },
  required: ['id'],
};

/** The judgements on all lines of a body. */
async function judge(t: Test, body: string | Buffer, framing: Framing = new NdjsonFraming(1_000)) {
  const registry = await loadFolder(await schemaFolder(t, { 'thing/1.0.0.json': SCHEMA, 'other/1.0.0.json': SCHEMA }));
  const judge = new Judge(
    { registry, schema: null, limits: { lineBytes: 1_000, depth: 5 } },
    framing instanceof NdjsonFraming,
  );
  const judgements: Judgement[] = [];
  const read = (blocks: Iterable<Lines>) => {
    for (const lines of blocks) {
      judge.open(lines);
      for (let index = 0; index < lines.count; index++) judgements.push(judge.judge(index));
    }
  };
  read(framing.push(Buffer.from(body)));
  read(framing.end());
  return judgements;
}

const verdict = (judgement: Judgement) => {
  if (judgement === 'blank') return 'blank';
  return isPassed(judgement) ? 'passed' : `${judgement.code} ${judgement.errors.map(({ path }) => path).join()}`;
};
const event = (members: string) => `{"$schema":"thing",${members}}`;

t.test(
  'a line with a double key is rejected before its schema is chosen, and after broken and deep ones',
  async (t) => {
    const deep = '[[[[[]]]]]';
    const lines: [string, string][] = [
      [event('"id":1'), 'passed'],
      [event('"id":1,"id":1'), 'duplicate_key /id'],
      [event('"id":1,"payload":{"x":[{"y":1,"\\u0079":1}]}'), 'duplicate_key /payload/x/0/y'],
      [event('"id":1,"undeclared":{"y":1,"y":1}'), 'duplicate_key /undeclared/y'],
      [event('"id":1,"id":"wrong"'), 'duplicate_key /id'],
      ['{"$schema":"thing","id":1,"$schema":"thing"}', 'duplicate_key /$schema'],
      ['{"$schema":"nothing","id":1,"id":1}', 'duplicate_key /id'],
      ['{"$schema":"nothing","id":1}', 'unknown_schema /$schema'],
      ['{"id":1,"id":1', 'invalid_json '],
      ['[{"id":1,"id":1}]', 'not_an_object '],
      [event(`"id":1,"id":1,"x":${deep}`), 'too_deep '],
      [event(`"id":1,"x":${deep},"x":1`), 'too_deep '],
      ['', 'blank'],
      [event('"id":1,"name":"\\"id\\":1,\\\\"'), 'passed'],
      [event('"id":"wrong"'), 'schema_violation /id'],
    ];
    const wanted = lines.map(([, wanted]) => wanted);
    const text = lines.map(([line]) => line).join('\n');
    t.strictSame((await judge(t, text)).map(verdict), wanted);
    t.strictSame((await judge(t, `${text}\n{"é":"é"}`)).map(verdict).slice(0, -1), wanted, 'in a block beyond ASCII');
    const unlikely = Buffer.concat([Buffer.from(`${text}\n`), Buffer.from([0xff, 0x0a])]);
    t.strictSame((await judge(t, unlikely)).map(verdict).slice(0, -1), wanted, 'beside a line that is not UTF-8');
    const plain = lines.filter(([line]) => !line.includes('\\'));
    t.strictSame(
      (await judge(t, plain.map(([line]) => line).join('\r\n'))).map(verdict),
      plain.map(([, wanted]) => wanted),
      'in a block without a backslash',
    );
    t.strictSame((await judge(t, event('"id":1,"id":2')))[0], {
      code: 'duplicate_key',
      schema: null,
      errors: [{ path: '/id', keyword: 'uniqueKeys', message: 'the key "id" stands more than once in its object' }],
    });
  },
);

t.test('elements of a JSON array, and single events over several lines, are judged alike', async (t) => {
  const json = async (text: string) => (await judge(t, text, new JsonFraming(1_000))).map(verdict);
  const elements = [event('"id":1'), event('"id":1, "id":2'), '{\n}', event('"name":"\\"","name":"", "id":3')];
  t.strictSame(await json(`[ ${elements.join(' ,\n ')} ]`), [
    'passed',
    'duplicate_key /id',
    'unknown_schema ',
    'duplicate_key /name',
  ]);
  t.strictSame(await json('{\n  "$schema": "thing",\n  "id": 1\n}\n'), ['passed']);
  t.strictSame(await json('{\n  "$schema": "thing",\n  "id": 1,\n  "id": 1\n}\n'), ['duplicate_key /id']);
});

t.test('text beyond ASCII and numbers beyond a double are no reason for doubt', async (t) => {
  const lines = [
    event('"id":9007199254740993,"é":"日本","😀":["\\"😀\\""]'),
    event('"id":9007199254740993,"é":"日本","é":1e400'),
    event('"id":1,"id":9007199254740993'),
    event('"id":1,"😀":1,"\\ud83d\\ude00":1'),
    event('"id":1,"é":1,"e\u0301":1'),
  ];
  const judgements = await judge(t, lines.join('\n'));
  t.strictSame(judgements.map(verdict), [
    'passed',
    'duplicate_key /é',
    'duplicate_key /id',
    'duplicate_key /😀',
    'passed',
  ]);
  const [first] = judgements;
  const { id } = (first as Passed).event as { id: ExactNumber };
  t.equal(id.text, '9007199254740993');
});
