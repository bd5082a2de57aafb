// What was accepted, in one number: SHA-256 over the lines and fingerprints of each table's rows, and over all tables of
// a batch. Knows only what it is given: the same code digests what a file said and what a table says.
import { createHash } from 'node:crypto';
import { FINGERPRINT_BYTES } from './fingerprint.ts';
import type { LineRuns } from './runs.ts';

const ROW_BYTES = 4 + FINGERPRINT_BYTES;

/** SHA-256 over the rows of one table in line order: each as its `_line` (int4, big endian) and its fingerprint. */
export class TableDigest {
  #hash = createHash('sha256');
  readonly #row = Buffer.allocUnsafeSlow(ROW_BYTES);

  /**
   * Adds many rows at once.
   * @param lines the lines of the rows, behind all that were added before
   * @param fingerprints of the same rows in the same order
   * @throws {Error} if they are not as many as the lines
   */
  add(lines: LineRuns, fingerprints: Buffer): void {
    if (fingerprints.length !== lines.count * FINGERPRINT_BYTES) {
      throw new Error(`${lines.count} lines with ${fingerprints.length} bytes of fingerprints`);
    }
    if (lines.count === 0) return;
    const rows = Buffer.allocUnsafe(lines.count * ROW_BYTES);
    const from = viewOf(fingerprints);
    const to = viewOf(rows);
    let read = 0;
    let write = 0;
    for (let run = 0; run < lines.runs; run++) {
      const end = lines.first(run) + lines.size(run);
      for (let line = lines.first(run); line < end; line++) {
        to.setInt32(write, line);
        to.setInt32(write + 4, from.getInt32(read));
        to.setInt32(write + 8, from.getInt32(read + 4));
        read += FINGERPRINT_BYTES;
        write += ROW_BYTES;
      }
    }
    this.#hash.update(rows);
  }

  /** Adds one row, whose fingerprint is at `at`; {@link add} costs a tenth of it. */
  addRow(line: number, fingerprint: Buffer, at: number): void {
    this.#row.writeInt32BE(line);
    fingerprint.copy(this.#row, 4, at, at + FINGERPRINT_BYTES);
    this.#hash.update(this.#row);
  }

  /** One that goes on from here while this one stays as it is. */
  copy(): TableDigest {
    const copy = new TableDigest();
    copy.#hash = this.#hash.copy();
    return copy;
  }

  /** The 32 bytes over what was added so far. */
  digest(): Buffer {
    return this.#hash.copy().digest();
  }
}

const NO_ROWS = createHash('sha256').digest();

/**
 * SHA-256 over, for each table that has rows, in order of its name: the name as UTF-8, a zero byte, the table's digest.
 * @param tables the digest of each table by its name; one of no rows counts as if it were not there
 * @returns 32 bytes, or null if no table has rows
 */
export function batchDigest(tables: ReadonlyMap<string, Buffer>): Buffer | null {
  const parts = [...tables]
    .filter(([, digest]) => !digest.equals(NO_ROWS))
    .map(([name, digest]) => ({ name: Buffer.from(`${name}\0`), digest }))
    .sort((a, b) => a.name.compare(b.name));
  if (parts.length === 0) return null;
  const hash = createHash('sha256');
  for (const { name, digest } of parts) hash.update(name).update(digest);
  return hash.digest();
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
