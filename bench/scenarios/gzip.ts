// The same upload as in load.ts, gzipped as the tool of that name does it by default.
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { besideCopy } from '../beside-copy.ts';
import type { Figure } from '../figures.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';

const LEVEL = 6;

export async function benchGzip(bench: Bench): Promise<Figure[]> {
  const plain = join(bench.directory, 'events.ndjson');
  const path = `${plain}.gz`;
  await generateFile(plain, { lines: bench.lines(1_000_000), seed: bench.seed, bad: 0 });
  await pipeline(createReadStream(plain), createGzip({ level: LEVEL }), createWriteStream(path));
  const server = await startServer({ databaseUrl: bench.url, profileDir: bench.profileDir });
  try {
    const file = { path, headers: { 'content-encoding': 'gzip' } };
    return await besideCopy(bench, { id: 'gzip', server, file, subjects: ['user_event'] });
  } finally {
    await server.stop();
  }
}
