// RFC 3339 text to the numbers that Postgres stores: microseconds, or days, since 2000-01-01 UTC. What Postgres
// refuses is refused here with the reason; the bounds were measured on Postgres 15 and 18.

/** Days from 1970-01-01 to 2000-01-01. */
const EPOCH_DAYS = 10_957;
// Longest text that Postgres reads as a timestamp, with a letter and with white space between date and time: it copies
// the fields into a work buffer of fixed size. Found by bisection.
const LONGEST_WITH_T = 149;
const LONGEST_WITH_SPACE = 151;

export interface Instant {
  /** Whole seconds since 2000-01-01 UTC. */
  seconds: number;
  /** 0..1,000,000; Postgres rounds what is finer. */
  micros: number;
}

/** Days of the proleptic Gregorian calendar since 2000-01-01 (H. Hinnant, "chrono-compatible date algorithms"). */
export function daysSince2000(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468 - EPOCH_DAYS;
}

/** Two decimal digits at `at`, or NaN: every comparison with it is false, so a bad shape falls through to the end. */
function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens < 10 && ones >= 0 && ones < 10 ? tens * 10 + ones : Number.NaN;
}

export const DAYS_OF_MONTH = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

const HYPHEN = 0x2d;
const COLON = 0x3a;

/**
 * The first ten characters as a `full-date` of RFC 3339.
 * @returns days since 2000-01-01; the reason why Postgres cannot hold it; or null if it is no date
 */
function leadingDate(text: string): number | string | null {
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const shaped = text.charCodeAt(4) === HYPHEN && text.charCodeAt(7) === HYPHEN && year >= 0;
  if (!(shaped && month >= 1 && month <= 12 && day >= 1)) return null;
  if (day > DAYS_OF_MONTH[month]! && !(month === 2 && day === 29 && isLeap(year))) return null;
  if (year === 0) return 'Postgres has no year 0000';
  return daysSince2000(year, month, day);
}

/** A `full-date`, as {@link leadingDate} reads it, and nothing behind it. */
export function parseDate(text: string): number | string | null {
  return text.length === 10 ? leadingDate(text) : null;
}

const AFTER_SECONDS = /^(\.\d+)?(?:[zZ]|([+-])(\d\d)(?::?(\d\d))?)$/;

/**
 * A `date-time` of RFC 3339 section 5.6, as wide as ajv-formats reads it: any white space for the `T`, offsets without
 * a colon or without minutes, a leap second.
 * @param into receives the instant, so that the hot path allocates nothing
 * @returns undefined when done; the reason why Postgres cannot hold it; or null if it is no date-time
 */
export function parseTimestamp(text: string, into: Instant): string | undefined | null {
  const days = leadingDate(text);
  if (typeof days !== 'number') return days;
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  const shaped = text.charCodeAt(13) === COLON && text.charCodeAt(16) === COLON;
  if (!(shaped && hour >= 0 && minute <= 59 && second <= 60)) return null;
  const separator = text.charCodeAt(10);
  if (separator > 0x7f) return 'Postgres does not know this separator between date and time';
  if (hour > 23) return 'Postgres has no such hour';
  into.seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
  into.micros = 0;
  const zone = text.charCodeAt(19);
  if (text.length === 20 && (zone === 0x5a || zone === 0x7a)) return undefined;

  const rest = AFTER_SECONDS.exec(text.slice(19));
  if (rest === null) return null;
  const [, fraction, sign, offsetHour = '0', offsetMinute = '0'] = rest;
  if (fraction !== undefined) {
    const longest = (separator | 0x20) === 0x74 ? LONGEST_WITH_T : LONGEST_WITH_SPACE;
    if (text.length > longest) return 'Postgres does not read so many digits of a second';
    into.micros = roundHalfEven(Number(`0${fraction}`) * 1e6);
    // 24:00:00 is the end of a day; there is nothing behind it.
    if (second === 60 && hour === 23 && minute === 59 && into.micros > 0) {
      return 'Postgres has no time of day after 24:00:00';
    }
  }
  if (sign === undefined) return undefined;
  if (Number(offsetHour) > 15) return 'Postgres has no time zone offset of 16 hours or more';
  const offset = Number(offsetHour) * 3600 + Number(offsetMinute) * 60;
  into.seconds += sign === '-' ? offset : -offset;
  return undefined;
}

export function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}
