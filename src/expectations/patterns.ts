// Patterns of a suite. Whether Postgres takes a regular expression only Postgres knows; here stands what is wrong with
// one for certain, so that it is found without a database.
import pg from 'pg';

/** Python's, and what Postgres says to it: https://www.postgresql.org/docs/current/functions-matching.html */
const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/^\(\?P[<=>]/, 'Postgres has no named groups, write (…)'],
  [/^\(\?<(?![=!])/, 'Postgres has no named groups, write (…)'],
  [/^\(\?>/, 'Postgres has no atomic groups'],
  [/^\(\?#[^)]*$/, 'a comment has no end'],
  [/^\\[pP]\{/, 'Postgres has no \\p{…}, write a class like [[:alpha:]]'],
];

/** Why Postgres cannot run a regular expression, as far as it can be told without asking it. */
export function patternFault(source: string): string | undefined {
  if (source.includes('\0')) return 'Postgres stores no text with NUL in it';
  if (!source.isWellFormed()) return 'is not valid Unicode';
  let inClass = false;
  for (let at = 0; at < source.length; at++) {
    const mark = source[at];
    if (!inClass && (mark === '(' || mark === '\\')) {
      const rest = source.slice(at, at + 200);
      const found = FOREIGN.find(([form]) => form.test(rest));
      if (found !== undefined) return `is no regular expression of Postgres: ${found[1]}`;
    }
    if (mark === '\\') {
      if (at + 1 === source.length) return 'is no regular expression of Postgres: it ends in a backslash';
      at++;
    } else if (mark === '[' && !inClass) {
      inClass = true;
      // A bracket that comes first stands for itself.
      if (source[at + 1] === '^') at++;
      if (source[at + 1] === ']') at++;
    } else if (mark === '[' && /[:.=]/.test(source[at + 1] ?? '')) {
      at = Math.max(at, source.indexOf(`${source[at + 1]}]`, at + 2) + 1);
    } else if (mark === ']') inClass = false;
  }
  return inClass ? 'is no regular expression of Postgres: a [ is not closed' : undefined;
}

/** What Postgres takes but reads in a way of its own. */
export function patternNote(source: string): string | undefined {
  return /(?<!\\)(?:\\\\)*\\b/.test(source)
    ? 'to Postgres \\b is a backspace: a word begins or ends at \\y'
    : undefined;
}

/** A LIKE pattern as a literal. */
export function quoteLikePattern(source: string): { sql: string } | { reason: string } {
  if (source.includes('\0')) return { reason: 'Postgres stores no text with NUL in it' };
  if (!source.isWellFormed()) return { reason: 'is not valid Unicode' };
  const trailing = /\\*$/.exec(source)![0].length;
  return trailing % 2 === 1 ? { reason: 'must not end in a backslash' } : { sql: pg.escapeLiteral(source) };
}
