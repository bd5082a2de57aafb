// A generated upload: what it says, how it is wrapped, and in which pieces it is sent. Plain data, so that one that was
// found to break something can be kept as JSON.
import { Agent, request } from 'node:http';
import { setImmediate as tick } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

export interface Upload {
  /** The lines, before any wrapping. */
  content: Buffer;
  form: 'ndjson' | 'json' | 'multipart' | 'odd';
  /** Null: not compressed. Else where the content is cut into gzip members. */
  members: readonly number[] | null;
  /** Where the body is cut into pieces that are sent one by one, in bytes from its beginning. */
  cuts: readonly number[];
  /** Headers of an odd upload. */
  headers: Readonly<Record<string, string>>;
}

export interface Reply {
  status: number;
  type: string;
  text: string;
}

const BOUNDARY = 'sluice-fuzz-7d3a9a53c1d7';
const TYPES = { ndjson: 'application/x-ndjson', json: 'application/json' };

/** The body of an upload, and the headers that go with it. */
export function wrapped({ content, form, members, headers }: Upload): {
  body: Buffer;
  headers: Record<string, string>;
} {
  const packed = members === null ? content : Buffer.concat(pieces(content, members).map((part) => gzipSync(part)));
  if (form === 'odd') return { body: packed, headers: { ...headers } };
  if (form === 'multipart') {
    const head = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="fuzz.ndjson"\r\n\r\n`;
    const body = Buffer.concat([Buffer.from(head), packed, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]);
    return { body, headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` } };
  }
  const encoding = members === null ? {} : { 'content-encoding': 'gzip' };
  return { body: packed, headers: { 'content-type': TYPES[form], ...encoding } };
}

/** Cuts bytes at the given places, which may be in any order and out of range. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.filter((cut) => cut > 0 && cut < bytes.length))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const kept = new Agent({ keepAlive: true, maxSockets: 4 });
/** The long run sends odd uploads on connections that are used again; a bounded test must not depend on how that ends. */
const keepsAll = process.env.FUZZ_KEEP_ALIVE === '1';
const PATIENCE_MS = 20_000;

/**
 * Sends an upload in its pieces, each a chunk of HTTP.
 * @returns null where the server ended the connection before it took all of the body
 */
export async function send(server: { url: string }, upload: Upload, query = ''): Promise<Reply | null> {
  const { body, headers } = wrapped(upload);
  const url = `${server.url}/v1/events${query}`;
  const call = request(url, {
    method: 'POST',
    agent: upload.form === 'odd' && !keepsAll ? false : kept,
    headers: { 'transfer-encoding': 'chunked', ...headers },
  });
  call.setNoDelay(true);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  signal.addEventListener('abort', () => call.destroy(new Error(`no answer within ${PATIENCE_MS} ms`)));
  const reply = new Promise<Reply | null>((resolve, reject) => {
    call.on('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const type = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode!, type, text: Buffer.concat(parts).toString() });
      });
    });
    call.on('error', (error: Error & { code?: string }) =>
      error.code === 'EPIPE' || error.code === 'ECONNRESET' ? resolve(null) : reject(error),
    );
  });
  for (const piece of pieces(body, upload.cuts)) {
    if (call.destroyed || call.errored) break;
    if (piece.length > 0) call.write(piece);
    await tick();
  }
  call.end();
  return reply;
}

export function toJson(upload: Upload): object {
  return { ...upload, content: upload.content.toString('base64') };
}

export function fromJson(value: Omit<Upload, 'content'> & { content: string }): Upload {
  return { ...value, content: Buffer.from(value.content, 'base64') };
}
