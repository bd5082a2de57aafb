// The files that were uploaded as a batch, opened one after the other as the verifier comes to them.

import type { Limits } from '../config.ts';
import { Problem, StartError } from '../errors.ts';
import { decompress, decompressors, Receipt } from '../intake/stream.ts';
import type { VerifiedFile } from '../reconcile/verify/verify.ts';
import { visible } from '../visible.ts';
import { sourceFault } from './print.ts';
import { openSource, SourceError } from './source.ts';

/** @throws {StartError} a file that cannot be read, by its name; here or from its chunks */
export async function* openFiles(names: readonly string[], limits: Limits): AsyncGenerator<VerifiedFile> {
  // The server took them: how far they may grow was judged there.
  const unbounded = {
    ...limits,
    decompressedBytes: Number.MAX_SAFE_INTEGER,
    compressionRatio: Number.MAX_SAFE_INTEGER,
  };
  for (const name of names) {
    const source = await openSource(name).catch((error) => fail(name, error));
    const receipt = new Receipt();
    const bytes = receipt.of(source.bytes);
    const chunks = source.gzip ? decompress(bytes, decompressors().get('gzip')!, unbounded) : bytes;
    try {
      yield { name, chunks: named(name, chunks), received: () => receipt.received() };
    } finally {
      source.close();
    }
  }
}

async function* named(name: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* chunks;
  } catch (error) {
    fail(name, error);
  }
}

function fail(name: string, error: unknown): never {
  if (error instanceof SourceError) throw new StartError(`${visible(name)}: ${sourceFault(error)}`, { cause: error });
  if (error instanceof Problem) throw new StartError(`${visible(name)}: ${error.message}`, { cause: error });
  throw error;
}
