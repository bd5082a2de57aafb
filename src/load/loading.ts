// One batch on its way into Postgres: rows are staged while lines are being judged, and at the end one transaction checks
// the batch and promotes or holds all of it, or nothing is kept.
import {
  borrow,
  type Connection,
  type Database,
  databaseProblem,
  isDataError,
  isRetryable,
  isTableMissing,
  isUnsupported,
  pauseBefore,
  retried,
  transact,
} from '../db.ts';
import { Problem } from '../errors.ts';
import { faultPoint } from '../fault-point.ts';
import type { CheckResult, Rejection, RejectionCode, Report } from '../model.ts';
import { type AbortRules, whyAborted } from '../report/abort.ts';
import { buildReport, httpStatus } from '../report/build.ts';
import type { Tally } from '../report/tally.ts';
import type { SchemaVersion } from '../schema/registry.ts';
import { Ahead, type Promoted } from './ahead.ts';
import { Chunk } from './chunk.ts';
import type { Destination, Ending } from './destination.ts';
import { correctDigest } from './digests.ts';
import { type Claim, claimStep, completeClaim, releaseClaim } from './idempotency.ts';
import { LineRecords } from './line-records.ts';
import { NOTHING, type Outcome, settleRows } from './outcome.ts';
import { type BatchConstants, finalStep, stagedSteps } from './promote.ts';
import {
  type FinishedBatch,
  finishedStep,
  forgetBatch,
  readAnswer,
  recordFinished,
  recordReceiving,
  type StoredAnswer,
  takenForDead,
} from './record.ts';
import { refusedOfChunk, rejectRefusedRows } from './refused-rows.ts';
import type { Replayed } from './replayed.ts';
import { blockStep, forgetRows } from './row-digests.ts';
import { type Offender, sift } from './sift.ts';
import { dropUnloggedStages, type StageTable } from './stage.ts';
import { Staging } from './staging.ts';
import { commitTogether } from './trip.ts';

/** Tries of the promoting transaction when it loses against another one. */
const TRIES = 5;

/** What is committed with a batch, and only with it. */
export type Alongside = (connection: Connection, answer: StoredAnswer) => Promise<void>;

export interface LoadingOptions {
  batchId: string;
  /** Whose the batch is to be. */
  client: string | null;
  receivedAt: Date;
  /** This process, as in `sluice.batches.process`. */
  process: string;
  dryRun: boolean;
  rules: AbortRules;
  claim: Claim | null;
  /** The upload's schema parameter, to be recorded. */
  schemaParameter: string | null;
  /** The versions that the batch is judged by. */
  resolve(schema: string): SchemaVersion | null;
  /** Set where the lines are stored rejections. */
  replayed?: Replayed;
  alongside?: Alongside;
}

export class Loading implements Destination {
  /** Why nothing of the batch will be kept, once that is so. Lines are judged on, for the sake of the report. */
  abortReason: string | undefined;
  readonly #db: Database;
  readonly #tally: Tally;
  readonly #options: LoadingOptions;
  readonly #batch: BatchConstants;
  readonly #ahead: Ahead | undefined;
  readonly #staging: Staging;
  readonly #records: LineRecords;
  /** Results of the checks that reject lines, by table, once they have run. */
  #sifted: Map<string, CheckResult[]> | undefined;
  #isRecorded = false;
  /** Lines are becoming rejections: what fails now cannot simply be tried again. */
  #isSifting = false;
  /** COMMIT was sent and its answer has not come. */
  #isInDoubt = false;

  constructor(db: Database, tally: Tally, options: LoadingOptions) {
    this.#db = db;
    this.#tally = tally;
    this.#options = options;
    this.#batch = { id: options.batchId, receivedAt: options.receivedAt };
    this.#ahead = options.dryRun ? undefined : new Ahead(db, this.#batch);
    this.#staging = new Staging(db, this.#batch, !options.dryRun, this.#ahead);
    this.#records = new LineRecords(options.batchId, !options.dryRun);
  }

  /** Where rows of this schema version are to be written. */
  chunk(schema: SchemaVersion): Chunk {
    return this.#staging.chunk(schema);
  }

