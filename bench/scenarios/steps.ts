// What each step of the pipeline costs on its own, in one thread: the same lines, one step more each time. The last
// one is the whole cost of the digest that proves a batch complete, but for storing it.
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { TableDigest } from '../../src/lines/digest.ts';
import { compileEncoder, NEEDS_EXACT } from '../../src/lines/encode.ts';
import type { Lines } from '../../src/lines/framing.ts';
import { isPassed, Judge } from '../../src/lines/judge.ts';
import { NdjsonFraming } from '../../src/lines/ndjson.ts';
import { RowBuffer } from '../../src/lines/rows.ts';
import { LineRuns } from '../../src/lines/runs.ts';
import { compileScanner } from '../../src/lines/scan/compile.ts';
import { LineScanner } from '../../src/lines/scan/scanner.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import type { Figure } from '../figures.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';

const LIMITS = { lineBytes: 1_048_576, depth: 64 };

interface StepTime {
  step: string;
  seconds: number;
}

/** Microseconds a line, cumulative. */
export async function benchSteps(bench: Bench): Promise<Figure[]> {
  const lines = bench.lines(1_000_000);
  const path = join(bench.directory, 'events.ndjson');
  await generateFile(path, { lines, seed: bench.seed, bad: 0 });
  const rounds: StepTime[][] = [];
  for (let round = 0; round < bench.rounds; round++) rounds.push(await timeSteps(path));
  return rounds[0]!.map(({ step }, index) => ({
    id: `steps.${index}`,
    work: `µs a line: ${step}`,
    unit: '',
    values: rounds.map((times) => (times[index]!.seconds / lines) * 1e6),
  }));
}

/** Seconds that the file takes up to and including each step, the usual way and then by the scanner. */
async function timeSteps(path: string): Promise<StepTime[]> {
  const registry = await loadFolder('schemas');
  const schema = registry.resolve('user_event')!;
  const encode = compileEncoder(schema.plan, schema.shape, schema.version);
  const rows = new RowBuffer();
  const runs = new LineRuns();
  const digest = new TableDigest();
  let line = 0;
  const judge = new Judge({ registry, schema, limits: LIMITS }, true);
  const decoder = (framing: NdjsonFraming, chunk: Buffer): void => {
    for (const lines of framing.push(chunk)) {
      judge.open(lines);
      for (let index = 0; index < lines.count; index++) {
        parse(lines.bytes.toString('latin1', lines.starts[index]!, lines.ends[index]!));
      }
    }
  };
  const judging = (framing: NdjsonFraming, chunk: Buffer): void => {
    for (const lines of framing.push(chunk)) {
      judge.open(lines);
      for (let index = 0; index < lines.count; index++) judge.judge(index);
    }
  };
  type Each = (line: number) => void;
  const judged = (index: number, each: Each): void => {
    const judgement = judge.judge(index);
    if (judgement === 'blank' || !isPassed(judgement)) return;
    let fault = encode(judgement.event, rows, line);
    if (fault === NEEDS_EXACT) fault = encode(judge.exactly(index), rows, line);
    if (fault === undefined) each(line);
  };
  const encoded = (lines: Lines, each: Each): void => {
    judge.open(lines);
    for (let index = 0; index < lines.count; index++) {
      line++;
      judged(index, each);
    }
  };
  const scan = compileScanner(schema);
  const scanner = new LineScanner({ registry, schema, limits: LIMITS, scannerOf: () => scan });
  const scanned = (lines: Lines, each: Each): void => {
    judge.open(lines);
    scanner.open(lines);
    for (let index = 0; index < lines.count; index++) {
      line++;
      if (scanner.versionOf(index) !== null && scanner.scan(rows, line)) each(line);
      else judged(index, each);
    }
  };
  const encoding = (way: typeof encoded) => (framing: NdjsonFraming, chunk: Buffer) => {
    for (const lines of framing.push(chunk)) way(lines, () => {});
    rows.clear();
  };
  const fingerprinting = (way: typeof encoded) => (framing: NdjsonFraming, chunk: Buffer) => {
    for (const lines of framing.push(chunk)) way(lines, (accepted) => runs.append(accepted));
    digest.add(runs, rows.fingerprints());
    runs.clear();
    rows.clear();
  };
  const splitting = (framing: NdjsonFraming, chunk: Buffer): void => {
    for (const _ of framing.push(chunk));
  };
  const steps: [string, (framing: NdjsonFraming, chunk: Buffer) => void][] = [
    ['split', splitting],
    ['split, JSON.parse', decoder],
    ['split, JSON.parse, validate', judging],
    ['split, JSON.parse, validate, encode', encoding(encoded)],
    ['split, JSON.parse, validate, encode, fingerprint', fingerprinting(encoded)],
    ['split, scan', encoding(scanned)],
    ['split, scan, fingerprint', fingerprinting(scanned)],
  ];
  const times: StepTime[] = [{ step: 'read the file', seconds: await timeFile(path, () => {}) }];
  for (const [step, work] of steps) times.push({ step, seconds: await timeFile(path, work) });
  return times;
}

async function timeFile(path: string, work: (framing: NdjsonFraming, chunk: Buffer) => void): Promise<number> {
  const framing = new NdjsonFraming(LIMITS.lineBytes);
  const start = performance.now();
  for await (const chunk of createReadStream(path, { highWaterMark: 65_536 })) work(framing, chunk as Buffer);
  return (performance.now() - start) / 1000;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
