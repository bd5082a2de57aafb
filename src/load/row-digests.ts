// What each row was when its line was judged good, recorded on the way into the stage: 8 bytes a row, from the bytes
// that Postgres is sent. Later the final table is held against it (src/reconcile/).
import type { Connection } from '../db.ts';
import { batchDigest, TableDigest } from '../lines/digest.ts';
import { stageColumns } from '../lines/encode.ts';
import { LineRuns } from '../lines/runs.ts';
import type { TablePlan } from '../model.ts';
import { arrayText } from '../sql.ts';
import type { Chunk } from './chunk.ts';
import type { Step } from './trip.ts';

interface TableState {
  blocks: number;
  digest: TableDigest;
}

/** The rows of one chunk. */
export interface Block {
  plan: TablePlan;
  lines: LineRuns;
  fingerprints: Buffer;
}

interface NumberedBlock extends Block {
  block: number;
}

export class RowDigests {
  readonly #batchId: string;
  readonly #tables = new Map<string, TableState>();

  constructor(batchId: string) {
    this.#batchId = batchId;
  }

  /** Records a chunk in the transaction that takes it to the stage, which may have to be tried again. */
  async write(connection: Connection, block: Block): Promise<void> {
    const blocks = this.#tables.get(block.plan.table)?.blocks ?? 0;
    await writeBlocks(connection, this.#batchId, [{ ...block, block: blocks }]);
  }

  /** The chunk is in the stage for good, and recorded. */
  add({ plan, lines, fingerprints }: Block): void {
    const state = this.#tables.get(plan.table) ?? { blocks: 0, digest: new TableDigest() };
    this.#tables.set(plan.table, state);
    state.blocks++;
    state.digest.add(lines, fingerprints);
  }

  /**
   * Records the chunks that go with the promoting transaction, which may have to be tried again.
   * @returns the digest over all rows, null where there are none
   */
  async finish(connection: Connection, chunks: Iterable<Chunk>): Promise<Buffer | null> {
    const { blocks, digest } = this.ending(chunks);
    if (blocks.length > 0) await writeBlocks(connection, this.#batchId, blocks);
    return digest;
  }

  /** What {@link finish} records, and returns. */
  ending(chunks: Iterable<Chunk>): { blocks: NumberedBlock[]; digest: Buffer | null } {
    const last = [...chunks].filter(({ rows }) => rows.rows > 0).map(blockOf);
    const digests = new Map([...this.#tables].map(([table, { digest }]) => [table, digest.copy()]));
    for (const { plan, lines, fingerprints } of last) {
      const digest = digests.get(plan.table) ?? new TableDigest();
      digest.add(lines, fingerprints);
      digests.set(plan.table, digest);
    }
    const blocks = last.map((block) => ({ ...block, block: this.#tables.get(block.plan.table)?.blocks ?? 0 }));
    return { blocks, digest: batchDigest(new Map([...digests].map(([table, digest]) => [table, digest.digest()]))) };
  }
}

/** Forgets the rows of a batch of which none was accepted. */
export async function forgetRows(connection: Connection, batchId: string): Promise<void> {
  await connection.query('DELETE FROM sluice.row_digests WHERE batch_id = $1', [batchId]);
}

/** What is to be recorded of a chunk. */
export function blockOf(chunk: Chunk): Block {
  const lines = new LineRuns();
  for (let row = 0; row < chunk.rows.rows; row++) lines.append(chunk.batchLine(row));
  return { plan: chunk.plan, lines, fingerprints: chunk.rows.fingerprints() };
}

/** Tables of one statement: Postgres takes at most 65,535 parameters. */
const AT_ONCE = 1_000;
const PARAMETERS = 6;
const INSERT = `INSERT INTO sluice.row_digests (batch_id, table_name, block, columns, lines, fingerprints) VALUES`;

/** The statement that records one block. */
export function blockStep(batchId: string, { plan, block, lines, fingerprints }: NumberedBlock): Step {
  const values = [batchId, plan.table, String(block), arrayText(stageColumns(plan)), lines.encode(), fingerprints];
  return { text: `${INSERT} ($1, $2, $3, $4, $5, $6)`, values, rows: 1 };
}

async function writeBlocks(connection: Connection, batchId: string, blocks: readonly NumberedBlock[]): Promise<void> {
  for (let from = 0; from < blocks.length; from += AT_ONCE) {
    const some = blocks.slice(from, from + AT_ONCE);
    const places = some.map((_, at) => {
      const parameters = Array.from({ length: PARAMETERS }, (_, index) => `$${at * PARAMETERS + index + 1}`);
      return `(${parameters.join(', ')})`;
    });
    await connection.query(
      `${INSERT} ${places.join(', ')}`,
      some.flatMap(({ plan, block, lines, fingerprints }) => [
        batchId,
        plan.table,
        block,
        stageColumns(plan),
        lines.encode(),
        fingerprints,
      ]),
    );
  }
}
