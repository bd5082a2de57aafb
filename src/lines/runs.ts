// Ascending line numbers as runs: the lines of a table's accepted rows are nearly all of its file's, so that a block of
// thousands is a few runs, 8 bytes each.

const RUN_BYTES = 8;
const MAX_LINE = 2_147_483_647;

export class LineRuns {
  /** Two numbers a run: its first line, and how many it has. */
  #runs = new Int32Array(32);
  #used = 0;
  #count = 0;
  /** The last line; 0 stands for none, as lines count from 1. */
  #last = 0;

  /**
   * Reads what {@link encode} wrote.
   * @throws {Error} if the bytes are no ascending runs
   */
  static decode(bytes: Buffer): LineRuns {
    if (bytes.length % RUN_BYTES !== 0) throw new Error(`runs of lines in ${bytes.length} bytes`);
    const lines = new LineRuns();
    for (let at = 0; at < bytes.length; at += RUN_BYTES) {
      lines.#addRun(bytes.readInt32BE(at), bytes.readInt32BE(at + 4));
    }
    return lines;
  }

  /** Number of lines. */
  get count(): number {
    return this.#count;
  }

  /** Number of runs. */
  get runs(): number {
    return this.#used / 2;
  }

  /** First line of run `run`. */
  first(run: number): number {
    return this.#runs[run * 2]!;
  }

  /** Number of lines of run `run`. */
  size(run: number): number {
    return this.#runs[run * 2 + 1]!;
  }

  /**
   * Adds a line behind all others.
   * @throws {Error} if it is not behind them
   */
  append(line: number): void {
    if (line === this.#last + 1 && this.#used > 0 && line <= MAX_LINE) {
      this.#runs[this.#used - 1]!++;
      this.#count++;
      this.#last = line;
    } else this.#addRun(line, 1);
  }

  /** Pairs of int4, big endian: first line and number of lines of each run. */
  encode(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#used * 4);
    for (let index = 0; index < this.#used; index++) bytes.writeInt32BE(this.#runs[index]!, index * 4);
    return bytes;
  }

  *[Symbol.iterator](): Generator<number, undefined> {
    for (let run = 0; run < this.runs; run++) {
      const end = this.first(run) + this.size(run);
      for (let line = this.first(run); line < end; line++) yield line;
    }
  }

  clear(): void {
    this.#used = 0;
    this.#count = 0;
    this.#last = 0;
  }

  #addRun(first: number, size: number): void {
    if (!(first > this.#last && size > 0 && first + size - 1 <= MAX_LINE)) {
      throw new Error(`a run of ${size} lines from ${first} on cannot stand behind line ${this.#last}`);
    }
    if (this.#used === this.#runs.length) {
      const runs = new Int32Array(this.#runs.length * 2);
      runs.set(this.#runs);
      this.#runs = runs;
    }
    this.#runs[this.#used++] = first;
    this.#runs[this.#used++] = size;
    this.#count += size;
    this.#last = first + size - 1;
  }
}
