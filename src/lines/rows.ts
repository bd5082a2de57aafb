// Rows in the format of binary COPY, written straight into one growing buffer. A value that Postgres would refuse is
// refused here, so that it costs its line and not the COPY.
// Format: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-BINARY

import type { ColumnType } from '../model.ts';
import { ExactNumber, exactInteger } from './exact.ts';
import { FINGERPRINT_BYTES, fingerprint } from './fingerprint.ts';
import { JsonbText, textFault } from './jsonb.ts';
import { type Instant, parseDate, parseTimestamp } from './time.ts';

/** What became of a value. Small integers, because this is asked once per value. */
export const WRITTEN = 0;
/** It is of another JSON type than its column: NULL was written. */
export const MISFIT = 1;
/** Postgres cannot hold it; `reason` says why. */
export const UNSTORABLE = 2;
/** JSON.parse may have changed it: the line must be parsed again with exact numbers. */
export const INEXACT = 3;
export type Outcome = typeof WRITTEN | typeof MISFIT | typeof UNSTORABLE | typeof INEXACT;

const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = Buffer.from([0xff, 0xff]);
const TWO_32 = 4_294_967_296;
const MAX_BIGINT = 2n ** 63n - 1n;
const MIN_BIGINT = -(2n ** 63n);
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** Above this, Buffer's own writer beats a loop (measured on Node 20 with ASCII text). */
const SHORT_TEXT = 32;

export class RowBuffer {
  #bytes: Buffer;
  #view: DataView;
  #length = HEADER.length;
  /** `#ends[i]` is where row `i` ends. */
  #ends = new Int32Array(256);
  #rows = 0;
  readonly #instant: Instant = { seconds: 0, micros: 0 };
  readonly #json = new JsonbText();

  /** Why the last value was {@link UNSTORABLE}. */
  reason = '';
  /** Whether strings of the current line may hold what only a \u escape can write: NUL or half a surrogate pair. */
  escapes = false;

