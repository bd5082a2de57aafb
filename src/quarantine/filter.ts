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

/** The conditions on {@link QUARANTINE}. A second look at a line that is stored already is not in it. */
export function conditionsOf(filter: RejectionFilter, sight: Sight): string[] {
  const { subject, code, batchId, from, to } = filter;
  const conditions = ['rejections.origin_batch_id IS NULL', `batches.status <> 'receiving'`];
  const errors = errorsOf(filter);
  const when = (value: string | null | undefined, condition: (literal: string) => string): void => {
    if (value !== null && value !== undefined) conditions.push(condition(pg.escapeLiteral(value)));
  };
  when(sight, (value) => `batches.client = ${value}::uuid`);
  when(batchId, (value) => `rejections.batch_id = ${value}::uuid`);
  when(code, (value) => `rejections.code = ${value}`);
  when(subject, (value) => `split_part(rejections.schema, '/', 1) = ${value}`);
  when(errors, (value) => `rejections.errors @> ${value}::jsonb`);
  when(from?.toISOString(), (value) => `batches.received_at >= ${value}::timestamptz`);
  when(to?.toISOString(), (value) => `batches.received_at < ${value}::timestamptz`);
  return conditions;
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
