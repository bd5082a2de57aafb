// One batch on its way into Postgres: rows gather in chunks, full chunks go to the stage while the next lines are being
// judged, and at the end one transaction promotes all of it or nothing.
import { borrow, type Connection, type Database, databaseProblem, isDataError, isRetryable } from '../db.ts';
import { Problem } from '../errors.ts';
import type { CheckResult, Rejection, Report } from '../model.ts';
import { type AbortRules, whyAborted } from '../report/abort.ts';
import { buildReport, httpStatus } from '../report/build.ts';
import type { Tally } from '../report/tally.ts';
import type { SchemaVersion } from '../schema/registry.ts';
import { type Chunk, chunkFor } from './chunk.ts';
import { copyChunk } from './copy.ts';
import type { Destination, Ending } from './destination.ts';
import { type Claim, completeClaim, releaseClaim } from './idempotency.ts';
import { type BatchConstants, promoteTable, recordDuplicates } from './promote.ts';
import {
  forgetBatch,
  type LineRun,
  RejectionRows,
  readAnswer,
  recordBlankLines,
  recordFinished,
  recordReceiving,
  type StoredAnswer,
} from './record.ts';
import type { Replayed } from './replayed.ts';
import {
  createUnloggedStage,
  dropUnloggedStages,
  forgetTemporaryStages,
  type StageTable,
  temporaryStage,
} from './stage.ts';
import { findRefusedRows } from './trial.ts';

/** Bytes of rows that wait in memory before the fullest chunk goes to the stage. */
const CHUNK_BYTES = 4 * 1024 * 1024;
/** Bytes of rejections, and runs of blank lines, that wait in memory. */
const REJECTION_BYTES = 2 * 1024 * 1024;
const MOST_BLANK_RUNS = 10_000;
/** Tries of the promoting transaction when it loses against another one. */
const TRIES = 5;

export interface LoadingOptions {
  batchId: string;
  receivedAt: Date;
  /** This process, as in `sluice.batches.process`. */
  process: string;
  dryRun: boolean;
  rules: AbortRules;
  claim: Claim | null;
  /** The upload's schema parameter, to be recorded. */
  schemaParameter: string | null;
  /** Set where the lines are stored rejections. */
  replayed?: Replayed;
}

export class Loading implements Destination {
  /** Why nothing of the batch will be kept, once that is so. Lines are judged on, for the sake of the report. */
  abortReason: string | undefined;
  readonly #db: Database;
  readonly #tally: Tally;
  readonly #options: LoadingOptions;
  readonly #batch: BatchConstants;
  readonly #chunks = new Map<string, Chunk>();
  /** Unlogged stages by table; none as long as everything fits into memory. */
  readonly #stages = new Map<string, StageTable>();
  readonly #rejections: RejectionRows;
  readonly #blanks: LineRun[] = [];
  #isRecorded = false;
  /** COMMIT was sent and its answer has not come. */
  #isInDoubt = false;
  #copying: Promise<void> = Promise.resolve();

  constructor(db: Database, tally: Tally, options: LoadingOptions) {
    this.#db = db;
    this.#tally = tally;
    this.#options = options;
    this.#batch = { id: options.batchId, receivedAt: options.receivedAt };
    this.#rejections = new RejectionRows(options.batchId);
  }

