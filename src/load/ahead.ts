// Promotion begins while a large batch is still being received: what is in its stage goes on into final in a transaction
// that stays open, and that the batch's end then takes over and commits. Readers see nothing of it before.
//
//   idle ── advance ──► open ── advance ──► open … ── finish ──► taken over by the batch's end
//                         └── the client is slower than IDLE_MS, or anything fails ──► given up: ROLLBACK
//
// Nothing depends on it. Given up, the stage still has every row, and the batch is promoted as a whole at its end. So no
// connection is held while a client is slow, and at most half of the pool's are held at all.
// 1,000,000 rows of user_event: INSERT … SELECT takes 0.95 s of Postgres, which this moves beside the judging of lines.
import type { Connection, Database } from '../db.ts';
import { IDLE_MS, lend } from './long-loans.ts';
import { type BatchConstants, type Part, promoteTable } from './promote.ts';
import { forgetTemporaryStages, type StageTable } from './stage.ts';

/** Temporary stages that the batch's end may still make on the connection. */
const ROOM = 16;

/** What of a table is in final already, in the open transaction. */
export interface Promoted {
  rows: number;
  /** The place in the stage behind which nearly all of the rest is. */
  behind: string;
  /** What was promoted one after the other. */
  parts: (Part & { untilLine: number })[];
}

/**
 * Promotes what is left in a stage of which a part is in final already. Rows come behind those that are there, but for
 * a few that Postgres puts into room left in earlier pages: where the count says so, they are looked for by their lines.
 * @param staged rows that the stage has
 * @returns how many rows final has got
 */
export async function promoteRest(
  connection: Connection,
  stage: StageTable,
  batch: BatchConstants,
  { rows, behind, parts }: Promoted,
  staged: number,
): Promise<number> {
  let count = await promoteTable(connection, stage, batch, { behind });
  if (rows + count === staged) return count;
  for (const { untilLine, ...part } of parts) {
    count += await promoteTable(connection, stage, batch, { ...part, behindLine: untilLine });
  }
  return count;
}

type Use<T> = (connection: Connection, promoted: ReadonlyMap<string, Promoted>) => Promise<T>;

export class Ahead {
  readonly #db: Database;
  readonly #batch: BatchConstants;
  readonly #promoted = new Map<string, Promoted>();
  /** Stages with rows that are not in final yet. */
  readonly #waiting = new Set<StageTable>();
  #state: 'idle' | 'open' | 'over' = 'idle';
  #session: Promise<void> = Promise.resolve();
  /** Wakes the session. */
  #wake = (): void => {};
  #takeOver: ((connection: Connection) => Promise<void>) | undefined;
  #isUnwanted = false;

  constructor(db: Database, batch: BatchConstants) {
    this.#db = db;
    this.#batch = batch;
  }

  /** Rows of this stage have been committed to it. */
  advance(stage: StageTable): void {
    if (this.#state === 'over') return;
    this.#waiting.add(stage);
    if (this.#state === 'open') this.#wake();
    else this.#begin();
  }

  /**
   * Runs `use` in the open transaction, which it has to end.
   * @returns undefined, and nothing of it is left, where there is no such transaction
   * @throws {Error} what `use` threw; the transaction is then gone
   */
  async finish<T>(use: Use<T>): Promise<T | undefined> {
    if (this.#state !== 'open') return undefined;
    let outcome: { value: T } | { error: unknown } | undefined;
    this.#takeOver = async (connection) => {
      try {
        outcome = { value: await use(connection, this.#promoted) };
      } catch (error) {
        outcome = { error };
        throw error;
      }
    };
    this.#wake();
    await this.#session;
    if (outcome === undefined) return undefined;
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  /** Nothing will be promoted. Resolves when the transaction is gone. */
  async giveUp(): Promise<void> {
    this.#isUnwanted = true;
    this.#wake();
    await this.#session;
    this.#state = 'over';
  }

  #begin(): void {
    const loan = lend(this.#db);
    if (loan === undefined) return;
    this.#state = 'open';
    // Whatever goes wrong in here, the stage has the rows: the batch's end meets the cause again, and tells of it.
    this.#session = loan.connection
      .then((connection) => this.#run(connection))
      .then(() => loan.giveBack(), loan.giveBack)
      .finally(() => {
        this.#state = 'over';
      });
  }

  async #run(connection: Connection): Promise<void> {
    await forgetTemporaryStages(connection, ROOM);
    // Each statement must see what has been committed to the stage before it, whatever the database's default.
    await connection.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    for (;;) {
      if (this.#isUnwanted) break;
      if (this.#takeOver !== undefined) return this.#takeOver(connection);
      const [stage] = this.#waiting;
      if (stage !== undefined) {
        this.#waiting.delete(stage);
        await this.#promote(connection, stage);
      } else if (!(await this.#isWoken())) break;
    }
    await connection.query('ROLLBACK');
  }

  async #promote(connection: Connection, stage: StageTable): Promise<void> {
    const { table } = stage.plan;
    const { rows: before, behind, parts } = this.#promoted.get(table) ?? { rows: 0, behind: '(0,0)', parts: [] };
    // Lines that have been committed to the stage; another chunk may be committed meanwhile.
    const untilLine = stage.lastLine;
    const { rows } = await connection.query<{ last: string | null }>(
      `SELECT max(ctid)::text AS last FROM ${stage.name} WHERE ctid > '${behind}' AND _line <= ${untilLine}`,
    );
    const upTo = rows[0]!.last;
    if (upTo === null) return;
    const part = { behind, upTo, untilLine };
    const count = await promoteTable(connection, stage, this.#batch, part);
    this.#promoted.set(table, { rows: before + count, behind: upTo, parts: [...parts, part] });
  }

  /** Waits for the next call; false if none comes in time. */
  async #isWoken(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const isWoken = await new Promise<boolean>((resolve) => {
      this.#wake = () => resolve(true);
      timer = setTimeout(() => resolve(false), IDLE_MS);
    });
    clearTimeout(timer);
    this.#wake = () => {};
    return isWoken;
  }
}
