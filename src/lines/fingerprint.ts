// A row's fingerprint: 8 bytes that differ when a byte of the row differs. MurmurHash3 for x86, because it needs nothing
// but multiplications of 32 bits, which JavaScript has (0.6 ns a byte). It finds mistakes and altered rows; it is no guard
// against somebody who may choose both of two rows, and the SHA-256 over all fingerprints is no stronger in that.

export const FINGERPRINT_BYTES = 8;

const scratch = new Int32Array(4);

/**
 * Writes the first 8 bytes of {@link murmur3} with seed 0, in the order in which the reference implementation has them on
 * a little-endian machine.
 * @param view over the buffer that `start` and `end` point into
 */
export function fingerprint(view: DataView, start: number, end: number, out: Buffer, at: number): void {
  murmur3(view, start, end, 0, scratch);
  const first = scratch[0]!;
  const second = scratch[1]!;
  out[at] = first;
  out[at + 1] = first >>> 8;
  out[at + 2] = first >>> 16;
  out[at + 3] = first >>> 24;
  out[at + 4] = second;
  out[at + 5] = second >>> 8;
  out[at + 6] = second >>> 16;
  out[at + 7] = second >>> 24;
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

/**
 * MurmurHash3_x86_128 over the bytes `start..end` (A. Appleby, public domain:
 * https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp). Allocates nothing.
 * @param into receives the four words h1..h4
 */
export function murmur3(view: DataView, start: number, end: number, seed: number, into: Int32Array): void {
  let h1 = seed;
  let h2 = seed;
  let h3 = seed;
  let h4 = seed;
  const size = end - start;
  const tail = start + (size & ~15);
  for (let at = start; at < tail; at += 16) {
    h1 ^= mixed(view.getInt32(at, true), C1, 15, C2);
    h1 = (Math.imul((rotated(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= mixed(view.getInt32(at + 4, true), C2, 16, C3);
    h2 = (Math.imul((rotated(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= mixed(view.getInt32(at + 8, true), C3, 17, C4);
    h3 = (Math.imul((rotated(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= mixed(view.getInt32(at + 12, true), C4, 18, C1);
    h4 = (Math.imul((rotated(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  const rest = size & 15;
  // A word of zeros mixes to zero, so words behind the end need no case of their own.
  if (rest > 0) h1 ^= mixed(lastWord(view, tail, end), C1, 15, C2);
  if (rest > 4) h2 ^= mixed(lastWord(view, tail + 4, end), C2, 16, C3);
  if (rest > 8) h3 ^= mixed(lastWord(view, tail + 8, end), C3, 17, C4);
  if (rest > 12) h4 ^= mixed(lastWord(view, tail + 12, end), C4, 18, C1);

  h1 ^= size;
  h2 ^= size;
  h3 ^= size;
  h4 ^= size;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = finished(h1);
  h2 = finished(h2);
  h3 = finished(h3);
  h4 = finished(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  into[0] = h1;
  into[1] = h2 + h1;
  into[2] = h3 + h1;
  into[3] = h4 + h1;
}

function mixed(word: number, first: number, rotation: number, second: number): number {
  return Math.imul(rotated(Math.imul(word, first), rotation), second);
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

/** Up to four bytes, little endian, with zeros for those behind the end. */
function lastWord(view: DataView, at: number, end: number): number {
  if (at + 4 <= end) return view.getInt32(at, true);
  let word = 0;
  for (let byte = end - 1; byte >= at; byte--) word = (word << 8) | view.getUint8(byte);
  return word;
}

function finished(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
