// Small JSON bodies, read whole: nearly all of them are single events, and a stream each would cost more than the event.
import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import type { Limits } from '../config.ts';
import type { UploadFile } from '../ingest.ts';
import { undeclaredGzip } from './body.ts';
import { letBodyCome } from './continue.ts';
import type { UploadOptions } from './options.ts';
import { Pace, type Patience } from './pace.ts';
import { Receipt } from './stream.ts';

/** Larger bodies are streams. */
const MOST_BYTES = 64 * 1024;

/** Whether a request may hold one event and nothing that asks for a batch of its own, or that is to be refused. */
export function mayBeSingle({ headers }: FastifyRequest, options: UploadOptions, { bodyBytes }: Limits): boolean {
  const length = Number(headers['content-length'] ?? Number.NaN);
  const isPlain = headers['content-type'] === 'application/json' && headers['content-encoding'] === undefined;
  const { dryRun, onError, maxRejected, report } = options;
  const isUsual = !dryRun && onError === 'continue' && maxRejected === null && report !== 'full';
  const most = bodyBytes === 0 ? MOST_BYTES : Math.min(bodyBytes, MOST_BYTES);
  return isPlain && isUsual && length > 0 && length <= most;
}

/**
 * The whole body, if it comes in one piece, as small ones do; else undefined, and it is still all there to be streamed.
 * @throws {Problem} `body_timeout`, `shutting_down`
 */
export async function readAtOnce(raw: IncomingMessage, patience: Patience): Promise<Buffer | undefined> {
  letBodyCome(raw);
  const chunk: Buffer | null = raw.read() ?? (await new Pace(patience).next(firstChunk(raw), () => 0));
  if (chunk === null) return undefined;
  if (chunk.length === Number(raw.headers['content-length'])) return chunk;
  raw.unshift(chunk);
  return undefined;
}

/** What comes first, null where nothing does. */
function firstChunk(raw: IncomingMessage): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const event of EVENTS) raw.off(event, settle);
      resolve(raw.destroyed ? null : raw.read());
    };
    for (const event of EVENTS) raw.on(event, settle);
  });
}

const EVENTS = ['readable', 'end', 'error', 'close'] as const;

/** The file that such a body is. */
export async function* fileOf(body: Buffer): AsyncGenerator<UploadFile> {
  const receipt = new Receipt();
  async function* whole(): AsyncGenerator<Buffer> {
    yield body;
  }
  yield {
    name: null,
    format: 'json',
    chunks: undeclaredGzip(receipt.of(whole())),
    received: () => receipt.received(),
  };
}
