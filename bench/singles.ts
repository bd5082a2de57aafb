// Single events, each answered after its commit: beside the server's emptiest route, and beside a program that sends each
// as an INSERT of its own. Alternating, in one run, on the same Postgres.
import pg from 'pg';
import { type Bench, median, say } from './figures.ts';
import { EVENT, ratePerSecond } from './requests.ts';
import { startServer } from './server.ts';

const CONNECTIONS = 64;
const SECONDS = 3;
const JSON_TYPE = { 'content-type': 'application/json', 'content-length': String(EVENT.length) };

/** Runs the scenario and prints its figures. */
export async function benchSingles({ url, rounds, profile }: Bench): Promise<object> {
  const server = await startServer({ databaseUrl: url, profile });
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => connected(url)));
  await clients[0]!.query('CREATE TABLE public.single (LIKE events.user_event INCLUDING ALL)');
  const empty = { method: 'GET', path: '/healthz', headers: {}, body: '', status: 200 } as const;
  const event = { method: 'POST', path: '/v1/events', headers: JSON_TYPE, body: EVENT, status: 201 } as const;
  const ways: [name: string, rate: () => Promise<number>][] = [
    ['GET /healthz', () => ratePerSecond(server, empty)],
    ['one event', () => ratePerSecond(server, event)],
    ['one INSERT', () => insertsPerSecond(clients)],
  ];
  const rates: Record<string, number[]> = {};
  try {
    for (let round = 0; round <= rounds; round++) {
      for (const [name, measure] of ways) {
        const rate = await measure();
        // The first round warms up.
        if (round > 0) rates[name] = [...(rates[name] ?? []), rate];
      }
    }
  } finally {
    await server.stop();
    await Promise.all(clients.map((client) => client.end()));
  }
  const medians = Object.fromEntries(Object.entries(rates).map(([name, each]) => [name, median(each)]));
  for (const [name, each] of Object.entries(rates)) {
    const range = `${Math.min(...each).toFixed(0)}–${Math.max(...each).toFixed(0)}`;
    say(`${name}, ${CONNECTIONS} connections: ${medians[name]!.toFixed(0)} a second (${range})`);
  }
  const toEmpty = medians['one event']! / medians['GET /healthz']!;
  const toInsert = medians['one event']! / medians['one INSERT']!;
  say(`single events at ${toEmpty.toFixed(2)} of the emptiest route, ${toInsert.toFixed(1)} times one INSERT each`);
  return { medians, toEmpty, toInsert };
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

const INSERT = `INSERT INTO public.single (event_type, event_time, user_email, phone_number, processing_date, _batch_id,
    _line, _schema_version, _received_at)
  VALUES ($1, $2, $3, $4, $5, gen_random_uuid(), 1, '1.0.0', now())`;

async function insertsPerSecond(clients: readonly pg.Client[]): Promise<number> {
  const { event_type, event_time, data, processing_date } = JSON.parse(EVENT);
  const values = [event_type, event_time, data.user_email, data.phone_number, processing_date];
  const start = performance.now();
  let done = 0;
  const worker = async (client: pg.Client): Promise<void> => {
    while (performance.now() - start < SECONDS * 1_000) {
      await client.query({ name: 'insert', text: INSERT, values });
      done++;
    }
  };
  await Promise.all(clients.map(worker));
  return done / ((performance.now() - start) / 1_000);
}
