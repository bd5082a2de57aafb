// Two and four uploads at once to one server: their total rate against that of one alone.
import { join } from 'node:path';
import { clear, withClient } from '../database.ts';
import { type Figure, ratios } from '../figures.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';
import { load } from '../upload.ts';

const COUNTS = { one: 1, two: 2, four: 4 } as const;
type Count = keyof typeof COUNTS;

export async function benchTogether(bench: Bench): Promise<Figure[]> {
  const lines = bench.lines(500_000);
  const path = join(bench.directory, 'events.ndjson');
  await generateFile(path, { lines, seed: bench.seed, bad: 0 });
  const rates: Record<Count, number[]> = { one: [], two: [], four: [] };
  const server = await startServer({ databaseUrl: bench.url, profileDir: bench.profileDir });
  try {
    for (let round = 0; round <= bench.rounds; round++) {
      for (const [name, count] of Object.entries(COUNTS)) {
        await withClient(bench.url, clear);
        const start = performance.now();
        await Promise.all(Array.from({ length: count }, () => load(server, { path })));
        // The first round warms up.
        if (round > 0) rates[name as Count].push((count * lines * 1_000) / (performance.now() - start));
      }
    }
  } finally {
    await server.stop();
  }
  return [
    { id: 'together.rate_one', work: 'rows of one upload', unit: '/s', values: rates.one },
    { id: 'together.rate_two', work: 'rows of two at once', unit: '/s', values: rates.two },
    { id: 'together.rate_four', work: 'rows of four at once', unit: '/s', values: rates.four },
    { id: 'together.two', work: 'two against one', unit: '×', values: ratios(rates.two, rates.one) },
    { id: 'together.four', work: 'four against one', unit: '×', values: ratios(rates.four, rates.one) },
  ];
}
