// What the database says of lines that became no row, in the order of the lines.
import type { Connection } from '../../db.ts';
import type { RejectionCode } from '../../model.ts';

/** Of a run of lines; both ends inclusive. */
export interface Outcome {
  first: number;
  last: number;
  verdict: 'blank' | 'duplicate' | 'rejected';
  /** Absent where retention has taken the rejection away. */
  rejection?: StoredRejection;
}

export interface StoredRejection {
  code: RejectionCode;
  /** Bytes of the line; more than are kept where it was too long. */
  length: number;
  kept: number;
  /** Of the bytes kept. */
  sha256: Buffer;
}

const PAGE = 2_000;

interface OutcomeRow extends Pick<Outcome, 'first' | 'last' | 'verdict'> {
  code: RejectionCode | null;
  length: string;
  kept: number;
  sha256: Buffer;
}

/** Walks along the outcomes of a batch. */
export class Outcomes {
  /** The outcome that {@link seek} found; Infinity behind the last one. */
  first = 0;
  last = 0;
  current: Outcome | undefined;
  readonly #outcomes: AsyncGenerator<Outcome>;

  constructor(connection: Connection, batchId: string) {
    this.#outcomes = readOutcomes(connection, batchId);
  }

  /** Goes on to the first outcome that ends at `line` or behind it. */
  async seek(line: number): Promise<void> {
    while (this.last < line) {
      const next = await this.#outcomes.next();
      this.current = next.done ? undefined : next.value;
      this.first = this.current?.first ?? Number.POSITIVE_INFINITY;
      this.last = this.current?.last ?? Number.POSITIVE_INFINITY;
    }
  }

  /** The outcome of a line that {@link seek} was called for; undefined for one that was simply good. */
  of(line: number): Outcome | undefined {
    return this.first <= line ? this.current : undefined;
  }
}

/** The bytes stay in Postgres: their hash says whether they are the file's. */
async function* readOutcomes(connection: Connection, batchId: string): AsyncGenerator<Outcome> {
  for (let after = 0; ; ) {
    const { rows } = await connection.query<OutcomeRow>(
      `(SELECT first_line AS first, last_line AS last, verdict, NULL AS code, NULL AS length, NULL AS kept, NULL AS sha256
        FROM sluice.line_runs WHERE batch_id = $1 AND first_line > $2 ORDER BY first_line LIMIT ${PAGE})
       UNION ALL
       (SELECT batch_line, batch_line, 'rejected', code, length, octet_length(raw), sha256(raw)
        FROM sluice.rejections WHERE batch_id = $1 AND batch_line > $2 ORDER BY batch_line LIMIT ${PAGE})
       ORDER BY first LIMIT ${PAGE}`,
      [batchId, after],
    );
    for (const { code, length, kept, sha256, ...run } of rows) {
      yield code === null ? run : { ...run, rejection: { code, length: Number(length), kept, sha256 } };
    }
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.first;
  }
}