  reject(given: Rejection): void {
    const rejection = this.#options.replayed?.reject(given) ?? given;
    this.#tally.reject(rejection);
    if (this.#tally.rejected <= this.#options.rules.mostRejections) this.#records.reject(rejection);
    this.abortReason ??= whyAborted(this.#options.rules, this.#tally, false);
  }

  blank(batchLine: number): void {
    this.#records.blank(batchLine);
  }

  /** Whether so much waits in memory that {@link relieve} should be called before the next block. */
  get isFull(): boolean {
    return this.#staging.isFull || this.#records.areMany;
  }

  /** Sends what has gathered to Postgres. Rows are copied while the caller goes on judging lines. */
  async relieve(): Promise<void> {
    await this.#staging.settle();
    await this.#records.settle();
    if (this.abortReason !== undefined) {
      this.#staging.clear();
      await this.#staging.straight?.giveUp();
    }
    if (!this.#isRecorded) {
      const record = { ...this.#batch, ...this.#options };
      await retried(() => borrow(this.#db, (connection) => recordReceiving(connection, record)));
      this.#isRecorded = true;
    }
    if (this.#records.areMany) this.#records.move(this.#db);
    this.#staging.relieve((chunk, error) => this.#withoutRefused(chunk, error));
  }

  /**
   * Promotes the batch, holds it, or records that it was rejected or aborted.
   * @throws {Problem} if Postgres cannot take it now
   */
  async finish(ending: Ending): Promise<StoredAnswer> {
    await this.#staging.settle();
    await this.#records.settle();
    for (let tries = 1; ; tries++) {
      try {
        this.#abortWhere(true);
        if (this.abortReason === undefined && this.#sifted === undefined) {
          this.#expectSuites();
          await this.#staging.expectEnd();
          await this.#sift();
          this.#abortWhere(true);
        }
        const answer = await this.#finishOnce(ending);
        this.#staging.end();
        this.#records.end();
        return answer;
      } catch (error) {
        if (this.#isSifting || tries === TRIES) throw error;
        if (isUnsupported(error) && this.#staging.mayBeDirect) this.#staging.mayBeDirect = false;
        else if (isDataError(error)) await this.#refuseRows(error as Error);
        else if (this.#isInDoubt && databaseProblem(error) !== undefined) return this.#settleDoubt(error);
        else if (this.#isRecorded && isTableMissing(error)) throw takenForDead();
        else if (isRetryable(error)) await pauseBefore(tries + 1);
        else throw error;
      }
    }
  }

  /** The upload failed: nothing is promoted, and the batch is recorded as aborted if Postgres can be reached. */
  async abandon(reason: string, ending: Ending, isUpload: boolean): Promise<void> {
    this.abortReason ??= reason;
    const { claim } = this.#options;
    await this.#staging.settle().catch(() => {});
    await this.#records.settle().catch(() => {});
    this.#staging.end();
    this.#records.end();
    if (claim !== null) await retried(() => borrow(this.#db, (connection) => releaseClaim(connection, claim)));
    if (!isUpload && !this.#isRecorded) return;
    this.#staging.clear();
    await retried(() => this.#finishOnce({ ...ending, fingerprint: Buffer.alloc(0) }, false));
  }

  async #finishOnce(ending: Ending, completes = true): Promise<StoredAnswer> {
    this.#isInDoubt = false;
    const { dryRun } = this.#options;
    const isKept = this.abortReason === undefined;
    if (!isKept) {
      await this.#ahead?.giveUp();
      await this.#staging.straight?.giveUp();
    }
    const together = completes && this.#isPlain ? await this.#commitTogether(ending) : undefined;
    if (together !== undefined) return together;
    const taken = (await this.#finishStraight(ending, completes)) ?? (await this.#finishAhead(ending, completes));
    if (taken !== undefined) return taken;
    const answer = await borrow(this.#db, async (connection) => {
      const stages = isKept ? await this.#staging.open(connection) : [];
      await connection.query('BEGIN');
      const outcome = isKept ? await this.#settleRows(connection, stages) : NOTHING;
      return this.#commit(connection, ending, completes, outcome);
    });
    if (dryRun && this.#isRecorded) await transact(this.#db, (connection) => this.#leaveNothing(connection));
    return answer;
  }

  /** Whether nothing has to be asked of Postgres on the way: all lines were good, few, and no check looks at them. */
  get #isPlain(): boolean {
    const { dryRun, replayed, alongside } = this.#options;
    const { rejected, blank } = this.#tally;
    return (
      !(dryRun || this.#isRecorded) &&
      replayed === undefined &&
      alongside === undefined &&
      this.abortReason === undefined &&
      rejected + blank === 0 &&
      this.#staging.isPlain
    );
  }

  /**
   * Does all of it in one trip, on the assumption that nothing is a duplicate; undefined, and nothing is done, where
   * something is.
   */
  async #commitTogether(ending: Ending): Promise<StoredAnswer | undefined> {
    const { claim } = this.#options;
    const expected = this.#tally.passedTotal;
    const chunks = [...this.#staging.chunks.values()];
    const observed = chunks.reduce((sum, { rows }) => sum + rows.rows, 0);
    if (observed !== expected) return undefined;
    const checks: CheckResult[] = [{ name: 'row_count_match', status: 'passed', expected, observed }];
    const report = this.#report(ending, { ...NOTHING, checks });
    const stored = { report: JSON.stringify(report), status: httpStatus(report) };
    const { blocks, digest } = this.#staging.digests.ending(chunks);
    const records = [
      ...blocks.map((block) => blockStep(this.#batch.id, block)),
      finishedStep(this.#finished(report, stored, ending, digest)),
      ...(claim === null ? [] : [claimStep(claim, ending.fingerprint)]),
    ];
    const odd = await borrow(this.#db, async (connection) => {
      const stages = await this.#staging.open(connection);
      const staged = stages.flatMap((stage) =>
        stagedSteps(this.#staging.chunks.get(stage.plan.table)!, stage, this.#batch),
      );
      const direct = this.#staging.direct.map((chunk) => finalStep(chunk, this.#batch));
      faultPoint('after-stage');
      return commitTogether(connection, [...staged, ...direct, ...records], () => {
        this.#isInDoubt = true;
        faultPoint('before-commit');
      });
    });
    if (odd === undefined) faultPoint('after-commit');
    else if (records.includes(odd)) throw takenForDead();
    return odd === undefined ? stored : undefined;
  }

  /** Ends the batch in the transaction in which its rows went straight into final; undefined where there is none. */
  async #finishStraight(ending: Ending, completes: boolean): Promise<StoredAnswer | undefined> {
    return this.#staging.straight?.finish(async (connection) => {
      const outcome = await this.#settleRows(connection, await this.#staging.openWithin(connection));
      return this.#commit(connection, ending, completes, outcome);
    });
  }

  /** Ends the batch in the transaction that has begun to promote it; undefined where that cannot be. */
  async #finishAhead(ending: Ending, completes: boolean): Promise<StoredAnswer | undefined> {
    try {
      return await this.#ahead?.finish(async (connection, promoted) => {
        const outcome = await this.#settleRows(connection, await this.#staging.openWithin(connection), promoted);
        if (!outcome.isHeld) return this.#commit(connection, ending, completes, outcome);
        // Some rows are in final already: the batch is held from its beginning.
        await connection.query('ROLLBACK');
        return undefined;
      });
    } catch (error) {
      // Its connection may have been lost long ago, and only be missed now.
      if (this.#isInDoubt || databaseProblem(error)?.code !== 'database_unavailable') throw error;
      return undefined;
    }
  }

  async #commit(connection: Connection, ending: Ending, completes: boolean, outcome: Outcome): Promise<StoredAnswer> {
    const { dryRun } = this.#options;
    const report = this.#report(ending, outcome);
    const stored = { report: JSON.stringify(report), status: httpStatus(report) };
    if (!dryRun) await this.#recordEnd(connection, report, stored, ending, completes);
    this.#isInDoubt = !dryRun;
    faultPoint('before-commit');
    await connection.query(dryRun ? 'ROLLBACK' : 'COMMIT');
    faultPoint('after-commit');
    return stored;
  }

  #abortWhere(isWhole: boolean): void {
    this.abortReason ??= whyAborted(this.#options.rules, this.#tally, isWhole);
    if (this.abortReason !== undefined) this.#staging.clear();
  }

  /** The checks of a subject run also when none of its lines was good. */
  #expectSuites(): void {
    for (const id of this.#tally.schemas) {
      const schema = this.#options.resolve(id);
      if (schema !== null) this.#staging.expect(schema);
    }
  }

  #settleRows(
    connection: Connection,
    stages: readonly StageTable[],
    promoted?: ReadonlyMap<string, Promoted>,
  ): Promise<Outcome> {
    const before = {
      expected: this.#tally.passedTotal,
      sifted: this.#sifted ?? new Map(),
      ...(promoted && { promoted }),
    };
    return settleRows(connection, this.#batch, this.#staging, stages, before);
  }

  /** Makes rejections of the lines that checks reject, in a transaction before the promoting one. */
  async #sift(): Promise<void> {
    if (!this.#staging.mayReject) {
      this.#sifted = new Map();
      return;
    }
    if (this.#isRecorded) await this.#staging.flush((chunk, error) => this.#withoutRefused(chunk, error));
    const { checks, lines } = await borrow(this.#db, async (connection) => {
      const stages = await this.#staging.open(connection);
      await connection.query('BEGIN');
      await this.#staging.copyRest(connection, stages);
      const sifted = await sift(connection, this.#staging, stages, (offenders) =>
        this.#rejectAll(connection, 'check_failed', offenders),
      );
      for (const [table, gone] of sifted.lines) await this.#staging.removeSent(connection, table, gone);
      await connection.query('COMMIT');
      return sifted;
    });
    for (const [table, gone] of lines) this.#staging.removeUnsent(table, gone);
    this.#sifted = checks;
    this.#isSifting = false;
  }

  async #rejectAll(connection: Connection, code: RejectionCode, offenders: readonly Offender[]): Promise<void> {
    this.#isSifting = true;
    for (const { place, schema, errors } of offenders) {
      this.#tally.unpass(schema);
      this.reject({ ...place, code, schema, errors });
    }
    if (this.#isRecorded && this.#records.areMany) await this.#records.spill(connection);
  }

  #report(ending: Ending, { checks, duplicates, isHeld }: Outcome): Report {
    return buildReport({
      batchId: this.#options.batchId,
      abortReason: this.abortReason,
      isHeld,
      replayOf: this.#options.replayed?.batches,
      dryRun: this.#options.dryRun,
      tally: this.#tally,
      duplicates,
      checks,
      bytes: ending.bytes,
      durationMs: Math.round(performance.now() - ending.startedAt),
    });
  }

  async #recordEnd(
    connection: Connection,
    report: Report,
    answer: StoredAnswer,
    ending: Ending,
    completes: boolean,
  ): Promise<void> {
    const { claim, batchId, replayed, alongside } = this.#options;
    const digest = await this.#staging.digests.finish(connection, this.#staging.chunks.values());
    const isOurs = await recordFinished(connection, this.#finished(report, answer, ending, digest));
    const isClaimed = claim === null || !completes || (await completeClaim(connection, claim, ending.fingerprint));
    if (!isOurs || !isClaimed) throw takenForDead();
    if (completes) await alongside?.(connection, answer);
    await this.#records.write(connection);
    if (report.lines.accepted === 0 && (this.#isRecorded || report.lines.duplicate > 0))
      await forgetRows(connection, batchId);
    else if (report.lines.accepted > 0 && (report.lines.duplicate > 0 || this.#staging.hasRemoved)) {
      // Rows were recorded that are not among the accepted ones after all.
      await correctDigest(connection, batchId);
    }
    if (report.status === 'promoted' || report.status === 'held') await replayed?.write(connection, batchId);
    if (this.#isRecorded) await dropUnloggedStages(connection, batchId);
  }

  #finished(report: Report, answer: StoredAnswer, { files }: Ending, digest: Buffer | null): FinishedBatch {
    const { process, client, schemaParameter, replayed } = this.#options;
    const schemas = [...this.#tally.schemas];
    return {
      ...this.#batch,
      process,
      client,
      report,
      reportText: answer.report,
      httpStatus: answer.status,
      subjects: [...new Set(schemas.map((id) => id.slice(0, id.indexOf('/'))))],
      schemaParameter,
      schemas,
      replayOf: replayed?.batches ?? [],
      digest: report.lines.accepted > 0 ? digest : null,
      files,
      reason: this.abortReason ?? null,
    };
  }

  /** Makes rejections of the rows that Postgres refuses to promote, wherever they are. */
  async #refuseRows(error: Error): Promise<void> {
    const rejectAll = (connection: Connection, offenders: readonly Offender[]) =>
      this.#rejectAll(connection, 'unstorable_value', offenders);
    const isComplete = await rejectRefusedRows(this.#db, this.#batch, this.#staging, this.#mostRefused, rejectAll);
    this.#isSifting = false;
    if (!isComplete) this.abortReason ??= refusedARow(error);
  }

  /** The rows of a chunk that Postgres takes; none where the batch has come to be aborted. */
  async #withoutRefused(chunk: Chunk, error: Error): Promise<Chunk> {
    const { offenders, rest } = await refusedOfChunk(this.#db, this.#batch, chunk, this.#mostRefused);
    for (const { place, schema, errors } of offenders) {
      this.#tally.unpass(schema);
      this.reject({ ...place, code: 'unstorable_value', schema, errors });
    }
    if (offenders.length === 0) this.abortReason ??= refusedARow(error);
    return this.abortReason === undefined ? rest : new Chunk(chunk.plan);
  }

  /** One more than are kept aborts the batch. */
  get #mostRefused(): number {
    return this.#options.rules.mostRejections - this.#tally.rejected + 1;
  }

  /** The connection was lost, perhaps after Postgres had committed: only the record can tell. */
  async #settleDoubt(error: unknown): Promise<StoredAnswer> {
    const { batchId } = this.#options;
    const answer = await borrow(this.#db, (connection) => readAnswer(connection, batchId)).catch(() => null);
    if (answer != null) return answer;
    if (answer === undefined) throw error;
    throw new Problem(
      'database_unavailable',
      'Postgres went away at the very end: whether the batch was stored, its address tells once Postgres is back',
      { retryAfter: 2, members: { batch_id: batchId }, cause: error },
    );
  }

  async #leaveNothing(connection: Connection): Promise<void> {
    await dropUnloggedStages(connection, this.#batch.id);
    await forgetBatch(connection, this.#batch.id);
  }
}

/** Where it cannot be said which one. */
function refusedARow({ message }: Error): string {
  return `Postgres refused a row: ${message}`;
}
