// Stored batches, read again: lists, reports, and the verdict of every line. Long answers are read page by page, so that
// no connection is held while a client reads slowly.
import type { Sight } from '../access/client.ts';
import type { Database } from '../db.ts';
import type { RejectionCode, Report, Verdict } from '../model.ts';
import { REJECTION_COLUMNS, REJECTIONS, type RejectionRow, storedRejection } from './rejection.ts';

const PAGE = 2_000;

export interface BatchFilter {
  limit: number;
  /** From `next_cursor` of the page before. */
  after: { receivedAt: string; id: string } | null;
  status: string | null;
  subject: string | null;
  from: Date | null;
  to: Date | null;
}

export interface BatchSummary extends Omit<Report, 'status' | 'rejections' | 'rejections_truncated'> {
  status: string;
  received_at: string;
}

interface BatchRow {
  id: string;
  status: string;
  received_at: Date;
  /** With all its digits, for the cursor. */
  cursor: string;
  report: Report | null;
  files: FileRow[];
  received: string;
  reason: string | null;
}

interface FileRow {
  name: string | null;
  first_line: number;
  lines: number;
}

const COLUMNS = `id, status, received_at, received_at::text AS cursor, report, files, received, reason`;

/** The batches that may be seen, newest first. */
export async function listBatches(
  db: Database,
  filter: BatchFilter,
  sight: Sight,
): Promise<{ items: BatchSummary[]; next: { receivedAt: string; id: string } | null }> {
  const { rows } = await db.raw<{ rows: BatchRow[] }>(
    `SELECT ${COLUMNS} FROM sluice.batches
     WHERE (:sight::uuid IS NULL OR client = :sight::uuid)
       AND (:status::text IS NULL OR status = :status)
       AND (:subject::text IS NULL OR :subject = ANY (subjects))
       AND (:from::timestamptz IS NULL OR received_at >= :from)
       AND (:to::timestamptz IS NULL OR received_at < :to)
       AND (:at::timestamptz IS NULL OR (received_at, id) < (:at::timestamptz, :id::uuid))
     ORDER BY received_at DESC, id DESC LIMIT :limit`,
    {
      sight,
      status: filter.status,
      subject: filter.subject,
      from: filter.from,
      to: filter.to,
      at: filter.after?.receivedAt ?? null,
      id: filter.after?.id ?? null,
      limit: filter.limit + 1,
    },
  );
  const page = rows.slice(0, filter.limit);
  const last = page.at(-1);
  const next = rows.length > filter.limit && last !== undefined ? { receivedAt: last.cursor, id: last.id } : null;
  return { items: page.map(summary), next };
}

/** What became of a batch's rejections. */
interface ReplayedLines {
  /** Lines in final now, and lines of replays that are held. */
  rescued: number;
  pending: number;
  /** The replays, oldest first. */
  by: { batch_id: string; lines: number }[];
}

/** A batch's report, as it is shown now. */
export interface StoredReport extends Report {
  /** Retention has removed rejections: their lines are still rejected, but why is no longer known. */
  rejections_expired?: true;
  replayed?: ReplayedLines;
  received_at: string;
}

/** Whether there is such a batch, of those that may be seen. */
export async function isSeen(db: Database, id: string, sight: Sight): Promise<boolean> {
  const { rows } = await db.raw<{ rows: unknown[] }>(
    'SELECT FROM sluice.batches WHERE id = :id AND (:sight::uuid IS NULL OR client = :sight::uuid)',
    { id, sight },
  );
  return rows.length > 0;
}

/** A batch's report, or undefined. */
export async function readBatch(db: Database, id: string): Promise<StoredReport | undefined> {
  const row = await readRow(db, id);
  if (row === undefined) return undefined;
  const summarised = summary(row);
  const { rejections = [], rejections_truncated = false } = row.report ?? {};
  const { links, received_at, ...head } = summarised;
  const expired = (await haveExpired(db, id)) ? { rejections_expired: true } : {};
  const replayed = await readReplayed(db, id);
  return { ...head, rejections, rejections_truncated, ...expired, ...replayed, links, received_at } as StoredReport;
}

/** Whether rejections of the batch were removed: their lines became runs. */
async function haveExpired(db: Database, id: string): Promise<boolean> {
  const { rows } = await db.raw<{ rows: { expired: boolean }[] }>(
    `SELECT EXISTS (SELECT FROM sluice.line_runs WHERE batch_id = ? AND verdict = 'rejected') AS expired`,
    [id],
  );
  return rows[0]!.expired;
}

async function readReplayed(db: Database, id: string): Promise<{ replayed?: ReplayedLines }> {
  const { rows } = await db.raw<{ rows: { id: string; lines: number; is_held: boolean }[] }>(
    `SELECT replay.id, count(*)::int AS lines, replay.status = 'held' AS is_held
     FROM sluice.replays JOIN sluice.batches AS replay ON replay.id = replays.replayed_by
     WHERE replays.batch_id = ? GROUP BY replay.id ORDER BY replay.id`,
    [id],
  );
  if (rows.length === 0) return {};
  const linesOf = (isHeld: boolean) =>
    rows.filter(({ is_held }) => is_held === isHeld).reduce((sum, { lines }) => sum + lines, 0);
  const by = rows.map((row) => ({ batch_id: row.id, lines: row.lines }));
  return { replayed: { rescued: linesOf(false), pending: linesOf(true), by } };
}

