// The rows of a large batch go straight into final while it is still being received, in a transaction that stays open and
// that the batch's end takes over and commits. Readers see nothing of them before. Written once, a row of 1 kB costs
// Postgres 7 µs; by way of a stage it cost 13.
//
//   idle ── take ──► open ── take ──► open … ── finish ──► over: committed by the batch's end
//                     ├── the client is slower than IDLE_MS, or a table needs a stage ──► withdrawn: the rows are in stages
//                     └── anything fails ──► lost: ROLLBACK, and with it the upload
//
// Only for tables of which nothing looks at the rows on their way (no check, no id) and that have no rule of their own
// that could refuse one: here a refused row would cost the batch. No connection is held while a client is slow, and at
// most half of the pool's are held at all.
import { borrow, type Connection, type Database, isDataError, isUnsupported } from '../db.ts';
import { Problem } from '../errors.ts';
import { stageColumns } from '../lines/encode.ts';
import type { TablePlan } from '../model.ts';
import { quote } from '../sql.ts';
import type { Chunk } from './chunk.ts';
import { IDLE_MS, lend } from './long-loans.ts';
import { type BatchConstants, copyToFinal } from './promote.ts';
import { expectReceiving } from './record.ts';
import { mayFinalRefuse, type StageTable } from './stage.ts';

/** Rows of one table that are in final already, in the open transaction. */
interface Taken {
  plan: TablePlan;
  rows: number;
  lastLine: number;
  /** Pages of final when the first of them came: nearly all of them are behind. */
  pages: number;
}

/** Makes a stage for a table, or hands out the one that it has. */
export type StageOf = (plan: TablePlan) => Promise<StageTable>;

/** Tables that refused a row although nothing said that they might: by pool. */
const refusing = new WeakMap<Database, Set<string>>();

export class Straight {
  readonly #db: Database;
  readonly #batch: BatchConstants;
  readonly #stageOf: StageOf;
  readonly #taken = new Map<string, Taken>();
  /** By table: pages of final, or undefined for a table that needs a stage. */
  readonly #pages = new Map<string, number | undefined>();
  #state: 'idle' | 'open' | 'over' | 'lost' = 'idle';
  #connection: Connection | undefined;
  /** Ends the loan of the connection; with an error it is closed. */
  #giveBack: (error?: unknown) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  /** Rows as they are sent: new memory for each chunk makes the garbage collector run. */
  #memory = Buffer.alloc(0);
  /** What is under way on the connection. */
  #work: Promise<void> = Promise.resolve();

  constructor(db: Database, batch: BatchConstants, stageOf: StageOf) {
    this.#db = db;
    this.#batch = batch;
    this.#stageOf = stageOf;
  }

