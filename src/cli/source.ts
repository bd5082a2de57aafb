// FILE arguments as byte streams: a path, or `-` for standard input; plain, or gzip told by its first bytes.
// The bytes are handed on as they are: nothing is decompressed or cut into lines here.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';

export interface Source {
  bytes: AsyncIterable<Buffer>;
  gzip: boolean;
  /** Bytes of the file; undefined for a pipe. */
  size: number | undefined;
  /** Lets go of the file, or of whoever writes into the pipe, also when nobody wants the rest. */
  close(): void;
}

export const STDIN = '-';

/** A file that cannot be read: missing, a directory, forbidden, or broken off. */
export class SourceError extends Error {
  readonly code: string;
  constructor(error: unknown) {
    super(error instanceof Error ? error.message : String(error), { cause: error });
    this.name = 'SourceError';
    this.code = (error as NodeJS.ErrnoException).code ?? 'UNKNOWN';
  }
}

/** @throws {SourceError} here, or later from `bytes` */
export async function openSource(name: string): Promise<Source> {
  const size = name === STDIN ? undefined : await sizeOf(name);
  const stream: Readable = name === STDIN ? process.stdin : createReadStream(name, { highWaterMark: 262_144 });
  const chunks = readable(stream);
  const start = await firstBytes(chunks);
  return {
    bytes: joined(start, chunks),
    gzip: start[0] === 0x1f && start[1] === 0x8b,
    size,
    close: () => stream.destroy(),
  };
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    return stats.isFile() ? stats.size : undefined;
  } catch (error) {
    throw new SourceError(error);
  }
}

async function* readable(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* stream;
  } catch (error) {
    throw new SourceError(error);
  }
}

/** At least two bytes, where there are two: a pipe may deliver one at a time. */
async function firstBytes(chunks: AsyncGenerator<Buffer>): Promise<Buffer> {
  let start: Buffer = Buffer.alloc(0);
  while (start.length < 2) {
    const { value, done } = await chunks.next();
    if (done) break;
    start = start.length === 0 ? value : Buffer.concat([start, value]);
  }
  return start;
}

async function* joined(start: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (start.length > 0) yield start;
  yield* rest;
}
