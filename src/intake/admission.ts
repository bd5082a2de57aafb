// How many batches may be under way at once in this process, whichever way they came: all together, and of each key.
import type { FastifyRequest } from 'fastify';
import { Problem } from '../errors.ts';

export class Admission {
  readonly #most: number;
  #underWay = 0;
  /** By key, where there is any. */
  readonly #ofKeys = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @throws {Problem} `too_many_batches` */
  async during<T>({ client, mostUploads }: FastifyRequest, work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#most) {
      throw new Problem('too_many_batches', `There are ${this.#most} uploads under way already`, { retryAfter: 1 });
    }
    const key = client.keyId;
    const own = key === null ? 0 : (this.#ofKeys.get(key) ?? 0);
    if (mostUploads > 0 && own >= mostUploads) {
      throw new Problem('too_many_batches', `The key has ${mostUploads} uploads under way already`, { retryAfter: 1 });
    }
    this.#underWay++;
    this.#count(key, 1);
    try {
      return await work();
    } finally {
      this.#underWay--;
      this.#count(key, -1);
    }
  }

  #count(key: string | null, change: 1 | -1): void {
    if (key === null) return;
    const count = (this.#ofKeys.get(key) ?? 0) + change;
    if (count === 0) this.#ofKeys.delete(key);
    else this.#ofKeys.set(key, count);
  }
}
