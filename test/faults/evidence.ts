// What the oracle looks at, gathered once: the ledger, the tables, the API's own account of each batch. It judges nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import { ROW_HASH, SUBJECTS, type Subject } from './generate.ts';
import type { Answered, LedgerContent, SentUpload } from './ledger.ts';

export interface Row {
  subject: Subject;
  batch: string;
  line: number;
  /** As text; null where the subject has no ids. */
  id: string | null;
  hash: string;
}

interface Totals {
  received: number;
  accepted: number;
  rejected: number;
  duplicate: number;
  blank: number;
}

interface BatchFacts extends Totals {
  id: string;
  status: string;
  /** Lines in `sluice.rejections`. */
  stored: number;
}

interface Verdict {
  line: number;
  verdict: string;
  code?: string;
}

/** A process of the service, as it was seen from outside. */
export interface ProcessFacts {
  name: string;
  /** Whether we ended it. */
  wasKilled: boolean;
  hasEnded: boolean;
  /** Lines of its log that tell of an error that nobody caught. */
  uncaught: string[];
  /** Resident bytes, before the faults and after; absent where they were not measured. */
  resident?: { before: number; after: number };
}

/** What the oracle is given. */
export interface Witness {
  ledger: LedgerContent;
  query<T extends object>(sql: string): Promise<T[]>;
  /** A server that works. */
  server: { url: string };
  /** By batch: all numbers of rows that readers of final saw of it. */
  seen: ReadonlyMap<string, ReadonlySet<number>>;
  processes: readonly ProcessFacts[];
  /** How long debris may take to go. */
  patienceMs?: number;
}

export interface Acked {
  batch: string;
  text: string;
  totals: Totals;
  status: string;
}

export interface Evidence {
  uploads: readonly SentUpload[];
  answers: ReadonlyMap<string, readonly Answered[]>;
  /** Reports that a client holds in its hands, by upload. */
  acked: ReadonlyMap<string, Acked>;
  rows: readonly Row[];
  batches: ReadonlyMap<string, BatchFacts>;
  /** Of acknowledged batches. */
  verdicts: ReadonlyMap<string, readonly Verdict[]>;
  debris: readonly string[];
  seen: Witness['seen'];
  processes: Witness['processes'];
}

export async function gather(witness: Witness): Promise<Evidence> {
  // First of all, as it may take a while: what comes after sees the system at rest.
  const debris = await remainingDebris(witness);
  const answers = new Map<string, Answered[]>();
  for (const answer of witness.ledger.answers) {
    answers.set(answer.upload, [...(answers.get(answer.upload) ?? []), answer]);
  }
  const acked = new Map<string, Acked>();
  for (const [upload, all] of answers) {
    const report = all
      .filter(({ purpose }) => purpose === 'load')
      .map(reportIn)
      .find((each) => each !== undefined);
    if (report !== undefined) acked.set(upload, report);
  }
  const verdicts = new Map<string, Verdict[]>();
  for (const { batch } of acked.values()) verdicts.set(batch, await verdictsOf(witness.server, batch));
  return {
    uploads: witness.ledger.uploads,
    answers,
    acked,
    rows: (await Promise.all(SUBJECTS.map((subject) => rowsOf(witness, subject)))).flat(),
    batches: new Map((await witness.query<BatchFacts>(BATCHES)).map((batch) => [batch.id, batch])),
    verdicts,
    debris,
    seen: witness.seen,
    processes: witness.processes,
  };
}

const BATCHES = `SELECT id, status, received::int, accepted::int, rejected::int, duplicate::int, blank::int,
    (SELECT count(*)::int FROM sluice.rejections WHERE batch_id = id) AS stored
  FROM sluice.batches`;

function rowsOf({ query }: Witness, subject: Subject): Promise<Row[]> {
  const id = subject === 'order' ? 'id::text' : 'NULL';
  return query(
    `SELECT '${subject}' AS subject, _batch_id AS batch, _line AS line, ${id} AS id, ${ROW_HASH[subject]} AS hash
     FROM events.${subject === 'order' ? '"order"' : subject}`,
  );
}

/** The report in an answer, unless it is a problem or none came. */
export function reportIn({ status, text }: Answered): Acked | undefined {
  if (status === null || (status >= 300 && status !== 422)) return undefined;
  const body = JSON.parse(text) as { batch_id?: string; status: string; lines?: Totals };
  if (body.batch_id === undefined || body.lines === undefined) return undefined;
  return { batch: body.batch_id, text, totals: body.lines, status: body.status };
}

async function verdictsOf(server: { url: string }, batch: string): Promise<Verdict[]> {
  const response = await fetch(`${server.url}/v1/batches/${batch}/lines`, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) return [];
  const text = await response.text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const LEFT_BEHIND = `
  SELECT 'batch ' || id || ' is still being received' AS what FROM sluice.batches WHERE status = 'receiving'
  UNION ALL SELECT 'key ' || key || ' is still claimed' FROM sluice.idempotency_keys WHERE fingerprint IS NULL
  UNION ALL SELECT 'table stage.' || tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'
  UNION ALL SELECT 'rows in stage.' || tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename !~ '^0'
    AND EXISTS (SELECT FROM sluice.batches WHERE status = 'promoted')
    AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM stage.%I', tablename), true, true, '')))[1]::text <> '0'
  UNION ALL SELECT 'session ' || pid || ' is ' || state || ': ' || left(query, 60) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'faults'
      AND state <> 'idle' AND query NOT LIKE '%pg_catalog.pg_locks%'
  UNION ALL SELECT 'session ' || pid || ' holds ' || mode || ' on ' || relation::regclass FROM pg_locks
    WHERE locktype = 'relation' AND pid <> pg_backend_pid() AND relation >= 16384
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION ALL SELECT 'rejections of ' || batch_id || ', which is no batch' FROM sluice.rejections
    WHERE batch_id NOT IN (SELECT id FROM sluice.batches)
  UNION ALL SELECT 'fingerprints of ' || batch_id || ', which has no rows' FROM sluice.row_digests
    WHERE batch_id NOT IN (SELECT id FROM sluice.batches WHERE accepted > 0)`;

/** What is still there when patience ends: the sweep comes by every 30 s. */
async function remainingDebris({ query, patienceMs = 60_000 }: Witness): Promise<string[]> {
  let left: string[] = [];
  for (const began = Date.now(); ; await sleep(200)) {
    left = (await query<{ what: string }>(LEFT_BEHIND)).map(({ what }) => what);
    if (left.length === 0 || Date.now() - began > patienceMs) return [...new Set(left)];
  }
}
