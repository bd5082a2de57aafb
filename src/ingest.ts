// THE PIPELINE. An upload's bytes go in at the top, its report comes out at the bottom:
//
//   upload ── files ── chunks ── lines ── verdicts ── rows ── stage ── final ── report
//             intake   intake    frame    judge       encode  relieve  finish
//
// A bad line is a value and leaves through `reject`; only the world outside (client, network, Postgres) throws, and then
// nothing of the batch is kept.
import { createHash } from 'node:crypto';
import type { Limits } from './config.ts';
import type { Database } from './db.ts';
import { Problem } from './errors.ts';
import { compileEncoder, type Encode, NEEDS_EXACT } from './lines/encode.ts';
import type { Framing, Lines } from './lines/framing.ts';
import { JsonFraming } from './lines/json.ts';
import { isPassed, Judge } from './lines/judge.ts';
import { NdjsonFraming } from './lines/ndjson.ts';
import type { RowBuffer } from './lines/rows.ts';
import type { Source } from './load/chunk.ts';
import type { Destination, Ending } from './load/destination.ts';
import type { Claim } from './load/idempotency.ts';
import { Loading } from './load/loading.ts';
import type { FileRecord, StoredAnswer } from './load/record.ts';
import type { Replayed } from './load/replayed.ts';
import type { LineError, Refusal } from './model.ts';
import type { AbortRules } from './report/abort.ts';
import { DRY_RUN_REJECTIONS, Tally } from './report/tally.ts';
import type { Registry, SchemaVersion } from './schema/registry.ts';

/** Bytes of rows before room is made within a block of lines: written out, `1e131071` has 131,072 digits. */
const MOST_ROW_BYTES = 16 * 1024 * 1024;

/** One file of an upload: bytes that are to be cut into lines, or lines as they were stored. */
export type UploadFile = ByteFile | LinesFile;

interface FileFacts {
  /** Set where the upload may have several files. */
  name: string | null;
  /** What was received for it, once all of it has been read. */
  received(): { bytes: number; sha256: string };
}

interface ByteFile extends FileFacts {
  format: 'ndjson' | 'json';
  /** The content, decompressed. */
  chunks: AsyncIterable<Buffer>;
}

export interface LinesFile extends FileFacts {
  format: 'lines';
  /** The version to judge them by where the upload names none; null: each event's own `$schema` decides. */
  schema: SchemaVersion | null;
  blocks: AsyncIterable<Lines>;
}

export interface Upload {
  batchId: string;
  receivedAt: Date;
  startedAt: number;
  /** The parameters that decide the outcome, as they were sent: with the payload they make up the fingerprint. */
  parameters: string;
  /** The `schema` parameter as it was sent, and the version that it chose; null without one. */
  schemaParameter: string | null;
  schema: SchemaVersion | null;
  dryRun: boolean;
  /** When rejected lines cost the whole batch. */
  rules: Pick<AbortRules, 'onError' | 'maxRejected'>;
  /** Whether the report is to have all rejections. */
  full: boolean;
  claim: Claim | null;
  files: AsyncIterable<UploadFile>;
  /** Set where the lines are stored rejections. */
  replayed?: Replayed;
}

export interface IngestContext {
  db: Database;
  registry: Registry;
  limits: Limits;
  /** This process, as in `sluice.batches.process`. */
  process: string;
  /** Told of a batch that failed and could not be recorded as aborted, Postgres being away. */
  onLost: (batchId: string) => void;
}

/**
 * Takes an upload in.
 * @returns the report as it was stored, and the HTTP status that goes with it
 * @throws {Problem} if nothing could be stored; the client's or the network's error if the upload broke off
 */
