// Dates and date-times straight from their bytes: found valid and turned into Postgres's numbers in one go. Only the
// shapes that nearly all events have, within what Postgres holds; anything else goes the usual way.
import { DAYS_OF_MONTH, daysSince2000, isLeap, roundHalfEven } from '../time.ts';
import type { Slots } from './slots.ts';
import { QUOTE } from './text.ts';

const DASH = 0x2d;
const COLON = 0x3a;
const TWO_32 = 4_294_967_296;
/** No date has so many days before 2000. */
const NONE = -2_000_000_000;
/** Beyond every limit. */
const NO_DIGITS = 10_000;

/** Two decimal digits. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30;
  const ones = bytes[at + 1]! - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NO_DIGITS;
}

/** `YYYY-MM-DD` as days since 2000-01-01, or `NONE`. */
function readDays(bytes: Uint8Array, at: number): number {
  const year = two(bytes, at) * 100 + two(bytes, at + 2);
  const month = two(bytes, at + 5);
  const day = two(bytes, at + 8);
  if (bytes[at + 4] !== DASH || bytes[at + 7] !== DASH || year > 9_999 || year === 0) return NONE;
  if (month < 1 || month > 12 || day < 1) return NONE;
  if (day > DAYS_OF_MONTH[month]! && !(day === 29 && month === 2 && isLeap(year))) return NONE;
  return daysSince2000(year, month, day);
}

/** A `date` of RFC 3339 in quotes, into `low`. @returns the index behind it, or -1 */
export function readDate(bytes: Uint8Array, at: number, slots: Slots, column: number): number {
  if (bytes[at] !== QUOTE || bytes[at + 11] !== QUOTE) return -1;
  const days = readDays(bytes, at + 1);
  slots.low[column] = days;
  return days === NONE ? -1 : at + 12;
}

/** Digits of a fraction that are read here. */
const MOST_FRACTION = 9;
const POWERS = Float64Array.from({ length: MOST_FRACTION + 1 }, (_, power) => 10 ** power);

/**
 * A `date-time` of RFC 3339 in quotes, with a `T`, up to nine digits of a fraction, `Z` or `±hh:mm`: microseconds since
 * 2000-01-01 UTC, the two words of an int8.
 * @returns the index behind it, or -1
 */
export function readTimestamp(bytes: Uint8Array, at: number, slots: Slots, column: number): number {
  if (bytes[at] !== QUOTE) return -1;
  const days = readDays(bytes, at + 1);
  const hour = two(bytes, at + 12);
  const minute = two(bytes, at + 15);
  const second = two(bytes, at + 18);
  if (days === NONE || (bytes[at + 11]! | 0x20) !== 0x74 || bytes[at + 14] !== COLON || bytes[at + 17] !== COLON) {
    return -1;
  }
  if (hour > 23 || minute > 59 || second > 59) return -1;
  let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
  let micros = 0;
  at += 20;
  if (bytes[at] === 0x2e) {
    const start = ++at;
    let digits = 0;
    for (let digit = bytes[at]! - 0x30; digit >= 0 && digit <= 9; digit = bytes[++at]! - 0x30) {
      digits = digits * 10 + digit;
    }
    const length = at - start;
    if (length === 0 || length > MOST_FRACTION) return -1;
    micros = length <= 6 ? digits * POWERS[6 - length]! : roundHalfEven((digits / POWERS[length]!) * 1e6);
  }
  const zone = bytes[at]!;
  if (zone === DASH || zone === 0x2b) {
    const hours = two(bytes, at + 1);
    const minutes = two(bytes, at + 4);
    if (hours > 15 || minutes > 59 || bytes[at + 3] !== COLON) return -1;
    const offset = hours * 3600 + minutes * 60;
    seconds += zone === DASH ? offset : -offset;
    at += 6;
  } else if ((zone | 0x20) === 0x7a) at++;
  else return -1;
  const value = seconds * 1e6 + micros;
  if (bytes[at] !== QUOTE || !Number.isSafeInteger(value)) return -1;
  const high = Math.floor(value / TWO_32);
  slots.high[column] = high;
  slots.low[column] = value - high * TWO_32;
  return at + 1;
}
