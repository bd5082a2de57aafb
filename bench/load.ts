// The whole path over HTTP against the floor and the limit, alternating, in one run on one Postgres.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { Report } from '../src/model.ts';
import { type Bench, MIB, median, say, spread } from './figures.ts';
import { generateFile } from './generate.ts';
import { dump, identicalTable, settings, timeCopy } from './postgres.ts';
import { startServer, upload } from './server.ts';
import { timeSteps } from './steps.ts';

/** Runs the scenario and prints its figures. */
export async function benchLoad({ directory, url, lines, bad, seed, rounds, profile }: Bench): Promise<object> {
  const path = join(directory, 'events.ndjson');
  await generateFile(path, { lines, seed, bad });
  const bytes = (await stat(path)).size;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const server = await startServer({ databaseUrl: url, profile });
  const product: number[] = [];
  const floor: number[] = [];
  const limit: number[] = [];
  let report: Report | undefined;
  const text = join(directory, 'rows.text');
  const binary = join(directory, 'rows.binary');
  for (let round = 0; round <= rounds; round++) {
    await client.query('TRUNCATE events.user_event, sluice.rejected_lines, sluice.rejection_causes; CHECKPOINT');
    const loaded = await upload(server, path);
    report = loaded.answer;
    if (report.lines?.received !== lines) throw new Error(JSON.stringify(report));
    if (round === 0) {
      // The first round warms up and makes the rows that the floor copies.
      await dump(client, text, 'text');
      await dump(client, binary, 'binary');
      await identicalTable(client);
      continue;
    }
    product.push(loaded.seconds);
    await client.query('CHECKPOINT');
    floor.push(await timeCopy(client, text, 'text'));
    await client.query('CHECKPOINT');
    limit.push(await timeCopy(client, binary, 'binary'));
  }
  const used = await settings(client);
  const peak = server.peak();
  await server.stop();
  await client.end();

  const { accepted, rejected } = report!.lines;
  const rate = lines / median(product);
  const floorRate = accepted / median(floor);
  const megabytes = bytes / 1e6;
  say(`\n${lines} lines, ${megabytes.toFixed(0)} MB, ${accepted} accepted, ${rejected} rejected`);
  say(`Postgres: ${JSON.stringify(used)}`);
  say(`Node ${process.version}, ${rounds} rounds, median (min–max) in seconds\n`);
  const throughput = (megabytes / median(product)).toFixed(0);
  say(`whole path over HTTP      ${spread(product)}   ${rate.toFixed(0)} rows/s   ${throughput} MB/s`);
  say(`floor: text COPY          ${spread(floor)}   ${floorRate.toFixed(0)} rows/s`);
  say(`limit: binary COPY        ${spread(limit)}   ${(accepted / median(limit)).toFixed(0)} rows/s`);
  say(`ratio to the floor        ${(rate / floorRate).toFixed(2)}`);
  say(`peak resident set         ${(peak / MIB).toFixed(0)} MiB\n`);
  say('one thread, cumulative:');
  const steps = await timeSteps(path);
  for (const { step, seconds } of steps) {
    say(`  ${seconds.toFixed(2)} s  ${((seconds / lines) * 1e6).toFixed(2)} µs/line  ${step}`);
  }
  return { lines, bytes, accepted, product, floor, limit, ratio: rate / floorRate, peak, settings: used, steps };
}
