// How many batches may be under way at once in this process, whichever way they came.
import { Problem } from '../errors.ts';

export class Admission {
  readonly #most: number;
  #underWay = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** @throws {Problem} `too_many_batches` */
  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#most) {
      throw new Problem('too_many_batches', `There are ${this.#most} uploads under way already`, { retryAfter: 1 });
    }
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
    }
  }
}
