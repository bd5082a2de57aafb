// What a check of a schema folder answers. `--format json` prints it as it is.
import type { Bump, Mode } from '../schema/compare/difference.ts';
import type { Statement } from '../schema/ddl.ts';
import type { WeighedDifference } from '../schema/evolution.ts';
import type { Policy } from '../schema/subject.ts';

export interface Finding {
  /** Stable, e.g. `unsafe_pattern`, `incompatible_version`. */
  rule: string;
  severity: 'error' | 'warning';
  /** Relative to the schema folder. */
  file: string;
  /** RFC 6901 pointer, `line:column` in what is no JSON, `line N` in NDJSON; '' is the file as a whole. */
  place: string;
  message: string;
}

/** A version and what it changes. */
export interface CheckedVersion {
  version: string;
  /** The version before it, also one of an earlier major; null for a subject's first. */
  after: string | null;
  /** What its number promises, and what the change needs. */
  promised: Bump | null;
  needed_bump: Bump | null;
  /** In the subject's mode with the version before it. */
  compatible: boolean | null;
  differences: WeighedDifference[];
  /** What it does to the tables. */
  ddl: Statement[];
}

export interface CheckedExamples {
  file: string;
  /** Lines that are not blank. */
  lines: number;
  /** Lines that are not what the file's name says. */
  wrong: number;
}

export interface CheckedSubject {
  subject: string;
  verdict: 'fine' | 'problems';
  compatibility: Mode;
  policy: Policy;
  /** Those that are shown: with a base the new ones, else the newest if it follows another one. */
  versions: CheckedVersion[];
  examples: CheckedExamples[];
  findings: Finding[];
}

export interface CheckResult {
  verdict: 'fine' | 'problems';
  /** Of the whole folder, also where only changes are shown. */
  totals: { subjects: number; versions: number; errors: number; warnings: number };
  /** Compared with another folder: only what changed is in `subjects`. */
  base: string | null;
  subjects: CheckedSubject[];
  /** About files that belong to no subject, or of a folder that does not load. */
  findings: Finding[];
}
