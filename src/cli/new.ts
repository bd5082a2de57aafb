// `sluice schemas new`: samples in, a subject's first schema and its first examples out. Overwrites nothing.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Limits } from '../config.ts';
import { StartError } from '../errors.ts';
import type { Report } from '../model.ts';
import { loadFolder } from '../schema/folder.ts';
import { Inference } from '../schema/infer.ts';
import { isSubjectName } from '../schema/listing.ts';
import { judgeStream } from '../validate.ts';
import { visible } from '../visible.ts';
import { sourceFault } from './print.ts';
import { openSource, SourceError } from './source.ts';

/** Samples that become examples. */
const EXAMPLES = 10;
/** Samples whose storing is tried out. */
const TRIED = 1_000;

/**
 * Writes `<folder>/<subject>/1.0.0.json` and `examples/pass.ndjson`.
 * @returns what to tell the user
 * @throws {StartError} for a bad name, a sample that is no event, or a file that is there already
 */
export async function createSubject(subject: string, from: string, folder: string, limits: Limits): Promise<string> {
  if (!isSubjectName(subject)) {
    throw new StartError(
      `${JSON.stringify(subject)} is no name for a subject: allowed are up to 48 of a-z, 0-9 and _, a letter first, no __`,
    );
  }
  const inference = new Inference();
  const tried: string[] = [];
  await eachSample(from, limits, (event, line) => {
    inference.add(event);
    if (tried.length < TRIED) tried.push(line);
  });
  if (inference.samples === 0) throw new StartError(`${visible(from)} has no event in it`);

  // A date that JSON Schema knows and Postgres does not should come in as text.
  const first = await attempt(subject, inference.schema(), tried, limits);
  const result =
    first.wrong.size === 0 ? first : await attempt(subject, inference.schema({ formats: false }), tried, limits);
  const { text, wrong } = result.wrong.size < first.wrong.size ? result : first;
  const examples = tried.filter((_, at) => !wrong.has(at + 1)).slice(0, EXAMPLES);
  const schemaFile = join(folder, subject, '1.0.0.json');
  const examplesFile = join(folder, subject, 'examples', 'pass.ndjson');
  await write(schemaFile, text);
  await write(examplesFile, examples.map((line) => `${line}\n`).join('')).catch(async (error) => {
    await rm(schemaFile);
    throw error;
  });
  const count = `${inference.samples} ${inference.samples === 1 ? 'event' : 'events'}`;
  const lost =
    wrong.size === 0 ? '' : `${wrong.size} of them hold values that Postgres cannot: see "sluice validate"\n`;
  return `${visible(schemaFile)}: inferred from ${count}\n${visible(examplesFile)}: the first ${examples.length}\n${lost}`;
}

/** Tries a schema on samples. The numbers are of lines that cannot be stored under it. */
async function attempt(subject: string, schema: object, samples: readonly string[], limits: Limits) {
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  try {
    await mkdir(join(folder, subject));
    await writeFile(join(folder, subject, '1.0.0.json'), text);
    const registry = await loadFolder(folder);
    const chunks = Readable.from([Buffer.from(samples.join('\n'))]);
    const report: Report = await judgeStream(chunks, { registry, schema: registry.only, limits });
    return { text, wrong: new Set(report.rejections.map(({ line }) => line)) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const reason = isThere
      ? 'is there already, and nothing is overwritten'
      : `cannot be written: ${(error as Error).message}`;
    throw new StartError(`${visible(path)} ${reason}`);
  }
}

/** Calls `visit` with each event and its line, both without the `$schema` that only says where an event belongs. */
async function eachSample(from: string, limits: Limits, visit: (event: object, line: string) => void): Promise<void> {
  let number = 0;
  const take = (bytes: Buffer): void => {
    number++;
    const text = decoded(bytes);
    if (text?.trim() === '') return;
    const event = text === undefined ? undefined : parsed(text);
    const fault = text === undefined ? 'is not UTF-8' : faultOf(event, bytes, limits);
    if (fault !== undefined) throw new StartError(`${visible(from)} line ${number} ${fault}`);
    const { $schema, ...rest } = event as Record<string, unknown>;
    visit(rest, $schema === undefined ? text!.trim() : JSON.stringify(rest));
  };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of await opened(from)) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
      take(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > limits.lineBytes) take(rest);
  }
  if (rest.length > 0) take(rest);
}

async function* opened(from: string): AsyncGenerator<Buffer> {
  try {
    const { bytes, gzip } = await openSource(from);
    if (!gzip) yield* bytes;
    else {
      const source = Readable.from(bytes);
      const plain = createGunzip();
      source.once('error', (error) => plain.destroy(error));
      yield* source.pipe(plain) as AsyncIterable<Buffer>;
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(
      `${visible(from)}: ${sourceFault(error instanceof SourceError ? error : new SourceError(error))}`,
    );
  }
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function faultOf(event: unknown, bytes: Buffer, { lineBytes, depth }: Limits): string | undefined {
  if (bytes.length > lineBytes) return `is longer than MAX_LINE_BYTES (${lineBytes})`;
  if (event === undefined) return 'is not JSON: a sample is one JSON object on one line';
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return 'is no JSON object';
  let level: unknown[] = [event];
  for (let deep = 1; level.length > 0; deep++) {
    const isDeep = deep > depth && level.some((value) => typeof value === 'object' && value !== null);
    if (isDeep) return `is nested deeper than MAX_DEPTH (${depth})`;
    if (level.some((value) => typeof value === 'number' && !Number.isFinite(value)))
      return 'has a number beyond double';
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
  }
  return undefined;
}
