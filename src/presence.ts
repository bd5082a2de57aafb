// This process, as other processes see it: a connection that holds an advisory lock for as long as the process lives.
// Postgres frees the lock the moment the process is gone, however it went, so nobody waits for a heartbeat to run out.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Logger } from 'pino';

const RECONNECT_MS = 1_000;

export class Presence {
  /** The key of the lock: a positive bigint as text, different for every process. */
  readonly process = (randomBytes(8).readBigUInt64BE() >> 1n).toString();
  readonly #url: string;
  readonly #log: Logger;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  readonly #listeners = new Map<string, () => void>();

  constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
  }

  /**
   * Calls `told` whenever somebody notifies the channel, and whenever the connection is made anew, as notifications may
   * have been missed. To be called before {@link start}.
   */
  listen(channel: string, told: () => void): void {
    this.#listeners.set(channel, told);
  }

  /** Takes the lock, and takes it again whenever the connection is lost. */
  async start(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'sluice presence',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
    });
    client.on('error', () => this.#reconnect(client));
    client.on('end', () => this.#reconnect(client));
    client.on('notification', ({ channel }) => this.#listeners.get(channel)?.());
    try {
      await client.connect();
      await client.query('SELECT pg_advisory_lock($1)', [this.process]);
      for (const channel of this.#listeners.keys()) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
    for (const told of this.#listeners.values()) told();
  }

  async stop(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#client?.end().catch(() => {});
  }

  #reconnect(lost: pg.Client): void {
    if (this.#ended || this.#client !== lost) return;
    this.#client = undefined;
    this.#retry();
  }

  #retry(): void {
    this.#timer = setTimeout(() => {
      if (this.#ended) return;
      this.start().catch((error: Error) => {
        this.#log.warn({ reason: error.message }, 'presence lost, trying again');
        this.#retry();
      });
    }, RECONNECT_MS).unref();
  }
}
