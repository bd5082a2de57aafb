// Strings with escapes (RFC 8259, section 7), unescaped into a buffer beside the block: the block's bytes stay as they
// came, for a line may still go the usual way. What Postgres cannot hold, NUL and half a surrogate pair, is left to that
// way, and so is whatever is no escape of JSON.
import { endOfText, QUOTE } from './text.ts';

export const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** What the byte behind a backslash stands for; 0: nothing, or a `\u`. */
const MEANING = new Uint8Array(256);
for (const [letter, meaning] of Object.entries({
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
})) {
  MEANING[letter.charCodeAt(0)] = meaning.charCodeAt(0);
}

/** What a hexadecimal digit stands for; 16 for any other byte. */
const DIGIT = new Uint8Array(256).fill(16);
for (let digit = 0; digit < 16; digit++) {
  DIGIT[digit.toString(16).charCodeAt(0)] = digit;
  DIGIT[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** The unescaped strings of one line, one behind the other. */
export class Unescaped {
  bytes = Buffer.alloc(1_024);
  /** Over {@link bytes}. */
  view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  /** Where the last string begins and ends. */
  start = 0;
  end = 0;

  /** Forgets the strings of the line before. */
  clear(): void {
    this.end = 0;
  }

  /**
   * Reads a string with a backslash in it.
   * @param from behind its first quote
   * @param at index of its first backslash
   * @param most index behind its line: strings never grow by unescaping, so that is room enough
   * @returns index of its last quote, or -1
   */
  read(bytes: Buffer, from: number, at: number, most: number, plain: Uint8Array): number {
    this.#reserve(most - from);
    const out = this.bytes;
    this.start = this.end;
    let to = this.start + bytes.copy(out, this.start, from, at);
    while (bytes[at] === BACKSLASH) {
      const meaning = MEANING[bytes[at + 1]!]!;
      if (meaning !== 0) {
        out[to++] = meaning;
        at += 2;
      } else {
        const code = bytes[at + 1] === LETTER_U ? codePoint(bytes, at + 2) : 0;
        if (code === 0) return -1;
        to = writeUtf8(code, out, to);
        at += code > 0xffff ? 12 : 6;
      }
      const next = endOfText(bytes, at, plain);
      if (next > most) return -1;
      // Mostly a few bytes: a call of Buffer's own copy would cost more.
      while (at < next) out[to++] = bytes[at++]!;
    }
    this.end = to;
    return bytes[at] === QUOTE ? at : -1;
  }

  #reserve(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(this.bytes.length * 2, this.end + more));
    this.bytes.copy(grown, 0, 0, this.end);
    this.bytes = grown;
    this.view = new DataView(grown.buffer, grown.byteOffset, grown.length);
  }
}

/** The code point of a `\u` escape, or of two that are a surrogate pair; 0 for NUL, half a pair, and what is no escape. */
function codePoint(bytes: Uint8Array, at: number): number {
  const first = codeUnit(bytes, at);
  if (first < 0 || first < 0xd800 || first > 0xdfff) return Math.max(first, 0);
  if (first > 0xdbff || bytes[at + 4] !== BACKSLASH || bytes[at + 5] !== LETTER_U) return 0;
  const second = codeUnit(bytes, at + 6);
  if (second < 0xdc00 || second > 0xdfff) return 0;
  return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
}

/** Four hexadecimal digits, or -1. */
function codeUnit(bytes: Uint8Array, at: number): number {
  let code = 0;
  for (let index = 0; index < 4; index++) {
    const byte = bytes[at + index];
    const digit = byte === undefined ? 16 : DIGIT[byte]!;
    if (digit === 16) return -1;
    code = code * 16 + digit;
  }
  return code;
}

/** Writes a code point other than half a surrogate pair (RFC 3629, section 3). Returns where it ends. */
function writeUtf8(code: number, out: Uint8Array, to: number): number {
  if (code < 0x80) {
    out[to] = code;
    return to + 1;
  }
  if (code < 0x800) {
    out[to] = 0xc0 | (code >> 6);
    out[to + 1] = 0x80 | (code & 0x3f);
    return to + 2;
  }
  if (code < 0x10000) {
    out[to] = 0xe0 | (code >> 12);
    out[to + 1] = 0x80 | ((code >> 6) & 0x3f);
    out[to + 2] = 0x80 | (code & 0x3f);
    return to + 3;
  }
  out[to] = 0xf0 | (code >> 18);
  out[to + 1] = 0x80 | ((code >> 12) & 0x3f);
  out[to + 2] = 0x80 | ((code >> 6) & 0x3f);
  out[to + 3] = 0x80 | (code & 0x3f);
  return to + 4;
}
