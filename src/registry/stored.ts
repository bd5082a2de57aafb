// What a candidate would mean for events that came in before: the newest final rows and the newest rejections.
// Only reads; bounded in rows, in bytes and in time.
import type { Sight } from '../access/client.ts';
import { borrow, type Connection, type Database } from '../db.ts';
import type { SchemaVersion, Subject } from '../schema/registry.ts';
import { quote } from '../sql.ts';
import { invalidSchema } from './candidate.ts';
import type { Stored, StoredTask } from './tasks.ts';
import type { Workbench } from './workbench.ts';

const MOST = 1_000;
/** Events larger than this are left out: a thousand of them are in memory at once. */
const MOST_BYTES = 65_536;
const READ_MS = 5_000;
/** Where counting what a version rescues ends: it is told with an answer that somebody waits for. */
const MOST_COUNTED = 100_000;
const COUNT_MS = 5_000;
/** Rejections, and bytes of theirs, that are in memory at once. */
const MOST_ON_PAGE = 10_000;
const PAGE_BYTES = 8 * 1024 * 1024;

/** Rejections that no replay has taken. */
interface Rescue {
  rescued: number;
  rejections_checked: number;
}

/**
 * Holds a candidate against stored events of its subject.
 * @param subject as it is in use; null for a new one, of which nothing can be stored
 * @param sight whose events: a candidate may ask anything of them, and the counts would answer
 * @throws {Problem} `invalid_schema` where the candidate takes too long on them, `database_busy` where reading does
 */
export async function judgeStored(
  db: Database,
  workbench: Workbench,
  candidate: SchemaVersion,
  subject: Subject | null,
  sight: Sight,
): Promise<Stored> {
  const versions = (subject?.versions ?? []).filter(({ plan }) => plan.table === candidate.plan.table);
  const { rows, rejections } = await borrow(db, async (connection) => {
    await connection.query('BEGIN READ ONLY');
    await connection.query(`SET LOCAL statement_timeout = ${READ_MS}`);
    const read = {
      rows: versions.length > 0 ? await readRows(connection, versions[0]!, sight) : [],
      rejections: subject === null ? [] : textsOf(await readRejections(connection, subject.name, MOST, sight)),
    };
    await connection.query('COMMIT');
    return read;
  });
  const shapes = new Map(versions.map(({ version, plan, shape }) => [version, { plan, shape }]));
  return judge(workbench, candidate, { rows, versions: shapes, rejections });
}

/**
 * Counts the stored rejections of its subject that a version would take, newest first, as far as time allows.
 * @throws as {@link judgeStored}
 */
export async function countRescued(db: Database, workbench: Workbench, version: SchemaVersion): Promise<Rescue> {
  const deadline = performance.now() + COUNT_MS;
  const counted: Rescue = { rescued: 0, rejections_checked: 0 };
  let after: RejectedLine | undefined;
  do {
    const page = await borrow(db, async (connection) => {
      await connection.query('BEGIN READ ONLY');
      await connection.query(`SET LOCAL statement_timeout = ${READ_MS}`);
      const lines = await readRejections(connection, version.subject, MOST_ON_PAGE, null, after);
      await connection.query('COMMIT');
      return lines;
    });
    if (page.length === 0) break;
    const task = { rows: [], versions: new Map(), rejections: textsOf(page) };
    counted.rescued += (await judge(workbench, version, task)).rejections_rescued;
    counted.rejections_checked += page.length;
    after = page.at(-1);
  } while (counted.rejections_checked < MOST_COUNTED && performance.now() < deadline);
  return counted;
}

async function judge(
  workbench: Workbench,
  candidate: SchemaVersion,
  task: Pick<StoredTask, 'rows' | 'versions' | 'rejections'>,
): Promise<Stored> {
  const declaresEnvelope = candidate.shape.properties.has('$schema');
  const stored = await workbench.judgeStored({ candidate: candidate.bundle(), declaresEnvelope, ...task });
  if (stored !== undefined) return stored;
  const reason = 'takes too long on stored events: one of its patterns may be of exponential cost';
  throw invalidSchema([{ file: candidate.file, place: '', reason }]);
}

/** Rows of the newest batches as JSON text. Batches are found by time, their rows by the index on `_batch_id`. */
async function readRows(connection: Connection, { subject, plan }: SchemaVersion, sight: Sight): Promise<string[]> {
  const batches = await connection.query<{ id: string; accepted: string }>(
    `SELECT id, accepted FROM sluice.batches
     WHERE status = 'promoted' AND accepted > 0 AND $1 = ANY (subjects) AND ($2::uuid IS NULL OR client = $2)
     ORDER BY received_at DESC, id DESC LIMIT ${MOST}`,
    [subject, sight],
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

interface RejectedLine {
  batch_id: string;
  batch_line: number;
  raw: Buffer;
}

/**
 * The newest rejections by a schema of the subject that no replay has taken. Batch ids are UUIDs of version 7: their
 * order is that of time.
 * @param after the last one of the page before
 */
async function readRejections(
  connection: Connection,
  subject: string,
  most: number,
  sight: Sight,
  after?: RejectedLine,
): Promise<RejectedLine[]> {
  const { rows } = await connection.query<RejectedLine>(
    `SELECT batch_id, batch_line, raw FROM (
       SELECT *, sum(length) OVER (ORDER BY batch_id DESC, batch_line DESC) - length AS bytes_before FROM (
         SELECT batch_id, batch_line, length, raw FROM sluice.rejections
         WHERE code = 'schema_violation' AND split_part(schema, '/', 1) = $1 AND length <= ${MOST_BYTES}
           AND origin_batch_id IS NULL
           AND NOT EXISTS (
             SELECT FROM sluice.replays
             WHERE replays.batch_id = rejections.batch_id AND replays.batch_line = rejections.batch_line)
           AND ($2::uuid IS NULL OR (batch_id, batch_line) < ($2, $3::int))
           AND ($4::uuid IS NULL OR batch_id IN (SELECT id FROM sluice.batches WHERE client = $4))
         ORDER BY batch_id DESC, batch_line DESC LIMIT ${most}) AS newest) AS sized
     WHERE bytes_before < ${PAGE_BYTES} ORDER BY batch_id DESC, batch_line DESC`,
    [subject, after?.batch_id ?? null, after?.batch_line ?? null, sight],
  );
  return rows;
}

function textsOf(lines: readonly RejectedLine[]): string[] {
  return lines.map(({ raw }) => raw.toString('utf8'));
}
