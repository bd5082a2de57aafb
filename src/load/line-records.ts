// What is to be recorded of single lines, rejections and runs of blank ones, until the promoting transaction writes it.
// Where it becomes much, it is written earlier, while the next lines are being judged: one load of it is on its way and
// the next one gathers. What could not be written is still there for whoever records the batch.
import { type Connection, type Database, transact } from '../db.ts';
import type { Rejection } from '../model.ts';
import { expectReceiving, type LineRun, recordBlankLines } from './record.ts';
import { RejectionCauses, RejectionRows } from './rejection-rows.ts';
import { Share } from './share.ts';

/** Runs of blank lines that wait in memory. */
const MOST_BLANK_RUNS = 10_000;

/** What is written together. */
interface Load {
  /** Made for the first one: most batches of single events have none. */
  rejections: RejectionRows | undefined;
  blanks: LineRun[];
}

export class LineRecords {
  readonly #batchId: string;
  readonly #isKept: boolean;
  readonly #share = new Share();
  #gathering: Load = { rejections: undefined, blanks: [] };
  /** The other one: empty, or on its way. */
  #sent: Load = { rejections: undefined, blanks: [] };
  #moving: Promise<void> = Promise.resolve();
  #causes: RejectionCauses | undefined;

  /** @param isKept false for a dry run, of which nothing is written */
  constructor(batchId: string, isKept: boolean) {
    this.#batchId = batchId;
    this.#isKept = isKept;
  }

  reject(rejection: Rejection): void {
    if (!this.#isKept) return;
    this.#causes ??= new RejectionCauses(this.#batchId);
    this.#gathering.rejections ??= new RejectionRows(this.#causes);
    this.#gathering.rejections.add(rejection);
  }

  blank(batchLine: number): void {
    if (!this.#isKept) return;
    const { blanks } = this.#gathering;
    const last = blanks.at(-1);
    if (last !== undefined && last.last === batchLine - 1) last.last = batchLine;
    else blanks.push({ first: batchLine, last: batchLine });
  }

  get areMany(): boolean {
    const { rejections, blanks } = this.#gathering;
    return this.#share.isFull(rejections?.size ?? 0) || blanks.length > MOST_BLANK_RUNS;
  }

  /** What {@link move} sent has arrived. */
  async settle(): Promise<void> {
    await this.#moving;
  }

  /** The upload has ended, and others may have its share of the memory. */
  end(): void {
    this.#share.end();
  }

  /** Writes what is waiting. It is kept: the transaction may have to be tried again. */
  async write(connection: Connection): Promise<void> {
    await this.#write(connection, this.#sent);
    await this.#write(connection, this.#gathering);
  }

  /** Writes what is waiting for good: inside a transaction that is not tried again. */
  async spill(connection: Connection): Promise<void> {
    await this.write(connection);
    clear(this.#sent);
    clear(this.#gathering);
    // Should the transaction fail, so would its causes be gone.
    this.#causes?.forget();
  }

  /**
   * Begins to write what is waiting for good, in a transaction of its own. Only once what was sent before is
   * {@link settle}d.
   */
  move(db: Database): void {
    [this.#gathering, this.#sent] = [this.#sent, this.#gathering];
    this.#moving = this.#move(db, this.#sent);
    // Its error is met at the next await of it; until then it must not count as unhandled.
    this.#moving.catch(() => {});
  }

  async #move(db: Database, load: Load): Promise<void> {
    await transact(db, async (connection) => {
      await this.#write(connection, load);
      await expectReceiving(connection, this.#batchId);
    });
    clear(load);
  }

  async #write(connection: Connection, { rejections, blanks }: Load): Promise<void> {
    await rejections?.write(connection);
    await recordBlankLines(connection, this.#batchId, blanks);
  }
}

function clear({ rejections, blanks }: Load): void {
  rejections?.clear();
  blanks.length = 0;
}
