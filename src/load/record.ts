// What the service remembers of a batch: one function, one statement on the system tables.
import type { Connection, Database } from '../db.ts';
import { Problem } from '../errors.ts';
import type { Report } from '../model.ts';
import { arrayText } from '../sql.ts';
import type { Step } from './trip.ts';

/** One file of an upload, as it is recorded with the batch. */
export interface FileRecord {
  name: string | null;
  format: 'ndjson' | 'json' | 'lines';
  /** Line number in the batch of its first line. */
  first_line: number;
  lines: number;
  /** As received, before decompression. */
  bytes: number;
  sha256: string;
}

export interface BatchRecord {
  id: string;
  receivedAt: Date;
  process: string;
  /** Whose it is; null where nobody has to say who they are. */
  client: string | null;
}

/** A run of lines with the same verdict, both ends inclusive, in line numbers of the batch. */
export interface LineRun {
  first: number;
  last: number;
}

/** Notes that a batch is being received, so that a sweep can clear it away should this process die. */
export async function recordReceiving(connection: Connection, batch: BatchRecord): Promise<void> {
  await connection.query(
    `INSERT INTO sluice.batches (id, status, received_at, process, client) VALUES ($1, 'receiving', $2, $3, $4)`,
    [batch.id, batch.receivedAt, batch.process, batch.client],
  );
}

/**
 * To be asked at the end of each transaction that writes for a batch before it is finished: a sweep that takes this
 * process for dead waits for it then, and clears its work away too. Not before the end, or a COPY that hangs for ever would
 * keep the batch from being swept.
 * @throws {Problem} `database_unavailable` if a sweep has been here already
 */
export async function expectReceiving(connection: Connection, batchId: string): Promise<void> {
  const { rowCount } = await connection.query(
    `SELECT FROM sluice.batches WHERE id = $1 AND status = 'receiving' FOR SHARE`,
    [batchId],
  );
  if (rowCount === 0) throw takenForDead();
}

/** The connection that says that this process lives was lost for a while, and the batch was cleared away. */
export function takenForDead(): Problem {
  const detail = 'Nothing was stored: the batch was taken for dead, please send it again';
  return new Problem('database_unavailable', detail, { retryAfter: 1 });
}

export interface FinishedBatch extends BatchRecord {
  report: Report;
  /** `report` as JSON text. */
  reportText: string;
  httpStatus: number;
  subjects: string[];
  /** The upload's schema parameter. */
  schemaParameter: string | null;
  /** Ids of the versions that lines were judged by. */
  schemas: string[];
  replayOf: readonly string[];
  digest: Buffer | null;
  files: FileRecord[];
  reason: string | null;
}

/**
 * Writes the finished batch.
 * @returns false if the batch is no longer ours: a sweep took this process for dead, or it was finished before
 */
export async function recordFinished(connection: Connection, batch: FinishedBatch): Promise<boolean> {
  const { rowCount } = await connection.query(FINISH, finishedValues(batch));
  return rowCount === 1;
}

/** The statement of {@link recordFinished}; it tells of no row where that returns false. */
export function finishedStep(batch: FinishedBatch): Step {
  return { text: FINISH, values: finishedValues(batch).map(asSent), rows: 1 };
}

const FINISH = `INSERT INTO sluice.batches AS batches (id, status, received_at, finished_at, process, received, accepted,
     rejected, duplicate, blank, bytes, subjects, files, http_status, report, reason, schema, schemas, replay_of, digest,
     client)
   VALUES ($1, $2, $3, clock_timestamp(), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
   ON CONFLICT (id) DO UPDATE SET status = excluded.status, finished_at = excluded.finished_at,
     received = excluded.received, accepted = excluded.accepted, rejected = excluded.rejected,
     duplicate = excluded.duplicate, blank = excluded.blank, bytes = excluded.bytes, subjects = excluded.subjects,
     files = excluded.files, http_status = excluded.http_status, report = excluded.report, reason = excluded.reason,
     schema = excluded.schema, schemas = excluded.schemas, replay_of = excluded.replay_of, digest = excluded.digest
   WHERE batches.status = 'receiving' AND batches.process = excluded.process`;

type Value = string | number | string[] | readonly string[] | Date | Buffer | null;

function finishedValues(batch: FinishedBatch): Value[] {
  const { report, httpStatus, subjects, files, reason, schemaParameter, schemas, replayOf, digest } = batch;
  const { lines, status } = report;
  return [
    batch.id,
    status,
    batch.receivedAt,
    batch.process,
    lines.received,
    lines.accepted,
    lines.rejected,
    lines.duplicate,
    lines.blank,
    report.bytes,
    subjects,
    JSON.stringify(files),
    httpStatus,
    batch.reportText,
    reason,
    schemaParameter,
    schemas,
    replayOf,
    digest,
    batch.client,
  ];
}

function asSent(value: Value): string | Buffer | null {
  if (value === null || Buffer.isBuffer(value)) return value;
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? arrayText(value) : String(value);
}

/** Corrects the digest of a finished batch. */
export async function recordDigest(connection: Connection, batchId: string, digest: Buffer | null): Promise<void> {
  await connection.query('UPDATE sluice.batches SET digest = $2 WHERE id = $1', [batchId, digest]);
}

/** Forgets a batch of which nothing is to be kept: a dry run that was too large for memory. */
export async function forgetBatch(connection: Connection, batchId: string): Promise<void> {
  await connection.query('DELETE FROM sluice.batches WHERE id = $1', [batchId]);
}

/** The answer that a finished batch got; undefined if there is no such batch or it is still being received. */
export async function readAnswer(connection: Connection, batchId: string): Promise<StoredAnswer | undefined> {
  const { rows } = await connection.query<StoredAnswer>(
    'SELECT report::text AS report, http_status AS status FROM sluice.batches WHERE id = $1 AND report IS NOT NULL',
    [batchId],
  );
  return rows[0];
}

/** The lines of a batch that turned out to be duplicates. */
export async function duplicateLines(db: Database, batchId: string): Promise<Set<number>> {
  const { rows } = await db.raw<{ rows: { line: number }[] }>(
    `SELECT generate_series(first_line, last_line) AS line FROM sluice.line_runs
     WHERE batch_id = ? AND verdict = 'duplicate'`,
    [batchId],
  );
  return new Set(rows.map(({ line }) => line));
}

export interface StoredAnswer {
  /** The report as JSON text, byte for byte as it was first sent. */
  report: string;
  status: number;
}

/** Writes runs of blank lines. */
export async function recordBlankLines(connection: Connection, batchId: string, runs: LineRun[]): Promise<void> {
  if (runs.length === 0) return;
  await connection.query(
    `INSERT INTO sluice.line_runs (batch_id, first_line, last_line, verdict)
     SELECT $1, first, last, 'blank' FROM unnest($2::int[], $3::int[]) AS run (first, last)`,
    [batchId, runs.map((run) => run.first), runs.map((run) => run.last)],
  );
}

/** The 16 bytes of a UUID. */
export function uuidBytes(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
