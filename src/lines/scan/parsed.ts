// A value of which the scanner finds only the end: JSON.parse, ajv and the usual writers do the rest, on this value
// alone instead of on the whole line.
import { countStrings } from '../duplicate-keys.ts';
import { mayLoseDigits } from '../exact.ts';
import type { Slots } from './slots.ts';
import { endOfText, QUOTE } from './text.ts';

const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const SPACE = 0x20;

/** Strings of the value last skipped, and whether any has a \u: it may hold what Postgres cannot. */
let strings = 0;
let hasEscapes = false;

/** Index behind the value at `at`, or -1. What stands within it need not be JSON. */
function endOfValue(bytes: Uint8Array, at: number, end: number, plain: Uint8Array): number {
  strings = 0;
  hasEscapes = false;
  let depth = 0;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      at = endOfText(bytes, at + 1, plain);
      // JSON.parse looks at what is behind a backslash; here a quote behind it is no end.
      while (bytes[at] === BACKSLASH) {
        if (bytes[at + 1] === LETTER_U) hasEscapes = true;
        if (++at >= end) return -1;
        at = endOfText(bytes, at + 1, plain);
      }
      if (bytes[at] !== QUOTE) return -1;
      strings++;
      if (depth === 0) return at + 1;
      // 0x5b and 0x5d are brackets, 0x7b and 0x7d braces.
    } else if ((byte & 0xdf) === 0x5b) depth++;
    else if ((byte & 0xdf) === 0x5d) {
      if (depth <= 1) return depth === 0 ? at : at + 1;
      depth--;
    } else if (depth === 0 && (byte === COMMA || byte <= SPACE)) return at;
  }
  return -1;
}

/**
 * Parses the value at `at` into its slot.
 * @param levels how deep objects and arrays may stand in each other within it
 * @param accepts its verdict by its schema
 * @returns the index behind it, or -1
 */
export function readParsed(
  bytes: Buffer,
  at: number,
  end: number,
  plain: Uint8Array,
  levels: number,
  slots: Slots,
  column: number,
  accepts: (value: unknown) => boolean,
): number {
  const behind = endOfValue(bytes, at, end, plain);
  if (behind === -1) return -1;
  const text = bytes.toString('utf8', at, behind);
  if (mayLoseDigits(bytes.subarray(at, behind), text)) return -1;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return -1;
  }
  // A key that stands twice takes strings away; see duplicate-keys.ts.
  if (typeof value === 'object' && value !== null && countStrings(value, levels) !== strings) return -1;
  slots.value[column] = value;
  if (hasEscapes) slots.escapes = true;
  return accepts(value) ? behind : -1;
}
