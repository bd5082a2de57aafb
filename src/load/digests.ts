// What was recorded of each row when its line was judged good (`sluice.row_digests`), read again. Block by block: a
// batch may have any number of rows. It looks at no table of a subject.
import { createHash } from 'node:crypto';
import type { Connection } from '../db.ts';

/** Bytes of a fingerprint, and of a line number before it. */
const FINGERPRINT = 8;
const LINE = 4;
/** Runs of excepted lines in memory at once. */
const PAGE = 5_000;

/** Names of the tables that rows of the batch were recorded for, in the order of their code units. */
export async function digestedTables(connection: Connection, batchId: string): Promise<string[]> {
  const { rows } = await connection.query<{ name: string }>(
    'SELECT DISTINCT table_name AS name FROM sluice.row_digests WHERE batch_id = $1',
    [batchId],
  );
  return rows.map(({ name }) => name).sort();
}

/**
 * The digest of a batch over its recorded rows, without those whose lines are recorded as duplicate or rejected. It is
 * SHA-256 over, for each table that has a row left, in the order of the names: the name as UTF-8, a zero byte, and
 * SHA-256 over its rows in line order (line number as int4 big endian, fingerprint).
 * @returns null where no row is left
 */
export async function recomputeDigest(connection: Connection, batchId: string): Promise<Buffer | null> {
  const digest = createHash('sha256');
  let hasRows = false;
  for (const table of await digestedTables(connection, batchId)) {
    const rows = await digestOfTable(connection, batchId, table);
    if (rows === null) continue;
    hasRows = true;
    digest.update(`${table}\0`).update(rows);
  }
  return hasRows ? digest.digest() : null;
}

async function digestOfTable(connection: Connection, batchId: string, table: string): Promise<Buffer | null> {
  const digest = createHash('sha256');
  const exceptions = new Exceptions(connection, batchId);
  let hasRows = false;
  for await (const { lines, fingerprints } of blocks(connection, batchId, table)) {
    const kept = Buffer.allocUnsafe((fingerprints.length / FINGERPRINT) * (LINE + FINGERPRINT));
    let length = 0;
    let row = 0;
    for (let at = 0; at < lines.length; at += 2 * LINE) {
      const first = lines.readInt32BE(at);
      const count = lines.readInt32BE(at + LINE);
      for (let line = first; line < first + count; line++, row++) {
        if (!exceptions.isKnown(line)) await exceptions.read(line);
        if (exceptions.has(line)) continue;
        length = kept.writeInt32BE(line, length);
        length += fingerprints.copy(kept, length, row * FINGERPRINT, (row + 1) * FINGERPRINT);
      }
    }
    hasRows ||= length > 0;
    digest.update(kept.subarray(0, length));
  }
  return hasRows ? digest.digest() : null;
}

interface Block {
  block: number;
  lines: Buffer;
  fingerprints: Buffer;
}

async function* blocks(connection: Connection, batchId: string, table: string): AsyncGenerator<Block> {
  for (let after = -1; ; ) {
    const { rows } = await connection.query<Block>(
      `SELECT block, lines, fingerprints FROM sluice.row_digests
       WHERE batch_id = $1 AND table_name = $2 AND block > $3 ORDER BY block LIMIT 1`,
      [batchId, table, after],
    );
    const [next] = rows;
    if (next === undefined) return;
    yield next;
    after = next.block;
  }
}

interface Run {
  first: number;
  last: number;
}

/** The batch's duplicate and rejected lines, asked for in ascending order. */
class Exceptions {
  readonly #connection: Connection;
  readonly #batchId: string;
  #runs: Run[] = [];
  #at = 0;
  /** Lines up to here can be told of. */
  #known = 0;

  constructor(connection: Connection, batchId: string) {
    this.#connection = connection;
    this.#batchId = batchId;
  }

  isKnown(line: number): boolean {
    return line <= this.#known;
  }

  has(line: number): boolean {
    while (this.#at < this.#runs.length && this.#runs[this.#at]!.last < line) this.#at++;
    return this.#at < this.#runs.length && this.#runs[this.#at]!.first <= line;
  }

  /** Reads on from `line`, which stands in at most one run. */
  async read(line: number): Promise<void> {
    const { rows } = await this.#connection.query<Run>(
      `(SELECT first_line AS first, last_line AS last FROM sluice.line_runs
        WHERE batch_id = $1 AND verdict <> 'blank' AND first_line <= $2 ORDER BY first_line DESC LIMIT 1)
       UNION ALL
       (SELECT first_line, last_line FROM sluice.line_runs
        WHERE batch_id = $1 AND verdict <> 'blank' AND first_line > $2 ORDER BY first_line LIMIT ${PAGE})
       UNION ALL
       (SELECT batch_line, batch_line FROM sluice.rejections
        WHERE batch_id = $1 AND batch_line >= $2 ORDER BY batch_line LIMIT ${PAGE})
       ORDER BY first LIMIT ${PAGE}`,
      [this.#batchId, line],
    );
    this.#runs = rows;
    this.#at = 0;
    this.#known = rows.length < PAGE ? Number.POSITIVE_INFINITY : rows.at(-1)!.last;
  }
}
