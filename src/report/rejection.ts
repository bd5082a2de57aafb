// A stored rejection as it is read and shown: place, reasons, bytes, and what a replay has made of it.
import type { LineError, RejectionCode } from '../model.ts';
import { reportedRejection } from './tally.ts';

/** The columns of a {@link RejectionRow}, of {@link REJECTIONS} or what has the same names. */
export const REJECTION_COLUMNS = `rejections.batch_id, rejections.batch_line, rejections.line, rejections.file,
  rejections."offset", rejections.length, rejections.code, rejections.schema, rejections.errors, rejections.raw,
  rejections.origin_batch_id, rejections.origin_line, replays.replayed_by, replays.line AS replayed_line,
  replay.status AS replayed_status`;

export const REJECTIONS = `sluice.rejections
  LEFT JOIN sluice.replays ON replays.batch_id = rejections.batch_id AND replays.batch_line = rejections.batch_line
  LEFT JOIN sluice.batches AS replay ON replay.id = replays.replayed_by`;

export interface RejectionRow {
  batch_id: string;
  batch_line: number;
  line: number;
  file: string | null;
  offset: string;
  length: string;
  code: RejectionCode;
  schema: string | null;
  errors: LineError[];
  raw: Buffer;
  origin_batch_id: string | null;
  origin_line: number | null;
  replayed_by: string | null;
  replayed_line: number | null;
  replayed_status: string | null;
}

/** The rejection with its bytes, as text where they are UTF-8. */
export function storedRejection(row: RejectionRow): object {
  const { raw, file, code, schema, errors, line, origin_batch_id, origin_line } = row;
  const origin = origin_batch_id === null ? {} : { origin: { batch_id: origin_batch_id, line: origin_line! } };
  const offset = Number(row.offset);
  const length = Number(row.length);
  const text = raw.toString('utf8');
  const isText = Buffer.from(text).equals(raw);
  return {
    ...reportedRejection({ line, file, offset, length, code, schema, errors, ...origin }),
    ...replayedBy(row),
    ...(isText ? { raw: text } : { raw_base64: raw.toString('base64') }),
    ...(raw.length < length ? { raw_truncated: true } : {}),
  };
}

/** The batch and line that it has become, where it has. */
function replayedBy({ replayed_by, replayed_line, replayed_status }: RejectionRow): object {
  if (replayed_by === null) return {};
  return { replayed_by: { batch_id: replayed_by, line: replayed_line, status: replayed_status } };
}
