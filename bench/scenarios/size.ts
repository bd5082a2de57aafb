// How the rate depends on the size of the upload, from 10,000 lines to 10 million: cost must be linear. The chart of it is
// written to bench/results/size.svg.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sizeChart } from '../chart.ts';
import { makeTwin, timeCopy } from '../copy.ts';
import { clear, withClient } from '../database.ts';
import { type Figure, growthExponent, median } from '../figures.ts';
import { generateFile } from '../generate.ts';
import type { Bench } from '../scenario.ts';
import { type Server, startServer } from '../server.ts';
import { load } from '../upload.ts';

/** Shares of the largest: about 10,000, 30,000, 100,000 … lines. */
const SIZES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
const LARGEST = 10_000_000;

/** Larger sizes are one file of this many lines, sent several times over. */
const FILE_LINES = 1_000_000;

/** Below, what every upload costs once is most of the time. */
const LINEAR_FROM = 0.01;

const CHART = 'bench/results/size.svg';

interface Point {
  size: number;
  product: number[];
  floor: number[];
}

export async function benchSize(bench: Bench): Promise<Figure[]> {
  const largest = bench.lines(LARGEST);
  const server = await startServer({ databaseUrl: bench.url, profileDir: bench.profileDir });
  const points: Point[] = [];
  try {
    for (const share of SIZES) {
      points.push(await measure(bench, server, Math.round(largest * share)));
    }
  } finally {
    await server.stop();
  }
  await mkdir('bench/results', { recursive: true });
  await writeFile(
    CHART,
    sizeChart(points.map(({ size, product, floor }) => ({ size, product: median(product), floor: median(floor) }))),
  );
  bench.note(`size: the chart is in ${CHART}`);
  const linear = points.filter(({ size }) => size >= largest * LINEAR_FROM);
  const exponent = (of: 'product' | 'floor'): number =>
    growthExponent(linear.map((point) => ({ size: point.size, seconds: point.size / median(point[of]) })));
  return [
    ...points.flatMap(({ size, product, floor }): Figure[] => [
      { id: `size.product_${size}`, work: `rows, ${size} lines over HTTP`, unit: '/s', values: product },
      { id: `size.floor_${size}`, work: `rows, ${size} rows by text COPY`, unit: '/s', values: floor },
    ]),
    { id: 'size.exponent', work: 'growth exponent of the load', unit: '', values: [exponent('product')] },
    { id: 'size.floor_exponent', work: 'growth exponent of the floor', unit: '', values: [exponent('floor')] },
  ];
}

async function measure(bench: Bench, server: Server, size: number): Promise<Point> {
  const times = Math.max(1, Math.round(size / FILE_LINES));
  const path = join(bench.directory, 'events.ndjson');
  await generateFile(path, { lines: size / times, seed: bench.seed, bad: 0 });
  const product: number[] = [];
  const floor: number[] = [];
  await withClient(bench.url, async (client) => {
    await clear(client);
    // Warms up, and makes the rows that the floor copies.
    await load(server, { path });
    const twin = await makeTwin(client, 'user_event', bench.directory);
    for (let round = 0; round < bench.rounds; round++) {
      floor.push(size / (await timeCopy(client, twin, 'text', times)));
      await clear(client);
      product.push(size / (await load(server, { path, times })).seconds);
    }
  });
  return { size, product, floor };
}
