// Verdicts → the answer. Pure: the one ladder that decides a batch's status and its HTTP status.
import type { BatchStatus, CheckResult, LineTotals, Report } from '../model.ts';
import type { Tally } from './tally.ts';

export type ReportDetail = 'rejected' | 'summary' | 'full';

/** Everything known at the end of a batch. */
export interface Outcome {
  batchId: string;
  /** Why nothing of it is kept, if so. */
  abortReason: string | undefined;
  /** Whether a check keeps the batch in the stage. */
  isHeld: boolean;
  /** Of a replay: the batches that its lines came from. */
  replayOf: readonly string[] | undefined;
  dryRun: boolean;
  tally: Tally;
  duplicates: ReadonlyMap<string, number>;
  checks: CheckResult[];
  bytes: number;
  durationMs: number;
}

/** The batch's report, with its rejections inline up to the limit of the tally. */
export function buildReport(outcome: Outcome): Report {
  const { batchId, tally, abortReason } = outcome;
  const aborted = abortReason !== undefined;
  const lines = totals(outcome);
  const status = batchStatus(outcome, lines);
  const causes = tally.causes();
  if (aborted && tally.passedTotal > 0) {
    causes.push({
      code: 'batch_aborted',
      schema: null,
      path: '',
      keyword: '',
      message: 'the line was good, but its batch was aborted',
      count: tally.passedTotal,
      example_line: tally.firstPassed,
    });
  }
  return {
    batch_id: batchId,
    status,
    ...(aborted ? { reason: abortReason } : {}),
    ...(outcome.replayOf === undefined ? {} : { replay_of: [...outcome.replayOf] }),
    lines,
    bytes: outcome.bytes,
    duration_ms: outcome.durationMs,
    schemas: aborted ? {} : acceptedBySchema(outcome),
    checks: outcome.checks,
    causes,
    rejections: tally.rejections,
    rejections_truncated: tally.rejected > tally.rejections.length,
    links: status === 'dry_run' ? {} : links(batchId),
  };
}

/** The HTTP status of a report. */
export function httpStatus({ status, lines }: Pick<Report, 'status' | 'lines'>): number {
  switch (status) {
    case 'dry_run':
      return 200;
    case 'held':
      return 202;
    case 'rejected':
    case 'aborted':
    case 'discarded':
    case 'undone':
      return 422;
    default:
      return lines.rejected > 0 ? 207 : 201;
  }
}

/** The report as asked for by the `report` parameter; `full` is completed by whoever can read the batch again. */
export function withDetail(report: Report, detail: ReportDetail): Report {
  if (detail !== 'summary') return report;
  return { ...report, rejections: [], rejections_truncated: report.lines.rejected > 0 };
}

function totals({ tally, duplicates, abortReason }: Outcome): LineTotals {
  const { received, blank, rejected, passedTotal } = tally;
  // Nothing of an aborted batch is kept, so its good lines are rejected too.
  if (abortReason !== undefined)
    return { received, accepted: 0, rejected: rejected + passedTotal, duplicate: 0, blank };
  const duplicate = sum(duplicates);
  return { received, accepted: passedTotal - duplicate, rejected, duplicate, blank };
}

function batchStatus(
  { abortReason, dryRun, isHeld }: Outcome,
  { accepted, duplicate }: LineTotals,
): Exclude<BatchStatus, 'receiving'> {
  if (dryRun) return 'dry_run';
  if (abortReason !== undefined) return 'aborted';
  if (isHeld) return 'held';
  return accepted + duplicate === 0 ? 'rejected' : 'promoted';
}

function acceptedBySchema({ tally, duplicates }: Outcome): Record<string, number> {
  const accepted = [...tally.passed].map(([schema, count]) => [schema, count - (duplicates.get(schema) ?? 0)] as const);
  return Object.fromEntries(accepted.filter(([, count]) => count > 0));
}

function links(id: string): Report['links'] {
  const batch = `/v1/batches/${id}`;
  return {
    batch,
    lines: `${batch}/lines`,
    rejections: `${batch}/rejections`,
    reconciliation: `${batch}/reconciliation`,
  };
}

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
