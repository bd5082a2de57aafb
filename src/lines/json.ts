// application/json: a body that opens with `[` is an array whose elements are the lines, anything else is one line.
// Elements are found by brackets, strings and commas alone, so a broken element costs itself and not its neighbours.
import { type Framing, faultyLine, LinePlaces, type Lines } from './framing.ts';

const MARK = Buffer.from('\ufeff');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

type State = 'before' | 'single' | 'element' | 'after';

/** Cuts a JSON text (RFC 8259) into lines of at most `limit` bytes. */
export class JsonFraming implements Framing {
  readonly #limit: number;
  readonly #places = new LinePlaces();
  #state: State = 'before';
  /** Bytes of a byte order mark so far, at most all of it. */
  #marked = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #elements = 0;
  /** The beginning of the element (or single event) under way; cut at the limit. */
  #carry: Buffer[] = [];
  #carried = 0;
  /** Full length of the element under way, of which `#carried` bytes are kept. */
  #length = 0;
  /** Offset in the body of the next chunk, and of the element under way. */
  #position = 0;
  #elementOffset = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  *push(chunk: Buffer): Iterable<Lines> {
    const base = this.#position;
    this.#position += chunk.length;
    let start = 0;
    if (this.#state === 'before') {
      start = this.#opening(chunk, base);
      if (this.#state === 'before') return;
    }
    if (this.#state === 'element') start = yield* this.#elementsOf(chunk, start, base);
    if (start < chunk.length) this.#keep(chunk.subarray(start), base + start);
  }

  *end(): Iterable<Lines> {
    if (this.#state === 'before') return;
    if (this.#state === 'element') {
      if (!this.#isBlank()) yield this.#takeElement();
      yield faultyLine(Buffer.alloc(0), this.#position, { kind: 'broken', message: 'the array is not closed by ]' });
    } else if (this.#state === 'single') {
      yield this.#takeElement();
    } else if (!this.#isBlank()) {
      const rest = this.#takeElement();
      yield { ...rest, fault: { kind: 'broken', message: 'there is something after the end of the array' } };
    }
  }

  /** Skips white space and a byte order mark, which may come in pieces; decides between array and single event. */
  #opening(chunk: Buffer, base: number): number {
    let at = 0;
    while (at < chunk.length && (isSpace(chunk[at]!) || this.#isMark(chunk, at, base))) at++;
    if (at === chunk.length) return at;
    const isArray = chunk[at] === OPEN_ARRAY;
    this.#state = isArray ? 'element' : 'single';
    if (isArray) at++;
    this.#elementOffset = base + at;
    return at;
  }

  /** Walks over array elements from `start`; hands on those that end in this chunk; returns where it stopped. */
  *#elementsOf(chunk: Buffer, start: number, base: number): Generator<Lines, number> {
    let begin = start;
    let depth = this.#depth;
    let inString = this.#inString;
    let escaped = this.#escaped;
    const places = this.#places;
    for (let at = start; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
      else if (byte === CLOSE_OBJECT || (byte === CLOSE_ARRAY && depth > 0)) depth = depth > 0 ? depth - 1 : 0;
      else if (depth === 0 && (byte === COMMA || byte === CLOSE_ARRAY)) {
        yield* this.#endElement(chunk, begin, at, base, byte === CLOSE_ARRAY);
        begin = at + 1;
        this.#elementOffset = base + begin;
        if (byte === CLOSE_ARRAY) {
          this.#state = 'after';
          break;
        }
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#escaped = escaped;
    if (places.count > 0) yield places.take(chunk, base);
    return begin;
  }

  *#endElement(chunk: Buffer, begin: number, end: number, base: number, closing: boolean): Iterable<Lines> {
    if (this.#length > 0) {
      if (this.#places.count > 0) yield this.#places.take(chunk, base);
      this.#keep(chunk.subarray(begin, end), this.#elementOffset);
      if (closing && this.#elements === 0 && this.#isBlank()) this.#forget();
      else yield this.#takeElement();
      return;
    }
    const [from, to] = trimmed(chunk, begin, end);
    // `[]` has no element; an empty place anywhere else is a broken one.
    if (closing && this.#elements === 0 && from === to) return;
    this.#elements++;
    this.#places.add(from, to);
  }

  /** Whether the byte at `at` belongs to a byte order mark at the very start. */
  #isMark(chunk: Buffer, at: number, base: number): boolean {
    return this.#marked === base + at && chunk[at] === MARK[this.#marked] && ++this.#marked > 0;
  }

  #keep(bytes: Buffer, offset: number): void {
    if (this.#length === 0) this.#elementOffset = offset;
    this.#length += bytes.length;
    // Room for white space around the element, which does not count as its length.
    const room = this.#limit + 1 - this.#carried;
    if (room <= 0 && this.#carried > 0 && !this.#isBlank()) return;
    this.#carry.push(bytes);
    this.#carried += bytes.length;
    if (this.#carried > this.#limit) this.#compact();
  }

  /** Drops leading white space of what is carried, then whatever is over the limit. */
  #compact(): void {
    const whole = Buffer.concat(this.#carry);
    let from = 0;
    while (from < whole.length && isSpace(whole[from]!)) from++;
    this.#elementOffset += from;
    this.#length -= from;
    const kept = whole.subarray(from, from + this.#limit + 1);
    this.#carry = [Buffer.from(kept)];
    this.#carried = kept.length;
  }

  #isBlank(): boolean {
    return this.#carry.every((bytes) => bytes.every(isSpace));
  }

  #takeElement(): Lines {
    const bytes = Buffer.concat(this.#carry);
    const length = this.#length;
    const offset = this.#elementOffset;
    this.#forget();
    this.#elements++;
    if (length > bytes.length) {
      return faultyLine(bytes.subarray(0, this.#limit), offset, { kind: 'too_long', length });
    }
    const [from, to] = trimmed(bytes, 0, bytes.length);
    this.#places.add(from, to);
    return this.#places.take(bytes, offset);
  }

  #forget(): void {
    this.#carry = [];
    this.#carried = 0;
    this.#length = 0;
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function trimmed(bytes: Buffer, start: number, end: number): [number, number] {
  let from = start;
  let to = end;
  while (from < to && isSpace(bytes[from]!)) from++;
  while (to > from && isSpace(bytes[to - 1]!)) to--;
  return [from, to];
}
