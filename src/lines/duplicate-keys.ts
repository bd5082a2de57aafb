// Keys that an object has more than once. JSON.parse keeps the last and says nothing; RFC 8259 section 4 leaves open what
// becomes of them, RFC 7493 (I-JSON) section 2.3 forbids them. Every string of a JSON text, key or value, has two quotes
// of its own, and each lost member takes a key along: the text has more quotes than the parsed strings account for
// exactly if a key is there twice. So the usual line is only counted; which key it was is looked up where the count differs.
import type { LineError } from '../model.ts';
import { pointer } from '../pointer.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export const TOO_DEEP = -1;

/** Errors given for one line; names and paths are cut, as a key can be as long as a line. */
const MOST_ERRORS = 20;
const MOST_NAME = 60;
const MOST_PATH = 1_000;

/**
 * Counts the strings of a parsed value, keys among them.
 * @returns {@link TOO_DEEP} if objects and arrays stand more than `levels` deep in each other
 */
export function countStrings(value: object, levels: number): number {
  if (levels === 0) return TOO_DEEP;
  let count = 0;
  if (Array.isArray(value)) {
    for (const each of value) {
      if (typeof each === 'string') count++;
      else if (typeof each === 'object' && each !== null) {
        const inner = countStrings(each, levels - 1);
        if (inner === TOO_DEEP) return TOO_DEEP;
        count += inner;
      }
    }
    return count;
  }
  // Of what JSON.parse makes this visits own members only, and each of them, `__proto__` too.
  for (const key in value) {
    count++;
    const each = (value as Record<string, unknown>)[key];
    if (typeof each === 'string') count++;
    else if (typeof each === 'object' && each !== null) {
      const inner = countStrings(each, levels - 1);
      if (inner === TOO_DEEP) return TOO_DEEP;
      count += inner;
    }
  }
  return count;
}

const QUOTES = 0x22222222;
const LOW_BITS = 0x7f7f7f7f;
const ONES = 0x01010101;
/** Bytes that can be added up before one of the four sums, a byte each, runs over; a multiple of 8. */
const MOST_AT_ONCE = 4 * 254;

/**
 * Counts the quotes in text that is ASCII or UTF-8. Four bytes are one number, as SIMD within a register has it: byte by
 * byte takes 2.5 times as long, indexOf from quote to quote 3 times.
 */
export function countQuotes(bytes: DataView, start: number, end: number): number {
  let count = 0;
  let at = start;
  const last = end - 8;
  while (at <= last) {
    const from = at;
    const stop = Math.min(last, at + MOST_AT_ONCE - 8);
    let others = 0;
    for (; at <= stop; at += 8) {
      others = (others + otherBytes(bytes.getInt32(at, true)) + otherBytes(bytes.getInt32(at + 4, true))) | 0;
    }
    const pairs = (others & 0xff00ff) + ((others >>> 8) & 0xff00ff);
    count += at - from - (pairs & 0xffff) - (pairs >>> 16);
  }
  for (; at < end; at++) if (bytes.getUint8(at) === QUOTE) count++;
  return count;
}

/** Of the four bytes of a word, 1 for each that is no quote, and 0 for each that is one. */
function otherBytes(word: number): number {
  const differing = word ^ QUOTES;
  // Adding to the low seven bits carries into the top one unless they are zero, and never into the next byte.
  return ((((differing & LOW_BITS) + LOW_BITS) | differing) >>> 7) & ONES;
}

/** Counts the quotes of valid JSON that are escaped as `\"`; in JSON a backslash stands in strings only. */
export function countEscapedQuotes(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\\'); at !== -1; at = text.indexOf('\\', at + 2)) {
    if (text.charCodeAt(at + 1) === QUOTE) count++;
  }
  return count;
}

/** An object or array whose end has not come yet. */
interface Open {
  /** How often each key has come; null for an array. */
  keys: Map<string, number> | null;
  /** Key or index of the member under way. */
  member: string | number;
}

/**
 * Names the keys that stand more than once in their object, in the order of the text; at most 20. Keys are compared as
 * they are after unescaping.
 * @param text valid JSON
 * @returns {@link TOO_DEEP} as for {@link countStrings}, but for the text: a member that JSON.parse drops counts too
 */
export function duplicateKeys(text: string, levels: number): LineError[] | typeof TOO_DEEP {
  const errors: LineError[] = [];
  const open: Open[] = [];
  let isKey = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (isKey) noteKey(text.slice(at, end + 1), open, errors);
      isKey = false;
      at = end;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (open.length === levels) return TOO_DEEP;
      isKey = code === OPEN_OBJECT;
      open.push(isKey ? { keys: new Map(), member: '' } : { keys: null, member: 0 });
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      open.pop();
    } else if (code === COMMA) {
      const last = open.at(-1)!;
      isKey = last.keys !== null;
      if (typeof last.member === 'number') last.member++;
    }
  }
  return errors;
}

/** Index of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) at += code === BACKSLASH ? 2 : 1;
  return at;
}

function noteKey(token: string, open: readonly Open[], errors: LineError[]): void {
  const last = open.at(-1)!;
  const key = token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1);
  const times = (last.keys!.get(key) ?? 0) + 1;
  last.keys!.set(key, times);
  last.member = key;
  // Once for each key of an object, however often it comes.
  if (times !== 2 || errors.length === MOST_ERRORS) return;
  const path = pointer(open.map(({ member }) => String(member)));
  const message = `the key ${JSON.stringify(cut(key, MOST_NAME))} stands more than once in its object`;
  errors.push({ path: cut(path, MOST_PATH), keyword: 'uniqueKeys', message });
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
