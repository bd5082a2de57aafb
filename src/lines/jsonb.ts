// JSON values as jsonb prints them, so that a row read back from Postgres has the bytes of the row that was sent: members
// by length of their key in bytes and then by those bytes, a space behind commas and colons, numbers written out.
// https://www.postgresql.org/docs/current/datatype-json.html
import { ExactNumber } from './exact.ts';
import { sortKeys } from './key-order.ts';
import { numericLength, numericText, readNumeric } from './numeric.ts';

/**
 * What numbers may grow by when they are written out, in one value: a line of 1 MiB could hold 130,000 times 1e131071,
 * and each of them has 131,072 digits.
 */
const MAX_GROWTH = 16 * 1024 * 1024;
const KEPT_CAPACITY = 1024 * 1024;
/** Up to here a loop beats Buffer's own writer (measured on Node 20). */
const SHORT_TEXT = 48;
/** Anything but what stands for itself: a control character, a quote, a backslash. */
const NEEDS_ESCAPE = /[^ !#-[\]-\uffff]/;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;

/** Writes one value after the other into a buffer of its own. */
export class JsonbText {
  /** The text of the last value is at its beginning. */
  bytes = Buffer.allocUnsafeSlow(16_384);
  length = 0;
  #growth = 0;
  #fault: string | undefined;

  /**
   * Writes the text of a value that JSON.parse or `parseExactly` returned.
   * @param escapes whether strings may hold NUL or half a surrogate pair
   * @returns why jsonb cannot hold the value, or undefined when it is written
   */
  write(value: unknown, escapes: boolean): string | undefined {
    const fault = escapes ? deepTextFault(value) : undefined;
    if (fault !== undefined) return fault;
    if (this.bytes.length > KEPT_CAPACITY) this.bytes = Buffer.allocUnsafeSlow(KEPT_CAPACITY);
    this.length = 0;
    this.#growth = 0;
    this.#fault = undefined;
    this.#value(value);
    return this.#fault;
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#string(value);
        return;
      case 'number':
        if ((value | 0) === value) this.#integer(value);
        else this.#number(String(value));
        return;
      case 'boolean':
        this.#ascii(value ? 'true' : 'false');
        return;
    }
    if (value === null) this.#ascii('null');
    else if (Array.isArray(value)) this.#array(value);
    else if (value instanceof ExactNumber) this.#number(value.text);
    else this.#object(value as Record<string, unknown>);
  }

  #array(values: readonly unknown[]): void {
    this.#reserve(1);
    this.bytes[this.length++] = 0x5b;
    for (let index = 0; index < values.length; index++) {
      if (index > 0) this.#separator(COMMA);
      this.#value(values[index]);
    }
    this.#reserve(1);
    this.bytes[this.length++] = 0x5d;
  }

  #object(object: Readonly<Record<string, unknown>>): void {
    const keys = Object.keys(object);
    sortKeys(keys);
    this.#reserve(1);
    this.bytes[this.length++] = 0x7b;
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]!;
      if (index > 0) this.#separator(COMMA);
      this.#string(key);
      this.#separator(COLON);
      this.#value(object[key]);
    }
    this.#reserve(1);
    this.bytes[this.length++] = 0x7d;
  }

  #separator(mark: number): void {
    this.#reserve(2);
    this.bytes[this.length] = mark;
    this.bytes[this.length + 1] = SPACE;
    this.length += 2;
  }

  #string(text: string): void {
    const size = text.length;
    this.#reserve(size * 3 + 2);
    const start = this.length;
    this.bytes[start] = QUOTE;
    let end = size <= SHORT_TEXT ? writePlain(text, this.bytes, start + 1) : -1;
    if (end === -1) {
      if (NEEDS_ESCAPE.test(text)) {
        this.#escaped(text);
        return;
      }
      end = start + 1 + this.bytes.write(text, start + 1, 'utf8');
    }
    this.bytes[end] = QUOTE;
    this.length = end + 1;
  }

  /** JSON.stringify escapes exactly what Postgres's `escape_json` does, once half surrogates are ruled out. */
  #escaped(text: string): void {
    const escaped = JSON.stringify(text);
    this.#reserve(escaped.length * 3);
    this.length += this.bytes.write(escaped, this.length, 'utf8');
  }

  /** A whole number of 32 bits. */
  #integer(value: number): void {
    this.#reserve(11);
    const { bytes } = this;
    let rest = value;
    if (rest < 0) {
      bytes[this.length++] = 0x2d;
      rest = -rest;
    }
    let digits = 1;
    for (let power = 10; power <= rest; power *= 10) digits++;
    let at = this.length + digits;
    this.length = at;
    do {
      const tenth = Math.floor(rest / 10);
      bytes[--at] = 0x30 + rest - tenth * 10;
      rest = tenth;
    } while (rest > 0);
  }

  #number(literal: string): void {
    // Most numbers are written as they are printed.
    if (isPlain(literal)) {
      this.#ascii(literal);
      return;
    }
    const decimal = readNumeric(literal);
    if (decimal === null) {
      this.#fault ??= 'jsonb numbers have at most 131072 digits before the point and 16383 behind it';
      return;
    }
    this.#growth += numericLength(decimal) - literal.length;
    if (this.#growth > MAX_GROWTH) this.#fault ??= 'written out as jsonb does it, the numbers take more than 16 MiB';
    if (this.#fault === undefined) this.#ascii(numericText(decimal));
  }

  #ascii(text: string): void {
    const size = text.length;
    this.#reserve(size);
    const { bytes } = this;
    if (size > SHORT_TEXT) bytes.write(text, this.length, 'latin1');
    else {
      const start = this.length;
      for (let index = 0; index < size; index++) bytes[start + index] = text.charCodeAt(index);
    }
    this.length += size;
  }

  #reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + more));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }
}