  constructor(capacity = 16_384) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = viewOf(this.#bytes);
    HEADER.copy(this.#bytes);
  }

  get rows(): number {
    return this.#rows;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes of its memory. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** A whole COPY stream of rows `from..to`. Valid until the buffer is written to again. */
  copyData(from = 0, to = this.#rows): Buffer {
    const start = from === 0 ? HEADER.length : this.#ends[from - 1]!;
    const end = to === 0 ? HEADER.length : this.#ends[to - 1]!;
    if (from > 0) return Buffer.concat([HEADER, this.#bytes.subarray(start, end), TRAILER]);
    this.#reserve(end + TRAILER.length - this.#length);
    if (end !== this.#length) return Buffer.concat([this.#bytes.subarray(0, end), TRAILER]);
    TRAILER.copy(this.#bytes, end);
    return this.#bytes.subarray(0, end + TRAILER.length);
  }

  /**
   * A whole COPY stream of all rows, each with further fields behind its own.
   * @param tail those fields, in the format of binary COPY
   * @param fields how many they are
   * @param room gives memory of at least so many bytes
   */
  copyDataWith(tail: Uint8Array, fields: number, room: (bytes: number) => Buffer = Buffer.allocUnsafeSlow): Buffer {
    const size = this.#length + this.#rows * tail.length + TRAILER.length;
    const data = room(size).subarray(0, size);
    let at = HEADER.copy(data);
    let start = HEADER.length;
    for (let row = 0; row < this.#rows; row++) {
      const end = this.#ends[row]!;
      this.#bytes.copy(data, at, start, end);
      data.writeInt16BE(this.#view.getInt16(start) + fields, at);
      at += end - start;
      data.set(tail, at);
      at += tail.length;
      start = end;
    }
    TRAILER.copy(data, at);
    return data;
  }

  /** The {@link fingerprint} of each of the rows `from..to`, one behind the other. */
  fingerprints(from = 0, to = this.#rows): Buffer {
    const prints = Buffer.allocUnsafeSlow((to - from) * FINGERPRINT_BYTES);
    let start = from === 0 ? HEADER.length : this.#ends[from - 1]!;
    for (let row = from; row < to; row++) {
      const end = this.#ends[row]!;
      fingerprint(this.#view, start, end, prints, (row - from) * FINGERPRINT_BYTES);
      start = end;
    }
    return prints;
  }

  clear(): void {
    this.#rows = 0;
    this.#length = HEADER.length;
  }

  /** Takes back what was written since the last whole row. */
  rollback(): void {
    this.#length = this.#rows === 0 ? HEADER.length : this.#ends[this.#rows - 1]!;
  }

  begin(fields: number): void {
    this.#reserve(2);
    this.#view.setInt16(this.#length, fields);
    this.#length += 2;
  }

  end(): void {
    if (this.#rows === this.#ends.length) {
      const ends = new Int32Array(this.#ends.length * 2);
      ends.set(this.#ends);
      this.#ends = ends;
    }
    this.#ends[this.#rows++] = this.#length;
  }

  /** Makes room for `most` bytes, and says where the next one goes: for code that writes a row's bytes itself. */
  room(most: number): number {
    this.#reserve(most);
    return this.#length;
  }

  /** The buffer after {@link room}, valid until anything else is written. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Over {@link bytes}. */
  get view(): DataView {
    return this.#view;
  }

  /** Takes what was written into the room, up to `position`, for a part of the row. */
  advance(position: number): void {
    this.#length = position;
  }

  /** Copies a row of another buffer. */
  append(other: RowBuffer, row: number): void {
    const start = row === 0 ? HEADER.length : other.#ends[row - 1]!;
    const end = other.#ends[row]!;
    this.#reserve(end - start);
    other.#bytes.copy(this.#bytes, this.#length, start, end);
    this.#length += end - start;
    this.end();
  }

  null(): void {
    this.#reserve(4);
    this.#view.setInt32(this.#length, -1);
    this.#length += 4;
  }

  int4(value: number): void {
    this.#reserve(8);
    this.#view.setInt32(this.#length, 4);
    this.#view.setInt32(this.#length + 4, value);
    this.#length += 8;
  }

  /** A whole number within ±2^53. */
  int8(value: number): void {
    const high = Math.floor(value / TWO_32);
    this.#int8(high, value - high * TWO_32);
  }

  bytea(value: Uint8Array): void {
    this.#reserve(4 + value.length);
    this.#view.setInt32(this.#length, value.length);
    this.#bytes.set(value, this.#length + 4);
    this.#length += 4 + value.length;
  }

  bigint(value: unknown): Outcome {
    if (typeof value === 'number') {
      if (Number.isSafeInteger(value)) {
        this.int8(value);
        return WRITTEN;
      }
      if (Number.isInteger(value)) return INEXACT;
    }
    if (!(value instanceof ExactNumber)) return this.#misfit(value, 'number');
    const whole = exactInteger(value.text);
    if (whole === null || whole > MAX_BIGINT || whole < MIN_BIGINT) {
      return this.#unstorable('bigint holds whole numbers from -9223372036854775808 to 9223372036854775807');
    }
    this.#reserve(12);
    this.#view.setInt32(this.#length, 8);
    this.#view.setBigInt64(this.#length + 4, whole);
    this.#length += 12;
    return WRITTEN;
  }

  double(value: unknown): Outcome {
    const double = value instanceof ExactNumber ? value.double : value;
    if (double === null) return this.#unstorable('double precision cannot hold this number exactly');
    if (typeof double !== 'number') return this.#misfit(value, 'number');
    this.#reserve(12);
    this.#view.setInt32(this.#length, 8);
    this.#view.setFloat64(this.#length + 4, double);
    this.#length += 12;
    return WRITTEN;
  }

  boolean(value: unknown): Outcome {
    if (typeof value !== 'boolean') return this.#misfit(value, 'boolean');
    this.#reserve(5);
    this.#view.setInt32(this.#length, 1);
    this.#bytes[this.#length + 4] = value ? 1 : 0;
    this.#length += 5;
    return WRITTEN;
  }

  text(value: unknown): Outcome {
    if (typeof value !== 'string') return this.#misfit(value, 'string');
    if (this.escapes) {
      const fault = textFault(value);
      if (fault !== undefined) return this.#unstorable(fault);
    }
    this.#text(value);
    return WRITTEN;
  }

  timestamptz(value: unknown): Outcome {
    if (typeof value !== 'string') return this.#misfit(value, 'string');
    const instant = this.#instant;
    const fault = parseTimestamp(value, instant);
    if (fault !== undefined) return fault === null ? this.#misfit(value, 'date-time') : this.#unstorable(fault);
    this.instant(instant);
    return WRITTEN;
  }

  /** A timestamptz: microseconds since 2000-01-01 as int8. */
  instant({ seconds, micros }: Instant): void {
    const value = seconds * 1e6 + micros;
    if (Number.isSafeInteger(value)) {
      this.int8(value);
      return;
    }
    const exact = BigInt(seconds) * 1_000_000n + BigInt(micros);
    this.#int8(Number(exact >> 32n), Number(exact & 0xffffffffn));
  }

  date(value: unknown): Outcome {
    if (typeof value !== 'string') return this.#misfit(value, 'string');
    const days = parseDate(value);
    if (typeof days !== 'number') return days === null ? this.#misfit(value, 'date') : this.#unstorable(days);
    this.int4(days);
    return WRITTEN;
  }

  uuid(value: unknown): Outcome {
    if (typeof value !== 'string') return this.#misfit(value, 'string');
    if (!UUID.test(value)) {
      return /^urn:uuid:/i.test(value)
        ? this.#unstorable('Postgres does not read the urn:uuid: form')
        : this.#misfit(value, 'uuid');
    }
    this.#reserve(20);
    this.#view.setInt32(this.#length, 16);
    this.#bytes.write(value.replaceAll('-', ''), this.#length + 4, 'hex');
    this.#length += 20;
    return WRITTEN;
  }

  /** In the form in which Postgres gives it back. */
  jsonb(value: unknown): Outcome {
    const json = this.#json;
    const fault = json.write(value, this.escapes);
    if (fault !== undefined) return this.#unstorable(fault);
    this.#reserve(5 + json.length);
    this.#view.setInt32(this.#length, 1 + json.length);
    this.#bytes[this.#length + 4] = 1;
    json.bytes.copy(this.#bytes, this.#length + 5, 0, json.length);
    this.#length += 5 + json.length;
    return WRITTEN;
  }

  /** A jsonb given as JSON text: a version byte of 1, then the text, which need not be in Postgres's form. */
  jsonbText(text: string): void {
    const start = this.#length;
    this.#reserve(5 + text.length * 3);
    this.#bytes[start + 4] = 1;
    const written = this.#bytes.write(text, start + 5, 'utf8');
    this.#view.setInt32(start, written + 1);
    this.#length = start + 5 + written;
  }

  #int8(high: number, low: number): void {
    this.#reserve(12);
    this.#view.setInt32(this.#length, 8);
    this.#view.setInt32(this.#length + 4, high);
    this.#view.setUint32(this.#length + 8, low);
    this.#length += 12;
  }

  #text(value: string): void {
    const size = value.length;
    this.#reserve(4 + size * 3);
    const bytes = this.#bytes;
    const start = this.#length + 4;
    let at = 0;
    if (size <= SHORT_TEXT) {
      for (; at < size; at++) {
        const code = value.charCodeAt(at);
        if (code > 0x7f) break;
        bytes[start + at] = code;
      }
    }
    const written = at === size ? size : bytes.write(value, start, 'utf8');
    this.#view.setInt32(this.#length, written);
    this.#length = start + written;
  }

  #misfit(value: unknown, wanted: string): Outcome {
    this.reason = `${typeof value} where the column holds ${wanted}`;
    this.null();
    return MISFIT;
  }

  #unstorable(reason: string): Outcome {
    this.reason = reason;
    return UNSTORABLE;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether a JSON value is of the type that a column holds; what does not fit goes to `_extra`. */
export function fitsColumn(value: unknown, type: ColumnType): boolean {
  switch (type) {
    case 'bigint':
    case 'double precision':
      return typeof value === 'number' || value instanceof ExactNumber;
    case 'boolean':
      return typeof value === 'boolean';
    case 'jsonb':
      return true;
    case 'text':
      return typeof value === 'string';
    case 'timestamptz':
      return typeof value === 'string' && parseTimestamp(value, { seconds: 0, micros: 0 }) !== null;
    case 'date':
      return typeof value === 'string' && parseDate(value) !== null;
    case 'uuid':
      return typeof value === 'string' && UUID.test(value);
  }
}
