// Small JSON bodies, read whole: nearly all of them are single events, and a stream each would cost more than the event.
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../errors.ts';
import type { UploadFile } from '../ingest.ts';
import { undeclaredGzip } from './body.ts';
import type { UploadOptions } from './options.ts';
import { Receipt } from './stream.ts';

/** Larger bodies are streams. */
const MOST_BYTES = 64 * 1024;

/** Whether a request may hold one event and nothing that asks for a batch of its own. */
export function mayBeSingle({ headers }: FastifyRequest, options: UploadOptions): boolean {
  const length = Number(headers['content-length'] ?? Number.NaN);
  const isPlain = headers['content-type'] === 'application/json' && headers['content-encoding'] === undefined;
  const { dryRun, onError, maxRejected, report } = options;
  const isUsual = !dryRun && onError === 'continue' && maxRejected === null && report !== 'full';
  return isPlain && isUsual && length > 0 && length <= MOST_BYTES;
}

/** What has come of a body, and why it is not all, where it is not. */
export interface SmallBody {
  chunks: Buffer[];
  error?: Error;
}

/** Reads the whole body: `error` is `body_timeout` after `idleMs` without a byte, or `incomplete_body`. */
export function readSmall(raw: IncomingMessage, idleMs: number): Promise<SmallBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      if (error !== undefined) resolve({ chunks, error });
      else if (raw.complete) resolve({ chunks });
      else resolve({ chunks, error: new Problem('incomplete_body', 'The body ended before its announced end') });
    };
    const timer = setTimeout(() => {
      settle(new Problem('body_timeout', `The client sent no byte for ${idleMs} ms`, { retryAfter: 1 }));
    }, idleMs);
    raw.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      timer.refresh();
    });
    raw.once('end', () => settle());
    raw.once('error', settle);
    raw.once('close', () => settle());
  });
}

/** The file that such a body is; it breaks off where the body did. */
export async function* fileOf({ chunks, error }: SmallBody): AsyncGenerator<UploadFile> {
  const receipt = new Receipt();
  async function* received(): AsyncGenerator<Buffer> {
    yield* chunks;
    if (error !== undefined) throw error;
  }
  yield {
    name: null,
    format: 'json',
    chunks: undeclaredGzip(receipt.of(received())),
    received: () => receipt.received(),
  };
}
