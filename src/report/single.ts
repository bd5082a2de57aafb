// The report of one event of a group that was committed together: as if it had come alone.
import type { Report } from '../model.ts';
import { httpStatus } from './build.ts';

/** What only the event's own request knows. */
export interface SingleEvent {
  /** Id of its schema version. */
  schema: string;
  bytes: number;
  /** `performance.now()` when the request came. */
  startedAt: number;
}

/** A report as JSON text, with its HTTP status. */
export interface SingleReport {
  report: string;
  status: number;
}

/**
 * The reports of a group's events. Those of accepted ones differ in two numbers only, and are put together from the text
 * around them: as an object each was 3 % of what a single event cost.
 */
export class SingleReports {
  readonly #group: Report;
  readonly #duplicates: ReadonlySet<number>;
  /** Lines that were rejected. */
  readonly #rejected: ReadonlySet<number>;
  /** By schema version, of an accepted event: what stands before and behind its two numbers. */
  readonly #accepted = new Map<string, { before: string; behind: string; status: number }>();

  /**
   * @param group the report of the batch
   * @param duplicates lines of the batch that are duplicates
   */
  constructor(group: Report, duplicates: ReadonlySet<number>) {
    this.#group = group;
    this.#duplicates = duplicates;
    this.#rejected = new Set(group.rejections.map(({ line }) => line));
  }

  /** @param line the event's line in the batch */
  of(line: number, event: SingleEvent): SingleReport {
    const { status } = this.#group;
    const isAccepted = status === 'promoted' && !this.#rejected.has(line) && !this.#duplicates.has(line);
    if (!isAccepted) return singleReport(this.#group, line, event, this.#duplicates.has(line));
    const around = this.#around(line, event);
    const numbers = numbersText(event.bytes, durationOf(event));
    return { report: around.before + numbers + around.behind, status: around.status };
  }

  #around(line: number, event: SingleEvent): { before: string; behind: string; status: number } {
    let around = this.#accepted.get(event.schema);
    if (around === undefined) {
      const { report, status } = singleReport(this.#group, line, { ...event, bytes: 0 }, false, 0);
      // Nothing that a client has written stands before them in the report of an accepted event.
      const [before] = report.split(ZEROS, 1) as [string];
      around = { before, behind: report.slice(before.length + ZEROS.length), status };
      this.#accepted.set(event.schema, around);
    }
    return around;
  }
}

const ZEROS = numbersText(0, 0);

function numbersText(bytes: number, duration: number): string {
  return `"bytes":${bytes},"duration_ms":${duration}`;
}

function durationOf({ startedAt }: SingleEvent): number {
  return Math.round(performance.now() - startedAt);
}

function singleReport(
  group: Report,
  line: number,
  event: SingleEvent,
  isDuplicate: boolean,
  duration_ms = durationOf(event),
): SingleReport {
  const { schema, bytes } = event;
  if (group.lines.received === 1)
    return { report: JSON.stringify({ ...group, bytes, duration_ms }), status: httpStatus(group) };
  const rejection = group.rejections.find((each) => each.line === line);
  const isKept = group.status === 'promoted' && rejection === undefined;
  const lines = {
    received: 1,
    accepted: Number(isKept && !isDuplicate),
    rejected: Number(!isKept),
    duplicate: Number(isKept && isDuplicate),
    blank: 0,
  };
  const { batch_id, reason, checks, links } = group;
  const report: Report = {
    batch_id,
    status: isKept || group.status !== 'promoted' ? group.status : 'rejected',
    ...(reason === undefined ? {} : { reason }),
    lines,
    bytes,
    duration_ms,
    schemas: lines.accepted === 1 ? { [schema]: 1 } : {},
    checks: checks.map((check) =>
      'observed' in check ? { ...check, expected: Number(isKept), observed: Number(isKept) } : check,
    ),
    causes: [],
    rejections: [],
    rejections_truncated: false,
    links,
  };
  if (rejection !== undefined) {
    const { code, schema: judgedBy, errors } = rejection;
    const { path, keyword, message } = errors[0]!;
    report.causes = [{ code, schema: judgedBy, path, keyword, message, count: 1, example_line: 1 }];
    report.rejections = [{ ...rejection, line: 1, offset: 0 }];
  }
  return { report: JSON.stringify(report), status: httpStatus(report) };
}
