// The one judge of all fault tests: proves I1–I9 from what was written down outside the system and what is found in it.
// Each invariant is one pure function over the evidence, and answers with what breaks it.
import type { Acked, Evidence, Row, Witness } from './evidence.ts';
import { gather, reportIn } from './evidence.ts';
import type { LedgerLine, SentUpload } from './ledger.ts';

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9';

export interface Violation {
  invariant: Invariant;
  what: string;
}

/** How much larger a process may be after the faults than before them: buffers and compiled code of what it has met. */
const GROWTH_BYTES = 256 * 1024 * 1024;

/**
 * Judges a run whose faults are over.
 * @returns every violation, named by its invariant; none where all promises were kept
 */
export async function judge(witness: Witness): Promise<Violation[]> {
  const evidence = await gather(witness);
  return Object.entries(INVARIANTS).flatMap(([invariant, check]) =>
    [...check(evidence)].map((what) => ({ invariant: invariant as Invariant, what })),
  );
}

const INVARIANTS: Record<Invariant, (evidence: Evidence) => Iterable<string>> = {
  I1: noAckedLoss,
  I2: exactlyOnce,
  I3: nothingInvented,
  I4: reportReconciles,
  I5: doubtIsResolved,
  I6: ({ debris }) => debris,
  I7: isLive,
  I8: readersSawWholes,
  I9: processesLive,
};

function ackedUploads({ uploads, acked }: Evidence): [SentUpload, Acked][] {
  return uploads.flatMap((sent) => (acked.has(sent.upload) ? [[sent, acked.get(sent.upload)!]] : []));
}

const placeOf = (batch: string, line: number): string => `${batch} ${line}`;

/** I1: every line reported accepted under an acknowledged upload is in final, byte for byte. */
function* noAckedLoss(evidence: Evidence): Generator<string> {
  const rows = new Map(evidence.rows.map((row) => [placeOf(row.batch, row.line), row]));
  const ids = new Set(evidence.rows.map(({ id }) => id));
  for (const [sent, { batch }] of ackedUploads(evidence)) {
    for (const { line, verdict } of evidence.verdicts.get(batch) ?? []) {
      const expected = sent.lines[line - 1];
      if (verdict === 'accepted') {
        const row = rows.get(placeOf(batch, line));
        if (row === undefined) yield `line ${line} of ${sent.upload} was accepted and is not in final`;
        else if (row.hash !== expected?.hash) yield `line ${line} of ${sent.upload} is another row in final`;
      } else if (verdict === 'duplicate' && expected?.id != null && !ids.has(String(expected.id))) {
        yield `line ${line} of ${sent.upload} was called a duplicate, and id ${expected.id} is not in final`;
      }
    }
  }
}

/** I2: no id twice, and no line that was sent twice. */
function* exactlyOnce({ rows }: Evidence): Generator<string> {
  const ids = new Set<string>();
  const hashes = new Set<string>();
  for (const { subject, id, hash, batch, line } of rows) {
    if (id !== null && ids.has(`${subject} ${id}`)) yield `id ${id} is in final twice`;
    else if (hashes.has(hash)) yield `line ${line} of batch ${batch} is in final twice`;
    ids.add(`${subject} ${id}`);
    hashes.add(hash);
  }
}

/** I3: every row was sent, and of an upload that was never acknowledged there is all or nothing. */
function* nothingInvented(evidence: Evidence): Generator<string> {
  const sentLines = new Map<string, [SentUpload, LedgerLine]>();
  for (const sent of evidence.uploads) {
    for (const line of sent.lines) if (line.hash !== null) sentLines.set(line.hash, [sent, line]);
  }
  const found = new Map<SentUpload, Row[]>();
  for (const row of evidence.rows) {
    const [sent, line] = sentLines.get(row.hash) ?? [];
    // A line that was acknowledged and altered is a loss, which I1 tells.
    const isKnown = [...evidence.acked.values()].some(({ batch }) => batch === row.batch);
    if (sent === undefined || line === undefined) {
      if (!isKnown || !hasLine(evidence, row)) yield `row ${row.line} of batch ${row.batch} was never sent`;
      continue;
    }
    if (line.line !== row.line) yield `row ${row.line} of batch ${row.batch} is line ${line.line} of ${sent.upload}`;
    found.set(sent, [...(found.get(sent) ?? []), row]);
  }
  for (const [sent, rows] of found) {
    if (evidence.acked.has(sent.upload)) continue;
    const lines = new Set(rows.map(({ line }) => line));
    const missing = sent.lines.filter(({ expected, line }) => expected === 'accept' && !lines.has(line));
    if (missing.length > 0) yield `of ${sent.upload}, never acknowledged, ${rows.length} rows are in final, not all`;
  }
}

function hasLine({ verdicts }: Evidence, { batch, line }: Row): boolean {
  return verdicts.get(batch)?.[line - 1]?.verdict === 'accepted';
}

