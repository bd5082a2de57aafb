// A batch's rows until they are promoted: they gather in one chunk a table, full chunks go straight into final, or to the
// batch's unlogged stages, while the next lines are being judged, and what is left goes with the promoting transaction.
import { borrow, type Connection, type Database, isDataError, transact } from '../db.ts';
import type { Check } from '../expectations/check.ts';
import type { Suite } from '../expectations/suite.ts';
import { faultPoint } from '../fault-point.ts';
import type { TablePlan } from '../model.ts';
import type { SchemaVersion } from '../schema/registry.ts';
import type { Ahead } from './ahead.ts';
import { type Chunk, chunkFor, type LinePlace } from './chunk.ts';
import { copyChunk } from './copy.ts';
import { copyLineBytes, createLineBytes } from './line-bytes.ts';
import type { BatchConstants } from './promote.ts';
import { expectReceiving } from './record.ts';
import { blockOf, RowDigests } from './row-digests.ts';
import { Share } from './share.ts';
import {
  createUnloggedStage,
  forgetTemporaryStages,
  mayFinalRefuse,
  type StageTable,
  temporaryStage,
} from './stage.ts';
import { Straight } from './straight.ts';
import type { Suspects } from './trial.ts';

/** Bytes of rows that are sent in one piece with everything else. More are a stream, and waiting is not what they cost. */
const PLAIN_BYTES = 1024 * 1024;

/** The rows of a chunk that Postgres takes; what it refuses has become rejections. */
export type WithoutRefused = (chunk: Chunk, error: Error) => Promise<Chunk>;

/** Spare memory of an upload, as a multiple of what may wait. A chunk's memory is up to twice its rows. */
const SPARE_CHUNKS = 4;

export class Staging {
  readonly batchId: string;
  /** Rows in memory, by table. */
  readonly chunks = new Map<string, Chunk>();
  /** Unlogged stages by table; none as long as everything fits into memory. */
  readonly stages = new Map<string, StageTable>();
  /** By table: what its rows have to pass. Tables without checks are not in here. */
  readonly suites = new Map<string, { schema: SchemaVersion; suite: Suite }>();
  readonly digests: RowDigests;
  /** Undefined for a dry run. */
  readonly straight: Straight | undefined;
  /** Whether rows were removed that are recorded in the digests. */
  hasRemoved = false;
  /** Unset where a table takes no COPY: one with row level security. */
  mayBeDirect = true;
  readonly #db: Database;
  readonly #keepsDigests: boolean;
  /** Tables of which lines may still be rejected once they are in the stage: their bytes are kept. */
  readonly #keepsBytes = new Set<string>();
  readonly #share = new Share();
  readonly #ahead: Ahead | undefined;
  /** Empty chunks whose memory is there to be filled again. */
  #spares: Chunk[] = [];
  #lineBytes: string | undefined;
  #copying: Promise<void> = Promise.resolve();