  /** Rows that final has, in the open transaction. */
  get rows(): number {
    let rows = 0;
    for (const taken of this.#taken.values()) rows += taken.rows;
    return rows;
  }

  /** Whether rows of all these tables may come. */
  async mayTake(plans: Iterable<TablePlan>): Promise<boolean> {
    if (this.#state === 'over' || this.#state === 'lost') return false;
    for (const plan of plans) {
      if (!this.#pages.has(plan.table)) {
        this.#pages.set(plan.table, await borrow(this.#db, (connection) => pagesOf(connection, this.#db, plan)));
      }
      if (this.#pages.get(plan.table) === undefined) return false;
    }
    return true;
  }

  /**
   * Copies a chunk into final.
   * @param alongside what else is to be written with it
   * @returns false, and nothing is done, where that cannot be: the chunk needs a stage
   * @throws {Problem} the transaction is lost, with the rows that it had
   */
  async take(chunk: Chunk, alongside: (connection: Connection) => Promise<void>): Promise<boolean> {
    clearTimeout(this.#timer);
    await this.#work;
    if (this.#state === 'idle') await this.#open();
    if (this.#state !== 'open') return this.#notOpen();
    const connection = this.#connection!;
    const { plan, rows } = chunk;
    try {
      await copyToFinal(connection, chunk, this.#batch, 'events', (bytes) => this.#room(bytes));
      await alongside(connection);
    } catch (error) {
      return this.#failed(error, plan.table);
    }
    const taken = this.#taken.get(plan.table) ?? { plan, rows: 0, lastLine: 0, pages: this.#pages.get(plan.table)! };
    taken.rows += rows.rows;
    if (rows.rows > 0) taken.lastLine = chunk.batchLine(rows.rows - 1);
    this.#taken.set(plan.table, taken);
    this.#wait();
    return true;
  }

  /**
   * Runs `use` in the open transaction, which it has to end.
   * @returns undefined where there is no such transaction
   * @throws {Error} what `use` threw; {@link Problem} if the transaction was lost before
   */
  async finish<T>(use: (connection: Connection) => Promise<T>): Promise<T | undefined> {
    clearTimeout(this.#timer);
    await this.#work;
    if (this.#state !== 'open') {
      this.#notOpen();
      return undefined;
    }
    try {
      const result = await use(this.#connection!);
      this.#end('over');
      return result;
    } catch (error) {
      this.#end('lost', error);
      for (const table of this.#pages.keys()) this.#remember(error, table);
      throw isDataError(error) ? lost(error) : error;
    }
  }

  /** Moves the rows that final has into stages, where they wait for the batch's end. */
  async withdraw(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#work;
    if (this.#state !== 'open') return;
    this.#work = this.#withdraw();
    await this.#work;
  }

  /** Nothing will be kept. Resolves when the transaction is gone. */
  async giveUp(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#work;
    this.#taken.clear();
    if (this.#state === 'open') {
      const isGone = await this.#connection!.query('ROLLBACK').then(
        () => undefined,
        (error: unknown) => error,
      );
      this.#end('over', isGone);
    }
    this.#state = 'over';
  }

  async #open(): Promise<void> {
    this.#state = 'over';
    const loan = lend(this.#db);
    if (loan === undefined) return;
    this.#giveBack = loan.giveBack;
    try {
      this.#connection = await loan.connection;
      await this.#connection.query('BEGIN ISOLATION LEVEL READ COMMITTED');
      this.#state = 'open';
    } catch (error) {
      // Nothing was in it yet: the stage meets the cause again, and tells of it.
      this.#end('over', error);
    }
  }

  #room(bytes: number): Buffer {
    if (this.#memory.length < bytes) this.#memory = Buffer.allocUnsafeSlow(Math.ceil(bytes * 1.25));
    return this.#memory;
  }

  #end(state: 'over' | 'lost', error?: unknown): void {
    this.#state = state;
    this.#connection = undefined;
    this.#giveBack(error);
  }

  /** @throws {Problem} if there were rows */
  #notOpen(): false {
    if (this.#state === 'lost') throw lost();
    return false;
  }

  /** A table that refused a row gets its rows by way of a stage from now on, where that costs a line. */
  #remember(error: unknown, table: string): void {
    if (!isDataError(error) && !isUnsupported(error)) return;
    const tables = refusing.get(this.#db) ?? new Set();
    refusing.set(this.#db, tables.add(table));
  }

  #failed(error: unknown, table: string): false {
    this.#remember(error, table);
    const hasRows = this.rows > 0;
    this.#end(hasRows ? 'lost' : 'over', error);
    if (!hasRows) return false;
    throw isDataError(error) ? lost(error) : error;
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#work = this.#withdraw();
      // Its error is met when the rows are next asked for.
      this.#work.catch(() => {});
    }, IDLE_MS);
  }

  /** Ends with the rows in stages, or with the transaction lost. */
  async #withdraw(): Promise<void> {
    const connection = this.#connection!;
    try {
      const stages = new Map<Taken, StageTable>();
      for (const taken of this.#taken.values()) stages.set(taken, await this.#stageOf(taken.plan));
      for (const [taken, stage] of stages) await this.#move(connection, taken, stage);
      await expectReceiving(connection, this.#batch.id);
      await connection.query('COMMIT');
      for (const [{ rows, lastLine }, stage] of stages) {
        stage.rows += rows;
        stage.lastLine = lastLine;
      }
      this.#taken.clear();
      this.#end('over');
    } catch (error) {
      this.#end('lost', error);
    }
  }

  async #move(connection: Connection, { plan, rows, pages }: Taken, stage: StageTable): Promise<void> {
    const columns = stageColumns(plan).map(quote).join(', ');
    let moved = 0;
    // Postgres puts rows into room that others have left, too: where the count says so, all pages are looked at.
    for (const where of [`AND ctid >= '(${pages},0)'`, '']) {
      if (moved === rows) break;
      const { rowCount } = await connection.query(
        `WITH moved AS (DELETE FROM events.${quote(plan.table)} WHERE _batch_id = $1 ${where} RETURNING ${columns})
         INSERT INTO ${stage.name} (${columns}) SELECT ${columns} FROM moved`,
        [this.#batch.id],
      );
      moved += rowCount ?? 0;
    }
    if (moved !== rows) throw lost();
  }
}

/** Pages of final, or undefined where rows have to come by way of a stage. */
async function pagesOf(connection: Connection, db: Database, plan: TablePlan): Promise<number | undefined> {
  if (refusing.get(db)?.has(plan.table) || (await mayFinalRefuse(connection, plan))) return undefined;
  const { rows } = await connection.query<{ pages: number; has_rules: boolean }>(
    `SELECT (pg_relation_size(oid) / current_setting('block_size')::int)::int AS pages,
       relrowsecurity
       OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND contype NOT IN ('n', 'p', 'u'))
       OR EXISTS (
         SELECT FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
         WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped AND (atttypmod <> -1 OR typtype <> 'b')
       ) AS has_rules
     FROM pg_class WHERE oid = $1::regclass`,
    [`events.${quote(plan.table)}`],
  );
  return rows[0] === undefined || rows[0].has_rules ? undefined : rows[0].pages;
}

function lost(cause?: unknown): Problem {
  const detail = 'Nothing was stored: the transaction with the rows was lost, please send them again';
  return new Problem('database_unavailable', detail, { retryAfter: 1, cause });
}
