// Waits for what comes by itself, in bounds.
import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until the answer is yes, for at most thirty seconds. */
export async function eventually(ask: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await ask()) return;
    await sleep(100);
  }
  throw new Error('it never came to be');
}
