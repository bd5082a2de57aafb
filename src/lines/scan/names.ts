// A set of texts that are looked up by their bytes, so that a key of an event never becomes a string.

/** Texts by number, in the order in which they were added. */
export class Names {
  readonly #texts: Buffer[] = [];
  /** Chains of the texts with the same hash: the first of each, and behind each text the next. */
  #first = new Int32Array(16).fill(-1);
  #next: number[] = [];

  constructor(texts: readonly string[] = []) {
    for (const text of texts) this.add(Buffer.from(text));
  }

  get size(): number {
    return this.#texts.length;
  }

  /** @returns its number */
  add(text: Buffer): number {
    const index = this.#texts.push(text) - 1;
    if (this.#texts.length * 2 > this.#first.length) {
      this.#first = new Int32Array(this.#first.length * 2).fill(-1);
      this.#next = [];
      for (let at = 0; at <= index; at++) this.#chain(at);
    } else this.#chain(index);
    return index;
  }

  /** The number of the text that stands at `start..end`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    let index = this.#first[hash(bytes, start, end) & (this.#first.length - 1)]!;
    while (index !== -1 && !isSame(this.#texts[index]!, bytes, start, end)) index = this.#next[index]!;
    return index;
  }

  #chain(index: number): void {
    const text = this.#texts[index]!;
    const bucket = hash(text, 0, text.length) & (this.#first.length - 1);
    this.#next[index] = this.#first[bucket]!;
    this.#first[bucket] = index;
  }
}

/** From the length and four of the bytes: names that differ nowhere else are told apart by comparing them. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return 0;
  const quarter = length >> 2;
  const word =
    bytes[start]! | (bytes[start + quarter]! << 8) | (bytes[end - 1]! << 16) | (bytes[end - 1 - quarter]! << 24);
  const mixed = Math.imul(word ^ (length << 3), 0x9e3779b1);
  return mixed ^ (mixed >>> 15);
}

function isSame(text: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (text.length !== length) return false;
  for (let index = 0; index < length; index++) if (text[index] !== bytes[start + index]) return false;
  return true;
}
