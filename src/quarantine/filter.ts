// Which stored rejections are meant, as a condition in SQL. Values stand in it as literals, for COPY takes no parameters.
import pg from 'pg';
import type { Sight } from '../access/client.ts';
import type { LineError, RejectionCode } from '../model.ts';

/** All of them. The good lines of an aborted batch are not stored, so `batch_aborted` selects nothing. */
export const REJECTION_CODES = [
  'invalid_json',
  'not_an_object',
  'invalid_utf8',
  'line_too_long',
  'too_deep',
  'duplicate_key',
  'unknown_schema',
  'schema_violation',
  'unstorable_value',
  'check_failed',
  'patch_failed',
  'forbidden_subject',
  'batch_aborted',
] as const satisfies readonly RejectionCode[];

/** What is null restricts nothing. */
export interface RejectionFilter {
  /** Of the schema version that refused the line. */
  subject: string | null;
  code: RejectionCode | null;
  /** JSON Pointer of an error, and its rule: both of the same error. */
  path: string | null;
  keyword: string | null;
  batchId: string | null;
  /** When its batch was received: from `from` on, and before `to`. */
  from: Date | null;
  to: Date | null;
}

/** Every stored rejection whose fate is settled, with its batch. `replays` tells whether a replay has taken it. */
export const QUARANTINE = `sluice.rejections
  JOIN sluice.batches ON batches.id = rejections.batch_id
  LEFT JOIN sluice.replays ON replays.batch_id = rejections.batch_id AND replays.batch_line = rejections.batch_line`;

/**
 * The same rows, without what they have of their cause. To look the cause of each line up would take a replay a third
 * longer: the conditions on reasons are {@link reasonsOf} for both places where they can be.
 */
export const QUARANTINED_LINES = `sluice.rejected_lines AS rejections
  JOIN sluice.batches ON batches.id = rejections.batch_id LEFT JOIN sluice.replays USING (batch_id, batch_line)`;

/** The conditions on {@link QUARANTINE}. */
export function conditionsOf(filter: RejectionFilter, sight: Sight): string[] {
  return [...placesOf(filter, sight), ...reasonsOf(filter, 'rejections')];
}

/** Those on where the line came from. A second look at a line that is stored already is not among them. */
export function placesOf({ batchId, from, to }: RejectionFilter, sight: Sight): string[] {
  return [
    'rejections.origin_batch_id IS NULL',
    `batches.status <> 'receiving'`,
    ...where(sight, (value) => `batches.client = ${value}::uuid`),
    ...where(batchId, (value) => `rejections.batch_id = ${value}::uuid`),
    ...where(from?.toISOString(), (value) => `batches.received_at >= ${value}::timestamptz`),
    ...where(to?.toISOString(), (value) => `batches.received_at < ${value}::timestamptz`),
  ];
}

/** Those on why it was rejected. @param table has code, schema and errors */
export function reasonsOf(filter: RejectionFilter, table: string): string[] {
  return [
    ...where(filter.code, (value) => `${table}.code = ${value}`),
    ...where(filter.subject, (value) => `split_part(${table}.schema, '/', 1) = ${value}`),
    ...where(errorsOf(filter), (value) => `${table}.errors @> ${value}::jsonb`),
  ];
}

function where(value: string | null | undefined, condition: (literal: string) => string): string[] {
  return value === null || value === undefined ? [] : [condition(pg.escapeLiteral(value))];
}

/** One error that has to be among those of the line. */
function errorsOf({ path, keyword }: RejectionFilter): string | null {
  if (path === null && keyword === null) return null;
  const error: Partial<LineError> = {
    ...(path === null ? {} : { path: asStored(path) }),
    ...(keyword === null ? {} : { keyword: asStored(keyword) }),
  };
  return JSON.stringify([error]);
}

/** jsonb holds neither NUL nor half a surrogate pair: they were replaced before they were stored. */
function asStored(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}
