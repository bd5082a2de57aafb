// Databases of the bench's own: made, emptied, asked for their settings, dropped.
import pg from 'pg';

const SETTINGS = [
  'server_version',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'wal_level',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'autovacuum',
  'jit',
] as const;

/** Runs something with a connection that is closed afterwards. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // A connection that breaks is met again by the next query.
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Databases on one Postgres, dropped together. */
export class Databases {
  private readonly server: string;
  private readonly standing = new Set<string>();
  private made = 0;

  constructor(server: string) {
    this.server = server;
  }

  /** Makes an empty one; its URL. */
  async make(): Promise<string> {
    const name = `sluice_bench_${process.pid}_${this.made++}`;
    await withClient(this.server, (client) => client.query(`CREATE DATABASE ${name}`));
    this.standing.add(name);
    return Object.assign(new URL(this.server), { pathname: `/${name}` }).href;
  }

  async dropAll(): Promise<void> {
    await withClient(this.server, async (client) => {
      for (const name of this.standing) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      this.standing.clear();
    });
  }
}

/** The settings that the figures depend on. */
export async function settingsOf(client: pg.Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string; value: string }>(
    'SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY ($1) ORDER BY name',
    [SETTINGS],
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
}

/** Empties final tables and whatever is recorded of batches' lines, and writes out what is still to be written. */
export async function clear(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT DISTINCT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND attname = 'batch_id'
     WHERE relkind = 'r' AND (nspname = 'events' OR nspname = 'sluice' AND attname IS NOT NULL
       AND relname <> 'idempotency_keys')`,
  );
  if (rows.length > 0) await client.query(`TRUNCATE ${rows.map(({ name }) => name).join(', ')}`);
  await client.query('CHECKPOINT');
}
