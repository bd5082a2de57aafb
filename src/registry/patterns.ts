// Whether Postgres takes the regular expressions of the subjects' checks, which only Postgres can tell: it is asked once,
// when a folder comes into use, so that no batch meets one that cannot run.
import { type Connection, sqlstate } from '../db.ts';
import type { Fault } from '../schema/faults.ts';
import type { Subject } from '../schema/registry.ts';

/** For one try; compiling takes far less, if it ends. */
const TIMEOUT_MS = 5_000;
const INVALID_REGULAR_EXPRESSION = '2201B';
const QUERY_CANCELED = '57014';
/** program_limit_exceeded and its kind: nested too deep, too large. */
const LIMIT = /^54/;

/** Those that Postgres cannot run, each with the reason that Postgres gives. */
export async function patternFaults(connection: Connection, subjects: readonly Subject[]): Promise<Fault[]> {
  const suites = new Set(subjects.flatMap(({ versions }) => versions.map(({ suite }) => suite)));
  const found = [...suites].flatMap(({ checks }) =>
    checks.flatMap(({ file, patterns }) => patterns.map(({ place, source }) => ({ file, place, source }))),
  );
  const sources = [...new Set(found.map(({ source }) => source))];
  if (sources.length === 0 || (await reasonAgainst(connection, sources)) === undefined) return [];
  const reasons = new Map<string, string | undefined>();
  for (const source of sources) reasons.set(source, await reasonAgainst(connection, [source]));
  // A check that applies to several tables is one place.
  const faults = new Map<string, Fault>();
  for (const { file, place, source } of found) {
    const reason = reasons.get(source);
    if (reason !== undefined) faults.set(`${file} ${place}`, { file, place, reason });
  }
  return [...faults.values()];
}

/** Compiles them. No text matters: an empty one is the quickest to match. */
async function reasonAgainst(connection: Connection, sources: readonly string[]): Promise<string | undefined> {
  await connection.query('BEGIN');
  try {
    await connection.query(`SET LOCAL statement_timeout = ${TIMEOUT_MS}`);
    await connection.query("SELECT count(*) FILTER (WHERE '' ~ source) FROM unnest($1::text[]) AS source", [sources]);
    await connection.query('COMMIT');
    return undefined;
  } catch (error) {
    await connection.query('ROLLBACK').catch(() => {});
    const state = sqlstate(error) ?? '';
    if (state === QUERY_CANCELED) return 'Postgres takes too long over this regular expression';
    if (state === INVALID_REGULAR_EXPRESSION || LIMIT.test(state)) return (error as Error).message;
    throw error;
  }
}
