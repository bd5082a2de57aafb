// How long a client is waited for. It may be slow, but not silent, and not so slow that a byte now and then keeps a
// place among the uploads for ever. The clock stands while we are the slow side: only waiting for the client counts.
import type { Limits } from '../config.ts';
import { Problem } from '../errors.ts';
import { hurried } from '../hurry.ts';

/** What is expected of a client. */
export type Patience = Pick<Limits, 'idleMs' | 'minBytesPerS'>;

export class Pace {
  readonly #patience: Patience;
  /** Of the window that is being looked at: milliseconds waited, and bytes that came. */
  #waited = 0;
  #bytes = 0;

  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /**
   * Waits for the client.
   * @param size bytes that came with the result
   * @throws {Problem} `body_timeout` where nothing came for `idleMs`, or on the average of as much waiting less than
   *   `minBytesPerS`; `shutting_down` where nobody is waited for any longer
   */
  async next<T>(promise: Promise<T>, size: (result: T) => number): Promise<T> {
    const { idleMs, minBytesPerS } = this.#patience;
    const from = performance.now();
    const result = await within(promise, idleMs);
    this.#waited += performance.now() - from;
    this.#bytes += size(result);
    if (this.#waited < idleMs) return result;
    if (this.#bytes < (minBytesPerS * this.#waited) / 1_000) {
      const seen = `${this.#bytes} bytes in ${Math.round(this.#waited)} ms`;
      throw new Problem('body_timeout', `The client sent ${seen}, less than ${minBytesPerS} a second`, {
        retryAfter: 1,
      });
    }
    this.#waited = 0;
    this.#bytes = 0;
    return result;
  }
}

function within<T>(promise: Promise<T>, idleMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Problem('body_timeout', `The client sent no byte for ${idleMs} ms`, { retryAfter: 1 }));
    }, idleMs);
    const stop = (): void => {
      clearTimeout(timer);
      hurried.removeEventListener('abort', giveUp);
    };
    const giveUp = (): void => {
      // A timer that is left would keep the process alive.
      stop();
      reject(shuttingDown());
    };
    if (hurried.aborted) giveUp();
    else hurried.addEventListener('abort', giveUp);
    promise.then(resolve, reject).finally(stop);
  });
}

/** What is told to everybody who comes, or still sends, when the process ends. */
export function shuttingDown(): Problem {
  return new Problem('shutting_down', 'Nothing was stored: this process takes no more requests', { retryAfter: 1 });
}
