// What a candidate would mean for events that came in before: the newest final rows and the newest rejections.
// Only reads; bounded in rows, in bytes and in time.
import { borrow, type Connection, type Database } from '../db.ts';
import type { SchemaVersion, Subject } from '../schema/registry.ts';
import { quote } from '../sql.ts';
import { invalidSchema } from './candidate.ts';
import type { Stored } from './tasks.ts';
import type { Workbench } from './workbench.ts';

const MOST = 1_000;
/** Events larger than this are left out: a thousand of them are in memory at once. */
const MOST_BYTES = 65_536;
const READ_MS = 5_000;

/**
 * Holds a candidate against stored events of its subject.
 * @param subject as it is in use; null for a new one, of which nothing can be stored
 * @param wants rows cost more to read than rejections
 * @throws {Problem} `invalid_schema` where the candidate takes too long on them, `database_busy` where reading does
 */
export async function judgeStored(
  db: Database,
  workbench: Workbench,
  candidate: SchemaVersion,
  subject: Subject | null,
  wants: { rows: boolean },
): Promise<Stored> {
  const versions = (subject?.versions ?? []).filter(({ plan }) => plan.table === candidate.plan.table);
  const { rows, rejections } = await borrow(db, async (connection) => {
    await connection.query('BEGIN READ ONLY');
    await connection.query(`SET LOCAL statement_timeout = ${READ_MS}`);
    const read = {
      rows: wants.rows && versions.length > 0 ? await readRows(connection, versions[0]!) : [],
      rejections: subject === null ? [] : await readRejections(connection, subject.name),
    };
    await connection.query('COMMIT');
    return read;
  });
  const stored = await workbench.judgeStored({
    candidate: candidate.bundle(),
    declaresEnvelope: candidate.shape.properties.has('$schema'),
    rows,
    versions: new Map(versions.map(({ version, plan, shape }) => [version, { plan, shape }])),
    rejections,
  });
  if (stored !== undefined) return stored;
  const reason = 'takes too long on stored events: one of its patterns may be of exponential cost';
  throw invalidSchema([{ file: candidate.file, place: '', reason }]);
}

/** Rows of the newest batches as JSON text. Batches are found by time, their rows by the index on `_batch_id`. */
async function readRows(connection: Connection, { subject, plan }: SchemaVersion): Promise<string[]> {
  const batches = await connection.query<{ id: string; accepted: string }>(
    `SELECT id, accepted FROM sluice.batches
     WHERE status = 'promoted' AND accepted > 0 AND $1 = ANY (subjects)
     ORDER BY received_at DESC, id DESC LIMIT ${MOST}`,
    [subject],
  );
  const ids: string[] = [];
  let count = 0;
  for (const { id, accepted } of batches.rows) {
    if (count >= MOST) break;
    ids.push(id);
    count += Number(accepted);
  }
  const { rows } = await connection.query<{ event: string }>(
    `SELECT event FROM (
       SELECT to_jsonb(final)::text AS event FROM events.${quote(plan.table)} AS final
       WHERE _batch_id = ANY ($1::uuid[]) LIMIT ${MOST}) AS newest
     WHERE octet_length(event) <= ${MOST_BYTES}`,
    [ids],
  );
  return rows.map(({ event }) => event);
}

/** Batch ids are UUIDs of version 7: their order is that of time. */
async function readRejections(connection: Connection, subject: string): Promise<string[]> {
  const { rows } = await connection.query<{ raw: Buffer }>(
    `SELECT raw FROM sluice.rejections
     WHERE code = 'schema_violation' AND split_part(schema, '/', 1) = $1 AND length <= ${MOST_BYTES}
     ORDER BY batch_id DESC, batch_line DESC LIMIT ${MOST}`,
    [subject],
  );
  return rows.map(({ raw }) => raw.toString('utf8'));
}
