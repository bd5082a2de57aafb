// Which stored rejections a replay took its lines from, so that each is loaded once.
import type { Connection } from '../db.ts';

/** What a batch that is a replay tells of its lines. */
export interface Replayed {
  /** The batches that its lines came from, once all lines have been read. */
  readonly batches: readonly string[];
  /** This line did not pass: its rejection stays in the quarantine. */
  reject(batchLine: number): void;
  /**
   * Notes every line that passed in `sluice.replays`, inside the transaction that promotes or holds them.
   * @throws {Problem} `replay_running` if one of them has been replayed meanwhile
   */
  write(connection: Connection, batchId: string): Promise<void>;
}
