// Peak resident size of the server after a 2 GB upload, against one of 100 MB; each in a server of its own.
import { join } from 'node:path';
import { clear, withClient } from '../database.ts';
import { type Figure, MIB } from '../figures.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';
import { send } from '../upload.ts';

const GB2_LINES = 12_350_000;

/** 2 GB are 100 MB so many times over. */
const TIMES = 20;

/** As many as a file of a careful sender has. */
const BAD = 0.01;

export async function benchMemory(bench: Bench): Promise<Figure[]> {
  const path = join(bench.directory, 'events.ndjson');
  const lines = Math.round(bench.lines(GB2_LINES) / TIMES);
  await generateFile(path, { lines, seed: bench.seed, bad: BAD });
  const peakOf = async (times: number): Promise<number> => {
    const server = await startServer({ databaseUrl: bench.url, profileDir: bench.profileDir });
    try {
      const { answer } = await send(server, { path, times });
      if (answer.lines.received !== lines * times) throw new Error(JSON.stringify(answer));
      return server.peak() / MIB;
    } finally {
      await server.stop();
      await withClient(bench.url, clear);
    }
  };
  const small: number[] = [];
  const large: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    small.push(await peakOf(1));
    large.push(await peakOf(TIMES));
  }
  return [
    { id: 'memory.small', work: 'peak of a 100 MB upload', unit: 'MiB', values: small },
    { id: 'memory.large', work: 'peak of a 2 GB upload', unit: 'MiB', values: large },
    {
      id: 'memory.growth',
      work: 'the difference',
      unit: 'MiB',
      values: large.map((peak, round) => peak - small[round]!),
    },
  ];
}