const PLAIN_LENGTH = 64;

/** Whether a literal has no exponent, no sign of a zero, and few enough digits to be within any limit. */
function isPlain(literal: string): boolean {
  const size = literal.length;
  // Infinity and NaN are no literals, and end in a letter.
  if (size > PLAIN_LENGTH || literal.charCodeAt(size - 1) > 0x39) return false;
  for (let index = size - 1; index >= 0; index--) {
    const code = literal.charCodeAt(index);
    if (code === 0x65 || code === 0x45) return false;
  }
  // -0 and -0.0 lose their sign; -0.5 takes the long way without harm.
  return !(literal.charCodeAt(0) === 0x2d && literal.charCodeAt(1) === 0x30);
}

/**
 * Writes the UTF-8 bytes of a string of the basic plane that needs no escapes.
 * @returns where they end, or -1 if the string is another
 */
function writePlain(text: string, bytes: Buffer, start: number): number {
  let at = start;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x80) {
      if (code < 0x20 || code === QUOTE || code === BACKSLASH) return -1;
      bytes[at++] = code;
    } else if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6);
      bytes[at++] = 0x80 | (code & 0x3f);
    } else {
      if ((code & 0xf800) === 0xd800) return -1;
      bytes[at++] = 0xe0 | (code >> 12);
      bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[at++] = 0x80 | (code & 0x3f);
    }
  }
  return at;
}

/** Why Postgres cannot hold a string, or undefined. */
export function textFault(value: string): string | undefined {
  if (value.includes('\0')) return 'Postgres text cannot hold U+0000';
  return value.isWellFormed() ? undefined : 'half of a surrogate pair is no character';
}

/** {@link textFault} of every string and key inside a JSON value. */
function deepTextFault(value: unknown): string | undefined {
  if (typeof value === 'string') return textFault(value);
  if (typeof value !== 'object' || value === null || value instanceof ExactNumber) return undefined;
  for (const key of Object.keys(value)) {
    const fault = textFault(key) ?? deepTextFault((value as Record<string, unknown>)[key]);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
