// A peer of single events: clients of Postgres that each INSERT one event after the other, with no HTTP in between.
import pg from 'pg';
import { EVENT } from '../connection.ts';

/** Into a table like `events.user_event`. */
export const insertInto = (table: string): string =>
  `INSERT INTO ${table} (event_type, event_time, user_email, phone_number, processing_date, _batch_id, _line,
     _schema_version, _received_at)
   VALUES ($1, $2, $3, $4, $5, gen_random_uuid(), $6, '1.0.0', now())`;

/** Values of {@link insertInto}. */
export function valuesOf(line: string, number: number): unknown[] {
  const { event_type, event_time, data, processing_date } = JSON.parse(line);
  return [event_type, event_time, data.user_email, data.phone_number, processing_date, number];
}

/** Opens so many clients. */
export function openClients(url: string, count: number): Promise<pg.Client[]> {
  const open = async (): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url });
    // A connection that breaks is met again by the next query.
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  return Promise.all(Array.from({ length: count }, open));
}

/** INSERTs a second, each in a transaction of its own. */
export async function insertsPerSecond(clients: readonly pg.Client[], table: string, seconds: number): Promise<number> {
  const text = insertInto(table);
  const values = valuesOf(EVENT, 1);
  const start = performance.now();
  let done = 0;
  const worker = async (client: pg.Client): Promise<void> => {
    while (performance.now() - start < seconds * 1_000) {
      await client.query({ name: 'insert', text, values });
      done++;
    }
  };
  await Promise.all(clients.map(worker));
  return done / ((performance.now() - start) / 1_000);
}
