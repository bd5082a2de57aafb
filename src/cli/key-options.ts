// The options of `sluice keys create`: text in, values out, and one line for what is not understood.
import { InvalidArgumentError } from 'commander';
import { SCOPES, type Scope } from '../access/client.ts';
import { isSubjectName } from '../schema/listing.ts';

const LONGEST_NAME = 100;
const UNIT_MS = { h: 3_600_000, d: 86_400_000 } as const;
const DATE_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Adds scopes, one or several with commas, to those given before. */
export function collectScopes(text: string, before: readonly Scope[] = []): Scope[] {
  const scopes = text.split(',').map((each) => {
    const scope = SCOPES.find((known) => known === each.trim());
    if (scope === undefined) throw new InvalidArgumentError(`Allowed are ${SCOPES.join(', ')}.`);
    return scope;
  });
  return [...new Set([...before, ...scopes])];
}

/** As {@link collectScopes}. Whether there are such subjects is not asked: they may come later. */
export function collectSubjects(text: string, before: readonly string[] = []): string[] {
  const subjects = text.split(',').map((each) => each.trim());
  if (!subjects.every(isSubjectName)) throw new InvalidArgumentError('A subject is named like user_event.');
  return [...new Set([...before, ...subjects])];
}

export function parseKeyName(text: string): string {
  const isFine = text.trim() !== '' && [...text].length <= LONGEST_NAME && text.isWellFormed();
  if (isFine && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) return text;
  throw new InvalidArgumentError(`Allowed are 1 to ${LONGEST_NAME} printable characters.`);
}

/** A time to come: a span from now, or a date (its first moment in UTC), or a moment with its zone. */
export function parseExpiry(text: string): Date {
  const [, count, unit] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  const date =
    count === undefined
      ? new Date(DATE_TIME.test(text) ? text : Number.NaN)
      : new Date(Date.now() + Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]);
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('Allowed is 90d, 12h, a date or a date-time with its zone.');
  }
  if (date.getTime() <= Date.now()) throw new InvalidArgumentError('That is not in the future.');
  return date;
}

export const parseRequests = (text: string): number => parseCount(text, 1_000_000_000);
export const parseBytes = (text: string): number => parseCount(text, Number.MAX_SAFE_INTEGER);
export const parseUploads = (text: string): number => parseCount(text, 100_000);

function parseCount(text: string, most: number): number {
  const count = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= most) return count;
  throw new InvalidArgumentError(`Allowed is a whole number from 0 to ${most}.`);
}
