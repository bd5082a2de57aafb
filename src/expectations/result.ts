// What a check's counts come to, and how a result tells it.

import type { CheckResult, TablePlan } from '../model.ts';
import { subjectOf } from '../schema/names.ts';
import type { Check, Outcome } from './check.ts';

interface Counts {
  all: unknown;
  /** Rows that are not ignored. */
  counted: unknown;
  unexpected: unknown;
}

/** As Great Expectations does it: shares are of the rows that count, and nothing is wrong where none does. */
export function judgeRows(counts: Counts, mostly: number, tellsMissing: boolean): Outcome {
  const { all, counted, unexpected } = counts as { [Name in keyof Counts]: number };
  const percent = (part: number, whole: number) => (whole === 0 ? null : (part / whole) * 100);
  const ofCounted = percent(unexpected, counted);
  const missing = { missing_count: all - counted, missing_percent: percent(all - counted, all) };
  const shares = {
    unexpected_percent_total: percent(unexpected, all),
    unexpected_percent_nonmissing: ofCounted,
  };
  return {
    success: counted === 0 || (counted - unexpected) / counted >= mostly,
    fields: {
      element_count: all,
      ...(tellsMissing && missing),
      unexpected_count: unexpected,
      unexpected_percent: ofCounted,
      ...(tellsMissing && shares),
    },
  };
}

const FAILED = { hold: 'failed', warn: 'warned', reject_rows: 'rejected_rows' } as const;

/** A check's result, without the rows that it shows. */
export function resultOf(
  { name, severity, kwargs }: Check,
  plan: TablePlan,
  { success, fields }: Outcome,
): CheckResult {
  const status = success ? 'passed' : FAILED[severity];
  // Two underscores stand in no subject: what is before them is the subject.
  return { name, status, success, severity, subject: subjectOf(plan.table), kwargs, ...fields };
}

/** The result of a check that Postgres could not run on these values: it names no row, so it can reject none. */
export function brokenResult(check: Check, plan: TablePlan, reason: string): CheckResult {
  const message = `Postgres could not run this check: ${reason}`;
  const result = resultOf(check, plan, { success: false, fields: { message } });
  return check.severity === 'reject_rows' ? { ...result, status: 'failed' } : result;
}
