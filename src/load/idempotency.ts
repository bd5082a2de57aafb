// Idempotency keys (IETF draft-ietf-httpapi-idempotency-key-header): a key is claimed before the body is read and bound
// to its payload in the transaction that commits the batch.
import { borrow, type Connection, type Database, retried } from '../db.ts';
import { isAlive } from './liveness.ts';
import type { Step } from './trip.ts';

/** A key that this request runs under. */
export interface Claim {
  /** See {@link keyOf}. */
  key: string;
  batchId: string;
}

/**
 * The key as it is stored: two clients may use the same one, and neither learns of the other.
 * @param client null where nobody says who they are
 * @param key as it was sent: no space can be in it, so what one client sends is never another one's
 */
export function keyOf(client: string | null, key: string): string {
  return client === null ? key : `${client} ${key}`;
}

/** What became of the attempt to claim a key. */
export type ClaimResult =
  | { state: 'claimed' }
  /** Another request with this key is under way. */
  | { state: 'running' }
  /** The key has a report already; it is the answer if the payload is the same. */
  | { state: 'done'; batchId: string; fingerprint: Buffer };

/** Times that a key is looked at anew when it changed hands under our eyes: a request failed, or a sweep freed it. */
const LOOKS = 5;

/** Claims a key for a batch. A key whose process died is taken over. */
export function claimKey(db: Database, claim: Claim, process: string): Promise<ClaimResult> {
  return retried(() =>
    borrow(db, async (connection) => {
      for (let look = 0; look < LOOKS; look++) {
        const result = await tryToClaim(connection, claim, process);
        if (result !== 'changed') return result;
      }
      return { state: 'running' };
    }),
  );
}

async function tryToClaim(connection: Connection, claim: Claim, process: string): Promise<ClaimResult | 'changed'> {
  const { key, batchId } = claim;
  const inserted = await connection.query(
    `INSERT INTO sluice.idempotency_keys (key, batch_id, process) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING`,
    [key, batchId, process],
  );
  if (inserted.rowCount === 1) return { state: 'claimed' };
  const { rows } = await connection.query<{ fingerprint: Buffer | null; batch_id: string; process: string }>(
    'SELECT fingerprint, batch_id, process FROM sluice.idempotency_keys WHERE key = $1',
    [key],
  );
  const [known] = rows;
  if (known === undefined) return 'changed';
  if (known.fingerprint !== null) return { state: 'done', batchId: known.batch_id, fingerprint: known.fingerprint };
  if (known.process === process || (await isAlive(connection, known.process))) return { state: 'running' };
  const taken = await connection.query(
    `UPDATE sluice.idempotency_keys SET batch_id = $2, process = $3, created_at = now()
     WHERE key = $1 AND fingerprint IS NULL AND process = $4`,
    [key, batchId, process, known.process],
  );
  return taken.rowCount === 1 ? { state: 'claimed' } : 'changed';
}

/** Binds the key to its payload and batch, inside the batch's transaction. False if the claim was lost. */
export async function completeClaim(connection: Connection, claim: Claim, fingerprint: Buffer): Promise<boolean> {
  const { rowCount } = await connection.query(COMPLETE, [claim.key, claim.batchId, fingerprint]);
  return rowCount === 1;
}

const COMPLETE =
  'UPDATE sluice.idempotency_keys SET fingerprint = $3 WHERE key = $1 AND batch_id = $2 AND fingerprint IS NULL';

/** {@link completeClaim} as a step; it tells of no row where that returns false. */
export function claimStep(claim: Claim, fingerprint: Buffer): Step {
  return { text: COMPLETE, values: [claim.key, claim.batchId, fingerprint], rows: 1 };
}

/** Gives a key free again: the request failed, and a retry starts anew. */
export async function releaseClaim(connection: Connection, claim: Claim): Promise<void> {
  await connection.query(
    'DELETE FROM sluice.idempotency_keys WHERE key = $1 AND batch_id = $2 AND fingerprint IS NULL',
    [claim.key, claim.batchId],
  );
}
