// What bad lines cost: a file with some of them, and one with nothing else, beside one that is all good. Once with all
// kinds of badness mixed, and once with the one that is most frequent in life, a broken schema.
import { join } from 'node:path';
import { clear, withClient } from '../database.ts';
import { type Figure, ratios } from '../figures.ts';
import { type Badness, generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';
import { upload } from '../upload.ts';

/** A limit of its own, or the rare line that is too long would be most of the file. */
const LINE_LIMIT = 16_384;

const SCHEMA_VIOLATION: readonly Badness[] = ['wrong_type'];

interface Mix {
  work: string;
  bad: number;
  kinds?: readonly Badness[];
}

const MIXES: Record<string, Mix> = {
  good: { work: 'all good', bad: 0 },
  some: { work: '1 % bad in every way', bad: 0.01 },
  some_violations: { work: '1 % bad, a wrong type', bad: 0.01, kinds: SCHEMA_VIOLATION },
  all: { work: '100 % bad in every way', bad: 1 },
  all_violations: { work: '100 % bad, a wrong type', bad: 1, kinds: SCHEMA_VIOLATION },
};

export async function benchBad(bench: Bench): Promise<Figure[]> {
  const lines = bench.lines(1_000_000);
  const paths: Record<string, string> = {};
  for (const [name, { bad, ...mix }] of Object.entries(MIXES)) {
    paths[name] = join(bench.directory, `${name}.ndjson`);
    await generateFile(paths[name], { lines, seed: bench.seed, bad, lineLimit: LINE_LIMIT, ...mix });
  }
  const seconds: Record<string, number[]> = Object.fromEntries(Object.keys(MIXES).map((name) => [name, []]));
  const env = { MAX_REJECTIONS: String(lines), MAX_LINE_BYTES: String(LINE_LIMIT) };
  const server = await startServer({ databaseUrl: bench.url, env, profileDir: bench.profileDir });
  try {
    await withClient(bench.url, async (client) => {
      for (let round = 0; round <= bench.rounds; round++) {
        for (const [name, { bad }] of Object.entries(MIXES)) {
          await clear(client);
          const timed = await upload(server, paths[name]!);
          const { received, rejected } = timed.answer.lines;
          const isAsMade = bad === 1 ? rejected === lines : rejected > 0 === bad > 0;
          if (received !== lines || !isAsMade) throw new Error(JSON.stringify(timed.answer));
          // The first round warms up.
          if (round > 0) seconds[name]!.push(timed.seconds);
        }
      }
    });
  } finally {
    await server.stop();
  }
  return Object.entries(MIXES).flatMap(([name, { work }]): Figure[] => [
    { id: `bad.${name}_time`, work, unit: 's', values: seconds[name]! },
    ...(name === 'good'
      ? []
      : [
          {
            id: `bad.${name}`,
            work: `${work}, against all good`,
            unit: '×',
            values: ratios(seconds[name]!, seconds.good!),
          } as const,
        ]),
  ]);
}
