// Work of which one piece at a time may be under way in this process, in the order in which it was asked for.
import { setTimeout as sleep } from 'node:timers/promises';

export class Turns {
  #last: Promise<void> = Promise.resolve();

  /**
   * Waits until all turns before have ended.
   * @returns what ends the turn; undefined if it did not come within `patienceMs`
   */
  async take(patienceMs: number): Promise<(() => void) | undefined> {
    const before = this.#last;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#last = before.then(() => ended);
    const timer = new AbortController();
    const late = sleep(patienceMs, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const);
    const came = await Promise.race([before, late]);
    timer.abort();
    if (came !== 'late') return end;
    end();
    return undefined;
  }
}
