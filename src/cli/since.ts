// A time that has passed, as commands take it.
import { InvalidArgumentError } from 'commander';

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const DATE_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** A span until now, or a date (its first moment in UTC), or a moment with its zone. */
export function parseSince(text: string): Date {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const date =
    count === undefined
      ? new Date(DATE_TIME.test(text) ? text : Number.NaN)
      : new Date(Date.now() - Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
  if (!Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError('Allowed is 90m, 24h, 7d, a date or a date-time with its zone.');
}
