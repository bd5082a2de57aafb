// Query parameters. One that is not understood is refused: a mistyped filter must not give another list, nor a mistyped
// mode another answer.
import { Problem } from '../errors.ts';

export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const MOST_ITEMS = 1_000;
const DATE_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** @throws {Problem} `invalid_parameter` for one that is not known, or given twice */
export function readParameters<Name extends string>(
  query: unknown,
  known: readonly Name[],
): Partial<Record<Name, string>> {
  for (const [name, value] of Object.entries(query as Record<string, unknown>)) {
    if (!known.includes(name as Name)) {
      throw invalidQuery(
        name,
        `is not known: ${known.length === 0 ? 'there are none' : `known are ${known.join(', ')}`}`,
      );
    }
    if (typeof value !== 'string') throw invalidQuery(name, 'is given more than once');
  }
  return query as Partial<Record<Name, string>>;
}

export function readLimit(text: string | undefined): number {
  const count = text === undefined ? 100 : /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > MOST_ITEMS) throw invalidQuery('limit', `must be a whole number from 1 to ${MOST_ITEMS}`);
  return count;
}

/** The moment that a date (its first in UTC) or a date-time means, or undefined. */
export function parseMoment(text: string): Date | undefined {
  const date = new Date(text);
  return DATE_TIME.test(text) && !Number.isNaN(date.getTime()) ? date : undefined;
}

export function readMoment(name: string, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const date = parseMoment(text);
  if (date === undefined) throw invalidQuery(name, 'must be a date or a date-time (RFC 3339)');
  return date;
}

export function readChoice<T extends string>(name: string, text: string | undefined, allowed: readonly T[]): T | null {
  if (text === undefined) return null;
  const found = allowed.find((each) => each === text);
  if (found === undefined) throw invalidQuery(name, `must be one of ${allowed.join(', ')}`);
  return found;
}

/** Where the next page begins, as text that nobody needs to understand. */
export function encodeCursor(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url');
}

/** @param parse undefined for what is no place */
export function decodeCursor<T>(text: string | undefined, parse: (place: unknown[]) => T | undefined): T | null {
  if (text === undefined) return null;
  try {
    const place: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    const parsed = Array.isArray(place) ? parse(place) : undefined;
    if (parsed !== undefined) return parsed;
  } catch {
    // Said below.
  }
  throw invalidQuery('cursor', 'is not one that this service gave out');
}

export function invalidQuery(name: string, fault: string): Problem {
  return new Problem('invalid_parameter', `The parameter ${name} ${fault}`, { members: { parameter: name } });
}
