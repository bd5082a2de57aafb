// A request → the files in it, as byte streams. Knows HTTP bodies and multipart; knows nothing of lines.
import type { IncomingMessage } from 'node:http';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Limits } from '../config.ts';
import { Problem } from '../errors.ts';
import type { UploadFile } from '../ingest.ts';
import { letBodyCome } from './continue.ts';
import { bodyDecompressor, bodyForm } from './media.ts';
import { PARAMETERS } from './options.ts';
import { Pace } from './pace.ts';
import { type Chunks, decompress, decompressors, paced, Receipt, withSizeLimit } from './stream.ts';

type Part = MultipartFile | MultipartValue;

const LONGEST_FILE_NAME = 255;

/**
 * The files of a request's body; checks the headers at once and reads nothing yet.
 * @throws {Problem} `unsupported_media_type`, `unsupported_encoding`, `body_too_large`, `empty_body`
 */
export function uploadFiles(request: FastifyRequest, limits: Limits): AsyncIterable<UploadFile> {
  const { headers } = request;
  const form = bodyForm(headers['content-type']);
  const decompressor = bodyDecompressor(headers['content-encoding']);
  const announced = Number(headers['content-length'] ?? Number.NaN);
  if (limits.bodyBytes > 0 && announced > limits.bodyBytes) {
    throw new Problem('body_too_large', `The body has ${announced} bytes, more than ${limits.bodyBytes}`);
  }
  if (announced === 0) throw new Problem('empty_body', 'The body is empty');
  if (form !== 'multipart') return singleFile(request.raw, form, decompressor, limits);
  if (decompressor === null) return partFiles(request, limits);
  throw new Problem(
    'unsupported_encoding',
    'A multipart body is not taken compressed: compress the files in it instead',
  );
}

async function* singleFile(
  raw: IncomingMessage,
  format: 'ndjson' | 'json',
  decompressor: ReturnType<typeof bodyDecompressor>,
  limits: Limits,
): AsyncGenerator<UploadFile> {
  const receipt = new Receipt();
  const received = receipt.of(withSizeLimit(wholeBody(raw, limits), limits.bodyBytes));
  const chunks = decompressor === null ? undeclaredGzip(received) : decompress(received, decompressor, limits);
  yield { name: null, format, chunks, received: () => receipt.received() };
}

/** The body's chunks; an end that the client did not mean is an error. */
async function* wholeBody(raw: IncomingMessage, limits: Limits): AsyncGenerator<Buffer> {
  letBodyCome(raw);
  yield* paced(raw, limits);
  if (!raw.complete) throw new Problem('incomplete_body', 'The body ended before its announced end');
}

/** Gzip bytes without the header that says so would be one rejection a line. */
export async function* undeclaredGzip(chunks: Chunks): AsyncGenerator<Buffer> {
  let isFirst = true;
  for await (const chunk of chunks) {
    if (isFirst && isGzip(chunk)) {
      throw new Problem('unsupported_encoding', "The body is gzip: add -H 'Content-Encoding: gzip'");
    }
    isFirst = false;
    yield chunk;
  }
}

async function* partFiles(request: FastifyRequest, limits: Limits): AsyncGenerator<UploadFile> {
  const options = { limits: { fileSize: Number.POSITIVE_INFINITY, files: limits.files, parts: limits.files + 1_000 } };
  letBodyCome(request.raw);
  try {
    const parts = request.parts(options)[Symbol.asyncIterator]();
    const pace = new Pace(limits);
    const { socket } = request.raw;
    for (;;) {
      // Whatever stands between two files counts, though nobody looks at it.
      const before = socket.bytesRead;
      const next = await pace.next(parts.next(), () => socket.bytesRead - before);
      if (next.done === true) return;
      const part: Part = next.value;
      if (part.type === 'file') yield* partFile(part, limits);
      else refuseParameter(part.fieldname);
    }
  } catch (error) {
    throw multipartProblem(error as Error & { code?: string }, limits);
  }
}

async function* partFile(part: MultipartFile, limits: Limits): AsyncGenerator<UploadFile> {
  const receipt = new Receipt();
  const received = receipt.of(withSizeLimit(paced(part.file, limits), limits.bodyBytes));
  yield {
    name: fileName(part.filename),
    format: 'ndjson',
    chunks: partChunks(received, limits),
    received: () => receipt.received(),
  };
  if (part.file.truncated) throw new Problem('incomplete_body', 'A file of the multipart body was cut off');
}

async function* partChunks(received: AsyncGenerator<Buffer>, limits: Limits): AsyncGenerator<Buffer> {
  try {
    yield* gunzipped(received, limits);
  } catch (error) {
    throw multipartProblem(error as Error, limits);
  }
}

/** A file's content, decompressed if it is gzip by its first two bytes (RFC 1952): NDJSON never starts with them. */
async function* gunzipped(chunks: AsyncGenerator<Buffer>, limits: Limits): AsyncGenerator<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  async function* whole(): AsyncGenerator<Buffer> {
    yield head;
    yield* chunks;
  }
  if (isGzip(head)) yield* decompress(whole(), decompressors().get('gzip')!, limits);
  else yield* whole();
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function refuseParameter(field: string): void {
  if ((PARAMETERS as readonly string[]).includes(field)) {
    throw new Problem('invalid_multipart', `The parameter ${field} belongs into the query, not into a form field`);
  }
}

/** A name fit for reports and for Postgres. It is never used as a path. */
function fileName(name: string | undefined): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const printable = (name ?? '').toWellFormed().replace(/[\u0000-\u001f\u007f]/g, '\ufffd');
  return [...printable].slice(0, LONGEST_FILE_NAME).join('') || 'file';
}

function multipartProblem(error: Error & { code?: string }, limits: Limits): Error {
  if (error.code === 'FST_FILES_LIMIT') {
    return new Problem('too_many_files', `The request has more than ${limits.files} files`);
  }
  if (error.code === 'FST_PARTS_LIMIT' || error.code === 'FST_FIELDS_LIMIT') {
    return new Problem('too_many_files', 'The request has too many parts');
  }
  const isMalformed =
    error.code?.startsWith('FST_') || /multipart|boundary|needle|part header|malformed/i.test(error.message);
  if (error instanceof Problem || !isMalformed) return error;
  return new Problem('invalid_multipart', `The multipart body cannot be read: ${error.message}`, { cause: error });
}
