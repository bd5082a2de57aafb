// Numbers straight from their digits, where that is exact: what is longer goes the usual way, through JSON.parse.
import type { Slots } from './slots.ts';

const MINUS = 0x2d;
const ZERO = 0x30;
const TWO_32 = 4_294_967_296;
/** Any number of so many digits is an integer that a double holds, and comes back from a double unchanged. */
const MOST_DIGITS = 15;
/** Powers of ten that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
const MOST_POWER = POWERS.length - 1;

/**
 * A whole number of at most 15 digits, without point and exponent; -0 is left to the usual way.
 * @returns the index behind it, or -1
 */
export function readInteger(bytes: Uint8Array, at: number, slots: Slots, column: number): number {
  const isNegative = bytes[at] === MINUS;
  const start = isNegative ? at + 1 : at;
  let value = 0;
  at = start;
  for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) value = value * 10 + digit;
  const digits = at - start;
  if (digits === 0 || digits > MOST_DIGITS) return -1;
  if (bytes[start] === ZERO && (digits > 1 || isNegative)) return -1;
  keepInteger(isNegative ? -value : value, slots, column);
  return at;
}

function keepInteger(value: number, slots: Slots, column: number): void {
  const high = Math.floor(value / TWO_32);
  slots.number[column] = value;
  slots.high[column] = high;
  slots.low[column] = value - high * TWO_32;
}

/**
 * A decimal of at most 15 digits and a small exponent: one division or multiplication of exact doubles is rounded once,
 * as the number itself would be (W. Clinger, "How to read floating point numbers accurately", 1990). -0 is left to the
 * usual way.
 * @returns the index behind it, or -1
 */
export function readDouble(bytes: Uint8Array, at: number, slots: Slots, column: number): number {
  const isNegative = bytes[at] === MINUS;
  const start = isNegative ? at + 1 : at;
  let mantissa = 0;
  at = start;
  for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
    mantissa = mantissa * 10 + digit;
  }
  let digits = at - start;
  if (digits === 0 || (bytes[start] === ZERO && digits > 1)) return -1;
  let power = 0;
  if (bytes[at] === 0x2e) {
    const point = ++at;
    for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
      mantissa = mantissa * 10 + digit;
    }
    power = point - at;
    if (power === 0) return -1;
    digits -= power;
  }
  if (digits > MOST_DIGITS || (mantissa === 0 && isNegative)) return -1;
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    at++;
    const isSmall = bytes[at] === MINUS;
    if (isSmall || bytes[at] === 0x2b) at++;
    const first = at;
    let exponent = 0;
    for (let digit = bytes[at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
      exponent = exponent * 10 + digit;
    }
    if (at === first || at - first > 3) return -1;
    power += isSmall ? -exponent : exponent;
  }
  if (power > MOST_POWER || power < -MOST_POWER) return -1;
  const value = power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!;
  slots.number[column] = isNegative ? -value : value;
  return at;
}
