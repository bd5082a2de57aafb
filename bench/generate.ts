// A seeded generator of `user_event` lines: the same seed gives the same bytes on every machine.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

/** Mulberry32: small, quick and the same everywhere. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

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
  /** Bytes that make a line too long for the server asked. */
  lineLimit?: number;
}

export interface GeneratedLine {
  bytes: Buffer;
  badness: Badness | null;
}

const NAMES = ['ada', 'grace', 'edsger', 'barbara', 'donald', 'radia', 'tony', 'frances'];
const HOSTS = ['example.com', 'example.org', 'example.net'];
const BASE = Date.UTC(2026, 0, 1);

/** Lines one by one, with their line endings. */
export function* generate({ lines, seed, bad, lineLimit = 1_048_576 }: GeneratorOptions): Generator<GeneratedLine> {
  const next = random(seed);
  for (let index = 0; index < lines; index++) {
    const line = goodLine(index, next);
    if (next() >= bad) yield { bytes: Buffer.from(`${line}\n`), badness: null };
    else {
      const badness = BADNESS[Math.floor(next() * BADNESS.length)]!;
      // Over-long lines are rare, or they would be most of the file.
      const kind = badness === 'overlong' && next() < 0.99 ? 'missing_field' : badness;
      yield { bytes: Buffer.concat([spoil(line, kind, lineLimit), Buffer.from('\n')]), badness: kind };
    }
  }
}

function goodLine(index: number, next: () => number): string {
  const name = NAMES[Math.floor(next() * NAMES.length)]!;
  const host = HOSTS[Math.floor(next() * HOSTS.length)]!;
  const time = `${new Date(BASE + Math.floor(next() * 31_000_000_000)).toISOString().slice(0, 19)}Z`;
  const phone = `+49${String(Math.floor(next() * 1e8)).padStart(8, '0')}`;
  const date = time.slice(0, 10);
  const type = Math.floor(next() * 20);
  return `{"event_type":${type},"event_time":"${time}","data":{"user_email":"${name}.${index}@${host}","phone_number":"${phone}"},"processing_date":"${date}"}`;
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

/** Writes the lines to a file. */
export async function generateFile(path: string, options: GeneratorOptions): Promise<void> {
  const file = createWriteStream(path);
  let block: Buffer[] = [];
  let size = 0;
  for (const { bytes } of generate(options)) {
    block.push(bytes);
    size += bytes.length;
    if (size < 1 << 20) continue;
    if (!file.write(Buffer.concat(block))) await once(file, 'drain');
    block = [];
    size = 0;
  }
  file.end(Buffer.concat(block));
  await finished(file);
}
