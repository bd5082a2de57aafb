// Single events over 64 connections, each answered after its commit: beside the server's emptiest POST route, beside a
// plain service with one INSERT per request, and beside clients of Postgres that each INSERT with no HTTP in between.

import { withClient } from '../database.ts';
import { emptiestPost, SINGLE } from '../emptiest.ts';
import { type Figure, ratios } from '../figures.ts';
import { insertsPerSecond, openClients } from '../peers/inserts.ts';
import { CONNECTIONS, loadGenerator } from '../requests.ts';
import type { Bench } from '../scenario.ts';
import { startProcess, startServer } from '../server.ts';

/** Enough that commits share a flush, and few enough for a Postgres of 100 connections with all others beside it. */
const SERVICE_POOL = 16;

export async function benchSingles(bench: Bench): Promise<Figure[]> {
  const { url, seconds } = bench;
  const generator = await loadGenerator(bench.directory);
  const server = await startServer({ databaseUrl: url, profileDir: bench.profileDir });
  await withClient(url, (client) =>
    client.query(`CREATE TABLE public.service (LIKE events.user_event INCLUDING ALL);
                  CREATE TABLE public.client (LIKE events.user_event INCLUDING ALL)`),
  );
  const env = { DATABASE_URL: url, POOL_SIZE: String(SERVICE_POOL) };
  const service = await startProcess(['--import=tsx', 'bench/peers/service.ts'], env);
  const clients = await openClients(url, CONNECTIONS);
  const { request: emptiest, tried } = await emptiestPost(generator, server.url);
  bench.note(`singles: requests by ${generator.name}; the emptiest POST of ${tried}`);
  const ways: Record<string, () => Promise<number>> = {
    empty: () => generator.rate(server.url, emptiest, seconds),
    rate: () => generator.rate(server.url, SINGLE, seconds),
    service: () => generator.rate(service.url, { ...SINGLE, path: '/events' }, seconds),
    clients: () => insertsPerSecond(clients, 'public.client', seconds),
  };
  const rates: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  try {
    for (let round = 0; round <= bench.rounds; round++) {
      for (const [way, measure] of Object.entries(ways)) {
        await clients[0]!.query('CHECKPOINT');
        const rate = await measure();
        // The first round warms up.
        if (round > 0) rates[way]!.push(rate);
      }
    }
  } finally {
    await Promise.all([server.stop(), service.stop(), ...clients.map((client) => client.end())]);
  }
  const { rate, empty, service: serviceRate, clients: clientRate } = rates as Record<string, number[]>;
  return [
    { id: 'singles.rate', work: 'single events', unit: '/s', values: rate! },
    { id: 'singles.empty', work: `POST ${emptiest.path} (${emptiest.status})`, unit: '/s', values: empty! },
    { id: 'singles.service', work: 'a service with one INSERT per request', unit: '/s', values: serviceRate! },
    { id: 'singles.clients', work: '64 clients with one INSERT each', unit: '/s', values: clientRate! },
    { id: 'singles.to_empty', work: 'against the emptiest POST', unit: '×', values: ratios(rate!, empty!) },
    { id: 'singles.to_service', work: 'against the service', unit: '×', values: ratios(rate!, serviceRate!) },
    { id: 'singles.to_clients', work: 'against the clients', unit: '×', values: ratios(rate!, clientRate!) },
  ];
}