export function ingest(upload: Upload, context: IngestContext): Promise<StoredAnswer> {
  const { batchId, receivedAt, dryRun, claim, full, schemaParameter } = upload;
  const rules = { ...upload.rules, mostRejections: context.limits.rejections };
  const { db, process, onLost, registry } = context;
  const tally = new Tally(dryRun && full ? DRY_RUN_REJECTIONS : undefined);
  const resolve = (schema: string) => registry.resolve(schema);
  const options = { batchId, receivedAt, dryRun, claim, process, rules, schemaParameter, resolve };
  const { replayed } = upload;
  const loading = new Loading(db, tally, replayed === undefined ? options : { ...options, replayed });
  return run(new Batch(upload, context, tally, loading), upload.files, () => onLost(batchId));
}

/** The pipeline itself, whatever the destination. */
export async function run(batch: Batch, files: AsyncIterable<UploadFile>, onLost = () => {}): Promise<StoredAnswer> {
  const { destination } = batch;
  let hasBegun = false;
  try {
    for await (const file of files) {
      for await (const block of batch.open(file)) {
        hasBegun = true;
        for (const lines of block) {
          for (let from = 0; from < lines.count; ) {
            from = batch.judge(lines, from);
            if (destination.isFull) await destination.relieve();
          }
        }
      }
      batch.close(file);
    }
    batch.expectLines();
    return await destination.finish(batch.ending());
  } catch (error) {
    // What made the upload fail is what the client is told, whether or not that can be recorded now. A body with
    // nothing in it never was an upload.
    const isUpload = hasBegun && !(error instanceof Problem && error.code === 'empty_body');
    await destination.abandon((error as Error).message, batch.ending(), isUpload).catch(onLost);
    throw error;
  }
}

/**
 * The fingerprint of a request that only asks for the report of an earlier one: reads the payload, stores nothing.
 * @returns SHA-256, equal for equal parameters and payload
 */
export async function fingerprintOf(upload: Pick<Upload, 'files' | 'parameters'>): Promise<Buffer> {
  const files: { sha256: string }[] = [];
  for await (const file of upload.files) {
    for await (const _ of file.format === 'lines' ? file.blocks : file.chunks);
    files.push(file.received());
  }
  return fingerprint(upload.parameters, files);
}

function fingerprint(parameters: string, files: readonly { sha256: string }[]): Buffer {
  const hash = createHash('sha256').update(parameters);
  for (const file of files) hash.update(`\n${file.sha256}`);
  return hash.digest();
}

/** What the judging of lines needs of an upload and of its surroundings. */
type Rules = Pick<Upload, 'parameters' | 'schema' | 'startedAt'>;
type Surroundings = Pick<IngestContext, 'registry' | 'limits'>;

/** The state of one upload while its lines are judged. */
export class Batch {
  readonly destination: Destination;
  readonly #rules: Rules;
  readonly #context: Surroundings;
  readonly #tally: Tally;
  readonly #files: FileRecord[] = [];
  #file: UploadFile | undefined;
  #judge: Judge | undefined;
  #linesBefore = 0;

  constructor(rules: Rules, context: Surroundings, tally: Tally, destination: Destination) {
    this.#rules = rules;
    this.#context = context;
    this.#tally = tally;
    this.destination = destination;
  }

  /** Begins a file; its lines are counted from 1. They come in blocks, each valid until the next. */
  open(file: UploadFile): AsyncIterable<Iterable<Lines>> {
    const { limits, registry } = this.#context;
    this.#file = file;
    this.#linesBefore = this.#tally.received;
    const schema = this.#rules.schema ?? (file.format === 'lines' ? file.schema : null);
    this.#judge = new Judge({ registry, schema, limits }, file.format === 'ndjson');
    return file.format === 'lines' ? singly(file.blocks) : framed(file, limits.lineBytes);
  }

