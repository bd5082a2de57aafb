// `sluice validate`: the pipeline with nothing behind it. The verdicts are the server's own but for two that only a
// database can give: duplicates, and values that Postgres refuses against expectation.
import { v7 as uuidv7 } from 'uuid';
import type { Limits } from './config.ts';
import { Problem } from './errors.ts';
import { Batch, run, type UploadFile } from './ingest.ts';
import { type Chunk, chunkFor } from './load/chunk.ts';
import type { Destination, Ending } from './load/destination.ts';
import type { Rejection, Report } from './model.ts';
import { buildReport } from './report/build.ts';
import { Tally } from './report/tally.ts';
import { loadFolder } from './schema/folder.ts';
import type { Registry, SchemaVersion } from './schema/registry.ts';

export interface ValidateSettings {
  /** `subject`, `subject/1` or `subject/1.0.0`; undefined: each event's own `$schema` decides. */
  schema: string | undefined;
  schemaDir: string;
  limits: Limits;
}

const folders = new Map<string, Promise<Registry>>();

/**
 * Judges one NDJSON file.
 * @param chunks its content, decompressed
 * @throws {SchemaFolderError} if the folder does not load; {Problem} if the schema is unknown or the file is empty
 */
export async function validateStream(chunks: AsyncIterable<Buffer>, settings: ValidateSettings): Promise<Report> {
  const { schemaDir, limits } = settings;
  const registry = await (folders.get(schemaDir) ?? remember(schemaDir));
  const schema = settings.schema === undefined ? null : registry.resolve(settings.schema);
  if (settings.schema !== undefined && schema === null) {
    throw new Problem('unknown_schema', `There is no schema ${JSON.stringify(settings.schema)}`);
  }
  return judgeStream(chunks, { registry, schema, limits });
}

/**
 * Judges one NDJSON file by a registry that is loaded already.
 * @param by `schema` null: each event's own `$schema` decides
 * @throws {Problem} if the file is empty
 */
export async function judgeStream(
  chunks: AsyncIterable<Buffer>,
  by: { registry: Registry; schema: SchemaVersion | null; limits: Limits },
): Promise<Report> {
  const { registry, schema, limits } = by;
  const tally = new Tally();
  const rules = {
    parameters: '',
    schema,
    startedAt: performance.now(),
  } as const;
  const nowhere = new Nowhere(tally);
  let bytes = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  async function* files(): AsyncGenerator<UploadFile> {
    yield { name: null, format: 'ndjson', chunks: counted(), received: () => ({ bytes, sha256: '' }) };
  }
  const { report } = await run(new Batch(rules, { registry, limits }, tally, nowhere), files());
  return JSON.parse(report);
}

function remember(schemaDir: string): Promise<Registry> {
  const registry = loadFolder(schemaDir);
  folders.set(schemaDir, registry);
  return registry;
}

/** A destination that keeps nothing but the tally. */
class Nowhere implements Destination {
  abortReason: string | undefined;
  readonly #tally: Tally;
  readonly #chunks = new Map<string, Chunk>();

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  chunk(schema: SchemaVersion): Chunk {
    return chunkFor(this.#chunks, schema);
  }

  reject(rejection: Rejection): void {
    this.#tally.reject(rejection);
  }

  blank(): void {}

  readonly isFull = true;

  async relieve(): Promise<void> {
    for (const chunk of this.#chunks.values()) chunk.clear();
  }

  async finish({ bytes, startedAt }: Ending) {
    const report = buildReport({
      batchId: uuidv7(),
      abortReason: undefined,
      isHeld: false,
      replayOf: undefined,
      dryRun: true,
      tally: this.#tally,
      duplicates: new Map(),
      checks: [],
      bytes,
      durationMs: Math.round(performance.now() - startedAt),
    });
    return { report: JSON.stringify(report), status: 200 };
  }

  async abandon(): Promise<void> {}
}
