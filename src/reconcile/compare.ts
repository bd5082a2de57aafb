// Two streams of rows in the order of their lines, held against each other: what lines became, and what stands there now.
import { TableDigest } from '../lines/digest.ts';
import { FINGERPRINT_BYTES } from '../lines/fingerprint.ts';
import { LineRuns } from '../lines/runs.ts';
import type { RowBlock } from '../load/recorded.ts';
import type { Differences } from './differences.ts';

export interface Counts {
  expected: number;
  found: number;
}

/**
 * Compares one table.
 * @param onUnknown receives the line of each row that no accepted line accounts for; NaN where it has none
 * @returns the digest over what was found
 */
export async function compareRows(
  expected: AsyncGenerator<RowBlock>,
  found: AsyncIterable<RowBlock>,
  differences: Differences,
  counts: Counts,
  onUnknown: (line: number) => void,
): Promise<Buffer> {
  const wanted = new Wanted(expected, counts);
  const digest = new TableDigest();
  await wanted.begin();
  for await (const block of found) {
    counts.found += block.count;
    addTo(digest, block);
    for (let row = 0; row < block.count; row++) {
      const line = block.lines[row]!;
      while (wanted.line < line) {
        if (wanted.met === 0) differences.note('missing', wanted.line);
        if (!wanted.next()) await wanted.load();
      }
      if (wanted.line !== line) onUnknown(line);
      else noteMet(wanted, block, row, differences);
    }
  }
  while (wanted.line !== Number.POSITIVE_INFINITY) {
    if (wanted.met === 0) differences.note('missing', wanted.line);
    if (!wanted.next()) await wanted.load();
  }
  return digest.digest();
}

function noteMet(wanted: Wanted, block: RowBlock, row: number, differences: Differences): void {
  if (++wanted.met === 2) differences.note('doubled', wanted.line);
  if (wanted.isChanged || wanted.isAs(block, row)) return;
  wanted.isChanged = true;
  differences.note('changed', wanted.line);
}

function addTo(digest: TableDigest, { count, lines, fingerprints }: RowBlock): void {
  const runs = new LineRuns();
  for (let row = 0, last = 0; row < count; row++) {
    const line = lines[row]!;
    // Rows that stand there twice, or have no line of any file, are digested one by one.
    if (!(line > last)) {
      for (let each = 0; each < count; each++) digest.addRow(lines[each]! | 0, fingerprints, each * FINGERPRINT_BYTES);
      return;
    }
    runs.append(line);
    last = line;
  }
  digest.add(runs, fingerprints);
}

/** The row that is expected next. */
class Wanted {
  /** Infinity behind the last one. */
  line = Number.NEGATIVE_INFINITY;
  /** Times that it was found. */
  met = 1;
  isChanged = false;
  readonly #blocks: AsyncGenerator<RowBlock>;
  readonly #counts: Counts;
  #block: RowBlock = { count: 0, lines: new Float64Array(0), fingerprints: Buffer.alloc(0) };
  #row = 0;

  constructor(blocks: AsyncGenerator<RowBlock>, counts: Counts) {
    this.#blocks = blocks;
    this.#counts = counts;
  }

  begin(): Promise<void> {
    return this.load();
  }

  /** Goes on to the next row; false where another block has to be loaded for that. */
  next(): boolean {
    this.#row++;
    return this.#take();
  }

  /** Loads blocks up to the next one that has a row. */
  async load(): Promise<void> {
    do {
      const { done, value } = await this.#blocks.next();
      if (done) {
        this.line = Number.POSITIVE_INFINITY;
        this.met = 1;
        return;
      }
      this.#counts.expected += value.count;
      this.#block = value;
      this.#row = 0;
    } while (!this.#take());
  }

  /** Whether a row found is the one that is expected, byte for byte. */
  isAs(found: RowBlock, row: number): boolean {
    const own = this.#block.fingerprints;
    const theirs = found.fingerprints;
    const from = this.#row * FINGERPRINT_BYTES;
    const at = row * FINGERPRINT_BYTES;
    for (let byte = 0; byte < FINGERPRINT_BYTES; byte++) if (own[from + byte] !== theirs[at + byte]) return false;
    return true;
  }

  #take(): boolean {
    if (this.#row >= this.#block.count) return false;
    this.line = this.#block.lines[this.#row]!;
    this.met = 0;
    this.isChanged = false;
    return true;
  }
}
