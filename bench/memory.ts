// Peak memory of a 2 GB upload against one of 100 MB.
import { join } from 'node:path';
import { type Bench, MIB, say } from './figures.ts';
import { generateFile } from './generate.ts';
import { startServer, upload } from './server.ts';

const SIZES = [
  ['100 MB', 617_000],
  ['2 GB', 12_350_000],
] as const;

/** Runs the scenario and prints its figures. */
export async function benchMemory({ directory, url, bad }: Bench): Promise<object> {
  const path = join(directory, 'events.ndjson');
  const peaks: Record<string, number> = {};
  for (const [name, lines] of SIZES) {
    await generateFile(path, { lines, seed: 1, bad });
    const server = await startServer({ databaseUrl: url });
    const { seconds, answer } = await upload(server, path);
    const peak = server.peak();
    peaks[name] = peak;
    await server.stop();
    say(`${name}: ${answer.lines.received} lines in ${seconds.toFixed(1)} s, peak ${(peak / MIB).toFixed(0)} MiB`);
  }
  const difference = (peaks['2 GB']! - peaks['100 MB']!) / MIB;
  say(`difference ${difference.toFixed(0)} MiB`);
  return { peaks, difference };
}
