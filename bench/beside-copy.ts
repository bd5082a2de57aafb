// The product beside the floor and the limit: the same rows, alternating, in one run on one Postgres.

import { makeTwin, timeCopy } from './copy.ts';
import { clear, withClient } from './database.ts';
import { type Figure, ratios } from './figures.ts';
import type { Bench } from './scenario.ts';
import type { Server } from './server.ts';
import { load, type Upload } from './upload.ts';

export interface BesideCopy {
  /** The scenario, which the figures are named after. */
  id: string;
  server: Server;
  /** All its lines are good. */
  file: Upload;
  /** The subjects of its lines. */
  subjects: readonly string[];
}

/** Rates of the three, in rows a second, and what the product reaches of the floor and of the limit. */
export async function besideCopy(bench: Bench, { id, server, file, subjects }: BesideCopy): Promise<Figure[]> {
  const product: number[] = [];
  const floor: number[] = [];
  const limit: number[] = [];
  await withClient(bench.url, async (client) => {
    // The first upload warms up, and makes the rows that the floor copies.
    await load(server, file);
    const twins = [];
    for (const subject of subjects) twins.push(await makeTwin(client, subject, bench.directory));
    const rows = twins.reduce((sum, twin) => sum + twin.rows, 0);
    for (let round = 0; round < bench.rounds; round++) {
      let seconds = 0;
      for (const twin of twins) seconds += await timeCopy(client, twin, 'text');
      floor.push(rows / seconds);
      seconds = 0;
      for (const twin of twins) seconds += await timeCopy(client, twin, 'binary');
      limit.push(rows / seconds);
      await clear(client);
      product.push(rows / (await load(server, file)).seconds);
    }
  });
  return [
    { id: `${id}.product`, work: 'rows over HTTP to the end of the report', unit: '/s', values: product },
    { id: `${id}.floor`, work: 'rows by text COPY (the floor)', unit: '/s', values: floor },
    { id: `${id}.limit`, work: 'rows by binary COPY (the limit)', unit: '/s', values: limit },
    { id: `${id}.ratio`, work: 'against the floor', unit: '×', values: ratios(product, floor) },
    { id: `${id}.to_limit`, work: 'against the limit', unit: '×', values: ratios(product, limit) },
  ];
}