  close(file: UploadFile): void {
    this.#files.push({
      name: file.name,
      format: file.format,
      first_line: this.#linesBefore + 1,
      lines: this.#tally.received - this.#linesBefore,
      ...file.received(),
    });
  }

  /**
   * Every line gets exactly one verdict here.
   * @param from the first line that has none yet
   * @returns the next one: behind the last, unless rows have become so large that room has to be made first
   */
  judge(lines: Lines, from: number): number {
    const judge = this.#judge!;
    const tally = this.#tally;
    const source: Source = {
      file: this.#file!.name,
      linesBefore: this.#linesBefore,
      bytes: lines.bytes,
      offset: lines.offset,
    };
    if (from === 0) judge.open(lines);
    for (let index = from; index < lines.count; index++) {
      const batchLine = ++tally.received;
      const judgement = judge.judge(index);
      if (judgement === 'blank') {
        tally.blank++;
        this.destination.blank(batchLine);
      } else if (!isPassed(judgement)) {
        this.#reject(judgement, source, lines, index, batchLine);
      } else {
        const { event, schema } = judgement;
        const chunk = this.destination.chunk(schema);
        const fault = this.#encode(event, schema, chunk.rows, index, batchLine);
        if (fault === undefined) {
          chunk.add(source, schema, lines.starts[index]!, lines.ends[index]!, batchLine);
          tally.pass(schema.id, batchLine - this.#linesBefore);
          if (chunk.rows.length > MOST_ROW_BYTES) return index + 1;
        } else {
          const refusal: Refusal = { code: 'unstorable_value', schema: schema.id, errors: [fault] };
          this.#reject(refusal, source, lines, index, batchLine);
        }
      }
    }
    return lines.count;
  }

  /** @throws {Problem} `empty_body` if there was no line at all */
  expectLines(): void {
    if (this.#tally.received === 0) throw new Problem('empty_body', 'The body has no line in it');
  }

  ending(): Ending {
    const { parameters, startedAt } = this.#rules;
    const bytes = this.#files.reduce((sum, file) => sum + file.bytes, 0);
    return { files: this.#files, bytes, startedAt, fingerprint: fingerprint(parameters, this.#files) };
  }

  #encode(
    event: object,
    schema: SchemaVersion,
    rows: RowBuffer,
    index: number,
    batchLine: number,
  ): LineError | undefined {
    const encode = encoderOf(schema);
    rows.escapes = this.#judge!.escapes;
    let fault = encode(event, rows, batchLine);
    if (fault === NEEDS_EXACT) fault = encode(this.#judge!.exactly(index), rows, batchLine);
    if (fault === NEEDS_EXACT) throw new Error('an exactly parsed line needs no other parse');
    return fault;
  }

  #reject(refusal: Refusal, source: Source, lines: Lines, index: number, batchLine: number): void {
    const { limits } = this.#context;
    const start = lines.starts[index]!;
    const end = lines.ends[index]!;
    const length = lines.fault !== undefined && 'length' in lines.fault ? lines.fault.length : end - start;
    const { file, linesBefore, offset, bytes } = source;
    this.destination.reject({
      ...refusal,
      errors: refusal.errors.map(printable),
      line: batchLine - linesBefore,
      batchLine,
      offset: offset + start,
      length,
      file,
      raw: bytes.subarray(start, Math.min(end, start + limits.lineBytes)),
    });
  }
}

async function* framed({ format, chunks }: ByteFile, lineBytes: number): AsyncGenerator<Iterable<Lines>> {
  const framing: Framing = format === 'ndjson' ? new NdjsonFraming(lineBytes) : new JsonFraming(lineBytes);
  for await (const chunk of chunks) yield framing.push(chunk);
  yield framing.end();
}

async function* singly(blocks: AsyncIterable<Lines>): AsyncGenerator<Iterable<Lines>> {
  for await (const lines of blocks) yield [lines];
}

const encoders = new WeakMap<SchemaVersion, Encode>();

/** The encoder of a schema version, generated when it is first asked for. */
export function encoderOf(schema: SchemaVersion): Encode {
  let encode = encoders.get(schema);
  if (encode === undefined) {
    encode = compileEncoder(schema.plan, schema.shape, schema.version);
    encoders.set(schema, encode);
  }
  return encode;
}

/** Names and snippets of an event may hold what neither JSON clients nor jsonb can take. */
function printable({ path, keyword, message }: LineError): LineError {
  const clean = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd');
  return { path: clean(path), keyword, message: clean(message) };
}
