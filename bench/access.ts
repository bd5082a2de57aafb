// What keys cost: how fast a bad one is refused, beside the server's emptiest route; and what a good one adds to single
// events, beside a server that asks for none. Alternating, in one run, on the same database.
import pg from 'pg';
import { newKey } from '../src/access/key.ts';
import { createKey } from '../src/access/stored-keys.ts';
import { type Bench, median, say } from './figures.ts';
import { EVENT, type Load, ratePerSecond } from './requests.ts';
import { type Server, startServer } from './server.ts';

const NDJSON = { 'content-type': 'application/x-ndjson', 'content-length': String(EVENT.length) };

/** Runs the scenario and prints its figures. */
export async function benchAccess({ url, rounds }: Bench): Promise<object> {
  const open = await startServer({ databaseUrl: url, env: { AUTH: 'off' } });
  const asking = await startServer({ databaseUrl: url, env: { AUTH: 'on', KEY_REQUESTS_PER_S: '0' } });
  const bad = { ...NDJSON, authorization: `Bearer ${newKey().text}` };
  const good = { ...NDJSON, authorization: `Bearer ${await makeKey(url)}` };
  const post = { method: 'POST', path: '/v1/events', body: EVENT } as const;
  const loads: [name: string, server: Server, load: Load][] = [
    ['GET /healthz', asking, { method: 'GET', path: '/healthz', headers: {}, body: '', status: 200 }],
    ['a bad key, no body', asking, { ...post, headers: { ...bad, 'content-length': '0' }, body: '', status: 401 }],
    ['a bad key, one event', asking, { ...post, headers: bad, status: 401 }],
    ['one event, AUTH=off', open, { ...post, headers: NDJSON, status: 201 }],
    ['one event, a good key', asking, { ...post, headers: good, status: 201 }],
  ];
  const rates: Record<string, number[]> = {};
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [name, server, load] of loads) {
        const rate = await ratePerSecond(server, load);
        // The first round warms up.
        if (round > 0) rates[name] = [...(rates[name] ?? []), rate];
      }
    }
  } finally {
    await open.stop();
    await asking.stop();
  }
  const medians = Object.fromEntries(Object.entries(rates).map(([name, each]) => [name, median(each)]));
  for (const [name, each] of Object.entries(rates)) {
    say(
      `${name}: ${medians[name]!.toFixed(0)} requests/s (${Math.min(...each).toFixed(0)}–${Math.max(...each).toFixed(0)})`,
    );
  }
  const refusal = medians['a bad key, one event']! / medians['GET /healthz']!;
  const cost = 1 - medians['one event, a good key']! / medians['one event, AUTH=off']!;
  say(`refused at ${refusal.toFixed(2)} of the emptiest route; a good key costs ${(cost * 100).toFixed(1)} %`);
  return { medians, refusal, cost };
}

async function makeKey(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const order = { name: 'bench', scopes: ['ingest'], subjects: null, expiresAt: null } as const;
    const made = await createKey(client, { ...order, requestsPerS: null, bytesPerS: null, uploads: null });
    return made.key;
  } finally {
    await client.end();
  }
}
