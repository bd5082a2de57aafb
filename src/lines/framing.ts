// What a framing hands on: whole lines, as places in one buffer. Cutting bytes into lines never fails; what cannot be
// a line is handed on as a faulty one and gets its verdict later.
import type { LineError } from '../model.ts';

/** Some whole lines of a file, in order. Valid until the framing is asked for more. */
export interface Lines {
  bytes: Buffer;
  /** Byte offset of `bytes[0]` in the file. */
  offset: number;
  count: number;
  /** Line `i` is `bytes[starts[i]..ends[i])`, without its line ending. */
  starts: Int32Array;
  ends: Int32Array;
  /** Set where the one line here cannot be judged by its bytes alone. */
  fault: Fault | undefined;
}

export type Fault =
  /** Longer than the limit: `bytes` holds its beginning only. */
  | { kind: 'too_long'; length: number }
  /** A place where the surrounding JSON array is broken. */
  | { kind: 'broken'; message: string }
  /** A stored line of which only the beginning was kept: `length` is what it had. */
  | { kind: 'cut'; length: number }
  /** A stored line that the patch of a replay does not fit. */
  | { kind: 'unpatched'; error: LineError };

export interface Framing {
  push(chunk: Buffer): Iterable<Lines>;
  /** The body has ended: hands on what is left. */
  end(): Iterable<Lines>;
}

/** Growing lists of line starts and ends, reused from block to block. */
export class LinePlaces {
  starts = new Int32Array(1024);
  ends = new Int32Array(1024);
  count = 0;

  add(start: number, end: number): void {
    if (this.count === this.starts.length) this.#grow();
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count++;
  }

  #grow(): void {
    const starts = new Int32Array(this.starts.length * 2);
    const ends = new Int32Array(this.ends.length * 2);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }

  /** The lines found so far, as places in `bytes`; starts anew. */
  take(bytes: Buffer, offset: number): Lines {
    const { starts, ends, count } = this;
    this.count = 0;
    return { bytes, offset, count, starts, ends, fault: undefined };
  }
}

/** A single line that has a fault. */
export function faultyLine(bytes: Buffer, offset: number, fault: Fault): Lines {
  return {
    bytes,
    offset,
    count: 1,
    starts: Int32Array.of(0),
    ends: Int32Array.of(bytes.length),
    fault,
  };
}

/** Length of a UTF-8 byte order mark at `start`, 0 or 3. */
export function byteOrderMark(bytes: Buffer, start: number): 0 | 3 {
  return bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf ? 3 : 0;
}
