// One upload of `user_event` lines, all good.
import { join } from 'node:path';
import { besideCopy } from '../beside-copy.ts';
import { type Figure, MIB } from '../figures.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';

/** Against the floor and the limit; and the peak resident size of the server meanwhile. */
export async function benchLoad(bench: Bench): Promise<Figure[]> {
  const lines = bench.lines(1_000_000);
  const path = join(bench.directory, 'events.ndjson');
  const bytes = await generateFile(path, { lines, seed: bench.seed, bad: 0 });
  bench.note(`load: ${lines} lines, ${(bytes / 1e6).toFixed(0)} MB`);
  const server = await startServer({ databaseUrl: bench.url, profileDir: bench.profileDir });
  try {
    const figures = await besideCopy(bench, { id: 'load', server, file: { path }, subjects: ['user_event'] });
    return [...figures, { id: 'load.peak', work: 'peak resident size', unit: 'MiB', values: [server.peak() / MIB] }];
  } finally {
    await server.stop();
  }
}
