// How long a single event waits for its answer, at half the rate that the server can take.
import { setTimeout as sleep } from 'node:timers/promises';
import { SINGLE } from '../emptiest.ts';
import { type Figure, percentile } from '../figures.ts';
import { type Answered, openLoop } from '../open-loop.ts';
import { loadGenerator } from '../requests.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';

export async function benchLatency(bench: Bench): Promise<Figure[]> {
  const generator = await loadGenerator(bench.directory);
  const server = await startServer({ databaseUrl: bench.url, profileDir: bench.profileDir });
  const answered: Answered[] = [];
  let half = 0;
  try {
    await generator.rate(server.url, SINGLE, bench.seconds);
    half = (await generator.rate(server.url, SINGLE, bench.seconds)) / 2;
    for (let round = 0; round <= bench.rounds; round++) {
      const loop = await openLoop(server.url, SINGLE, half);
      await sleep(bench.seconds * 1_000);
      const all = await loop.stop();
      // The first round warms up.
      if (round > 0) answered.push(all);
    }
  } finally {
    await server.stop();
  }
  const at = (share: number): number[] => answered.map(({ latencies }) => percentile(latencies, share));
  const refused = answered.map((all) => all.refused * 100);
  return [
    { id: 'latency.rate', work: 'half the maximum rate', unit: '/s', values: [half] },
    { id: 'latency.p50', work: 'half of the answers within', unit: 'ms', values: at(0.5) },
    { id: 'latency.p99', work: '99 % of the answers within', unit: 'ms', values: at(0.99) },
    { id: 'latency.max', work: 'the longest', unit: 'ms', values: at(1) },
    { id: 'latency.refused', work: 'turned away (429, 503), in %', unit: '', values: refused },
  ];
}
