// Rows that come out of Postgres by `COPY … TO STDOUT (FORMAT binary)`, cut at their ends, whatever pieces the stream
// arrives in. Reads lengths and the integers that are asked for; what the other bytes mean is none of its business.
// https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-BINARY

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags, and the length of the header's extension. */
const HEADER_BYTES = SIGNATURE.length + 8;
/** Flags above this bit change how the rest is to be read. */
const CRITICAL_FLAGS = 0xffff0000;
const TRAILER = -1;
/** Postgres allocates less than this for a value. */
const MAX_FIELD = 0x3fffffff;

/** Rows that stand whole in one buffer. Valid until the next piece is pushed. */
export interface CopiedBlock {
  /** Over the buffer that `starts` and `ends` point into. */
  view: DataView;
  count: number;
  /** Row `i` is `starts[i]..ends[i]`: its field count, then each field with its length, as in `RowBuffer`. */
  starts: Int32Array;
  ends: Int32Array;
}

export class CopiedRows {
  readonly #fields: number;
  /** The beginning of a row whose end has not come yet. It is moved only at the next push: blocks are not copies. */
  #left: Buffer = Buffer.alloc(0);
  /** Where what is left meets the next piece. */
  #joint = Buffer.allocUnsafeSlow(131_072);
  #state: 'header' | 'rows' | 'done' = 'header';
  /** Bytes of the header's extension still to be skipped. */
  #skip = 0;
  #rows = 0;
  #count = 0;
  #starts = new Int32Array(1_024);
  #ends = new Int32Array(1_024);

  /** @param fields number of columns that are copied */
  constructor(fields: number) {
    this.#fields = fields;
  }

  /**
   * The rows that end in the next piece of the stream. Memory: one piece and the longest row.
   * @throws {Error} if the stream is not in the format, naming the row
   */
  push(piece: Buffer): CopiedBlock {
    const bytes = this.#left.length === 0 ? piece : this.#joined(piece);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#count = 0;
    const rest = this.#scan(view, this.#state === 'header' ? this.#readHeader(bytes) : 0);
    this.#left = bytes.subarray(rest);
    return { view, count: this.#count, starts: this.#starts, ends: this.#ends };
  }

  /** @throws {Error} if the stream ended before its trailer */
  end(): void {
    if (this.#state !== 'done') throw new Error(`the COPY stream ends early, after ${this.#rows} rows`);
  }

  /** Where the rows begin, or where the header is cut off. */
  #readHeader(bytes: Buffer): number {
    const known = Math.min(bytes.length, SIGNATURE.length);
    if (bytes.compare(SIGNATURE, 0, known, 0, known) !== 0) throw new Error('this is no stream of binary COPY');
    if (bytes.length < HEADER_BYTES) return 0;
    const flags = bytes.readUInt32BE(SIGNATURE.length);
    if ((flags & CRITICAL_FLAGS) !== 0) throw new Error(`the COPY stream has unknown flags ${flags.toString(16)}`);
    const extension = bytes.readInt32BE(SIGNATURE.length + 4);
    if (extension < 0) throw new Error(`the COPY stream's header has an extension of ${extension} bytes`);
    this.#skip = extension;
    this.#state = 'rows';
    return HEADER_BYTES;
  }

  /** Notes where rows start and end; returns where the row starts that is not whole. */
  #scan(view: DataView, from: number): number {
    if (this.#state === 'header') return from;
    const size = view.byteLength;
    const skipped = Math.min(this.#skip, size - from);
    this.#skip -= skipped;
    let start = from + skipped;
    while (this.#state === 'rows' && this.#skip === 0) {
      const end = this.#endOfRow(view, start, size);
      if (end === -1) return start;
      if (this.#state === 'rows') this.#note(start, end);
      start = end;
    }
    if (this.#state === 'done' && start < size) throw new Error('the COPY stream goes on behind its trailer');
    return start;
  }

  /** Where the row ends, or -1 if that is not in the buffer. The trailer is the row that ends the stream. */
  #endOfRow(view: DataView, start: number, size: number): number {
    if (start + 2 > size) return -1;
    const fields = view.getInt16(start);
    let at = start + 2;
    if (fields === TRAILER) {
      this.#state = 'done';
      return at;
    }
    if (fields !== this.#fields) this.#malformed(`${fields} fields instead of ${this.#fields}`);
    for (let field = 0; field < fields; field++) {
      if (at + 4 > size) return -1;
      const length = view.getInt32(at);
      if (length < -1 || length > MAX_FIELD) this.#malformed(`a field of ${length} bytes`);
      at += length > 0 ? 4 + length : 4;
    }
    return at > size ? -1 : at;
  }

  #malformed(what: string): never {
    throw new Error(`row ${this.#rows + 1} of the COPY stream has ${what}`);
  }

  #note(start: number, end: number): void {
    if (this.#count === this.#starts.length) {
      this.#starts = doubled(this.#starts);
      this.#ends = doubled(this.#ends);
    }
    this.#starts[this.#count] = start;
    this.#ends[this.#count++] = end;
    this.#rows++;
  }

  /** What was left of the pieces before, and this piece, in one buffer. */
  #joined(piece: Buffer): Buffer {
    const left = this.#left;
    const length = left.length + piece.length;
    const target = length > this.#joint.length ? Buffer.allocUnsafeSlow(length * 2) : this.#joint;
    // A row of many pieces already stands at the front; moving it each time would cost the square of its length.
    const isInPlace = left.buffer === target.buffer && left.byteOffset === target.byteOffset;
    if (!isInPlace) left.copy(target);
    piece.copy(target, left.length);
    this.#joint = target;
    return target.subarray(0, length);
  }
}

/** Field `field` (from 0) of the row at `start`, which must be an int4; null for SQL NULL. */
export function int4Field(view: DataView, start: number, field: number): number | null {
  let at = start + 2;
  for (let index = 0; index < field; index++) {
    const length = view.getInt32(at);
    at += length > 0 ? 4 + length : 4;
  }
  const length = view.getInt32(at);
  if (length === -1) return null;
  if (length !== 4) throw new Error(`field ${field} of the row has ${length} bytes and is no int4`);
  return view.getInt32(at + 4);
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(array.length * 2);
  twice.set(array);
  return twice;
}
