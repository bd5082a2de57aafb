// This process, as other processes see it: a connection that holds an advisory lock for as long as the process lives.
// Postgres frees the lock the moment the process is gone, however it went, so nobody waits for a heartbeat to run out.
//
// The other way round it is the pulse of Postgres: asked every second whether it is there. A Postgres that hangs (frozen,
// or behind a network that swallows everything) breaks no connection by itself; once it has been silent for long enough
// the link is taken down, and it is up again with the first connection that is made. A long statement on another
// connection is no silence: this one is answered meanwhile.
import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from 'pino';
import type { Link } from './link.ts';

const RECONNECT_MS = 500;
const BEAT_MS = 1_000;
/** Without an answer for so long, Postgres counts as silent. */
const SILENCE_MS = 3_000;
const TICK_MS = 250;

/** Postgres did not answer in time. */
class Silence extends Error {}

export class Presence {
  /** The key of the lock: a positive bigint as text, different for every process. */
  readonly process = (randomBytes(8).readBigUInt64BE() >> 1n).toString();
  readonly #url: string;
  readonly #log: Logger;
  readonly #link: Link;
  #client: pg.Client | undefined;
  #socket: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  #takesWrites = false;
  readonly #listeners = new Map<string, () => void>();

  /** @param link is taken down while Postgres is silent */
  constructor(url: string, log: Logger, link: Link) {
    this.#url = url;
    this.#log = log;
    this.#link = link;
  }

  /** Whether Postgres has answered lately, holds our lock, and takes writes: no standby. */
  get isReady(): boolean {
    return this.#client !== undefined && this.#takesWrites;
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
    const socket = new Socket();
    const client = new pg.Client({
      connectionString: this.#url,
      application_name: 'sluice presence',
      keepAlive: true,
      stream: () => socket,
    });
    client.on('error', () => this.#reconnect(client));
    client.on('end', () => this.#reconnect(client));
    client.on('notification', ({ channel }) => this.#listeners.get(channel)?.());
    try {
      await answered(this.#take(client));
    } catch (error) {
      socket.destroy();
      if (error instanceof Silence) this.#fallSilent();
      throw error;
    }
    this.#client = client;
    this.#socket = socket;
    this.#link.up();
    for (const told of this.#listeners.values()) told();
    this.#timer = setTimeout(() => this.#beat(client), BEAT_MS).unref();
  }

  async stop(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    const ended = this.#client?.end().catch(() => {});
    // A Postgres that hangs would not let us go.
    await Promise.race([ended, sleep(BEAT_MS, undefined, { ref: false })]);
    this.#socket?.destroy();
  }

  async #take(client: pg.Client): Promise<void> {
    await client.connect();
    // Shared, so that it does not wait for a connection of ours that is lost but that Postgres does not miss yet.
    await client.query('SELECT pg_advisory_lock_shared($1)', [this.process]);
    await this.#ask(client);
    for (const channel of this.#listeners.keys()) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
  }

  /** One beat of the pulse. */
  async #ask(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ transaction_read_only: string }>('SHOW transaction_read_only');
    this.#takesWrites = rows[0]!.transaction_read_only === 'off';
  }

  async #beat(client: pg.Client): Promise<void> {
    try {
      await answered(this.#ask(client));
      if (this.#client === client) this.#timer = setTimeout(() => this.#beat(client), BEAT_MS).unref();
    } catch (error) {
      // Any other error is that of the connection, and it says so itself.
      if (error instanceof Silence && !this.#ended) this.#fallSilent();
      this.#socket?.destroy();
    }
  }

  #fallSilent(): void {
    if (this.#ended) return;
    if (!this.#link.isDown) this.#log.error(`Postgres has not answered for ${SILENCE_MS} ms: its connections are cut`);
    this.#link.down('Postgres does not answer');
  }

  #reconnect(lost: pg.Client): void {
    if (this.#ended || this.#client !== lost) return;
    this.#client = undefined;
    clearTimeout(this.#timer);
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

/**
 * The answer, or {@link Silence}. Only time counts in which this process could have heard it: where it was busy, or
 * frozen, a tick that came late counts no more than twice its length, and an answer that has arrived meanwhile is read
 * before enough of them have gone by.
 */
function answered<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let silent = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      const now = performance.now();
      silent += Math.min(now - last, 2 * TICK_MS);
      last = now;
      if (silent < SILENCE_MS) return;
      clearInterval(timer);
      reject(new Silence('Postgres does not answer'));
    }, TICK_MS).unref();
    answer.then(resolve, reject).finally(() => clearInterval(timer));
  });
}
