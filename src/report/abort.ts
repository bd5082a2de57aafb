// When rejected lines cost the whole batch. Pure.
import type { Tally } from './tally.ts';

/** Beyond it a batch is aborted: a number of lines, or a share (0 to 1) of the lines that are not blank. */
export type RejectionBound = { lines: number } | { share: number };

export interface AbortRules {
  onError: 'continue' | 'abort';
  maxRejected: RejectionBound | null;
  /** Most rejections kept of a batch. Nothing rejected is ever dropped, so one more aborts it. */
  mostRejections: number;
}

/**
 * Why the batch is aborted, or undefined.
 * @param isWhole whether all lines have been judged: a share shows only then
 */
export function whyAborted(rules: AbortRules, tally: Tally, isWhole: boolean): string | undefined {
  const { onError, maxRejected, mostRejections } = rules;
  const { rejected } = tally;
  if (rejected === 0) return undefined;
  if (onError === 'abort') return `on_error=abort: line ${tally.firstRejected} was rejected`;
  if (rejected > mostRejections) return `more than ${mostRejections} lines were rejected`;
  if (maxRejected === null) return undefined;
  if ('lines' in maxRejected) {
    return rejected > maxRejected.lines
      ? `max_rejected: more than ${maxRejected.lines} lines were rejected`
      : undefined;
  }
  const lines = tally.received - tally.blank;
  if (!isWhole || rejected <= maxRejected.share * lines) return undefined;
  return `max_rejected: ${rejected} of ${lines} lines were rejected`;
}
