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

/**
 * Tables that each have a chunk of that size, at most. One upload over 15 of them, with 4 MiB for all together: 400 chunks
 * and as many transactions, a tenth slower.
 */
const MOST_TABLES = 4;

let sharing = 0;

export class Share {
  #isCounted = false;

  /** Whether so many bytes of rows, of so many tables, are as much as may wait. */
  isFull(bytes: number, tables = 1): boolean {
    if (bytes <= LEAST_BYTES) return false;
    if (!this.#isCounted) {
      this.#isCounted = true;
      sharing++;
    }
    return bytes > this.most(tables);
  }

  /** Bytes of rows that may wait now. */
  most(tables = 1): number {
    return Math.min(
      MOST_BYTES * Math.min(tables, MOST_TABLES),
      Math.max(LEAST_BYTES, BUDGET_BYTES / CHUNKS / Math.max(sharing, 1)),
    );
  }

  /** The upload has ended. */
  end(): void {
    if (this.#isCounted) sharing--;
    this.#isCounted = false;
  }
}
