// A whole upload through the pipeline with scanners and without: the same rows in the same order, the same places, the
// same rejections, the same totals.
import { createHash } from 'node:crypto';
import t from 'tap';
import { type Badness, generate } from '../../../bench/generate.ts';
import type { Limits } from '../../../src/config.ts';
import { Batch, run, type UploadFile } from '../../../src/ingest.ts';
import { compileScanner } from '../../../src/lines/scan/compile.ts';
import { type ScannerOf, scannerOf } from '../../../src/lines/scan/known.ts';
import { type Chunk, chunkFor } from '../../../src/load/chunk.ts';
import type { Destination } from '../../../src/load/destination.ts';
import type { Rejection } from '../../../src/model.ts';
import { Tally } from '../../../src/report/tally.ts';
import { loadFolder } from '../../../src/schema/folder.ts';
import type { Registry, SchemaVersion } from '../../../src/schema/registry.ts';
import { folderOf } from '../../schema/schemas.ts';
import { SCHEMAS, VERSIONS } from './schemas.ts';
import { damaged, Random, Texts } from './texts.ts';

const SEED = Number(process.env.SCAN_SEED ?? 20_261_121);
const LIMITS = { lineBytes: 20_000, depth: 64 } as Limits;

/** Everything that a batch hands on, in a form that can be compared. */
class Kept implements Destination {
  abortReason: string | undefined;
  readonly tally: Tally;
  readonly #chunks = new Map<string, Chunk>();
  readonly #hash = createHash('sha256');
  readonly rejections: string[] = [];
  readonly blanks: number[] = [];
  /** Subjects whose tables a chunk was asked for. */
  readonly tables = new Set<string>();
  rows = 0;
  #asked = 0;

  constructor(tally: Tally) {
    this.tally = tally;
  }

  chunk(schema: SchemaVersion): Chunk {
    this.tables.add(schema.plan.table);
    return chunkFor(this.#chunks, schema);
  }

  reject(rejection: Rejection): void {
    this.tally.reject(rejection);
    this.rejections.push(JSON.stringify({ ...rejection, raw: Buffer.from(rejection.raw).toString('base64') }));
  }

  blank(batchLine: number): void {
    this.blanks.push(batchLine);
  }

  get isFull(): boolean {
    return ++this.#asked % 7 === 0;
  }

  async relieve(): Promise<void> {
    for (const [table, chunk] of this.#chunks) {
      this.#hash.update(table).update(chunk.rows.copyData());
      for (let row = 0; row < chunk.rows.rows; row++) {
        const { raw, ...place } = chunk.place(row);
        this.#hash.update(JSON.stringify([place, chunk.schema(row).id])).update(raw);
        this.rows++;
      }
      chunk.clear();
    }
  }

  async finish() {
    await this.relieve();
    return { report: '', status: 200 };
  }

  async abandon(): Promise<void> {}

  result(): object {
    const { received, rejected, blank, passed, schemas, rejections } = this.tally;
    const totals = { received, rejected, blank, passed: [...passed], schemas: [...schemas] };
    const { rows, blanks, tables } = this;
    const causes = this.tally.causes();
    const all = [this.rejections, rejections, blanks, [...tables].sort(), causes];
    return { ...totals, rows, all: all.map((each) => JSON.stringify(each)), digest: this.#hash.digest('hex') };
  }
}

interface Given {
  registry: Registry;
  schema: SchemaVersion | null;
  body: Buffer;
  format: 'ndjson' | 'json';
}

async function result({ registry, schema, body, format }: Given, scanners: ScannerOf): Promise<object> {
  const tally = new Tally();
  const kept = new Kept(tally);
  const random = new Random(1);
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < body.length; ) {
      const size = 1 + random.below(70_000);
      yield body.subarray(at, at + size);
      at += size;
    }
  }
  async function* files(): AsyncGenerator<UploadFile> {
    for (const name of ['first', 'second']) {
      yield { name, format, chunks: chunks(), received: () => ({ bytes: body.length, sha256: '' }) };
    }
  }
  const rules = { parameters: '', schema, startedAt: 0 };
  await run(new Batch(rules, { registry, limits: LIMITS }, tally, kept, scanners), files());
  return kept.result();
}

