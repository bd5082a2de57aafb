// The proof of all batches since a time, one after the other.
import { borrow, type Database } from '../db.ts';
import { Problem } from '../errors.ts';
import { type Reconciliation, reconcileBatch } from './batch.ts';
import { withReading } from './connections.ts';
import { finishedSince } from './record.ts';

/** A batch's proof, or why it has none. */
export type Proof = { id: string; proof: Reconciliation } | { id: string; problem: Problem };

/**
 * Proves all batches that were received since then and are finished.
 * @param onProof is told of each
 */
export async function proveSince(db: Database, since: Date, onProof: (proof: Proof) => void): Promise<void> {
  await borrow(db, async (connection) => {
    const ids = finishedSince(connection, since);
    let next = await ids.next();
    while (!next.done) {
      // One pair of connections for many batches; where one had no proof, they may be in the middle of something.
      await withReading(db, async (reading) => {
        for (let hasFailed = false; !next.done && !hasFailed; next = await ids.next()) {
          const id = next.value;
          try {
            onProof({ id, proof: await reconcileBatch(reading, id) });
          } catch (error) {
            if (!(error instanceof Problem)) throw error;
            hasFailed = true;
            onProof({ id, problem: error });
          }
        }
      });
    }
  });
}