export interface LineVerdict {
  line: number;
  file?: string;
  verdict: Verdict;
  code?: RejectionCode;
  /** The batch that has rescued the line since, or holds it. */
  replayed_by?: string;
}

/** The verdict of every line in order; undefined if there is no such batch. */
export async function readVerdicts(db: Database, id: string): Promise<AsyncGenerator<LineVerdict> | undefined> {
  const row = await readRow(db, id);
  return row === undefined ? undefined : verdicts(db, row);
}

/** The stored rejections in order, with their bytes; undefined if there is no such batch. */
export async function readRejections(db: Database, id: string): Promise<AsyncGenerator<object> | undefined> {
  const row = await readRow(db, id);
  return row === undefined ? undefined : rejections(db, row.id);
}

async function readRow(db: Database, id: string): Promise<BatchRow | undefined> {
  const { rows } = await db.raw<{ rows: BatchRow[] }>(`SELECT ${COLUMNS} FROM sluice.batches WHERE id = ?`, [id]);
  return rows[0];
}

function summary({ id, status, received_at, report, reason }: BatchRow): BatchSummary {
  const none = { received: 0, accepted: 0, rejected: 0, duplicate: 0, blank: 0 };
  const {
    rejections: _,
    rejections_truncated: __,
    ...rest
  } = report ??
  ({
    batch_id: id,
    ...(reason === null ? {} : { reason }),
    lines: none,
    bytes: 0,
    duration_ms: 0,
    schemas: {},
    checks: [],
    causes: [],
    links: { batch: `/v1/batches/${id}` },
  } as unknown as Report);
  return { ...rest, status, received_at: received_at.toISOString() };
}

interface Run {
  first: number;
  last: number;
  verdict: Verdict;
  code?: RejectionCode;
  replayed_by?: string;
}

async function* verdicts(db: Database, { id, status, files, received }: BatchRow): AsyncGenerator<LineVerdict> {
  const total = Number(received);
  // What is neither blank, duplicate nor rejected was good.
  const rest: Omit<Run, 'first' | 'last'> =
    status === 'aborted' ? { verdict: 'rejected', code: 'batch_aborted' } : { verdict: 'accepted' };
  let line = 1;
  let file = 0;
  const emit = ({ verdict, code, replayed_by }: Omit<Run, 'first' | 'last'>): LineVerdict => {
    while (file + 1 < files.length && line >= files[file + 1]!.first_line) file++;
    const { name, first_line } = files[file] ?? { name: null, first_line: 1 };
    const place = { line: line++ - first_line + 1, ...(name === null ? {} : { file: name }) };
    return { ...place, verdict, ...(code && { code }), ...(replayed_by && { replayed_by }) };
  };
  for await (const run of exceptions(db, id)) {
    while (line < run.first) yield emit(rest);
    while (line <= run.last) yield emit(run);
  }
  while (line <= total) yield emit(rest);
}

/**
 * Lines that were not simply good, as runs in the order of their lines. Between two pages rejections may become a run
 * that began before: it is looked for too.
 */
async function* exceptions(db: Database, id: string): AsyncGenerator<Run> {
  for (let after = 0; ; ) {
    const { rows } = await db.raw<{ rows: (Run & { code: RejectionCode | null; replayed_by: string | null })[] }>(
      `(SELECT first_line AS first, last_line AS last, verdict, NULL AS code, NULL::uuid AS replayed_by
        FROM sluice.line_runs
        WHERE batch_id = :id AND first_line <= :after ORDER BY first_line DESC LIMIT 1)
       UNION ALL
       (SELECT first_line, last_line, verdict, NULL, NULL
        FROM sluice.line_runs
        WHERE batch_id = :id AND first_line > :after ORDER BY first_line LIMIT ${PAGE})
       UNION ALL
       (SELECT batch_line, batch_line, 'rejected', code, replayed_by
        FROM sluice.rejections LEFT JOIN sluice.replays USING (batch_id, batch_line)
        WHERE batch_id = :id AND batch_line > :after ORDER BY batch_line LIMIT ${PAGE})
       ORDER BY first LIMIT ${PAGE}`,
      { id, after },
    );
    for (const { code, replayed_by, ...run } of rows) {
      yield { ...run, ...(code && { code }), ...(replayed_by && { replayed_by }) };
    }
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.first;
  }
}

/** Fewer a page than of verdicts: each may hold as much as the longest line. */
const REJECTION_PAGE = 200;

async function* rejections(db: Database, id: string): AsyncGenerator<object> {
  for (let after = 0; ; ) {
    const { rows } = await db.raw<{ rows: RejectionRow[] }>(
      `SELECT ${REJECTION_COLUMNS} FROM ${REJECTIONS}
       WHERE rejections.batch_id = ? AND rejections.batch_line > ? ORDER BY rejections.batch_line LIMIT ${REJECTION_PAGE}`,
      [id, after],
    );
    for (const row of rows) yield storedRejection(row);
    if (rows.length < REJECTION_PAGE) return;
    after = rows.at(-1)!.batch_line;
  }
}
