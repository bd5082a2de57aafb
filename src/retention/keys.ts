// Idempotency keys whose time is over: a request with one of them is a new one from then on.
import { type Pass, walk } from './steps.ts';

/** Removes those claimed before `cutoff`. A key without a report belongs to a request under way, or to the sweep. */
export function removeKeys(pass: Pass, cutoff: Date): Promise<number> {
  return walk(
    pass,
    'sluice.idempotency_keys',
    `created_at < $3 AND fingerprint IS NOT NULL AND NOT EXISTS (
       SELECT FROM sluice.batches WHERE id = old.batch_id AND status IN ('held', 'receiving'))`,
    [cutoff],
  );
}
