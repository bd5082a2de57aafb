// The nouns that the stages hand to each other. This file imports nothing.

/** The fate of one line; every line of a request has exactly one. */
export type Verdict = 'accepted' | 'rejected' | 'duplicate' | 'blank';

/** `receiving` is a batch still under way (or one whose process died and which the sweep has not met yet). */
export type BatchStatus =
  | 'receiving'
  | 'promoted'
  | 'held'
  | 'rejected'
  | 'aborted'
  | 'dry_run'
  | 'discarded'
  | 'undone';

/** Why a line was rejected. Codes are stable; a retired one is never reused. */
export type RejectionCode =
  | 'invalid_json'
  | 'not_an_object'
  | 'invalid_utf8'
  | 'line_too_long'
  | 'too_deep'
  | 'duplicate_key'
  | 'unknown_schema'
  | 'schema_violation'
  | 'unstorable_value'
  | 'check_failed'
  | 'patch_failed'
  | 'forbidden_subject'
  | 'batch_aborted';

/** One reason: where in the event (RFC 6901 pointer), which rule, in words. */
export interface LineError {
  path: string;
  keyword: string;
  message: string;
}

/** A line that cannot be loaded, and why. A value, never thrown. */
export interface Refusal {
  code: RejectionCode;
  /** `subject/version` once known, else null. */
  schema: string | null;
  errors: LineError[];
}

/** A refusal with its place in the upload and the bytes it is about. */
export interface Rejection extends Refusal {
  /** Line number in its file, from 1. */
  line: number;
  /** Line number in the batch, from 1: differs from `line` from the second file on. */
  batchLine: number;
  /** Byte offset of the line in its (decompressed) file. */
  offset: number;
  /** Length in bytes, without the line ending. */
  length: number;
  /** File name, where the upload had several files. */
  file: string | null;
  /** The bytes as received, cut at the line limit if the line was longer. */
  raw: Uint8Array;
  /** In a replay: the stored rejection that the line was. */
  origin?: Origin;
}

/** A stored rejection: its batch, and its line number there (of the batch, not of the file). */
export interface Origin {
  batch_id: string;
  line: number;
}

export interface LineTotals {
  received: number;
  accepted: number;
  rejected: number;
  duplicate: number;
  blank: number;
}

/** Rejected lines grouped by their first reason. */
export interface Cause {
  code: RejectionCode;
  schema: string | null;
  path: string;
  keyword: string;
  message: string;
  count: number;
  example_line: number;
}

/**
 * What a check found: the built-in `row_count_match`, or an expectation of a suite. Of those the members after `kwargs`
 * are Great Expectations' result, and their order is the order of the contract. Percentages are null where there is
 * nothing to divide by.
 */
export interface CheckResult {
  name: string;
  status: 'passed' | 'failed' | 'warned' | 'rejected_rows';
  success?: boolean;
  severity?: 'hold' | 'warn' | 'reject_rows';
  subject?: string;
  /** As written in the suite. */
  kwargs?: Readonly<Record<string, unknown>>;
  expected?: number;
  observed?: number;
  element_count?: number;
  missing_count?: number;
  missing_percent?: number | null;
  unexpected_count?: number;
  unexpected_percent?: number | null;
  unexpected_percent_total?: number | null;
  unexpected_percent_nonmissing?: number | null;
  /** The first 20 by line. */
  partial_unexpected_list?: unknown[];
  /** Lines of the batch, in the order of the list. */
  partial_unexpected_lines?: number[];
  partial_unexpected_counts?: { value: unknown; count: number }[];
  observed_value?: unknown;
  details?: Readonly<Record<string, unknown>>;
  /** Why the check could not be run, which counts as failed. */
  message?: string;
}

/** A rejection as the report and the routes show it. */
export interface ReportedRejection {
  line: number;
  file?: string;
  offset: number;
  length: number;
  code: RejectionCode;
  schema: string | null;
  retryable: boolean;
  errors: LineError[];
  origin?: Origin;
}

/** What became of a batch after its first answer. */
export interface HistoryEntry {
  action: 'promoted' | 'discarded' | 'undone';
  /** RFC 3339. */
  at: string;
  reason?: string;
  /** Of `undone`: how many rows were taken out of final, should somebody have deleted or added some. */
  rows?: number;
}

/** The answer to an upload. Field order is the order of the contract. */
export interface Report {
  batch_id: string;
  status: Exclude<BatchStatus, 'receiving'>;
  /** Why the batch was aborted, where it was. */
  reason?: string;
  /** Of a replay: the batches that the lines came from. */
  replay_of?: string[];
  history?: HistoryEntry[];
  lines: LineTotals;
  bytes: number;
  duration_ms: number;
  schemas: Record<string, number>;
  checks: CheckResult[];
  causes: Cause[];
  rejections: ReportedRejection[];
  rejections_truncated: boolean;
  links: Partial<Record<'batch' | 'lines' | 'rejections' | 'reconciliation', string>>;
}

/** Types of final columns. */
export type ColumnType = 'bigint' | 'double precision' | 'boolean' | 'text' | 'timestamptz' | 'date' | 'uuid' | 'jsonb';

/** One data column of a final table. */
export interface Column {
  name: string;
  /** Where its value stands in the event, e.g. `['data', 'user_email']`. */
  path: readonly string[];
  type: ColumnType;
  notNull: boolean;
  /** The event's id (`"x-id": true`): unique in final. */
  id: boolean;
}

/** What one final table looks like: all versions of one major together. */
export interface TablePlan {
  /** Table name in schemas `events` and `stage`. */
  table: string;
  columns: readonly Column[];
  /** Whether the table has `_extra jsonb`. */
  extra: boolean;
}
