// A seeded generator of `user_event` lines: the same seed gives the same bytes on every machine.
import { writeLines } from './generate/file.ts';
import { pick, random, time } from './generate/random.ts';

const BADNESS = [
  'broken_json',
  'wrong_type',
  'bad_date',
  'bad_utf8',
  'overlong',
  'missing_field',
  'extra_field',
] as const;
export type Badness = (typeof BADNESS)[number];

export interface GeneratorOptions {
  lines: number;
  seed: number;
  /** Share of bad lines, 0..1. */
  bad: number;
  /** What is wrong with the bad ones; absent: all kinds. */
  kinds?: readonly Badness[];
  /** Bytes that make a line too long for the server asked. */
  lineLimit?: number;
}

export interface GeneratedLine {
  bytes: Buffer;
  badness: Badness | null;
}

const NAMES = ['ada', 'grace', 'edsger', 'barbara', 'donald', 'radia', 'tony', 'frances'];
const HOSTS = ['example.com', 'example.org', 'example.net'];

/** Lines one by one, with their line endings. */
export function* generate(options: GeneratorOptions): Generator<GeneratedLine> {
  const { lines, seed, bad, kinds = BADNESS, lineLimit = 1_048_576 } = options;
  const next = random(seed);
  for (let index = 0; index < lines; index++) {
    const line = goodLine(index, next);
    if (next() >= bad) yield { bytes: Buffer.from(`${line}\n`), badness: null };
    else {
      const badness = pick(next, kinds);
      // Over-long lines are rare, or they would be most of the file.
      const kind = badness === 'overlong' && next() < 0.99 ? 'missing_field' : badness;
      yield { bytes: Buffer.concat([spoil(line, kind, lineLimit), Buffer.from('\n')]), badness: kind };
    }
  }
}

/** Good lines only, as text without line endings. */
export function* goodLines(lines: number, seed: number): Generator<string> {
  const next = random(seed);
  for (let index = 0; index < lines; index++) yield goodLine(index, next);
}

function goodLine(index: number, next: () => number): string {
  const name = pick(next, NAMES);
  const host = pick(next, HOSTS);
  const when = time(next);
  const phone = `+49${String(Math.floor(next() * 1e8)).padStart(8, '0')}`;
  const date = when.slice(0, 10);
  const type = Math.floor(next() * 20);
  return `{"event_type":${type},"event_time":"${when}","data":{"user_email":"${name}.${index}@${host}","phone_number":"${phone}"},"processing_date":"${date}"}`;
}

function spoil(line: string, badness: Badness, lineLimit: number): Buffer {
  switch (badness) {
    case 'broken_json':
      return Buffer.from(line.slice(0, -2));
    case 'wrong_type':
      return Buffer.from(line.replace(/"event_type":(\d+)/, '"event_type":"$1"'));
    case 'bad_date':
      return Buffer.from(line.replace(/"event_time":"\d{4}-\d\d/, '"event_time":"2026-13'));
    case 'bad_utf8': {
      const bytes = Buffer.from(line);
      bytes[bytes.indexOf('@')] = 0xff;
      return bytes;
    }
    case 'overlong':
      return Buffer.from(line.replace('+49', 'x'.repeat(lineLimit)));
    case 'missing_field':
      return Buffer.from(line.replace(/"event_time":"[^"]*",/, ''));
    case 'extra_field':
      return Buffer.from(line.replace('{', '{"surprise":true,'));
  }
}

/** Writes the lines to a file; the bytes written. */
export function generateFile(path: string, options: GeneratorOptions): Promise<number> {
  return writeLines(path, bytesOf(generate(options)));
}

function* bytesOf(lines: Iterable<GeneratedLine>): Generator<Buffer> {
  for (const { bytes } of lines) yield bytes;
}
