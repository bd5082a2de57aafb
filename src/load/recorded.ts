// What was recorded of a batch's rows when their lines were judged good (`sluice.row_digests`), read again without the
// lines that became no row. Block by block: a batch may have any number of rows. It looks at no table of a subject.
import type { Connection } from '../db.ts';
import { Problem } from '../errors.ts';
import { FINGERPRINT_BYTES } from '../lines/fingerprint.ts';
import { LineRuns } from '../lines/runs.ts';

/** Rows as line numbers and fingerprints, in the order of their lines. */
export interface RowBlock {
  count: number;
  /** NaN where the table says NULL. */
  lines: Float64Array;
  /** 8 bytes a row. */
  fingerprints: Buffer;
}

/** A table that rows of the batch went to, and the columns that their fingerprints were taken of. */
export interface RecordedTable {
  table: string;
  columns: string[];
}

/** By name, as the digest has them. */
export async function recordedTables(connection: Connection, batchId: string): Promise<RecordedTable[]> {
  const { rows } = await connection.query<RecordedTable>(
    `SELECT DISTINCT ON (table_name) table_name AS table, columns FROM sluice.row_digests
     WHERE batch_id = $1 ORDER BY table_name, block`,
    [batchId],
  );
  return rows.sort((a, b) => (a.table < b.table ? -1 : 1));
}

interface Block {
  block: number;
  lines: Buffer;
  fingerprints: Buffer;
}

/** A block is what fitted into memory when the batch was loaded: some 100,000 rows. */
export async function* recordedRows(connection: Connection, batchId: string, table: string): AsyncGenerator<RowBlock> {
  const without = new Gaps(linesWithoutRow(connection, batchId));
  for (let after = -1; ; ) {
    const { rows } = await connection.query<Block>(
      `SELECT block, lines, fingerprints FROM sluice.row_digests
       WHERE batch_id = $1 AND table_name = $2 AND block > $3 ORDER BY block LIMIT 1`,
      [batchId, table, after],
    );
    const [row] = rows;
    if (row === undefined) return;
    after = row.block;
    yield await withoutGaps(row, without);
  }
}

async function withoutGaps(recorded: Block, gaps: Gaps): Promise<RowBlock> {
  const { fingerprints } = recorded;
  const runs = readRuns(recorded);
  const kept = {
    count: 0,
    lines: new Float64Array(runs.count),
    fingerprints: Buffer.allocUnsafeSlow(fingerprints.length),
  };
  let row = 0;
  for (let run = 0; run < runs.runs; run++) {
    const end = runs.first(run) + runs.size(run);
    for (let line = runs.first(run); line < end; line++, row++) {
      if (gaps.last < line) await gaps.seek(line);
      if (gaps.first <= line) continue;
      kept.lines[kept.count] = line;
      const at = row * FINGERPRINT_BYTES;
      fingerprints.copy(kept.fingerprints, kept.count * FINGERPRINT_BYTES, at, at + FINGERPRINT_BYTES);
      kept.count++;
    }
  }
  return kept;
}

/** @throws {Problem} `batch_not_provable`: somebody else has written there */
function readRuns({ block, lines, fingerprints }: Block): LineRuns {
  let runs: LineRuns | undefined;
  let cause: unknown;
  try {
    runs = LineRuns.decode(lines);
  } catch (error) {
    cause = error;
  }
  if (runs !== undefined && runs.count * FINGERPRINT_BYTES === fingerprints.length) return runs;
  throw new Problem('batch_not_provable', `What was recorded of its rows cannot be read (block ${block})`, { cause });
}

/** Walks along the lines that became no row. */
class Gaps {
  first = 0;
  last = 0;
  readonly #ranges: AsyncGenerator<LineRange>;

  constructor(ranges: AsyncGenerator<LineRange>) {
    this.#ranges = ranges;
  }

  /** The first gap that ends at `line` or behind it. */
  async seek(line: number): Promise<void> {
    while (this.last < line) {
      const next = await this.#ranges.next();
      this.first = next.done ? Number.POSITIVE_INFINITY : next.value.first;
      this.last = next.done ? Number.POSITIVE_INFINITY : next.value.last;
    }
  }
}

/** Both ends inclusive. */
interface LineRange {
  first: number;
  last: number;
}

const PAGE = 5_000;

/**
 * Lines of a batch that did not become rows, in order: blank ones, duplicates, rejections. Between two pages retention may
 * make a run of rejections that begins before the page: it is looked for too.
 */
async function* linesWithoutRow(connection: Connection, batchId: string): AsyncGenerator<LineRange> {
  for (let after = 0; ; ) {
    const { rows } = await connection.query<LineRange>(
      `(SELECT first_line AS first, last_line AS last FROM sluice.line_runs
        WHERE batch_id = $1 AND first_line <= $2 ORDER BY first_line DESC LIMIT 1)
       UNION ALL
       (SELECT first_line, last_line FROM sluice.line_runs
        WHERE batch_id = $1 AND first_line > $2 ORDER BY first_line LIMIT ${PAGE})
       UNION ALL
       (SELECT batch_line, batch_line FROM sluice.rejections
        WHERE batch_id = $1 AND batch_line > $2 ORDER BY batch_line LIMIT ${PAGE})
       ORDER BY first LIMIT ${PAGE}`,
      [batchId, after],
    );
    yield* rows;
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.first;
  }
}
