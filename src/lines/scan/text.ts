// Strings as bytes. Only what stands for itself is read here: a backslash or a control character ends the reading, and
// the line goes the usual way.

export const QUOTE = 0x22;

/** 1 for each byte that stands for itself within a JSON string in a block that is UTF-8. */
export const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[0x5c] = 0;
/** The same for a block of which some lines are not UTF-8: ASCII alone is sure. */
export const PLAIN_ASCII = new Uint8Array(256);
PLAIN_ASCII.set(PLAIN.subarray(0, 0x80));

/** Index of the first byte from `at` on that does not stand for itself; a string's end if it is a quote. */
export function endOfText(bytes: Uint8Array, at: number, plain: Uint8Array): number {
  while (plain[bytes[at]!] === 1) at++;
  return at;
}

/** White space of JSON (RFC 8259, section 2). */
export function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Behind the white space of JSON, also behind that of the lines that follow. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; ) byte = bytes[++at];
  return at;
}

/** Behind `null`, or -1. */
export function skipNull(bytes: Uint8Array, at: number): number {
  const isNull = bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c;
  return bytes[at] === 0x6e && isNull ? at + 4 : -1;
}

/** Behind `true` (into `low`: 1) or `false` (0), or -1. */
export function readBoolean(bytes: Uint8Array, at: number, low: Int32Array, column: number): number {
  if (bytes[at] === 0x74) {
    low[column] = 1;
    return bytes[at + 1] === 0x72 && bytes[at + 2] === 0x75 && bytes[at + 3] === 0x65 ? at + 4 : -1;
  }
  low[column] = 0;
  const isFalse = bytes[at + 1] === 0x61 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x73 && bytes[at + 4] === 0x65;
  return bytes[at] === 0x66 && isFalse ? at + 5 : -1;
}

/** Whether a text has `least` to `most` code points. */
export function hasLength(bytes: Uint8Array, start: number, end: number, least: number, most: number): boolean {
  let points = end - start;
  // A code point has one to four bytes: mostly their number alone decides.
  if (points < least) return false;
  if (points <= most && points >= least * 4) return true;
  for (let at = start; at < end; at++) if ((bytes[at]! & 0xc0) === 0x80) points--;
  return points >= least && points <= most;
}

/** Above this, Buffer's own copy beats a loop over words (measured on Node 20). */
const SHORT = 192;

/** Copies a text into a row at `to`. Returns where it ends there. */
export function copyText(
  from: Buffer,
  view: DataView,
  start: number,
  end: number,
  out: Buffer,
  into: DataView,
  to: number,
): number {
  const length = end - start;
  if (length > SHORT) return to + from.copy(out, to, start, end);
  const words = end - 3;
  let at = start;
  for (; at < words; at += 4, to += 4) into.setInt32(to, view.getInt32(at, true), true);
  for (; at < end; at++, to++) out[to] = from[at]!;
  return to;
}
