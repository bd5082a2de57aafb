// What is to be recorded of single lines, rejections and runs of blank ones, until the promoting transaction writes it, or
// earlier where it becomes much.
import { type Connection, type Database, transact } from '../db.ts';
import type { Rejection } from '../model.ts';
import { expectReceiving, type LineRun, RejectionRows, recordBlankLines } from './record.ts';

/** Bytes of rejections, and runs of blank lines, that wait in memory. */
const REJECTION_BYTES = 2 * 1024 * 1024;
const MOST_BLANK_RUNS = 10_000;

export class LineRecords {
  readonly #batchId: string;
  readonly #isKept: boolean;
  readonly #rejections: RejectionRows;
  readonly #blanks: LineRun[] = [];

  /** @param isKept false for a dry run, of which nothing is written */
  constructor(batchId: string, isKept: boolean) {
    this.#batchId = batchId;
    this.#isKept = isKept;
    this.#rejections = new RejectionRows(batchId);
  }

  reject(rejection: Rejection): void {
    this.#rejections.add(rejection);
  }

  blank(batchLine: number): void {
    const last = this.#blanks.at(-1);
    if (last !== undefined && last.last === batchLine - 1) last.last = batchLine;
    else this.#blanks.push({ first: batchLine, last: batchLine });
  }

  get areMany(): boolean {
    return this.#rejections.size > REJECTION_BYTES || this.#blanks.length > MOST_BLANK_RUNS;
  }

  /** Writes what is waiting. It is kept: the transaction may have to be tried again. */
  async write(connection: Connection): Promise<void> {
    if (!this.#isKept) return;
    await this.#rejections.write(connection);
    await recordBlankLines(connection, this.#batchId, this.#blanks);
  }

  /** Writes what is waiting for good: inside a transaction that is not tried again. */
  async spill(connection: Connection): Promise<void> {
    await this.write(connection);
    this.#clear();
  }

  /** Writes what is waiting for good, in a transaction of its own. */
  async move(db: Database): Promise<void> {
    await transact(db, async (connection) => {
      await this.write(connection);
      if (this.#isKept) await expectReceiving(connection, this.#batchId);
    });
    this.#clear();
  }

  #clear(): void {
    this.#rejections.clear();
    this.#blanks.length = 0;
  }
}
