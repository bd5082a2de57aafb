// The job that keeps the database from growing for ever. It never fails: what could not be done is done next time.
import type { Logger } from 'pino';
import type { RetentionSettings } from './config.ts';
import type { Link } from './link.ts';
import { runPass } from './retention/pass.ts';

/** After the start, when everything else has been seen to. */
const FIRST_MS = 10_000;

export class Retention {
  readonly #url: string;
  readonly #settings: RetentionSettings;
  readonly #log: Logger;
  readonly #link: Link;
  readonly #ending = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(url: string, settings: RetentionSettings, log: Logger, link: Link) {
    this.#url = url;
    this.#settings = settings;
    this.#log = log;
    this.#link = link;
  }

  /** From now on there is a pass every interval, the first one soon. */
  start(): void {
    this.#schedule(Math.min(FIRST_MS, this.#intervalMs));
  }

  /** Ends within a step. */
  async stop(): Promise<void> {
    this.#ending.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  get #intervalMs(): number {
    return this.#settings.intervalS * 1_000;
  }

  #schedule(wait: number): void {
    if (this.#ending.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#running = this.#run().finally(() => this.#schedule(this.#intervalMs));
    }, wait).unref();
  }

  async #run(): Promise<void> {
    try {
      const removed = await runPass(this.#url, this.#settings, this.#ending.signal, this.#link);
      if (removed !== null && Object.values(removed).some((count) => count > 0)) this.#log.info(removed, 'retention');
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, 'retention failed, it is tried again');
    }
  }
}
