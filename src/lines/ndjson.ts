// NDJSON: a line ends at \n; one \r before it belongs to the ending. A byte order mark at the very start is not data.
// Memory is bounded by one chunk and one line: of a longer line only the beginning is kept until the next \n.
import { byteOrderMark, type Framing, faultyLine, LinePlaces, type Lines } from './framing.ts';

const LF = 0x0a;
const CR = 0x0d;

/** Cuts NDJSON (https://github.com/ndjson/ndjson-spec) into lines of at most `limit` bytes. */
export class NdjsonFraming implements Framing {
  readonly #limit: number;
  readonly #places = new LinePlaces();
  /** The beginning of a line whose end has not arrived. */
  #carry: Buffer[] = [];
  #carried = 0;
  /** Length so far of a line that is too long already, of which `#carry` is the beginning. 0: it is not. */
  #dropped = 0;
  /** The last of those bytes: a \r may belong to the ending. */
  #lastDropped = 0;
  /** Offset in the file of the first byte carried. */
  #offset = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  *push(chunk: Buffer): Iterable<Lines> {
    let rest = chunk;
    if (this.#dropped > 0) {
      const end = rest.indexOf(LF);
      this.#drop(end === -1 ? rest : rest.subarray(0, end));
      if (end === -1) return;
      yield this.#tooLong();
      rest = rest.subarray(end + 1);
    }
    const lastEnd = rest.lastIndexOf(LF);
    if (lastEnd === -1) {
      this.#keep(rest);
      return;
    }
    // The line that was carried is put together alone: to copy the chunk to it would be new memory for every block.
    const begun = this.#carried === 0 ? 0 : rest.indexOf(LF) + 1;
    if (begun > 0) yield this.#taken(Buffer.concat([...this.#carry, rest.subarray(0, begun)]));
    if (begun <= lastEnd) yield this.#taken(rest.subarray(begun, lastEnd + 1));
    this.#keep(rest.subarray(lastEnd + 1));
  }

  /** The lines of the bytes that come next in the file. */
  #taken(bytes: Buffer): Lines {
    const offset = this.#offset;
    this.#forget();
    this.#offset = offset + bytes.length;
    return this.#cut(bytes, offset);
  }

  *end(): Iterable<Lines> {
    if (this.#dropped > 0) {
      yield this.#tooLong();
      return;
    }
    if (this.#carried === 0) return;
    yield this.#taken(Buffer.concat(this.#carry));
  }

  /** All lines of `bytes`, of which the last may have no line ending. */
  #cut(bytes: Buffer, offset: number): Lines {
    const places = this.#places;
    let start = offset === 0 ? byteOrderMark(bytes, 0) : 0;
    // A file of nothing but a byte order mark has no line.
    if (start === bytes.length) return places.take(bytes, offset);
    while (start < bytes.length) {
      const found = bytes.indexOf(LF, start);
      const next = found === -1 ? bytes.length : found;
      places.add(start, next > start && bytes[next - 1] === CR ? next - 1 : next);
      start = next + 1;
    }
    return places.take(bytes, offset);
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#carry.push(bytes);
    this.#carried += bytes.length;
    // One byte more than the limit may still be the \r of the line's ending.
    const most = this.#limit + 1;
    if (this.#carried <= most) return;
    const whole = Buffer.concat(this.#carry);
    const mark = this.#offset === 0 ? byteOrderMark(whole, 0) : 0;
    this.#carry = [Buffer.from(whole.subarray(0, most + mark))];
    this.#carried = this.#carry[0]!.length;
    if (whole.length > most + mark) this.#drop(whole);
  }

  #drop(bytes: Buffer): void {
    this.#dropped += bytes.length;
    this.#lastDropped = bytes.at(-1) ?? this.#lastDropped;
  }

  /** The line of which only the beginning is kept, now that its end is known. */
  #tooLong(): Lines {
    const [carried] = this.#carry as [Buffer];
    const mark = this.#offset === 0 ? byteOrderMark(carried, 0) : 0;
    const length = this.#dropped - mark - (this.#lastDropped === CR ? 1 : 0);
    const kept = carried.subarray(mark, mark + Math.min(length, this.#limit));
    const line = faultyLine(kept, this.#offset + mark, { kind: 'too_long', length });
    const next = this.#offset + this.#dropped + 1;
    this.#forget();
    this.#offset = next;
    return line;
  }

  #forget(): void {
    this.#carry = [];
    this.#carried = 0;
    this.#dropped = 0;
  }
}
