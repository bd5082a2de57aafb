// The digest of a batch whose rows turned out to be fewer than were recorded on their way into the stage.
import type { Connection } from '../db.ts';
import { batchDigest, TableDigest } from '../lines/digest.ts';
import { FINGERPRINT_BYTES } from '../lines/fingerprint.ts';
import { LineRuns } from '../lines/runs.ts';
import { recordDigest } from './record.ts';
import { recordedRows, recordedTables } from './recorded.ts';

/**
 * The digest over a batch's recorded rows, without those whose lines are recorded as duplicate or rejected.
 * @returns null where no row is left
 */
export async function recomputeDigest(connection: Connection, batchId: string): Promise<Buffer | null> {
  const digests = new Map<string, Buffer>();
  for (const { table } of await recordedTables(connection, batchId)) {
    const digest = new TableDigest();
    for await (const { count, lines, fingerprints } of recordedRows(connection, batchId, table)) {
      const runs = new LineRuns();
      for (let row = 0; row < count; row++) runs.append(lines[row]!);
      digest.add(runs, fingerprints.subarray(0, count * FINGERPRINT_BYTES));
    }
    digests.set(table, digest.digest());
  }
  return batchDigest(digests);
}

/** Corrects the recorded digest of a batch, once its duplicates and rejections are recorded. */
export async function correctDigest(connection: Connection, batchId: string): Promise<void> {
  await recordDigest(connection, batchId, await recomputeDigest(connection, batchId));
}
