// How much of an upload may wait in memory for Postgres: a share of one budget for the whole process, as there is one
// memory. A single upload gets the chunks that are fastest; many at once, smaller ones.

/** Bytes of rows in all chunks together. Their lines' bytes are kept beside them, so it is about twice as much. */
const BUDGET_BYTES = 128 * 1024 * 1024;
/** Of one chunk. Larger ones are no faster. */
const MOST_BYTES = 4 * 1024 * 1024;
/** An upload that never has more is none of those that share. */
const LEAST_BYTES = 256 * 1024;
/** Each upload has one chunk on its way and fills the next. */
const CHUNKS = 2;

let sharing = 0;

export class Share {
  #isCounted = false;

  /** Whether so many bytes of rows are as much as may wait. */
  isFull(bytes: number): boolean {
    if (bytes <= LEAST_BYTES) return false;
    if (!this.#isCounted) {
      this.#isCounted = true;
      sharing++;
    }
    return bytes > this.most;
  }

  /** Bytes of rows that may wait now. */
  get most(): number {
    return Math.min(MOST_BYTES, Math.max(LEAST_BYTES, BUDGET_BYTES / CHUNKS / Math.max(sharing, 1)));
  }

  /** The upload has ended. */
  end(): void {
    if (this.#isCounted) sharing--;
    this.#isCounted = false;
  }
}
