// The live keys in memory, so that a request is judged without Postgres. Read at the start, whenever a key changes
// (NOTIFY), and every few seconds in case that was missed. While Postgres is away the ring stays as it was last read.
//
//   key ─► in the ring? ── yes ─► hash compared, expiry looked at ─► a client, or nobody
//             └─ no ─► looked for in vain before? ── yes ─► nobody
//                         └─ no ─► one query for all that wait, at most one each LOOK_MS
import { timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Database } from '../db.ts';
import { Problem } from '../errors.ts';
import { type Client, SCOPES, type Scope } from './client.ts';
import { hashOf, keyIdOf } from './key.ts';

/** What a key may use up; 0: no limit. */
export interface KeyLimits {
  requestsPerS: number;
  bytesPerS: number;
  uploads: number;
}

/** Whoever a request comes from, and what of it is limited. */
export interface Holder {
  client: Client;
  limits: KeyLimits;
}

interface Live extends Holder {
  hash: Buffer;
  /** Milliseconds since 1970; infinite where it never ends. */
  expiresAt: number;
}

const REFRESH_MS = 5_000;
/** Time between two looks for ids that are not in the ring. */
const LOOK_MS = 50;
/** A look that takes longer has failed. */
const PATIENCE_MS = 2_000;
/** Ids looked for in vain that are remembered. */
const MOST_UNKNOWN = 10_000;
/** Requests with ids that are not in the ring that wait for a look; one more is told that its key is unknown. */
const MOST_WAITING = 1_000;

const COLUMNS = 'id, client, name, hash, scopes, subjects, requests_per_s, bytes_per_s, uploads, expires_at';
const LIVE = 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())';

export class KeyRing {
  readonly #db: Database;
  readonly #defaults: KeyLimits;
  readonly #log: Logger;
  #keys: ReadonlyMap<string, Live> = new Map();
  readonly #unknown = new LRUCache<string, true>({ max: MOST_UNKNOWN });
  #timer: NodeJS.Timeout | undefined;
  /** One reader at a time, so that nothing older replaces what is newer. */
  #turn: Promise<unknown> = Promise.resolve();
  #isDue = false;
  #wanted = new Set<string>();
  #look: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(db: Database, defaults: KeyLimits, log: Logger) {
    this.#db = db;
    this.#defaults = defaults;
    this.#log = log;
  }

  /** Live keys as last read. */
  get size(): number {
    return this.#keys.size;
  }

  /** Reads the keys, and from then on again and again. */
  async start(): Promise<void> {
    await this.#inTurn(() => this.#read());
    this.#timer = setInterval(() => this.refresh(), REFRESH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads the keys anew, soon; what fails is tried again by the clock. */
  refresh(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#inTurn(() => {
      this.#isDue = false;
      return this.#read();
    }).catch((error: Error) => this.#log.warn({ reason: error.message }, 'keys not read, those last read stay in use'));
  }

  /**
   * Whose key this is; undefined for everything that is no live key.
   * @throws {Problem} `database_unavailable` where the key is not known here and Postgres cannot be asked
   */
  identify(text: string): Holder | undefined | Promise<Holder | undefined> {
    const id = keyIdOf(text);
    if (id === undefined) return undefined;
    const live = this.#keys.get(id);
    if (live !== undefined) return fits(live, text) ? live : undefined;
    if (this.#unknown.has(id)) return undefined;
    if (this.#wanted.size >= MOST_WAITING && !this.#wanted.has(id)) return undefined;
    this.#wanted.add(id);
    this.#look ??= this.#lookSoon();
    return this.#look.then(() => {
      const found = this.#keys.get(id);
      return found !== undefined && fits(found, text) ? found : undefined;
    });
  }

  async #lookSoon(): Promise<void> {
    const pause = this.#lookedAt + LOOK_MS - performance.now();
    if (pause > 0) await sleep(pause);
    await this.#inTurn(() => {
      const ids = [...this.#wanted];
      this.#wanted = new Set();
      this.#look = undefined;
      this.#lookedAt = performance.now();
      return this.#lookFor(ids);
    });
  }

  async #lookFor(ids: string[]): Promise<void> {
    let found: Live[];
    try {
      found = await this.#select(`${LIVE} AND id = ANY(?)`, [ids]);
    } catch (error) {
      throw new Problem('database_unavailable', 'The key is not known here, and Postgres cannot be asked', {
        retryAfter: 2,
        cause: error,
      });
    }
    this.#keys = new Map([...this.#keys, ...found.map((each) => [each.client.keyId!, each] as const)]);
    for (const id of ids) if (!this.#keys.has(id)) this.#unknown.set(id, true);
  }

  async #read(): Promise<void> {
    const found = await this.#select(LIVE, []);
    this.#keys = new Map(found.map((each) => [each.client.keyId!, each]));
  }

  async #select(condition: string, values: readonly unknown[]): Promise<Live[]> {
    const { rows } = await this.#db
      .raw(`SELECT ${COLUMNS} FROM sluice.api_keys WHERE ${condition}`, values as string[])
      .timeout(PATIENCE_MS, { cancel: false });
    return rows.map((row: Row) => this.#live(row));
  }

  #live(row: Row): Live {
    const { requestsPerS, bytesPerS, uploads } = this.#defaults;
    return {
      client: {
        id: row.client,
        keyId: row.id,
        name: row.name,
        scopes: new Set(row.scopes.includes('admin') ? SCOPES : row.scopes),
        subjects: row.subjects === null ? null : new Set(row.subjects),
      },
      limits: {
        requestsPerS: Number(row.requests_per_s ?? requestsPerS),
        bytesPerS: Number(row.bytes_per_s ?? bytesPerS),
        uploads: Number(row.uploads ?? uploads),
      },
      hash: row.hash,
      expiresAt: row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY,
    };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

interface Row {
  id: string;
  client: string;
  name: string;
  hash: Buffer;
  scopes: Scope[];
  subjects: string[] | null;
  requests_per_s: string | null;
  bytes_per_s: string | null;
  uploads: number | null;
  expires_at: Date | null;
}

function fits(live: Live, text: string): boolean {
  return timingSafeEqual(live.hash, hashOf(text)) && live.expiresAt > Date.now();
}