  /**
   * @param keepsDigests whether the rows are to be recorded: not those of a dry run
   * @param ahead told of what is in the stages; undefined for a dry run
   */
  constructor(db: Database, batch: BatchConstants, keepsDigests: boolean, ahead: Ahead | undefined) {
    this.#db = db;
    this.batchId = batch.id;
    this.#keepsDigests = keepsDigests;
    this.#ahead = ahead;
    this.digests = new RowDigests(batch.id);
    this.straight = keepsDigests ? new Straight(db, batch, (plan) => this.#stageOf(plan)) : undefined;
  }

  /** Where rows of this schema version are to be written. */
  chunk(schema: SchemaVersion): Chunk {
    const chunk = this.chunks.get(schema.plan.table);
    if (chunk !== undefined) return chunk;
    this.expect(schema);
    const spare = this.#spares.findIndex(({ plan }) => plan === schema.plan);
    if (spare !== -1) this.chunks.set(schema.plan.table, this.#spares.splice(spare, 1)[0]!);
    return chunkFor(this.chunks, schema);
  }

  /** Memory that has been written to once is filled again: new memory for each chunk makes the garbage collector run. */
  #keepSpare(chunk: Chunk): void {
    chunk.clear();
    this.#spares.push(chunk);
    let bytes = this.#spares.reduce((sum, { rows }) => sum + rows.capacity, 0);
    while (bytes > SPARE_CHUNKS * this.#share.most(this.chunks.size)) bytes -= this.#spares.shift()!.rows.capacity;
  }

  /** The table of this version has to pass its checks, also without any row. */
  expect(schema: SchemaVersion): void {
    const { suite, plan } = schema;
    if (suite.checks.length > 0 && !this.suites.has(plan.table)) this.suites.set(plan.table, { schema, suite });
  }

  /** Whether so much waits in memory that the fullest chunk should go to the stage. */
  get isFull(): boolean {
    return this.#share.isFull(this.#waitingBytes(), this.chunks.size);
  }

  /** The chunk under way has arrived. */
  async settle(): Promise<void> {
    await this.#copying;
  }

  /** The upload has ended, and others may have its share of the memory. */
  end(): void {
    this.#spares = [];
    this.#share.end();
  }

  /** Nothing of the rows in memory will be needed. */
  clear(): void {
    this.chunks.clear();
  }

  /** Begins to send the fullest chunk, where there is too much in memory. */
  relieve(withoutRefused: WithoutRefused): void {
    if (!this.isFull) return;
    const fullest = [...this.chunks.values()].reduce((a, b) => (b.rows.length > a.rows.length ? b : a));
    this.chunks.delete(fullest.plan.table);
    this.#copying = this.#send(fullest, withoutRefused);
    // Its error is met at the next await of it; until then it must not count as unhandled.
    this.#copying.catch(() => {});
  }

  /** Sends everything that is in memory. */
  async flush(withoutRefused: WithoutRefused): Promise<void> {
    for (const [table, chunk] of this.chunks) {
      await this.#copyToStage(chunk, withoutRefused);
      this.chunks.delete(table);
    }
  }

  /** Whether any check may reject lines. */
  get mayReject(): boolean {
    return [...this.suites.keys()].some((table) => this.#mayReject(table));
  }

  /**
   * Stages for all tables that need one, in one order for all batches, so that no two wait for each other. Outside of a
   * transaction.
   */
  async open(connection: Connection): Promise<StageTable[]> {
    const plans = this.#withStage();
    await forgetTemporaryStages(connection, plans.size);
    return this.openWithin(connection);
  }

  /** As {@link open}, in a transaction that never returns its connection after a failure. */
  async openWithin(connection: Connection): Promise<StageTable[]> {
    const stages = new Map(this.stages);
    for (const [table, plan] of this.#withStage()) {
      if (!stages.has(table)) stages.set(table, await temporaryStage(connection, plan));
    }
    return [...stages.values()].sort((a, b) => (a.plan.table < b.plan.table ? -1 : 1));
  }

  /** Sends the rest along with the promoting transaction. Returns the rows that are then in each stage. */
  async copyRest(connection: Connection, stages: readonly StageTable[]): Promise<Map<string, number>> {
    const staged = new Map<string, number>();
    for (const { plan, name, rows } of stages) {
      const chunk = this.chunks.get(plan.table);
      const rest = chunk === undefined || this.#isDirect(chunk) ? 0 : chunk.rows.rows;
      if (rest > 0) await copyChunk(connection, name, chunk!);
      staged.set(plan.table, rows + rest);
    }
    return staged;
  }

  /** Rows in memory that nothing has to be looked up for on their way: they need no stage. In the order of tables. */
  get direct(): Chunk[] {
    const chunks = [...this.chunks.values()].filter((chunk) => chunk.rows.rows > 0 && this.#isDirect(chunk));
    return chunks.sort((a, b) => (a.plan.table < b.plan.table ? -1 : 1));
  }

  /** Whether there is nothing but some rows in memory, and no check looks at them. */
  get isPlain(): boolean {
    const isUnchecked = this.stages.size === 0 && this.suites.size === 0;
    return isUnchecked && this.chunks.size > 0 && this.#waitingBytes() <= PLAIN_BYTES;
  }

  /** Tables that are to have a stage, besides those that have one. */
  #withStage(): Map<string, TablePlan> {
    const plans = new Map<string, TablePlan>();
    for (const [table, chunk] of this.chunks) if (!this.#isDirect(chunk)) plans.set(table, chunk.plan);
    for (const [table, { schema }] of this.suites) plans.set(table, schema.plan);
    return plans;
  }

  /** No check looks at them, and no id has to be compared with those that are there. */
  #isDirect({ plan }: Chunk): boolean {
    return this.mayBeDirect && !this.suites.has(plan.table) && !plan.columns.some(({ id }) => id);
  }

  /** The checks of a table that reject lines, or all others. */
  checks(table: string, which: 'rejecting' | 'judging'): Check[] {
    const all = this.suites.get(table)?.suite.checks ?? [];
    return all.filter(({ severity }) => (severity === 'reject_rows') === (which === 'rejecting'));
  }

  /** Where a line stands whose row has not been sent yet. */
  placeInMemory(table: string, line: number): LinePlace | undefined {
    const chunk = this.chunks.get(table);
    const row = chunk?.rowOf(line) ?? -1;
    return row === -1 ? undefined : chunk!.place(row);
  }

  /** All rows that there are, to be tried one by one: tables as in {@link open}. */
  suspects(): Suspects[] {
    const plans = new Map([...this.stages, ...this.chunks].map(([table, { plan }]) => [table, plan]));
    return [...plans]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([table, plan]) => ({ plan, stage: this.stages.get(table)?.name, chunk: this.chunks.get(table) }));
  }

  /** Takes lines out of a large batch's stage. */
  async removeSent(connection: Connection, table: string, lines: readonly number[]): Promise<void> {
    const stage = this.stages.get(table);
    if (stage === undefined) return;
    const { rowCount } = await connection.query(`DELETE FROM ${stage.name} WHERE _line = ANY ($1::int[])`, [lines]);
    stage.rows -= rowCount ?? 0;
    this.hasRemoved = true;
  }

  /** Takes lines out of what is still in memory. */
  removeUnsent(table: string, lines: readonly number[]): void {
    const chunk = this.chunks.get(table);
    if (chunk === undefined) return;
    const rows = lines.map((line) => chunk.rowOf(line)).filter((row) => row !== -1);
    this.chunks.set(table, chunk.without(new Set(rows)));
  }

  /** The table that holds the bytes of lines in the stages; undefined where there is none. */
  get lineBytes(): string | undefined {
    return this.#lineBytes;
  }

  /** Rows that are in final already wait in stages after all, where another table of the batch needs one. */
  async expectEnd(): Promise<void> {
    if (this.straight !== undefined && this.straight.rows > 0 && !(await this.#mayGoStraight())) {
      await this.straight.withdraw();
    }
  }

  async #send(chunk: Chunk, withoutRefused: WithoutRefused): Promise<void> {
    if (!(await this.#wentStraight(chunk))) await this.#copyToStage(chunk, withoutRefused);
    faultPoint('mid-upload');
  }

  /** Copies a chunk into final, where all tables of the batch are such that this may be. */
  async #wentStraight(chunk: Chunk): Promise<boolean> {
    const { straight } = this;
    if (straight === undefined) return false;
    if (!(await this.#mayGoStraight(chunk))) {
      await straight.withdraw();
      return false;
    }
    const block = blockOf(chunk);
    if (!(await straight.take(chunk, (connection) => this.digests.write(connection, block)))) return false;
    this.digests.add(block);
    this.#keepSpare(chunk);
    return true;
  }

  async #mayGoStraight(...more: Chunk[]): Promise<boolean> {
    const chunks = [...more, ...this.chunks.values()];
    const needsStage = this.suites.size > 0 || this.stages.size > 0 || chunks.some((chunk) => !this.#isDirect(chunk));
    return !needsStage && this.straight!.mayTake(chunks.map(({ plan }) => plan));
  }

  /** Copies a chunk to the table's unlogged stage, on a connection of its own and committed by itself. */
  async #copyToStage(chunk: Chunk, withoutRefused: WithoutRefused): Promise<void> {
    const stage = await this.#stageOf(chunk.plan);
    let copied = chunk;
    try {
      await this.#copy(copied, stage);
    } catch (error) {
      if (!isDataError(error)) throw error;
      copied = await withoutRefused(chunk, error as Error);
      await this.#copy(copied, stage);
    }
    const { rows } = copied.rows;
    stage.rows += rows;
    if (rows > 0) stage.lastLine = copied.batchLine(rows - 1);
    if (copied === chunk) this.#keepSpare(chunk);
    if (this.#mayGoAhead(chunk)) this.#ahead?.advance(stage);
  }

  /** Rows that nothing takes out again. Ids would keep other batches with the same ones waiting. */
  #mayGoAhead({ plan }: Chunk): boolean {
    return !this.#keepsBytes.has(plan.table) && !plan.columns.some(({ id }) => id);
  }

  async #stageOf(plan: TablePlan): Promise<StageTable> {
    return this.stages.get(plan.table) ?? (await this.#createStage(plan));
  }

  async #createStage(plan: TablePlan): Promise<StageTable> {
    const stage = await createUnloggedStage(this.#db, this.batchId, this.stages.size, plan);
    this.stages.set(plan.table, stage);
    if (this.#mayReject(plan.table) || (await borrow(this.#db, (connection) => mayFinalRefuse(connection, plan)))) {
      this.#keepsBytes.add(plan.table);
      this.#lineBytes ??= await createLineBytes(this.#db, this.batchId);
    }
    return stage;
  }

  #mayReject(table: string): boolean {
    return this.checks(table, 'rejecting').length > 0;
  }

  async #copy(chunk: Chunk, stage: StageTable): Promise<void> {
    const block = this.#keepsDigests ? blockOf(chunk) : undefined;
    await transact(this.#db, async (connection) => {
      // Nothing is acknowledged on the stage: whatever the batch's own commit waits for has this before it.
      await connection.query('SET LOCAL synchronous_commit = off');
      await copyChunk(connection, stage.name, chunk);
      if (this.#keepsBytes.has(chunk.plan.table)) await copyLineBytes(connection, this.#lineBytes!, chunk);
      if (block !== undefined) await this.digests.write(connection, block);
      await expectReceiving(connection, this.batchId);
    });
    if (block !== undefined) this.digests.add(block);
  }

  #waitingBytes(): number {
    let bytes = 0;
    for (const chunk of this.chunks.values()) bytes += chunk.rows.length;
    return bytes;
  }
}
