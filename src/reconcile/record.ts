// What is recorded of a batch, as far as its rows are concerned. One function, one statement.
import type { Connection } from '../db.ts';
import type { FileRecord } from '../load/record.ts';
import type { BatchStatus } from '../model.ts';

export interface RecordedBatch {
  id: string;
  status: BatchStatus;
  receivedAt: Date;
  /** Lines. */
  received: number;
  accepted: number;
  files: FileRecord[];
  /** The upload's schema parameter, and ids of the versions that lines were judged by. */
  schema: string | null;
  schemas: string[];
  subjects: string[];
  digest: Buffer | null;
  /** Why it was aborted. */
  reason: string | null;
}

interface BatchRow extends Omit<RecordedBatch, 'received' | 'accepted'> {
  received: string;
  accepted: string;
}

/** The batch, or undefined. */
export async function readRecord(connection: Connection, id: string): Promise<RecordedBatch | undefined> {
  const { rows } = await connection.query<BatchRow>(
    `SELECT id, status, received_at AS "receivedAt", received, accepted, files, schema, schemas, subjects, digest, reason
     FROM sluice.batches WHERE id = $1`,
    [id],
  );
  const [row] = rows;
  return row && { ...row, received: Number(row.received), accepted: Number(row.accepted) };
}

/** Ids of finished batches received since then, in the order in which they came, page by page. */
export async function* finishedSince(connection: Connection, since: Date): AsyncGenerator<string> {
  const PAGE = 1_000;
  // All digits of the time: a Date has fewer of them than Postgres.
  let after: [string, string] = [since.toISOString(), '00000000-0000-0000-0000-000000000000'];
  for (;;) {
    const { rows } = await connection.query<{ id: string; at: string }>(
      `SELECT id, received_at::text AS at FROM sluice.batches
       WHERE status <> 'receiving' AND (received_at, id) > ($1::timestamptz, $2::uuid)
       ORDER BY received_at, id LIMIT ${PAGE}`,
      after,
    );
    for (const { id } of rows) yield id;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = [last.at, last.id];
  }
}

/** The schema of Postgres in which the batch's rows have to stand; null where it has none. */
export function homeOf({ status }: Pick<RecordedBatch, 'status'>): 'events' | 'stage' | null {
  if (status === 'promoted') return 'events';
  return status === 'held' ? 'stage' : null;
}

/** What was received for it. */
export interface SourceRecord {
  /** Of a single file; several have one each. */
  sha256: string | null;
  bytes: number;
  files?: { name: string | null; sha256: string; bytes: number }[];
}

export function sourceOf({ files }: Pick<RecordedBatch, 'files'>): SourceRecord {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (files.length <= 1) return { sha256: files[0]?.sha256 ?? null, bytes };
  return { sha256: null, bytes, files: files.map(({ name, sha256, bytes }) => ({ name, sha256, bytes })) };
}
