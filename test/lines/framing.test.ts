import fc from 'fast-check';
import t from 'tap';
import type { Framing } from '../../src/lines/framing.ts';
import { JsonFraming } from '../../src/lines/json.ts';
import { NdjsonFraming } from '../../src/lines/ndjson.ts';

interface Cut {
  offset: number;
  text: string;
  fault?: string;
}

/** All lines that a framing finds in the chunks. */
function cut(framing: Framing, chunks: Buffer[]): Cut[] {
  const found: Cut[] = [];
  const steps = [...chunks.map((chunk) => () => framing.push(chunk)), () => framing.end()];
  for (const step of steps) {
    for (const { bytes, offset, count, starts, ends, fault } of step()) {
      for (let index = 0; index < count; index++) {
        const text = bytes.toString('latin1', starts[index]!, ends[index]!);
        const what = fault?.kind === 'too_long' ? `too_long ${fault.length}` : fault?.kind;
        found.push({ offset: offset + starts[index]!, text, ...(what === undefined ? {} : { fault: what }) });
      }
    }
  }
  return found;
}

const ndjson = (text: string | Buffer, limit = 100) => cut(new NdjsonFraming(limit), [Buffer.from(text)]);
const json = (text: string, limit = 100) => cut(new JsonFraming(limit), [Buffer.from(text)]);
const texts = (found: Cut[]) => found.map(({ text }) => text);

t.test('an NDJSON line ends at a line feed, with or without a carriage return', async (t) => {
  t.strictSame(texts(ndjson('a\nb\r\n\r\nc')), ['a', 'b', '', 'c']);
  t.strictSame(texts(ndjson('a\rb\n')), ['a\rb'], 'a lone carriage return ends nothing');
  t.strictSame(texts(ndjson('')), []);
  t.strictSame(texts(ndjson('\n\n')), ['', '']);
});

t.test('offsets are those of the file, past a byte order mark at its start only', async (t) => {
  t.strictSame(ndjson(Buffer.from('\ufeffa\n\ufeffb')), [
    { offset: 3, text: 'a' },
    { offset: 5, text: '\xef\xbb\xbfb' },
  ]);
  t.strictSame(ndjson(Buffer.from('\ufeff')), []);
});

t.test('a line at the limit is whole; one byte more is cut and its full length known', async (t) => {
  t.strictSame(ndjson(`${'x'.repeat(10)}\r\ny\n`, 10), [
    { offset: 0, text: 'x'.repeat(10) },
    { offset: 12, text: 'y' },
  ]);
  const long = cut(new NdjsonFraming(10), [Buffer.from('x'.repeat(12)), Buffer.from('xx'), Buffer.from('\ny\n')]);
  t.strictSame(long, [
    { offset: 0, text: 'x'.repeat(10), fault: 'too_long 14' },
    { offset: 15, text: 'y' },
  ]);
  const last = cut(new NdjsonFraming(10), [Buffer.from('y\n'), Buffer.from('x'.repeat(12))]);
  t.strictSame(last.at(-1), { offset: 2, text: 'x'.repeat(10), fault: 'too_long 12' });
});

t.test('the length of a line that is too long counts neither its \\r nor a byte order mark', async (t) => {
  const text = Buffer.from(`\ufeff${'x'.repeat(14)}\r\n${'y'.repeat(12)}\r`);
  const expected = [
    { offset: 3, text: 'x'.repeat(10), fault: 'too_long 14' },
    { offset: 19, text: 'y'.repeat(10), fault: 'too_long 12' },
  ];
  const bytes = Array.from(text, (byte) => Buffer.of(byte));
  t.strictSame(cut(new NdjsonFraming(10), bytes), expected);
});

t.test('splitting the stream at every byte changes nothing', async (t) => {
  const text = Buffer.from('\ufeff{"a":"ä€😀"}\r\n\n{"b":\r1}\n\r\n"x"');
  const whole = ndjson(text);
  const array = Buffer.from(' [ {"a":"]},[\\"😀"} , 2,[3, [4]],\n"\\\\",{}\n] ');
  const elements = json(array.toString());
  for (let at = 0; at <= text.length; at++) {
    t.strictSame(cut(new NdjsonFraming(100), [text.subarray(0, at), text.subarray(at)]), whole);
  }
  for (let at = 0; at <= array.length; at++) {
    t.strictSame(cut(new JsonFraming(100), [array.subarray(0, at), array.subarray(at)]), elements);
  }
  const single = [...array].map((byte) => Buffer.from([byte]));
  t.strictSame(cut(new JsonFraming(100), single), elements);
});

t.test('elements of an array are its lines', async (t) => {
  t.strictSame(json('[{"a":1}, {"b":[2,3]}]'), [
    { offset: 1, text: '{"a":1}' },
    { offset: 10, text: '{"b":[2,3]}' },
  ]);
  t.strictSame(json('[]'), []);
  t.strictSame(json(' [ \n ] '), []);
});

t.test('a body that is no array is one line, whatever it is', async (t) => {
  t.strictSame(json(' {"a":\n1} \n'), [{ offset: 1, text: '{"a":\n1}' }]);
  t.strictSame(texts(json('null')), ['null']);
  t.strictSame(texts(json('{} {}')), ['{} {}']);
  t.strictSame(json('   '), []);
});

t.test('a broken place in an array is one broken line, and its neighbours are whole', async (t) => {
  t.strictSame(texts(json('[{"a":1},{"b":,{"c":3}]')).slice(0, 1), ['{"a":1}']);
  t.strictSame(texts(json('[1,,2]')), ['1', '', '2']);
  t.strictSame(texts(json('[1,]')), ['1', '']);
  t.strictSame(json('[{"a":1},{"b":2}'), [
    { offset: 1, text: '{"a":1}' },
    { offset: 9, text: '{"b":2}' },
    { offset: 16, text: '', fault: 'broken' },
  ]);
  t.strictSame(json('[1] x').at(-1), { offset: 4, text: 'x', fault: 'broken' });
  t.strictSame(texts(json('[1}, 2]')), ['1}', '2']);
});

t.test('an element that is too long is cut, and the next one is found', async (t) => {
  const chunks = [Buffer.from(`[1, "${'x'.repeat(30)}`), Buffer.from(`${'x'.repeat(30)}" , 2`), Buffer.from(']')];
  const found = cut(new JsonFraming(20), chunks);
  t.equal(found.length, 3);
  t.equal(found[1]!.offset, 4);
  t.match(found[1]!.fault, /^too_long 6/);
  t.equal(found[2]!.text, '2');
});

t.test('random arrays, randomly split, give back the elements that went in', async (t) => {
  const property = fc.property(
    fc.array(fc.json({ maxDepth: 3 }), { maxLength: 8 }),
    fc.array(fc.nat(400), { maxLength: 6 }),
    fc.constantFrom('', ' ', '\n\t'),
    (elements, cuts, space) => {
      const bytes = Buffer.from(`${space}[${space}${elements.join(`${space},${space}`)}${space}]${space}`);
      const ends = [...cuts.map((each) => each % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
      const chunks = ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
      const found = cut(new JsonFraming(1_000), chunks);
      return (
        JSON.stringify(found.map(({ text }) => Buffer.from(text, 'latin1').toString())) === JSON.stringify(elements)
      );
    },
  );
  t.doesNotThrow(() => fc.assert(property, { numRuns: 500 }));
});
