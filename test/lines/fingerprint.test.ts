// MurmurHash3_x86_128 against what the reference implementation gives.
import t from 'tap';
import { fingerprint, murmur3 } from '../../src/lines/fingerprint.ts';

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

t.test('the hash passes the verification test of SMHasher', async (t) => {
  // Keys 0, 0 1, 0 1 2, … with seeds 256, 255, …; then the hash of all hashes. The expected value is the one that
  // https://github.com/aappleby/smhasher/blob/master/src/main.cpp has for this function ("Murmur3C").
  const key = Buffer.alloc(256);
  const hashes = Buffer.alloc(256 * 16);
  const words = new Int32Array(4);
  for (let size = 0; size < 256; size++) {
    key[size] = size;
    murmur3(viewOf(key), 0, size, 256 - size, words);
    for (const [index, word] of words.entries()) hashes.writeInt32LE(word, size * 16 + index * 4);
  }
  murmur3(viewOf(hashes), 0, hashes.length, 0, words);
  t.equal(words[0]! >>> 0, 0xb3ece62a);
});

t.test('the fingerprint is the first 8 bytes of the hash, wherever the row stands', async (t) => {
  // Little-endian bytes as the reference implementation writes them (here from the mmh3 package for Python).
  const known: [string, string][] = [
    ['', '0000000000000000'],
    ['a', '3c9394a71bb05655'],
    ['hello', 'a044242bf7de91db'],
    ['The quick brown fox jumps over the lazy dog', 'c383152f672ceeec'],
  ];
  for (const [text, expected] of known) {
    for (const before of [0, 1, 2, 3, 17]) {
      const bytes = Buffer.from(`${'x'.repeat(before)}${text}y`);
      const out = Buffer.alloc(10, 0xee);
      fingerprint(viewOf(bytes), before, bytes.length - 1, out, 1);
      t.equal(out.toString('hex'), `ee${expected}ee`, `"${text}" behind ${before} bytes`);
    }
  }
});

t.test('rows of every length differ from those with one byte altered, added or taken away', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 37 + 11) & 0xff));
  const prints = new Set<string>();
  const out = Buffer.alloc(8);
  const note = (row: Buffer): void => {
    fingerprint(viewOf(row), 0, row.length, out, 0);
    prints.add(out.toString('hex'));
  };
  let rows = 0;
  for (let size = 0; size <= bytes.length; size++) {
    note(bytes.subarray(0, size));
    rows++;
    for (let at = 0; at < size; at++) {
      const altered = Buffer.from(bytes.subarray(0, size));
      altered[at]! ^= 1;
      note(altered);
      rows++;
    }
  }
  t.equal(prints.size, rows);
});
