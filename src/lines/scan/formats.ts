// E-mail addresses and UUIDs as bytes: the shapes to which src/schema/formats.ts gives a fast yes too. Anything else goes
// the usual way, where ajv-formats decides.
import { QUOTE } from './text.ts';

const DASH = 0x2d;
const DOT = 0x2e;
const AT = 0x40;

const ATOM = 1;
const ALNUM = 2;
/** What each byte may be part of. */
const CLASS = new Uint8Array(256);
/** What a hexadecimal digit stands for; 255 for any other byte. */
const HEX = new Uint8Array(256).fill(255);
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-") {
  const code = char.charCodeAt(0);
  CLASS[code] = ATOM | (/[a-z0-9]/i.test(char) ? ALNUM : 0);
  if (/[a-f0-9]/i.test(char)) HEX[code] = Number.parseInt(char, 16);
}

/** Index of the quote behind an address that begins at `at`, or -1. */
export function endOfEmail(bytes: Uint8Array, at: number): number {
  let start = at;
  for (; ; at++) {
    const byte = bytes[at]!;
    if ((CLASS[byte]! & ATOM) !== 0) continue;
    if (at === start || (byte !== DOT && byte !== AT)) return -1;
    start = at + 1;
    if (byte === AT) break;
  }
  let before = DOT;
  let dots = 0;
  for (at++; ; at++) {
    const byte = bytes[at]!;
    // A label neither begins nor ends with a hyphen.
    if ((CLASS[byte]! & ALNUM) === 0) {
      if (byte === DASH) {
        if (before === DOT) return -1;
      } else if (before === DOT || before === DASH) return -1;
      else if (byte === QUOTE) return dots > 0 ? at : -1;
      else if (byte !== DOT) return -1;
      else dots++;
    }
    before = byte;
  }
}

/** Index of the quote behind a UUID that begins at `at`, or -1. */
export function endOfUuid(bytes: Uint8Array, at: number): number {
  for (let index = 0; index < 36; index++) {
    const byte = bytes[at + index]!;
    const isDash = index === 8 || index === 13 || index === 18 || index === 23;
    if (isDash ? byte !== DASH : HEX[byte] === 255 || byte === undefined) return -1;
  }
  return bytes[at + 36] === QUOTE ? at + 36 : -1;
}

/** Writes the 16 bytes of a UUID that {@link endOfUuid} has found valid. */
export function copyUuid(bytes: Uint8Array, start: number, out: Uint8Array, to: number): void {
  let at = start;
  for (let index = 0; index < 16; index++) {
    if (bytes[at] === DASH) at++;
    out[to + index] = (HEX[bytes[at]!]! << 4) | HEX[bytes[at + 1]!]!;
    at += 2;
  }
}
