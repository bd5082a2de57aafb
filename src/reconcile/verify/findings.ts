// What the verifier has to say of a line, and in the end of all of them.

export type FindingKind =
  /** A file is not the one that was received. */
  | 'source'
  | 'missing'
  | 'changed'
  | 'doubled'
  /** A row that no line of the file accounts for. */
  | 'unknown'
  /** A row, although the line is not valid. */
  | 'accepted_invalid'
  /** The line is valid, and it was rejected for a reason that is not the database's to give. */
  | 'rejected_valid'
  /** The line is not valid, and there is no rejection with its bytes. */
  | 'rejection_missing'
  | 'rejection_changed'
  /** The rejection has become a line of a replay, and that has no row. */
  | 'replay_missing'
  /** The line is said to be something else than it is. */
  | 'misrecorded';

export interface ColumnFinding {
  column: string;
  /** JSON text. */
  expected: string;
  found: string;
}

export interface Finding {
  kind: FindingKind;
  /** Of the batch; null for what concerns no line. */
  line: number | null;
  /** Name of the file and the line in it, where there are several. */
  file?: string;
  file_line?: number;
  /** With its schema. */
  table?: string;
  message: string;
  columns?: ColumnFinding[];
  /** Of an unknown row. */
  row?: unknown;
}

export interface VerifySummary {
  batch_id: string;
  status: 'matched' | 'mismatched';
  /** What became of the batch. */
  batch_status: string;
  lines: { received: number; stored: number; rejected: number; duplicate: number; blank: number };
  /** Differences by kind. */
  differences: Partial<Record<FindingKind, number>>;
  checked_at: string;
}
