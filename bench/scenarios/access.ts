// What keys cost: how fast a bad one is refused, beside the server's emptiest route; and what a good one adds to single
// events, beside a server that asks for none.
import { newKey } from '../../src/access/key.ts';
import { createKey } from '../../src/access/stored-keys.ts';
import type { Request } from '../connection.ts';
import { withClient } from '../database.ts';
import { SINGLE } from '../emptiest.ts';
import { type Figure, ratios } from '../figures.ts';
import { loadGenerator } from '../requests.ts';
import type { Bench } from '../scenario.ts';
import { type Server, startServer } from '../server.ts';

export async function benchAccess(bench: Bench): Promise<Figure[]> {
  const { url } = bench;
  const generator = await loadGenerator(bench.directory);
  const open = await startServer({ databaseUrl: url, env: { AUTH: 'off' } });
  const asking = await startServer({ databaseUrl: url, env: { AUTH: 'on', KEY_REQUESTS_PER_S: '0' } });
  const withKey = (key: string): Request => ({
    ...SINGLE,
    headers: { ...SINGLE.headers, authorization: `Bearer ${key}` },
  });
  const ways: Record<string, [work: string, server: Server, request: Request]> = {
    empty: ['GET /healthz', asking, { method: 'GET', path: '/healthz', headers: {}, body: '', status: 200 }],
    refused: ['one event with a bad key', asking, { ...withKey(newKey().text), status: 401 }],
    open: ['one event, AUTH=off', open, SINGLE],
    key: ['one event with a good key', asking, withKey(await makeKey(url))],
  };
  const rates: Record<string, number[]> = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  try {
    for (let round = 0; round <= bench.rounds; round++) {
      for (const [way, [, server, request]] of Object.entries(ways)) {
        const rate = await generator.rate(server.url, request, bench.seconds);
        // The first round warms up.
        if (round > 0) rates[way]!.push(rate);
      }
    }
  } finally {
    await open.stop();
    await asking.stop();
  }
  const measured = Object.entries(ways).map(([way, [work]]): Figure => {
    return { id: `access.${way}`, work, unit: '/s', values: rates[way]! };
  });
  const refusal = ratios(rates.refused!, rates.empty!);
  const cost = ratios(rates.key!, rates.open!);
  return [
    ...measured,
    { id: 'access.refusal', work: 'refused, against the emptiest route', unit: '×', values: refusal },
    { id: 'access.cost', work: 'with a good key, against without keys', unit: '×', values: cost },
  ];
}

function makeKey(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const order = { name: 'bench', scopes: ['ingest'], subjects: null, expiresAt: null } as const;
    const made = await createKey(client, { ...order, requestsPerS: null, bytesPerS: null, uploads: null });
    return made.key;
  });
}
