// Stored rejections as the files of an upload: one for each batch that they come from, its lines in their order, each
// with exactly the bytes that were stored. Nothing is cut into lines again: an array's elements may have line feeds.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Connection } from '../db.ts';
import type { LinesFile } from '../ingest.ts';
import type { CopiedBlock } from '../lines/copied.ts';
import { type Fault, faultyLine, LinePlaces, type Lines } from '../lines/framing.ts';
import { copyOut } from '../load/copy.ts';
import type { Replayed } from '../load/replayed.ts';
import type { SchemaVersion } from '../schema/registry.ts';
import type { Patch } from './patch.ts';

const LF = 0x0a;
/** A block ends behind the line with which it has as many bytes: a patch may have made lines much longer. */
const BLOCK_BYTES = 256 * 1024;

/** The rejections to replay. */
export interface Selected {
  /** The batches of the first and the last of them. */
  first: string;
  last: string;
  /** Selects batch_id, batch_line, length, schema parameter of the batch, raw: by batch and line. */
  select: string;
}

interface Options {
  replayed: Replayed;
  patch: Patch | null;
  /** The version that a batch's schema parameter means now, null where it means none. */
  resolve(schema: string): SchemaVersion | null;
}

/** The next rejections of one batch, in a block that is valid until the next is asked for. */
interface Piece {
  batchId: string;
  schema: string | null;
  block: CopiedBlock;
  from: number;
  to: number;
}

/**
 * Reads them, in one statement and as fast as they are asked for.
 * @param connection is busy with it until the last line of the last file
 */
export async function* storedLines(
  connection: Connection,
  { first, last, select }: Selected,
  options: Options,
): AsyncGenerator<LinesFile> {
  const { patch } = options;
  const places = new LinePlaces();
  const pieces = piecesOf(copyOut(connection, select, 5));
  let next = await pieces.next();
  while (!next.done) {
    const { batchId, schema } = next.value;
    const file = new StoredFile(batchId, options, places);
    async function* blocks(): AsyncGenerator<Lines> {
      for (; !next.done && next.value.batchId === batchId; next = await pieces.next()) {
        for (const lines of file.linesOf(next.value)) {
          yield lines;
          // Changing lines takes much longer than reading them: others must get their turn.
          if (patch !== null) await setImmediate();
        }
      }
    }
    yield {
      name: first === last ? null : batchId,
      format: 'lines',
      schema: schema === null ? null : options.resolve(schema),
      blocks: blocks(),
      received: () => file.received(),
    };
  }
}

/** Cuts blocks where another batch begins. */
async function* piecesOf(blocks: AsyncIterable<CopiedBlock>): AsyncGenerator<Piece> {
  for await (const block of blocks) {
    const { view, starts, count } = block;
    for (let from = 0; from < count; ) {
      const start = starts[from]!;
      let to = from + 1;
      while (to < count && isSameBatch(view, start, starts[to]!)) to++;
      yield { ...batchOf(view, start), block, from, to };
      from = to;
    }
  }
}

// A row: int16 number of fields, then 20 bytes of batch_id with its length, 8 of batch_line, 12 of length, and two
// fields of any length.
const BATCH_ID = 6;
const BATCH_LINE = 26;
const LENGTH = 34;
const SCHEMA = 42;

function isSameBatch(view: DataView, a: number, b: number): boolean {
  for (let at = BATCH_ID; at < BATCH_ID + 16; at += 4) {
    if (view.getInt32(a + at) !== view.getInt32(b + at)) return false;
  }
  return true;
}

function batchOf(view: DataView, start: number): { batchId: string; schema: string | null } {
  const hex = bytesAt(view, start + BATCH_ID, 16).toString('hex');
  const length = view.getInt32(start + SCHEMA);
  return {
    batchId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    schema: length === -1 ? null : bytesAt(view, start + SCHEMA + 4, length).toString('utf8'),
  };
}

function bytesAt({ buffer, byteOffset }: DataView, start: number, length: number): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset + start, length);
}

/** The lines of one batch: what was stored, or what the patch made of it, each with a line feed behind it. */
class StoredFile {
  readonly #batchId: string;
  readonly #options: Options;
  readonly #hash = createHash('sha256');
  readonly #places: LinePlaces;
  #bytes = 0;
  #sha256: string | undefined;

  constructor(batchId: string, options: Options, places: LinePlaces) {
    this.#batchId = batchId;
    this.#options = options;
    this.#places = places;
  }

  /** Bytes and hash of the lines as they are judged. */
  received(): { bytes: number; sha256: string } {
    this.#sha256 ??= this.#hash.digest('hex');
    return { bytes: this.#bytes, sha256: this.#sha256 };
  }

  /** The lines of a piece; one with a fault is a block of its own. */
  *linesOf({ block, from, to }: Piece): Generator<Lines> {
    const { view, starts, ends } = block;
    const { replayed, patch } = this.#options;
    let gathered = new Gathered();
    for (let row = from; row < to; row++) {
      const start = starts[row]!;
      const schemaLength = Math.max(0, view.getInt32(start + SCHEMA));
      const rawStart = start + SCHEMA + 4 + schemaLength + 4;
      const stored = bytesAt(view, rawStart, ends[row]! - rawStart);
      const length = view.getUint32(start + LENGTH) * 2 ** 32 + view.getUint32(start + LENGTH + 4);
      replayed.add(this.#batchId, view.getInt32(start + BATCH_LINE));
      const line = length > stored.length ? ({ kind: 'cut', length } as const) : patched(stored, patch);
      if (Buffer.isBuffer(line)) {
        // Room for all that follow, as they are.
        gathered.add(line, this.#places, ends[to - 1]! - start);
        if (gathered.length < BLOCK_BYTES) continue;
      }
      if (this.#places.count > 0) yield this.#take(gathered);
      gathered = new Gathered();
      if (!Buffer.isBuffer(line)) yield this.#faulty(stored, line);
    }
    if (this.#places.count > 0) yield this.#take(gathered);
  }

  #take(gathered: Gathered): Lines {
    return this.#places.take(gathered.whole(), this.#count(gathered.whole()));
  }

  #faulty(stored: Buffer, fault: Fault): Lines {
    const line = Buffer.allocUnsafe(stored.length + 1);
    stored.copy(line);
    line[stored.length] = LF;
    return faultyLine(line.subarray(0, stored.length), this.#count(line), fault);
  }

  /** Returns the offset of the first of these bytes. */
  #count(bytes: Buffer): number {
    const offset = this.#bytes;
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    return offset;
  }
}

/** Lines in one buffer, which is never used again: rows in memory point into it. */
class Gathered {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param room bytes to make room for where there is none yet */
  add(line: Buffer, places: LinePlaces, room: number): void {
    const end = this.#length + line.length;
    if (end + 1 > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, end + 1, this.#length === 0 ? room : 0));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    line.copy(this.#bytes, this.#length);
    this.#bytes[end] = LF;
    places.add(this.#length, end);
    this.#length = end + 1;
  }

  whole(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** The line as the patch makes it. What cannot be text is left as it is, and rejected as such. */
function patched(stored: Buffer, patch: Patch | null): Buffer | Fault {
  if (patch === null || !isUtf8(stored)) return stored;
  const result = patch.apply(stored);
  return typeof result === 'string' ? Buffer.from(result) : { kind: 'unpatched', error: result };
}
