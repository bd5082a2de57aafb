// The subjects and versions of one schema folder, as the rest of the service sees them. A registry never changes:
// a folder that has changed makes a new one.
import type { Suite } from '../expectations/suite.ts';
import type { LineError, TablePlan } from '../model.ts';
import type { Bundle } from './bundle.ts';
import type { Draft, Schema } from './dialect.ts';
import type { Fault } from './faults.ts';
import type { ObjectShape } from './shape.ts';
import type { SubjectSettings } from './subject.ts';
import { NUMBER_PATTERN } from './version.ts';

export interface SchemaVersion {
  subject: string;
  /** `1.2.0` */
  version: string;
  major: number;
  minor: number;
  patch: number;
  /** `user_event/1.2.0` */
  id: string;
  /** Relative to the schema folder. */
  file: string;
  draft: Draft;
  /** The file's content. */
  document: Schema;
  /** The table of the version's major; shared with its other versions. */
  plan: TablePlan;
  /** The subject's checks as they apply to that table; shared with the major's other versions. */
  suite: Suite;
  /** Where this version's properties go in the plan. */
  shape: ObjectShape;
  /** Whether an event is valid. Compiles at first use. */
  accepts(event: unknown): boolean;
  /** Why an event that is not accepted is not: at least one reason, at most 20. */
  explain(event: unknown): LineError[];
  /** The file's content with what it refers to in other files: what is compared and frozen. Made at each call. */
  whole(): Schema;
  /** What ajv compiles, for another thread. Made at each call. */
  bundle(): Bundle;
  /** The table as it was planned when this version was the newest. Made at each call. */
  planUntil(): TablePlan;
}

export interface Subject {
  name: string;
  settings: SubjectSettings;
  /** Ascending. */
  versions: readonly SchemaVersion[];
  latest: SchemaVersion;
}

const REFERENCE = new RegExp(
  `^/?([a-z][a-z0-9_]{0,47})(?:/${NUMBER_PATTERN}(?:\\.${NUMBER_PATTERN}\\.${NUMBER_PATTERN})?)?$`,
);
/** The subject that a reference names, whether or not there is one; undefined where it can be no reference. */
export function subjectOf(reference: string): string | undefined {
  return REFERENCE.exec(reference)?.[1];
}

const MOST_REMEMBERED = 1_000;
const LONGEST_REMEMBERED = 128;

export class Registry {
  readonly subjects: ReadonlyMap<string, Subject>;
  /** What is odd about the folder but does not keep it from loading. */
  readonly warnings: readonly Fault[];
  readonly tables: readonly TablePlan[];
  /** The latest version of the only subject; null where there are more, or none. */
  readonly only: SchemaVersion | null;
  readonly #remembered = new Map<string, SchemaVersion | null>();

  constructor(subjects: readonly Subject[], warnings: readonly Fault[]) {
    this.subjects = new Map(subjects.map((subject) => [subject.name, subject]));
    this.warnings = warnings;
    const plans = subjects.flatMap((subject) => subject.versions.map((version) => version.plan));
    this.tables = [...new Set(plans)];
    this.only = subjects.length === 1 ? subjects[0]!.latest : null;
  }

  /**
   * The version that a reference means: `subject` (the latest), `subject/1` (the latest of major 1) or `subject/1.2.0`,
   * each with or without a slash in front. Null where there is none.
   */
  resolve(reference: string): SchemaVersion | null {
    const known = this.#remembered.get(reference);
    if (known !== undefined) return known;
    const found = this.#find(reference);
    // References come from events: neither many nor long ones may pile up.
    if (this.#remembered.size >= MOST_REMEMBERED) this.#remembered.clear();
    if (reference.length <= LONGEST_REMEMBERED) this.#remembered.set(reference, found);
    return found;
  }

  #find(reference: string): SchemaVersion | null {
    const [, name, major, minor, patch] = REFERENCE.exec(reference) ?? [];
    const subject = name === undefined ? undefined : this.subjects.get(name);
    if (subject === undefined) return null;
    if (major === undefined) return subject.latest;
    const fits = (version: SchemaVersion) =>
      version.major === Number(major) &&
      (minor === undefined || (version.minor === Number(minor) && version.patch === Number(patch)));
    return subject.versions.findLast(fits) ?? null;
  }
}