/** I4: one verdict a line, the right one, and the same totals in the report, in the tables and over the verdicts. */
function* reportReconciles(evidence: Evidence): Generator<string> {
  for (const { id, status, ...found } of evidence.batches.values()) {
    if (found.received !== found.accepted + found.rejected + found.duplicate + found.blank) {
      yield `the totals of batch ${id} do not add up`;
    }
    if (status === 'aborted' && found.accepted > 0) yield `batch ${id} is aborted and has accepted lines`;
  }
  for (const [sent, { batch, totals, status }] of ackedUploads(evidence)) {
    const facts = evidence.batches.get(batch);
    const verdicts = evidence.verdicts.get(batch) ?? [];
    if (facts === undefined) yield `batch ${batch} of ${sent.upload} is not recorded`;
    else {
      for (const [name, count] of Object.entries(totals)) {
        if (facts[name as keyof typeof totals] !== count) yield `batch ${batch}: ${name} differs from its report`;
      }
      if (status !== 'aborted' && facts.stored !== totals.rejected) {
        yield `batch ${batch}: ${facts.stored} rejections are stored, ${totals.rejected} were reported`;
      }
    }
    for (const name of ['accepted', 'rejected', 'duplicate', 'blank'] as const) {
      const count = verdicts.filter(({ verdict }) => verdict === name).length;
      if (count !== totals[name]) yield `batch ${batch}: ${count} lines are ${name}, its report says ${totals[name]}`;
    }
    if (verdicts.length !== sent.lines.length || totals.received !== sent.lines.length) {
      yield `${sent.upload} has ${sent.lines.length} lines, batch ${batch} has ${verdicts.length}`;
      continue;
    }
    for (const [index, line] of sent.lines.entries()) {
      const { line: number, verdict, code } = verdicts[index]!;
      if (number !== line.line) yield `batch ${batch}: line ${number} stands at place ${line.line}`;
      else if (!fits(line, verdict, code)) {
        yield `line ${number} of ${sent.upload} should be ${line.expected} ${line.code ?? ''}, and is ${verdict} ${code ?? ''}`;
      }
    }
  }
}

function fits({ expected, code }: LedgerLine, verdict: string, found: string | undefined): boolean {
  switch (expected) {
    case 'accept':
      return verdict === 'accepted';
    case 'either':
      return verdict === 'accepted' || verdict === 'duplicate';
    case 'reject':
      return verdict === 'rejected' && found === code;
    default:
      return verdict === expected;
  }
}

/** I5: under one key there is one report, byte for byte, and one load; another payload is refused. */
function* doubtIsResolved({ uploads, answers, rows }: Evidence): Generator<string> {
  const batches = new Map<string, Set<string>>();
  for (const { hash, batch } of rows) batches.set(hash, (batches.get(hash) ?? new Set()).add(batch));
  for (const { upload, key, lines } of uploads) {
    if (key === null) continue;
    const all = answers.get(upload) ?? [];
    const reports = new Set(
      all.filter(({ purpose }) => purpose !== 'other').flatMap((each) => reportIn(each)?.text ?? []),
    );
    if (reports.size > 1) yield `${upload} got ${reports.size} different reports under one key`;
    for (const { purpose, status, text } of all) {
      if (status === null || [409, 429, 503, 507].includes(status)) continue;
      const isRefused = status === 422 && text.includes('"idempotency_key_reused"');
      if (purpose === 'other' && !isRefused) yield `another payload under the key of ${upload} got ${status}`;
      if (purpose === 'again' && isRefused) yield `${upload} sent again was taken for another payload`;
    }
    const loads = new Set(lines.flatMap(({ hash }) => [...((hash !== null && batches.get(hash)) || [])]));
    if (loads.size > 1) yield `${upload} was loaded ${loads.size} times under one key`;
  }
}

/** I7: when all faults are over, fresh events are accepted. */
function* isLive({ uploads, acked }: Evidence): Generator<string> {
  const fresh = uploads.filter(({ isFresh }) => isFresh);
  if (fresh.length === 0) yield 'nobody tried whether a fresh event is accepted';
  for (const { upload } of fresh) {
    if (!acked.has(upload)) yield `${upload}, sent after the last fault, was not accepted`;
  }
}

/** I8: whoever reads final sees nothing of a batch, or all of it. */
function* readersSawWholes({ seen, rows }: Evidence): Generator<string> {
  const totals = new Map<string, number>();
  for (const { batch } of rows) totals.set(batch, (totals.get(batch) ?? 0) + 1);
  for (const [batch, counts] of seen) {
    const whole = totals.get(batch) ?? 0;
    for (const count of counts) {
      if (count !== whole && count !== 0) yield `a reader saw ${count} rows of batch ${batch}, which has ${whole}`;
    }
  }
}

/** I9: a process ends when it is told to, and not otherwise; it has an answer to every fault, and does not grow with them. */
function* processesLive({ processes, answers }: Evidence): Generator<string> {
  for (const [upload, all] of answers) {
    for (const { status } of all) if (status === 500) yield `${upload} was answered with a 500`;
  }
  for (const { name, wasKilled, hasEnded, uncaught, resident } of processes) {
    if (hasEnded && !wasKilled) yield `${name} ended by itself`;
    for (const line of uncaught) yield `${name}: ${line.slice(0, 300)}`;
    if (resident !== undefined && resident.after - resident.before > GROWTH_BYTES) {
      yield `${name} grew from ${resident.before} to ${resident.after} bytes`;
    }
  }
}
