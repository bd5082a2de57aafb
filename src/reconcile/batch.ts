// The proof of one batch: what its lines were when they were accepted, against what the tables say now. Reads only; in
// memory there is a block of rows of each side, whatever the batch's size.
import { Problem } from '../errors.ts';
import { batchDigest } from '../lines/digest.ts';
import { type RecordedTable, recordedRows, recordedTables } from '../load/recorded.ts';
import { compareRows } from './compare.ts';
import { atOneMoment, type Reading } from './connections.ts';
import { Differences, type UnknownRow } from './differences.ts';
import { foundRows } from './found.ts';
import { homeOf, type RecordedBatch, readRecord, type SourceRecord, sourceOf } from './record.ts';
import { type RowTable, RowTables } from './tables.ts';
import { countRows, readRows } from './unknown.ts';

export interface Reconciliation {
  batch_id: string;
  status: 'matched' | 'mismatched';
  rows: { expected: number; found: number };
  /** Lines of the batch, ascending; each list has at most 1,000 entries. */
  missing: number[];
  changed: number[];
  doubled: number[];
  unknown: UnknownRow[];
  /** Whether one of the lists has been cut. */
  truncated: boolean;
  source: SourceRecord;
  /** SHA-256, hexadecimal; null where there is no row. */
  digest: { recorded: string | null; computed: string | null };
  checked_at: string;
}

/**
 * Holds a batch against its rows.
 * @throws {Problem} `batch_not_found`; `batch_unfinished`; `batch_not_provable` where the batch is older than the proof
 */
export function reconcileBatch(reading: Reading, id: string): Promise<Reconciliation> {
  return atOneMoment(reading, async () => {
    const { reader } = reading;
    const batch = await readRecord(reader, id);
    if (batch === undefined) throw new Problem('batch_not_found', `There is no batch ${id}`);
    if (batch.status === 'receiving') throw new Problem('batch_unfinished', `The batch ${id} is still being received`);
    const home = homeOf(batch);
    const recorded = home === null ? [] : await recordedTables(reader, batch.id);
    if (home !== null && batch.accepted > 0 && recorded.length === 0) {
      throw new Problem('batch_not_provable', `Nothing was recorded of the rows of ${id}: an older version loaded it`);
    }
    return new BatchReconciliation(reading, batch, await RowTables.read(reader)).run(recorded);
  });
}

class BatchReconciliation {
  readonly #reading: Reading;
  readonly #batch: RecordedBatch;
  readonly #tables: RowTables;
  readonly #differences = new Differences();
  readonly #rows = { expected: 0, found: 0 };

  constructor(reading: Reading, batch: RecordedBatch, tables: RowTables) {
    this.#reading = reading;
    this.#batch = batch;
    this.#tables = tables;
  }

  async run(recorded: readonly RecordedTable[]): Promise<Reconciliation> {
    const digests = new Map<string, Buffer>();
    const seen = new Set<RowTable>();
    for (const each of recorded) {
      const table = this.#tables.find(homeOf(this.#batch)!, each.table);
      digests.set(each.table, await this.#compare(each, table));
      if (table !== undefined) seen.add(table);
    }
    // Rows may also stand where none of the batch's lines went to. Where stages are kept, they are nobody's final rows.
    const others = [...this.#tables.in('events'), ...(this.#batch.status === 'held' ? this.#tables.in('stage') : [])];
    for (const table of others) if (!seen.has(table)) await this.#noteStrangers(table);
    return this.#result(batchDigest(digests));
  }

  async #compare({ table: name, columns }: RecordedTable, table: RowTable | undefined): Promise<Buffer> {
    const { reader, copier } = this.#reading;
    const { id } = this.#batch;
    const strangers: number[] = [];
    const onUnknown = (line: number): void => {
      if (strangers.length < this.#differences.room) strangers.push(line);
      else this.#differences.isTruncated = true;
    };
    const found = table === undefined ? nothing() : foundRows(copier, table, columns, id);
    const expected = recordedRows(reader, id, name);
    const digest = await compareRows(expected, found, this.#differences, this.#rows, onUnknown);
    if (strangers.length > 0) await readRows(reader, table!, id, this.#differences, strangers);
    return digest;
  }

  async #noteStrangers(table: RowTable): Promise<void> {
    const { reader } = this.#reading;
    const count = await countRows(reader, table, this.#batch.id);
    if (count === 0) return;
    this.#rows.found += count;
    await readRows(reader, table, this.#batch.id, this.#differences, null);
  }

  #result(computed: Buffer | null): Reconciliation {
    const { id, digest } = this.#batch;
    const recorded = homeOf(this.#batch) === null ? null : digest;
    const isSame = recorded === null ? computed === null : computed?.equals(recorded) === true;
    const matches = this.#differences.isEmpty && isSame;
    return {
      batch_id: id,
      status: matches ? 'matched' : 'mismatched',
      rows: this.#rows,
      ...this.#differences.lists(),
      truncated: this.#differences.isTruncated,
      source: sourceOf(this.#batch),
      digest: { recorded: digest?.toString('hex') ?? null, computed: computed?.toString('hex') ?? null },
      checked_at: new Date().toISOString(),
    };
  }
}

async function* nothing(): AsyncGenerator<never> {}
