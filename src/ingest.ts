// THE PIPELINE. An upload's bytes go in at the top, its report comes out at the bottom:
//
//   upload ── files ── chunks ── lines ── verdicts ── rows ── stage ── final ── report
//             intake   intake    frame    judge       encode  relieve  finish
//                                         └──── scan ────┘
//
// A scanner takes lines as most good ones are straight from bytes to rows; what it does not take is judged and encoded.
// A bad line is a value and leaves through `reject`; only the world outside (client, network, Postgres) throws, and then
// nothing of the batch is kept.
import { createHash } from 'node:crypto';
import type { Client } from './access/client.ts';
import type { Limits } from './config.ts';
import { type Database, databaseProblem, sqlstate } from './db.ts';
import { Problem } from './errors.ts';
import { encoderOf, NEEDS_EXACT } from './lines/encode.ts';
import type { Framing, Lines } from './lines/framing.ts';
import { JsonFraming } from './lines/json.ts';
import { isPassed, Judge } from './lines/judge.ts';
import { NdjsonFraming } from './lines/ndjson.ts';
import type { RowBuffer } from './lines/rows.ts';
import { type ScannerOf, scannerOf } from './lines/scan/known.ts';
import { LineScanner } from './lines/scan/scanner.ts';
import type { Source } from './load/chunk.ts';
import type { Destination, Ending } from './load/destination.ts';
import type { Claim } from './load/idempotency.ts';
import { type Alongside, Loading } from './load/loading.ts';
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
  /** Who asked for it: the batch is theirs, and of subjects that they may not send no line passes. */
  client: Client;
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
  /** Called in the transaction that commits the batch. */
  alongside?: Alongside;
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
  const { batchId, client, receivedAt, dryRun, claim, full, schemaParameter } = upload;
  const rules = { ...upload.rules, mostRejections: context.limits.rejections };
  const { db, process, onLost, registry } = context;
  const tally = new Tally(dryRun && full ? DRY_RUN_REJECTIONS : undefined);
  const resolve = (schema: string) => registry.resolve(schema);
  const options = { batchId, client: client.id, receivedAt, dryRun, claim, process, rules, schemaParameter, resolve };
  const { replayed, alongside } = upload;
  const loading = new Loading(db, tally, {
    ...options,
    ...(replayed && { replayed }),
    ...(alongside && { alongside }),
  });
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
    await destination.abandon(reasonFor(error), batch.ending(), isUpload).catch(onLost);
    throw error;
  }
}

/** What the batch's record says, to whoever may read it. What Postgres says of our SQL is for the log alone. */
function reasonFor(error: unknown): string {
  const { message } = databaseProblem(error) ?? (error as Error);
  return sqlstate(error) !== undefined && message === (error as Error).message ? 'the server failed' : message;
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
type Rules = Pick<Upload, 'parameters' | 'schema' | 'startedAt'> & Partial<Pick<Upload, 'client'>>;
type Surroundings = Pick<IngestContext, 'registry' | 'limits'>;

/** The state of one upload while its lines are judged. */
export class Batch {
  readonly destination: Destination;
  readonly #rules: Rules;
  readonly #context: Surroundings;
  readonly #tally: Tally;
  readonly #files: FileRecord[] = [];
  #file: UploadFile | undefined;
  #scanner: LineScanner | undefined;
  #judge: Judge | undefined;
  readonly #scannerOf: ScannerOf;
  #linesBefore = 0;

  /** @param scanners where the scanners come from: no scanner for any version gives the same result, more slowly */
  constructor(
    rules: Rules,
    context: Surroundings,
    tally: Tally,
    destination: Destination,
    scanners: ScannerOf = scannerOf,
  ) {
    this.#rules = rules;
    this.#scannerOf = scanners;
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
    const subjects = this.#rules.client?.subjects ?? null;
    this.#scanner = new LineScanner({ registry, schema, subjects, limits, scannerOf: this.#scannerOf });
    this.#judge = new Judge({ registry, schema, subjects, limits }, file.format === 'ndjson');
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
    const scanner = this.#scanner!;
    const judge = this.#judge!;
    const tally = this.#tally;
    const source: Source = {
      file: this.#file!.name,
      linesBefore: this.#linesBefore,
      bytes: lines.bytes,
      offset: lines.offset,
    };
    if (from === 0) {
      scanner.open(lines);
      judge.open(lines);
    }
    for (let index = from; index < lines.count; index++) {
      const batchLine = ++tally.received;
      const version = scanner.versionOf(index);
      // The first row of a version is the judge's: to ask for a chunk without a row for it would be to expect one.
      const isUnderWay = version !== null && tally.passed.has(version.id);
      if (isUnderWay && scanner.scan(this.destination.chunk(version).rows, batchLine)) {
        if (this.#pass(version, source, lines, index, batchLine)) return index + 1;
        continue;
      }
      const judgement = judge.judge(index);
      if (judgement === 'blank') {
        tally.blank++;
        this.destination.blank(batchLine);
      } else if (!isPassed(judgement)) {
        this.#reject(judgement, source, lines, index, batchLine);
      } else {
        const { event, schema } = judgement;
        const { rows } = this.destination.chunk(schema);
        const fault = this.#encode(event, schema, rows, index, batchLine);
        if (fault === undefined) {
          if (this.#pass(schema, source, lines, index, batchLine)) return index + 1;
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

  /** Notes the place of a row just written. @returns whether its chunk is so large that room has to be made */
  #pass(schema: SchemaVersion, source: Source, lines: Lines, index: number, batchLine: number): boolean {
    const chunk = this.destination.chunk(schema);
    chunk.add(source, schema, lines.starts[index]!, lines.ends[index]!, batchLine);
    this.#tally.pass(schema.id, batchLine - this.#linesBefore);
    return chunk.rows.length > MOST_ROW_BYTES;
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
    const { code, schema, errors } = refusal;
    this.destination.reject({
      code,
      schema,
      errors: errors.every(isPrintable) ? errors : errors.map(printable),
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

function isPrintable({ path, message }: LineError): boolean {
  return path.isWellFormed() && message.isWellFormed() && !path.includes('\0') && !message.includes('\0');
}

/** Names and snippets of an event may hold what neither JSON clients nor jsonb can take. */
function printable({ path, keyword, message }: LineError): LineError {
  const clean = (text: string): string => text.toWellFormed().replaceAll('\0', '\ufffd');
  return { path: clean(path), keyword, message: clean(message) };
}
