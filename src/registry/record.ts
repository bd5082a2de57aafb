// sluice.schema_versions: what each version said when it came into use. One function, one statement.
import { type Connection, sqlstate } from '../db.ts';
import type { Canonical } from '../schema/canonical.ts';
import { tableName } from '../schema/names.ts';
import { quote } from '../sql.ts';

export interface RecordedVersion {
  subject: string;
  version: string;
  sha256: string;
}

/** All recorded versions, or those of one subject, by `subject/version`. */
export async function readRecorded(connection: Connection, subject?: string): Promise<Map<string, RecordedVersion>> {
  const { rows } = await connection.query<RecordedVersion>(
    'SELECT subject, version, sha256 FROM sluice.schema_versions WHERE $1::text IS NULL OR subject = $1',
    [subject ?? null],
  );
  return new Map(rows.map((row) => [`${row.subject}/${row.version}`, row]));
}

/** The document that was recorded. */
export async function readDocument(connection: Connection, { subject, version }: RecordedVersion): Promise<unknown> {
  const { rows } = await connection.query<{ canonical: string }>(
    'SELECT canonical FROM sluice.schema_versions WHERE subject = $1 AND version = $2',
    [subject, version],
  );
  return JSON.parse(rows[0]!.canonical);
}

export interface FreshVersion {
  subject: string;
  version: string;
  canonical: Canonical;
  /** The same as JSON text in the file's own order. */
  document: string;
}

/** Records versions. To be called under the migration lock, with versions that are not recorded. */
export async function recordVersions(connection: Connection, fresh: readonly FreshVersion[]): Promise<void> {
  await connection.query(
    `INSERT INTO sluice.schema_versions (subject, version, canonical, sha256, document)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])`,
    [
      fresh.map(({ subject }) => subject),
      fresh.map(({ version }) => version),
      fresh.map(({ canonical }) => canonical.text),
      fresh.map(({ canonical }) => canonical.sha256),
      fresh.map(({ document }) => document),
    ],
  );
}

const LOOK_MS = 5_000;
const QUERY_CANCELED = '57014';

/** Whether final has rows of a version; `unknown` where the table is too large to find out in time. */
export async function hasRows(connection: Connection, of: RecordedVersion): Promise<boolean | 'unknown'> {
  const table = `events.${quote(tableName(of.subject, Number.parseInt(of.version, 10)))}`;
  const { rows } = await connection.query<{ found: boolean }>('SELECT to_regclass($1) IS NOT NULL AS found', [table]);
  if (!rows[0]!.found) return false;
  await connection.query('BEGIN');
  try {
    await connection.query(`SET LOCAL statement_timeout = ${LOOK_MS}`);
    const look = `SELECT EXISTS (SELECT FROM ${table} WHERE _schema_version = $1) AS found`;
    return (await connection.query<{ found: boolean }>(look, [of.version])).rows[0]!.found;
  } catch (error) {
    if (sqlstate(error) !== QUERY_CANCELED) throw error;
    return 'unknown';
  } finally {
    await connection.query('ROLLBACK');
  }
}
