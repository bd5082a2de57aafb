// The independent verifier: reads a batch's files again and works out by itself what each line should have become. What
// was recorded of rows when the batch was accepted is not looked at; the database is asked for rows, rejections, schemas.
import type { Limits } from '../../config.ts';
import { Problem } from '../../errors.ts';
import { Batch, run, type UploadFile } from '../../ingest.ts';
import { Tally } from '../../report/tally.ts';
import { atOneMoment, type Reading } from '../connections.ts';
import { homeOf, type RecordedBatch, readRecord } from '../record.ts';
import { RowTables } from '../tables.ts';
import type { Finding, VerifySummary } from './findings.ts';
import { Findings } from './list.ts';
import { Outcomes } from './outcomes.ts';
import { missingReplays } from './replays.ts';
import { RowStream } from './rows.ts';
import { registryThen } from './schemas.ts';
import { FinalIds, StandingRows } from './standing.ts';
import { Verifier } from './verifier.ts';

/** A file as it was uploaded. */
export interface VerifiedFile {
  /** As it was given, to be named in findings. */
  name: string;
  /** Decompressed. */
  chunks: AsyncIterable<Buffer>;
  received(): { bytes: number; sha256: string };
}

/** Of `Limits`: what was taken with other limits has to be read with these. */
const LINE_BYTES = 256 * 1024 * 1024;
const DEPTH = 1_000;

const EPOCH_MS = 946_684_800_000;

/**
 * Holds files against a batch.
 * @param tell is told of every difference, in the order of lines as far as that can be
 * @throws {Problem} `batch_not_found`, `batch_unfinished`; `batch_not_provable` for a replay, which has no file
 */
export function verifyFiles(
  reading: Reading,
  id: string,
  files: AsyncIterable<VerifiedFile>,
  limits: Limits,
  tell: (finding: Finding) => void,
): Promise<VerifySummary> {
  return atOneMoment(reading, async () => {
    const batch = await readRecord(reading.reader, id);
    if (batch === undefined) throw new Problem('batch_not_found', `There is no batch ${id}`);
    if (batch.status === 'receiving') throw new Problem('batch_unfinished', `The batch ${id} is still being received`);
    if (batch.files.some(({ format }) => format === 'lines')) {
      throw new Problem('batch_not_provable', `The batch ${id} is a replay of stored rejections: it has no file`);
    }
    return new Verification(reading, batch, limits, tell).run(files);
  });
}

class Verification {
  readonly #reading: Reading;
  readonly #batch: RecordedBatch;
  readonly #limits: Limits;
  readonly #findings: Findings;
  readonly #tally = new Tally();

  constructor(reading: Reading, batch: RecordedBatch, limits: Limits, tell: (finding: Finding) => void) {
    this.#reading = reading;
    this.#batch = batch;
    this.#limits = { ...limits, lineBytes: LINE_BYTES, depth: DEPTH };
    this.#findings = new Findings(tell);
  }

  async run(files: AsyncIterable<VerifiedFile>): Promise<VerifySummary> {
    const { reader, copier } = this.#reading;
    const batch = this.#batch;
    const registry = await registryThen(reader, batch);
    const tables = await RowTables.read(reader);
    const places = new StandingRows(reader, tables, registry.tables, batch);
    const verifier = new Verifier(
      this.#tally,
      {
        rows: new RowStream(copier, places.places, batch.id),
        outcomes: new Outcomes(reader, batch.id),
        places,
        ids: new FinalIds(reader, places, batch),
        keepsRows: homeOf(batch) !== null,
        // Of a batch that was aborted for their number only so many are kept.
        keepsRejections: batch.status !== 'aborted' || !/^more than \d+ lines/.test(batch.reason ?? ''),
        received: batch.status === 'aborted' ? batch.received : Number.POSITIVE_INFINITY,
        receivedAt: BigInt(batch.receivedAt.getTime() - EPOCH_MS) * 1_000n,
      },
      this.#findings,
    );
    const schema = batch.schema === null ? null : registry.resolve(batch.schema);
    const rules = { parameters: '', schema, startedAt: 0 };
    const pipeline = new Batch(rules, { registry, limits: this.#limits }, this.#tally, verifier);
    await run(pipeline, this.#opened(files)).catch(async (error) => {
      if (!(error instanceof Problem && error.code === 'empty_body')) throw error;
      await verifier.end();
    });
    for await (const { line, replayed_by, replay_line } of missingReplays(reader, tables, batch.id)) {
      const message = `it was replayed as line ${replay_line} of ${replayed_by}, which has no row of it`;
      this.#findings.add({ kind: 'replay_missing', line, message });
    }
    return this.#summary();
  }

  /** The files as the pipeline takes them, each held against its record behind its last byte. */
  async *#opened(files: AsyncIterable<VerifiedFile>): AsyncGenerator<UploadFile> {
    const recorded = this.#batch.files;
    let count = 0;
    for await (const file of files) {
      const known = recorded[count++];
      this.#findings.open(recorded.length > 1 ? (known?.name ?? file.name) : null, this.#tally.received + 1);
      const format = known?.format === 'json' ? 'json' : 'ndjson';
      yield { name: known?.name ?? null, format, chunks: file.chunks, received: () => file.received() };
      const { bytes, sha256 } = file.received();
      if (known === undefined) this.#source(`${file.name} is no file of the batch, which has ${recorded.length}`);
      else if (bytes !== known.bytes || sha256 !== known.sha256) {
        this.#source(
          `${file.name} is not what was received: ${bytes} bytes, ${sha256}, not ${known.bytes}, ${known.sha256}`,
        );
      }
    }
    if (count < recorded.length) this.#source(`the batch has ${recorded.length} files, of which ${count} were given`);
  }

  #source(message: string): void {
    this.#findings.add({ kind: 'source', line: null, message });
  }

  #summary(): VerifySummary {
    const { id, status } = this.#batch;
    return {
      batch_id: id,
      status: this.#findings.total === 0 ? 'matched' : 'mismatched',
      batch_status: status,
      lines: { received: this.#tally.received, ...this.#findings.counts },
      differences: this.#findings.byKind,
      checked_at: new Date().toISOString(),
    };
  }
}
