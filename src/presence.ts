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

  constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
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
    try {
      await client.connect();
      await client.query('SELECT pg_advisory_lock($1)', [this.process]);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
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
