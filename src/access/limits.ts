// What a key may use up: requests and bytes a second, counted in this process alone, and what is said of it in headers.
// How many uploads may be under way at once is seen to by intake/admission.ts.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { Problem } from '../errors.ts';
import type { Holder, KeyLimits } from './ring.ts';

/** Keys that are kept count of; beyond it the one that was silent longest starts anew. */
const MOST_KEYS = 10_000;
const WINDOW_S = 1;
/** A debt is paid after this time at the latest. */
const MOST_DEBT_S = 24 * 3_600;

/** Bytes of a connection that have been charged to somebody. */
const charged = new WeakMap<Socket, number>();

export class KeyMeters {
  readonly #meters = new LRUCache<string, Meter>({ max: MOST_KEYS });

  /**
   * Counts a request, and from now on the bytes that come with it.
   * @throws {Problem} `rate_limited`
   */
  async count({ client, limits }: Holder, request: IncomingMessage, reply: FastifyReply): Promise<void> {
    const keyId = client.keyId!;
    let meter = this.#meters.get(keyId);
    if (meter === undefined || !meter.isOf(limits)) {
      meter = new Meter(limits);
      this.#meters.set(keyId, meter);
    }
    await meter.count(request, reply);
  }
}

/** What is left of one limit. */
interface Left {
  name: 'requests' | 'bytes';
  of: number;
  remaining: number;
  /** Seconds until it is whole again. */
  reset: number;
  isOver: boolean;
}

class Meter {
  readonly #limits: KeyLimits;
  readonly #requests: RateLimiterMemory | undefined;
  readonly #bytes: RateLimiterMemory | undefined;
  readonly #policy: string;
  /** Connections of its requests that are under way. */
  readonly #sockets = new Set<Socket>();
  /** One change of the bytes at a time. */
  #turn: Promise<void> = Promise.resolve();

  constructor(limits: KeyLimits) {
    const { requestsPerS, bytesPerS } = limits;
    this.#limits = limits;
    this.#requests = limiter(requestsPerS);
    this.#bytes = limiter(bytesPerS);
    const policies = [
      ...(requestsPerS > 0 ? [`"requests";q=${requestsPerS};w=${WINDOW_S}`] : []),
      ...(bytesPerS > 0 ? [`"bytes";q=${bytesPerS};w=${WINDOW_S};qu="content-bytes"`] : []),
    ];
    this.#policy = policies.join(', ');
  }

  isOf({ requestsPerS, bytesPerS }: KeyLimits): boolean {
    return this.#limits.requestsPerS === requestsPerS && this.#limits.bytesPerS === bytesPerS;
  }

  async count(request: IncomingMessage, reply: FastifyReply): Promise<void> {
    const left = [await this.#countRequest(), await this.#bytesLeft()].filter((each) => each !== undefined);
    this.#follow(request);
    if (left.length === 0) return;
    const over = left.find((each) => each.isOver);
    this.#tell(reply, left, over ?? left[0]!);
    if (over === undefined) return;
    throw new Problem('rate_limited', `The key may use ${over.of} ${over.name} a second, and has used them up`, {
      retryAfter: over.reset,
      members: { limit: over.name },
    });
  }

  /** Draft-ietf-httpapi-ratelimit-headers, and the three headers that older clients know. */
  #tell(reply: FastifyReply, left: Left[], nearest: Left): void {
    reply.header('ratelimit-policy', this.#policy);
    reply.header(
      'ratelimit',
      left.map(({ name, remaining, reset }) => `"${name}";r=${remaining};t=${reset}`).join(', '),
    );
    reply.header('ratelimit-limit', nearest.of);
    reply.header('ratelimit-remaining', nearest.remaining);
    reply.header('ratelimit-reset', nearest.reset);
  }

  async #countRequest(): Promise<Left | undefined> {
    if (this.#requests === undefined) return undefined;
    const result = await this.#requests.consume('').catch((over: RateLimiterRes) => over);
    return leftOf('requests', this.#limits.requestsPerS, result);
  }

  async #bytesLeft(): Promise<Left | undefined> {
    if (this.#bytes === undefined) return undefined;
    for (const socket of this.#sockets) this.#charge(socket);
    await this.#turn;
    return leftOf('bytes', this.#limits.bytesPerS, await this.#bytes.get(''));
  }

  /** Requests on a connection come one after the other, so its bytes, headers too, are those of the one under way. */
  #follow(request: IncomingMessage): void {
    const { socket } = request;
    this.#sockets.add(socket);
    request.once('close', () => {
      this.#sockets.delete(socket);
      this.#charge(socket);
    });
  }

  #charge(socket: Socket): void {
    const bytes = socket.bytesRead - (charged.get(socket) ?? 0);
    charged.set(socket, socket.bytesRead);
    const limiter = this.#bytes;
    if (limiter !== undefined && bytes > 0) this.#turn = this.#turn.then(() => this.#spend(limiter, bytes));
  }

  /** Nothing is cut off: what goes beyond the limit is a debt, and paid by waiting. */
  async #spend(limiter: RateLimiterMemory, bytes: number): Promise<void> {
    const { bytesPerS } = this.#limits;
    const { consumedPoints, msBeforeNext } = await limiter.penalty('', bytes);
    if (consumedPoints <= bytesPerS) return;
    const wasOver = consumedPoints - bytes > bytesPerS;
    // A debt grows; a window that was within its limit becomes one, counted from its beginning.
    const addedS = wasOver ? bytes / bytesPerS : consumedPoints / bytesPerS - WINDOW_S;
    const debtS = msBeforeNext / 1_000 + addedS;
    await limiter.set('', consumedPoints, Math.min(debtS, MOST_DEBT_S));
  }
}

function limiter(points: number): RateLimiterMemory | undefined {
  return points === 0 ? undefined : new RateLimiterMemory({ points, duration: WINDOW_S });
}

function leftOf(name: Left['name'], of: number, result: RateLimiterRes | null): Left {
  const used = result !== null && result.msBeforeNext > 0 ? result.consumedPoints : 0;
  return {
    name,
    of,
    remaining: Math.max(of - used, 0),
    reset: used === 0 ? WINDOW_S : Math.max(Math.ceil(result!.msBeforeNext / 1_000), 1),
    isOver: used > of,
  };
}
