// The reader of binary COPY: rows whole whatever the pieces, and an error where the stream is not one.
import fc from 'fast-check';
import t from 'tap';
import { CopiedRows, int4Field } from '../../src/lines/copied.ts';
import { RowBuffer } from '../../src/lines/rows.ts';

const FIELDS = 3;

/** A stream of rows: a text, an int4 or NULL, a text or NULL. */
function stream(rows: readonly [string, number | null, string | null][]): Buffer {
  const buffer = new RowBuffer();
  for (const [first, number, last] of rows) {
    buffer.begin(FIELDS);
    buffer.text(first);
    if (number === null) buffer.null();
    else buffer.int4(number);
    if (last === null) buffer.null();
    else buffer.text(last);
    buffer.end();
  }
  return Buffer.from(buffer.copyData());
}

/** Row bytes and second fields. */
function read(pieces: readonly Buffer[]): { bytes: string; number: number | null }[] {
  const copied = new CopiedRows(FIELDS);
  const rows = pieces.flatMap((piece) => {
    const { view, count, starts, ends } = copied.push(piece);
    return Array.from({ length: count }, (_, row) => ({
      bytes: Buffer.from(view.buffer, view.byteOffset + starts[row]!, ends[row]! - starts[row]!).toString('latin1'),
      number: int4Field(view, starts[row]!, 1),
    }));
  });
  copied.end();
  return rows;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const row = fc.tuple(fc.string({ maxLength: 60 }), fc.option(fc.integer()), fc.option(fc.string()));

t.test('rows are the same wherever the stream is cut', async (t) => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 30 }), fc.array(fc.nat(3_000), { maxLength: 40 }), (rows, places) => {
      const whole = stream(rows);
      const found = read(cut(whole, places));
      t.strictSame(
        found.map(({ number }) => number),
        rows.map(([, number]) => number),
      );
      t.equal(found.map(({ bytes }) => bytes).join(''), whole.subarray(19, -2).toString('latin1'));
    }),
  );
  const whole = stream([
    ['a', 1, 'b'],
    ['c', -2, null],
  ]);
  t.strictSame(read(Array.from(whole, (byte) => Buffer.from([byte]))), read([whole]), 'byte by byte');
});

t.test('a row much longer than the pieces is found, and many rows in one piece', async (t) => {
  const text = 'ä'.repeat(1_500_000);
  const long = stream([
    ['a', 1, 'b'],
    [text, 2, text],
    ['c', 3, null],
    [text, 4, 'd'],
  ]);
  const pieces = Array.from({ length: Math.ceil(long.length / 65_536) }, (_, index) =>
    long.subarray(index * 65_536, (index + 1) * 65_536),
  );
  const found = read(pieces);
  t.strictSame(
    found.map(({ number }) => number),
    [1, 2, 3, 4],
  );
  t.equal(found.map(({ bytes }) => bytes).join(''), long.subarray(19, -2).toString('latin1'));
  const many = Array.from({ length: 5_000 }, (_, index): [string, number, null] => [`row ${index}`, index, null]);
  t.strictSame(
    read([stream(many)]).map(({ number }) => number),
    many.map(([, number]) => number),
  );
});

t.test('a header extension is passed over', async (t) => {
  const whole = stream([['a', 1, 'b']]);
  const header = Buffer.from(whole.subarray(0, 19));
  header.writeInt32BE(10, 15);
  const extended = Buffer.concat([header, Buffer.alloc(10, 0xff), whole.subarray(19)]);
  t.strictSame(read([extended]), read([whole]));
  t.strictSame(read(cut(extended, [22, 25])), read([whole]));
});

t.test('a stream that ends early is an error that says after how many rows', async (t) => {
  const whole = stream([
    ['a', 1, 'b'],
    ['c', 2, 'd'],
  ]);
  for (let end = 0; end < whole.length; end++) {
    t.throws(() => read([whole.subarray(0, end)]), /ends early, after [012] rows/, `cut at ${end}`);
  }
  t.throws(() => read([]), /ends early, after 0 rows/);
});

t.test('what is no stream of binary COPY is an error that names the row', async (t) => {
  const whole = stream([
    ['a', 1, 'b'],
    ['c', 2, 'd'],
  ]);
  const second = 19 + (whole.length - 21) / 2;
  const altered = (at: number, ...bytes: number[]) => {
    const copy = Buffer.from(whole);
    copy.set(bytes, at);
    return [copy];
  };
  t.throws(() => read([Buffer.from('a\t1\tb\n')]), /no stream of binary COPY/);
  t.throws(() => read(altered(3, 0x6f)), /no stream of binary COPY/);
  t.throws(() => read(altered(11, 0x00, 0x01)), /unknown flags 10000/);
  t.throws(() => read(altered(15, 0xff)), /extension/);
  t.throws(() => read(altered(second, 0, 4)), /row 2 of the COPY stream has 4 fields instead of 3/);
  t.throws(() => read(altered(second + 2, 0xff, 0xff, 0xff, 0xfe)), /row 2 of the COPY stream has a field of -2 bytes/);
  t.throws(() => read(altered(second + 2, 0x7f)), /row 2 of the COPY stream has a field of/);
  t.throws(() => read([whole, Buffer.from([0])]), /goes on behind its trailer/);
  t.throws(() => read([Buffer.concat([whole, whole])]), /goes on behind its trailer/);
});

t.test('a field that is no int4 is not read as one', async (t) => {
  const whole = stream([['four', 1, 'more than four']]);
  const { view, starts } = new CopiedRows(FIELDS).push(whole);
  t.equal(int4Field(view, starts[0]!, 1), 1);
  t.throws(() => int4Field(view, starts[0]!, 2), /field 2 of the row has 14 bytes/);
});
