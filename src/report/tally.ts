// What is known of a batch while its lines are judged: totals, causes, the first rejections. Pure, and of bounded size
// whatever the upload holds.
import type { Cause, LineError, Rejection, RejectionCode, ReportedRejection } from '../model.ts';

/** Rejections inline in a report; the rest is behind its link. */
const INLINE_REJECTIONS = 1_000;
/** The same in the full report of a dry run, which has no link to the rest. */
export const DRY_RUN_REJECTIONS = 100_000;
/** Causes kept apart; what comes after them is counted together per code. */
const MOST_CAUSES = 100;
/** Lists of errors of which the cause is remembered. */
const MOST_KNOWN = 256;

export class Tally {
  received = 0;
  rejected = 0;
  blank = 0;
  /** Lines on their way to final, by schema version id. */
  readonly passed = new Map<string, number>();
  /** The first of them, 0 before there is one. */
  firstPassed = 0;
  /** The line that was rejected first, 0 before there is one. */
  firstRejected = 0;
  /** Schema version ids that lines were judged by, whatever the verdict. */
  readonly schemas = new Set<string>();
  readonly rejections: ReportedRejection[] = [];
  readonly #causes = new Map<string, Cause>();
  /** The cause of rejections that share their errors, so that it need not be worked out for each line. */
  readonly #known = new Map<readonly LineError[], { code: RejectionCode; schema: string | null; cause: Cause }>();
  readonly #inline: number;

  /** @param inline rejections to keep for the report */
  constructor(inline = INLINE_REJECTIONS) {
    this.#inline = inline;
  }

  get passedTotal(): number {
    let total = 0;
    for (const count of this.passed.values()) total += count;
    return total;
  }

  pass(schema: string, line: number): void {
    const count = this.passed.get(schema);
    this.passed.set(schema, (count ?? 0) + 1);
    if (count === undefined) this.schemas.add(schema);
    if (this.firstPassed === 0) this.firstPassed = line;
  }

  reject(rejection: Rejection): void {
    this.rejected++;
    if (rejection.schema !== null) this.schemas.add(rejection.schema);
    if (this.firstRejected === 0) this.firstRejected = rejection.line;
    this.#countCause(rejection);
    if (this.rejections.length < this.#inline) this.rejections.push(reportedRejection(rejection));
  }

  /** Takes back a line that passed validation but that Postgres refused after all. */
  unpass(schema: string): void {
    this.passed.set(schema, this.passed.get(schema)! - 1);
  }

  /** Most frequent first. */
  causes(): Cause[] {
    return [...this.#causes.values()].sort((a, b) => b.count - a.count || a.example_line - b.example_line);
  }

  #countCause(rejection: Rejection): void {
    const { code, schema, errors } = rejection;
    let known = this.#known.get(errors);
    if (known === undefined || known.code !== code || known.schema !== schema) {
      known = { code, schema, cause: this.#causeOf(rejection) };
      if (this.#known.size === MOST_KNOWN) this.#known.clear();
      this.#known.set(errors, known);
    }
    known.cause.count++;
  }

  #causeOf({ code, schema, errors, line }: Rejection): Cause {
    const { path, keyword, message }: LineError = errors[0] ?? { path: '', keyword: '', message: '' };
    // Broken JSON has a message of its own for nearly every line.
    const words = code === 'schema_violation' ? message : '';
    const key = JSON.stringify([code, schema, path, keyword, words]);
    const isFull = this.#causes.size >= MOST_CAUSES && !this.#causes.has(key);
    const found = this.#causes.get(isFull ? code : key);
    if (found !== undefined) return found;
    const place = { count: 0, example_line: line };
    const cause: Cause = isFull
      ? { code, schema: null, path: '', keyword: '', message: 'other causes with this code', ...place }
      : { code, schema, path, keyword, message, ...place };
    this.#causes.set(isFull ? code : key, cause);
    return cause;
  }
}

/** A rejection as the report shows it: place and reasons, without the bytes. */
export function reportedRejection(rejection: Omit<Rejection, 'raw' | 'batchLine'>): ReportedRejection {
  const { line, file, offset, length, code, schema, errors, origin } = rejection;
  const place = { line, ...(file === null ? {} : { file }), offset, length };
  return { ...place, code, schema, retryable: false, errors, ...(origin === undefined ? {} : { origin }) };
}