  /** Where rows of this schema version are to be written. */
  chunk(schema: SchemaVersion): Chunk {
    return chunkFor(this.#chunks, schema);
  }

  reject(given: Rejection): void {
    const rejection = this.#options.replayed?.reject(given) ?? given;
    this.#tally.reject(rejection);
    if (this.#tally.rejected <= this.#options.rules.mostRejections) this.#rejections.add(rejection);
    this.abortReason ??= whyAborted(this.#options.rules, this.#tally, false);
  }

  blank(batchLine: number): void {
    const last = this.#blanks.at(-1);
    if (last !== undefined && last.last === batchLine - 1) last.last = batchLine;
    else this.#blanks.push({ first: batchLine, last: batchLine });
  }

  /** Whether so much waits in memory that {@link relieve} should be called before the next block. */
  get isFull(): boolean {
    return this.#waitingRowBytes() > CHUNK_BYTES || this.#recordsAreMany();
  }

  /** Sends what has gathered to Postgres. Rows are copied while the caller goes on judging lines. */
  async relieve(): Promise<void> {
    await this.#copying;
    if (this.abortReason !== undefined) this.#chunks.clear();
    if (!this.#isRecorded) {
      await borrow(this.#db, (connection) => recordReceiving(connection, { ...this.#batch, ...this.#options }));
      this.#isRecorded = true;
    }
    if (this.#recordsAreMany()) await this.#moveRecords();
    if (this.#waitingRowBytes() <= CHUNK_BYTES) return;
    const fullest = [...this.#chunks.values()].reduce((a, b) => (b.rows.length > a.rows.length ? b : a));
    this.#chunks.delete(fullest.plan.table);
    this.#copying = this.#copyToStage(fullest);
    // Its error is met at the next await of it; until then it must not count as unhandled.
    this.#copying.catch(() => {});
  }

  /**
   * Promotes the batch, or records that it was rejected or aborted.
   * @throws {Problem} if Postgres cannot take it now
   */
  async finish(ending: Ending): Promise<StoredAnswer> {
    await this.#copying;
    for (let tries = 1; ; tries++) {
      this.abortReason ??= whyAborted(this.#options.rules, this.#tally, true);
      if (this.abortReason !== undefined) this.#chunks.clear();
      try {
        return await this.#finishOnce(ending);
      } catch (error) {
        if (isDataError(error) && tries < TRIES) await this.#refuseRows(error as Error);
        else if (this.#isInDoubt && databaseProblem(error) !== undefined) return this.#settleDoubt(error);
        else if (!isRetryable(error) || tries === TRIES) throw error;
      }
    }
  }

  /** The upload failed: nothing is promoted, and the batch is recorded as aborted if Postgres can be reached. */
  async abandon(reason: string, ending: Ending, isUpload: boolean): Promise<void> {
    this.abortReason ??= reason;
    const { claim } = this.#options;
    await this.#copying.catch(() => {});
    if (claim !== null) await borrow(this.#db, (connection) => releaseClaim(connection, claim));
    if (!isUpload && !this.#isRecorded) return;
    this.#chunks.clear();
    await this.#finishOnce({ ...ending, fingerprint: Buffer.alloc(0) }, false);
  }

  async #finishOnce(ending: Ending, completes = true): Promise<StoredAnswer> {
    this.#isInDoubt = false;
    const { dryRun } = this.#options;
    const answer = await borrow(this.#db, async (connection) => {
      await forgetTemporaryStages(connection, this.#chunks.size);
      const stages = await this.#openStages(connection);
      await connection.query('BEGIN');
      const duplicates = new Map<string, number>();
      const checks = this.abortReason === undefined ? await this.#promote(connection, stages, duplicates) : [];
      const report = this.#report(ending, checks, duplicates);
      const stored = { report: JSON.stringify(report), status: httpStatus(report) };
      if (!dryRun) await this.#recordEnd(connection, report, stored, ending, completes);
      this.#isInDoubt = !dryRun;
      await connection.query(dryRun ? 'ROLLBACK' : 'COMMIT');
      return stored;
    });
    if (dryRun && this.#isRecorded) await borrow(this.#db, (connection) => this.#leaveNothing(connection));
    return answer;
  }

  async #openStages(connection: Connection): Promise<StageTable[]> {
    const stages = new Map(this.#stages);
    for (const [table, chunk] of this.#chunks) {
      if (!stages.has(table)) stages.set(table, await temporaryStage(connection, chunk.plan));
    }
    // One order for all batches, so that no two wait for each other.
    return [...stages.values()].sort((a, b) => (a.plan.table < b.plan.table ? -1 : 1));
  }

  async #promote(
    connection: Connection,
    stages: StageTable[],
    duplicates: Map<string, number>,
  ): Promise<CheckResult[]> {
    const expected = this.#tally.passedTotal;
    let observed = 0;
    for (const stage of stages) {
      const chunk = this.#chunks.get(stage.plan.table);
      if (chunk !== undefined) await copyChunk(connection, stage.name, chunk);
      const staged = stage.rows + (chunk?.rows.rows ?? 0);
      const inserted = await promoteTable(connection, stage, this.#batch);
      observed += inserted;
      if (inserted === staged || !stage.plan.columns.some((column) => column.id)) continue;
      for (const [schema, count] of await recordDuplicates(connection, stage, this.#batch)) {
        duplicates.set(schema, count);
        observed += count;
      }
    }
    if (observed !== expected) throw new Error(`row_count_match: ${expected} lines passed, ${observed} left the stage`);
    return [{ name: 'row_count_match', status: 'passed', expected, observed }];
  }

  #report(ending: Ending, checks: CheckResult[], duplicates: ReadonlyMap<string, number>): Report {
    return buildReport({
      batchId: this.#options.batchId,
      abortReason: this.abortReason,
      isHeld: false,
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
    { report: reportText, status }: StoredAnswer,
    { files, fingerprint }: Ending,
    completes: boolean,
  ): Promise<void> {
    const { claim, process, batchId, schemaParameter, replayed } = this.#options;
    const isOurs = await recordFinished(connection, {
      ...this.#batch,
      process,
      report,
      reportText,
      httpStatus: status,
      subjects: [...new Set([...this.#tally.schemas].map((id) => id.slice(0, id.indexOf('/'))))],
      schemaParameter,
      schemas: [...this.#tally.schemas],
      replayOf: replayed?.batches ?? [],
      digest: null,
      files,
      reason: this.abortReason ?? null,
    });
    const isClaimed = claim === null || !completes || (await completeClaim(connection, claim, fingerprint));
    if (!isOurs || !isClaimed) {
      throw new Problem(
        'database_unavailable',
        'Nothing was stored: the batch was taken for dead, please send it again',
        {
          retryAfter: 1,
        },
      );
    }
    await this.#rejections.write(connection);
    await recordBlankLines(connection, batchId, this.#blanks);
    if (report.status === 'promoted' || report.status === 'held') await replayed?.write(connection, batchId);
    if (this.#isRecorded) await dropUnloggedStages(connection, batchId);
  }

  /** Copies a chunk to the table's unlogged stage, on a connection of its own and committed by itself. */
  async #copyToStage(chunk: Chunk): Promise<void> {
    const { table } = chunk.plan;
    let stage = this.#stages.get(table);
    if (stage === undefined) {
      stage = await createUnloggedStage(this.#db, this.#batch.id, this.#stages.size, chunk.plan);
      this.#stages.set(table, stage);
    }
    const { name } = stage;
    const copy = (rows: Chunk) => borrow(this.#db, (connection) => copyChunk(connection, name, rows));
    let copied = chunk;
    try {
      await copy(chunk);
    } catch (error) {
      if (!isDataError(error)) throw error;
      copied = await this.#withoutRefused(chunk);
      await copy(copied);
    }
    stage.rows += copied.rows.rows;
  }

  /** Makes rejections of the rows in memory that Postgres refuses to promote. */
  async #refuseRows(error: Error): Promise<void> {
    const before = this.#tally.rejected;
    for (const [table, chunk] of this.#chunks) this.#chunks.set(table, await this.#withoutRefused(chunk));
    if (this.#tally.rejected > before) return;
    // It is a row that is in the stage already: its bytes are gone, so it cannot become a rejection.
    this.abortReason = `Postgres refused a row: ${error.message}`;
  }

  async #withoutRefused(chunk: Chunk): Promise<Chunk> {
    const refused = await findRefusedRows(this.#db, chunk, this.#batch);
    if (refused.size === 0) return chunk;
    for (const [row, message] of refused) {
      const schema = chunk.schema(row).id;
      this.#tally.unpass(schema);
      const errors = [{ path: '', keyword: 'storable', message }];
      this.reject({ ...chunk.place(row), code: 'unstorable_value', schema, errors });
    }
    return chunk.without(refused);
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

  async #moveRecords(): Promise<void> {
    if (!this.#options.dryRun) {
      await borrow(this.#db, async (connection) => {
        await connection.query('BEGIN');
        await this.#rejections.write(connection);
        await recordBlankLines(connection, this.#batch.id, this.#blanks);
        await connection.query('COMMIT');
      });
    }
    this.#rejections.clear();
    this.#blanks.length = 0;
  }

  #recordsAreMany(): boolean {
    return this.#rejections.size > REJECTION_BYTES || this.#blanks.length > MOST_BLANK_RUNS;
  }

  #waitingRowBytes(): number {
    let bytes = 0;
    for (const chunk of this.#chunks.values()) bytes += chunk.rows.length;
    return bytes;
  }
}
