// Which stored rejections a replay takes its lines from, so that each is loaded once. About 4 bytes a line: one
// number for each, and which batch they are of once a batch.
import { type Connection, sqlstate, UNIQUE_VIOLATION } from '../db.ts';
import { Problem } from '../errors.ts';
import { RowBuffer } from '../lines/rows.ts';
import type { Origin, Rejection } from '../model.ts';
import { copyRows } from './copy.ts';
import { uuidBytes } from './record.ts';

const COLUMNS = ['batch_id', 'batch_line', 'replayed_by', 'line'] as const;
/** Rows of one COPY: 2 MB. */
const PIECE = 32_768;

/** What a batch that is a replay tells of its lines. They are added in the order in which the batch counts them. */
export class Replayed {
  /** The batches that its lines come from, in the order of the lines: complete once all lines have been read. */
  readonly batches: string[] = [];
  /** How many lines came before those of `batches[i]`. */
  readonly #before: number[] = [];
  /** Number in its own batch of line `i + 1`; negative once the line did not pass. */
  #lines = new Int32Array(1024);
  #count = 0;

  /** The next line of the batch is this rejection. */
  add(batchId: string, batchLine: number): void {
    if (this.batches.at(-1) !== batchId) {
      this.batches.push(batchId);
      this.#before.push(this.#count);
    }
    if (this.#count === this.#lines.length) {
      const lines = new Int32Array(this.#lines.length * 2);
      lines.set(this.#lines);
      this.#lines = lines;
    }
    this.#lines[this.#count++] = batchLine;
  }

  /** The line did not pass: its rejection stays in the quarantine. Returns it with its origin. */
  reject(rejection: Rejection): Rejection {
    const at = rejection.batchLine - 1;
    const line = Math.abs(this.#lines[at]!);
    this.#lines[at] = -line;
    const origin: Origin = { batch_id: this.batches[this.#batchOf(at)]!, line };
    return { ...rejection, origin };
  }

  /**
   * Notes every line that passed in `sluice.replays`, inside the transaction that promotes or holds them.
   * @throws {Problem} `replay_running` if one of them has been replayed meanwhile
   */
  async write(connection: Connection, replayedBy: string): Promise<void> {
    // Postgres takes a piece while the next one is being written, into the other buffer.
    let [rows, spare] = [new RowBuffer(), new RowBuffer()];
    let copying = Promise.resolve();
    const send = async (): Promise<void> => {
      await copying;
      copying = copy(connection, rows);
      // Its error is met at the next await of it.
      copying.catch(() => {});
      [rows, spare] = [spare, rows];
      rows.clear();
    };
    const by = uuidBytes(replayedBy);
    for (let batch = 0; batch < this.batches.length; batch++) {
      const id = uuidBytes(this.batches[batch]!);
      const end = this.#before[batch + 1] ?? this.#count;
      for (let at = this.#before[batch]!; at < end; at++) {
        const line = this.#lines[at]!;
        if (line < 0) continue;
        rows.begin(COLUMNS.length);
        rows.bytea(id);
        rows.int4(line);
        rows.bytea(by);
        rows.int4(at + 1);
        rows.end();
        if (rows.rows === PIECE) await send();
      }
    }
    await send();
    await copying;
  }

  /** Index of the batch that the line at `at` (from 0) is of. */
  #batchOf(at: number): number {
    let from = 0;
    let to = this.#before.length - 1;
    while (from < to) {
      const middle = (from + to + 1) >> 1;
      if (this.#before[middle]! <= at) from = middle;
      else to = middle - 1;
    }
    return from;
  }
}

async function copy(connection: Connection, rows: RowBuffer): Promise<void> {
  if (rows.rows === 0) return;
  try {
    await copyRows(connection, 'sluice.replays', COLUMNS, rows.copyData(), rows.rows);
  } catch (error) {
    if (sqlstate(error) !== UNIQUE_VIOLATION) throw error;
    throw new Problem('replay_running', 'Nothing was stored: another replay has rescued some of the lines meanwhile', {
      retryAfter: 1,
      cause: error,
    });
  }
}