/** Counts what the scanners take. */
function counting(of: ScannerOf): { scanners: ScannerOf; taken: () => number } {
  const made = new Map<SchemaVersion, ReturnType<ScannerOf>>();
  let taken = 0;
  const scanners: ScannerOf = (version) => {
    const known = made.get(version);
    if (known !== undefined) return known;
    const scan = of(version);
    const counted = scan ? (...given: Parameters<typeof scan>) => scan(...given) && ++taken > 0 : scan;
    if (scan !== undefined) made.set(version, counted);
    return counted;
  };
  return { scanners, taken: () => taken };
}

async function compared(given: Given): Promise<{ same: boolean; with: object; without: object; taken: number }> {
  const without = await result(given, () => null);
  const { scanners, taken } = counting(compileScanner);
  const scanned = await result(given, scanners);
  const lately = await result(given, scannerOf);
  const [expected, ...others] = [without, scanned, lately].map((each) => JSON.stringify(each));
  return { same: others.every((each) => each === expected), with: scanned, without, taken: taken() };
}

t.comment(`SCAN_SEED=${SEED}`);

t.test('the generated file of the bench, some of it bad, loads alike with scanners and without', async (t) => {
  const registry = await loadFolder('schemas');
  const badness = new Set<Badness>();
  for (const bad of [0, 0.02, 0.5]) {
    const lines = [...generate({ lines: 8_000, seed: SEED, bad, lineLimit: LIMITS.lineBytes })];
    for (const line of lines) if (line.badness !== null) badness.add(line.badness);
    const body = Buffer.concat(lines.map(({ bytes }) => bytes));
    const { same, with: a, without, taken } = await compared({ registry, schema: null, body, format: 'ndjson' });
    t.ok(same, `${bad}: the results are the same`) || t.strictSame(a, without);
    const good = lines.filter((line) => line.badness === null).length;
    // Of each batch the first row is the judge's; a run of misses makes a pause.
    if (bad < 0.5) t.ok(taken >= 2 * good - 2, `${bad}: ${taken} of ${2 * good} good lines were scanned`);
  }
  t.ok(badness.size >= 6, 'nearly all kinds of badness are there');
});

t.test('so does an upload of many subjects, blank lines, damage and all, as NDJSON and as an array', async (t) => {
  const files = Object.fromEntries(Object.entries(SCHEMAS).map(([name, { schema }]) => [`${name}/1.0.0.json`, schema]));
  const registry = await loadFolder(folderOf(t, { ...files, ...VERSIONS }));
  const random = new Random(SEED);
  const versions = [...registry.subjects.values()].flatMap((subject) => subject.versions);
  const texts = new Map(versions.map((version) => [version, new Texts(version.bundle().schema, random)]));
  const lines: Buffer[] = [];
  for (let count = 0; count < 6_000; count++) {
    const version = random.pick(versions);
    const event = texts.get(version)!.event({ odd: random.chance(0.3), wild: random.chance(0.1) ? 0.05 : 0 });
    const name = random.pick([version.subject, version.id, `/${version.subject}/1`, 'nobody', 'many/1.0.0']);
    const named = event
      .replace(/^\{/, random.pick([`{"$schema":"${name}",`, `{"$schema":"${version.id}",`, '{', '{ ']))
      .replace(/\}$/, random.pick(['}', '}', '}', `,"$schema":"${version.id}"}`]));
    // A line feed would be two lines of NDJSON and none of an array.
    const line = random.chance(0.03) ? damaged(Buffer.from(named), random) : Buffer.from(named);
    lines.push(line.includes('\n') ? Buffer.from(' \t') : line);
  }
  const ndjson = Buffer.from(
    lines.map((line) => `${line.toString('latin1')}${random.pick(['\n', '\r\n'])}`).join(''),
    'latin1',
  );
  const array = Buffer.concat([
    Buffer.from('['),
    ...lines.flatMap((line) => [line, Buffer.from(',\n ')]),
    Buffer.from('{}]'),
  ]);
  for (const given of [
    { format: 'ndjson', body: ndjson, schema: null },
    { format: 'ndjson', body: ndjson, schema: registry.resolve('wide') },
    { format: 'json', body: array, schema: null },
  ] as const) {
    const { same, with: a, without, taken } = await compared({ registry, ...given });
    t.ok(same, `${given.format} by ${given.schema?.id ?? 'each its own'}: the results are the same`) ||
      t.strictSame(a, without);
    if (given.schema === null && given.format === 'ndjson') t.ok(taken > 400, `${taken} lines were scanned`);
  }
});
