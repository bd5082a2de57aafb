// What is stored of a rejected line, against the line.
import { createHash } from 'node:crypto';
import type { Rejection, RejectionCode } from '../../model.ts';
import type { StoredRejection } from './outcomes.ts';

/** Rejections that only the database, another setting of the limits, or a key can give to a line that is valid here. */
export const MAY_REJECT_VALID: readonly RejectionCode[] = [
  'check_failed',
  'unstorable_value',
  'batch_aborted',
  'line_too_long',
  'too_deep',
  'forbidden_subject',
];

/** The line in the file. */
export interface RejectedLine {
  /** All its bytes, or as many as could be read. */
  raw: Uint8Array;
  length: number;
}

/** Whether a line's bytes are stored as they are. A line that was too long is kept in part; any other one whole. */
export function isKept(stored: StoredRejection, { raw, length }: RejectedLine): boolean {
  if (stored.length !== length) return false;
  if (stored.kept !== length && stored.code !== 'line_too_long') return false;
  const kept = raw.subarray(0, stored.kept);
  return createHash('sha256').update(kept).digest().equals(stored.sha256);
}

/** Why a line is not valid, in short. */
export function reason({ code, errors: [first] }: Rejection): string {
  return first === undefined ? code : `${code} ${first.path} ${first.message}`.replace('  ', ' ');
}
