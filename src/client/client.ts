// The HTTP client of the command line and of tests: types from openapi.yaml, short requests by openapi-fetch, uploads
// by node:http. It decides nothing about what an answer means, and imports nothing from the server.
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import createClient, { type Client } from 'openapi-fetch';
import type { components, operations, paths } from './api.d.ts';
import { connectPatiently } from './patient-socket.ts';

export type Report = components['schemas']['Report'];
export type ProblemDocument = components['schemas']['Problem'];
type ReplayOrder = components['schemas']['ReplayOrder'];
type UploadParameters = NonNullable<operations['postEvents']['parameters']['query']>;

/** Which server, and who asks. */
export interface Target {
  url: URL;
  /** An API key, where the server asks for one. */
  key?: string | undefined;
}

export interface Upload extends UploadParameters {
  body: AsyncIterable<Uint8Array>;
  /** The body's compression as it stands; nothing is compressed here. */
  contentEncoding?: 'gzip' | undefined;
  idempotencyKey?: string | undefined;
}

/** A batch's fate (200, 201, 202, 207, 422), or why the request as a whole was refused. */
export type UploadAnswer =
  | { status: number; report: Report }
  | { status: number; problem: ProblemDocument; retryAfter: string | undefined };

/** No answer came: nothing listens there, or the connection broke. `code` is the system's, e.g. `ECONNREFUSED`. */
export class ConnectionError extends Error {
  readonly code: string;
  constructor(error: unknown) {
    super(error instanceof Error ? error.message : String(error), { cause: error });
    this.name = 'ConnectionError';
    this.code = systemCode(error);
  }
}

/** An answer came that openapi.yaml does not know: another program, or a proxy before the server. */
export class UnexpectedAnswer extends Error {
  readonly status: number;
  constructor(status: number, contentType: string | undefined) {
    super(`status ${status}, content type ${contentType ?? 'none'}`);
    this.name = 'UnexpectedAnswer';
    this.status = status;
  }
}

/** Beyond this an answer cannot be one string in this runtime, let alone be read by anybody. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

/** Typed requests to every route whose answer is small. */
export function sluiceClient({ url, key }: Target): Client<paths> {
  return createClient<paths>({ baseUrl: url.href.replace(/\/+$/, ''), headers: bearer(key) });
}

/**
 * Uploads NDJSON as one batch, as fast as the server takes it, and waits for its answer however long that takes:
 * `fetch` gives up when no answer begins within 300 s, and loses an early one when the server stops reading.
 * @throws {ConnectionError} there is no answer
 * @throws {UnexpectedAnswer} the answer is not the API's
 * @throws whatever `body` throws; the upload is then cut off, so that nothing of it is stored
 */
export async function uploadEvents(target: Target, upload: Upload): Promise<UploadAnswer> {
  return answerTo(openUpload(target, upload), upload.body);
}

async function answerTo(request: ClientRequest, body: AsyncIterable<Uint8Array>): Promise<UploadAnswer> {
  try {
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', (error) => reject(new ConnectionError(error)));
    });
    // The body may fail first; whoever awaits `answered` still sees its rejection.
    answered.catch(() => {});
    await send(request, body);
    return await readAnswer(await answered);
  } finally {
    request.destroy();
  }
}

/**
 * Replays stored rejections, and waits for the answer as {@link uploadEvents} does.
 * @param patch JSON text: parsing it would change numbers that no double holds
 * @throws as {@link uploadEvents}
 */
export async function replayRejections(
  { url, key }: Target,
  order: Omit<ReplayOrder, 'patch'>,
  patch?: string,
): Promise<UploadAnswer> {
  const text = JSON.stringify(order);
  async function* body(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(patch === undefined ? text : `${text.slice(0, -1)},"patch":${patch}}`);
  }
  return answerTo(open(addressOf(url, 'v1/rejections/replay'), 'application/json', bearer(key)), body());
}

/** The lines of `GET /v1/batches/{id}/rejections`, each one JSON text. */
export async function* rejectionLines(target: Target, batchId: string): AsyncGenerator<string> {
  const { data, response } = await sluiceClient(target)
    .GET('/v1/batches/{id}/rejections', { params: { path: { id: batchId } }, parseAs: 'stream' })
    .catch((error: unknown) => Promise.reject(new ConnectionError(error)));
  if (!data) throw new UnexpectedAnswer(response.status, response.headers.get('content-type') ?? undefined);
  const utf8 = new TextDecoder();
  let rest = '';
  try {
    for await (const chunk of data) {
      const lines = (rest + utf8.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
  } catch (error) {
    throw new ConnectionError(error);
  }
}

function openUpload({ url, key }: Target, upload: Upload): ClientRequest {
  const { body: _, contentEncoding, idempotencyKey, ...parameters } = upload;
  const target = addressOf(url, 'v1/events');
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) target.searchParams.set(name, String(value));
  }
  return open(target, 'application/x-ndjson', {
    ...bearer(key),
    ...(contentEncoding && { 'Content-Encoding': contentEncoding }),
    ...(idempotencyKey && { 'Idempotency-Key': idempotencyKey }),
  });
}

function bearer(key: string | undefined): Record<string, string> {
  return key === undefined ? {} : { Authorization: `Bearer ${key}` };
}

function addressOf(url: URL, path: string): URL {
  return new URL(path, url.href.endsWith('/') ? url : `${url.href}/`);
}

function open(target: URL, contentType: string, headers: Record<string, string> = {}): ClientRequest {
  const options = {
    method: 'POST',
    headers: { 'Content-Type': contentType, Accept: 'application/json, application/problem+json', ...headers },
  } as const;
  // A connection of its own in both cases, without the idle timeout of the shared agent.
  return target.protocol === 'https:'
    ? https.request(target, { ...options, agent: false })
    : http.request(target, { ...options, createConnection: connectPatiently });
}

/** Sends until the body ends, an answer arrives, or the connection closes: also while the body has nothing to give. */
function send(request: ClientRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  return new Promise((resolve, reject) => {
    const source = Readable.from(body, { objectMode: false });
    source.on('error', reject);
    source.on('end', resolve);
    for (const event of ['response', 'close', 'error']) {
      request.once(event, () => {
        source.destroy();
        resolve();
      });
    }
    source.pipe(request);
  });
}

async function readAnswer(response: IncomingMessage): Promise<UploadAnswer> {
  const status = response.statusCode!;
  const contentType = response.headers['content-type'];
  const type = contentType?.replace(/;.*/s, '').trim().toLowerCase();
  if (type !== 'application/json' && type !== 'application/problem+json') {
    throw new UnexpectedAnswer(status, contentType);
  }
  const parsed = parseObject(await readText(response));
  if (type === 'application/json' && parsed !== undefined && 'batch_id' in parsed) {
    return { status, report: parsed as unknown as Report };
  }
  if (type === 'application/problem+json' && parsed !== undefined && 'code' in parsed) {
    return { status, problem: parsed as unknown as ProblemDocument, retryAfter: response.headers['retry-after'] };
  }
  throw new UnexpectedAnswer(status, contentType);
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw new ConnectionError(error);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` hides the system's error as a cause, a host with several addresses hides one in each of its errors. */
function systemCode(error: unknown): string {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; depth++) {
    if ('code' in each && typeof each.code === 'string') return each.code;
    each = each instanceof AggregateError && each.errors.length > 0 ? each.errors[0] : each.cause;
  }
  return 'UNKNOWN';
}
