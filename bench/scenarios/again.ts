// The same file twice, of a subject with an id: all its lines are duplicates the second time.
import { join } from 'node:path';
import type pg from 'pg';
import { clear, withClient } from '../database.ts';
import { type Figure, ratios } from '../figures.ts';
import { writeLines } from '../generate/file.ts';
import { type Ids, idLines, idSchema } from '../generate/with-id.ts';
import type { Bench } from '../scenario.ts';
import { type Server, schemaFolder, startServer } from '../server.ts';
import { load, upload } from '../upload.ts';

export async function benchAgain(bench: Bench): Promise<Figure[]> {
  const schemaDir = await schemaFolder(join(bench.directory, 'schemas'), { id_event: await idSchema() });
  const server = await startServer({ databaseUrl: bench.url, schemaDir, profileDir: bench.profileDir });
  try {
    return await withClient(bench.url, async (client) => [
      ...(await twice(bench, client, server, 'random')),
      ...(await twice(bench, client, server, 'sequential')),
    ]);
  } finally {
    await server.stop();
  }
}

async function twice(bench: Bench, client: pg.Client, server: Server, ids: Ids): Promise<Figure[]> {
  const lines = bench.lines(1_000_000);
  const path = join(bench.directory, `${ids}.ndjson`);
  await writeLines(path, idLines(lines, bench.seed, ids));
  const first: number[] = [];
  const again: number[] = [];
  for (let round = 0; round <= bench.rounds; round++) {
    await clear(client);
    const loaded = await load(server, { path });
    await client.query('CHECKPOINT');
    const repeated = await upload(server, path);
    if (repeated.answer.lines.duplicate !== lines) throw new Error(JSON.stringify(repeated.answer));
    // The first round warms up.
    if (round === 0) continue;
    first.push(loaded.seconds);
    again.push(repeated.seconds);
  }
  return [
    { id: `again.${ids}_first`, work: `first load, ${ids} ids`, unit: 's', values: first },
    { id: `again.${ids}_second`, work: `the same again, ${ids} ids`, unit: 's', values: again },
    {
      id: `again.${ids}`,
      work: `all duplicates, ${ids} ids, against the first load`,
      unit: '×',
      values: ratios(again, first),
    },
  ];
}
