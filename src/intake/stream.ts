// What every body passes through on its way in: a watch on the clock, on the size and on the end, a running hash, and
// decompression with bounds. Nothing here looks at lines.
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import zlib from 'node:zlib';
import type { Limits } from '../config.ts';
import { Problem } from '../errors.ts';
import { Pace, type Patience } from './pace.ts';

export type Chunks = AsyncIterable<Buffer>;

/** A small body may compress very well without being a bomb; below this the ratio is not looked at. */
const RATIO_FREE_BYTES = 8 * 1024 * 1024;
/** Of what is decompressed at once. With 64 KiB the main thread has three times as many hand-overs to look after. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Hands on the stream's chunks and gives up on a client that sends none, or too little, for too long.
 * @throws {Problem} `body_timeout`, `shutting_down`
 */
export async function* paced(stream: AsyncIterable<unknown>, patience: Patience): AsyncGenerator<Buffer> {
  const pace = new Pace(patience);
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  for (;;) {
    const next = await pace.next(chunks.next(), ({ value }) => value?.length ?? 0);
    if (next.done === true) return;
    yield next.value;
  }
}

/** Counts and hashes what passes through. */
export class Receipt {
  #bytes = 0;
  readonly #hash = createHash('sha256');
  #sha256: string | undefined;

  async *of(chunks: Chunks): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#bytes += chunk.length;
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  /** What has passed through. To be asked once all of it has. */
  received(): { bytes: number; sha256: string } {
    this.#sha256 ??= this.#hash.digest('hex');
    return { bytes: this.#bytes, sha256: this.#sha256 };
  }
}

/** @throws {Problem} `body_too_large` beyond `limit` bytes; 0 is no limit */
export async function* withSizeLimit(chunks: Chunks, limit: number): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (limit > 0 && size > limit) throw new Problem('body_too_large', `The body has more than ${limit} bytes`);
    yield chunk;
  }
}

type Decompressor = () => NodeJS.ReadWriteStream & Readable;

/** Content codings (RFC 9110 section 8.4.1) that this runtime can take off. zstd came with Node 22.15. */
export function decompressors(): ReadonlyMap<string, Decompressor> {
  const options = { chunkSize: CHUNK_BYTES };
  const gunzip: Decompressor = () => zlib.createGunzip(options);
  const known = new Map<string, Decompressor>([
    ['gzip', gunzip],
    ['x-gzip', gunzip],
  ]);
  const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: object) => ReturnType<Decompressor> };
  if (createZstdDecompress !== undefined) known.set('zstd', () => createZstdDecompress(options));
  return known;
}

/**
 * Decompresses, within bounds on the result's size and on how much larger it is than what was received.
 * @throws {Problem} `invalid_compression` or `body_too_large`
 */
export async function* decompress(chunks: Chunks, open: Decompressor, limits: Limits): AsyncGenerator<Buffer> {
  let compressed = 0;
  let size = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      compressed += chunk.length;
      yield chunk;
    }
  }
  const stream = open();
  // Errors come out of the iteration below; the callback is there because pipeline wants one.
  pipeline(counted, stream as NodeJS.ReadWriteStream, () => {});
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limits.decompressedBytes) {
        throw new Problem(
          'body_too_large',
          `The body has more than ${limits.decompressedBytes} bytes when decompressed`,
        );
      }
      if (size > RATIO_FREE_BYTES && size > compressed * limits.compressionRatio) {
        throw new Problem(
          'body_too_large',
          `The body grows more than ${limits.compressionRatio} times when decompressed`,
        );
      }
      yield chunk;
    }
  } catch (error) {
    if (!/^(Z_|ZSTD_|ERR_ZLIB)/.test((error as { code?: string }).code ?? '')) throw error;
    throw new Problem('invalid_compression', `The compressed body cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
