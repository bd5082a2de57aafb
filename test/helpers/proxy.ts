// A small TCP proxy of our own, for before Postgres or before the server: it delays, cuts, resets, trickles, or goes
// silent, on all connections or on one. It knows no protocol; who does can look at the bytes with `watch`.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `up`: from the client to what is behind the proxy. */
type Direction = 'up' | 'down';

/** What is done to a connection. Several at once are all done. */
interface Faults {
  /** Each piece is held back for so long, in both directions. */
  latencyMs?: number;
  /** `deaf`: nothing is read any more, so that the sender's buffers fill; `mute`: read and thrown away. */
  blackhole?: 'deaf' | 'mute';
  /** Ends the connection after so many bytes in that direction, counted from when the fault is inflicted. */
  cutAfter?: { direction: Direction; bytes: number; how: 'end' | 'reset' };
  /** No more than so many bytes at a time, with a pause after each, in both directions. */
  trickle?: { bytes: number; everyMs: number };
  /** Sees each piece before it goes on; `reset` keeps it back and resets both ends. */
  watch?: (piece: Buffer, direction: Direction, link: Link) => 'pass' | 'reset';
}

/** One connection through the proxy. */
export interface Link {
  /** Takes the place of what all connections suffer. */
  inflict(faults: Faults): void;
  /** A TCP reset at both ends. */
  reset(): void;
  destroy(): void;
}

export interface Proxy {
  /** The target's URL, by way of the proxy. */
  url: string;
  /** Connections that are open now, the oldest first. */
  links(): Link[];
  /** On all connections, those to come too. */
  inflict(faults: Faults): void;
  /** Connections work again, but for what was cut or thrown away. */
  heal(): void;
  /** Resets every connection; new ones are let through. */
  reset(): void;
  /** Cuts every connection, and resets new ones from now on. */
  cut(): void;
  /** Lets connections through again. */
  mend(): void;
}

/** @param t closes the proxy when it ends */
export async function proxyTo(t: { teardown(close: () => void): void }, targetUrl: string): Promise<Proxy> {
  const target = new URL(targetUrl);
  const links = new Set<Connection>();
  let isCut = false;
  let faults: Faults = {};
  // Half-closed connections stay half-closed on the other side too.
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => {});
    if (isCut) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: target.hostname, port: Number(target.port), allowHalfOpen: true });
    const link = new Connection(client, upstream, faults, () => links.delete(link));
    links.add(link);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    isCut = true;
    for (const link of [...links]) link.destroy();
  };
  t.teardown(() => {
    cut();
    server.close();
  });
  const inflict = (given: Faults): void => {
    faults = given;
    for (const link of links) link.inflict(given);
  };
  const url = new URL(targetUrl);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    links: () => [...links],
    inflict,
    heal: () => inflict({}),
    reset: () => {
      for (const link of [...links]) link.reset();
    },
    cut,
    mend: () => {
      isCut = false;
    },
  };
}

/** How often a silent connection looks whether it may go on. */
const LOOK_MS = 20;

class Connection implements Link {
  readonly #client: Socket;
  readonly #upstream: Socket;
  #faults: Faults;
  #passed = { up: 0, down: 0 };

  constructor(client: Socket, upstream: Socket, faults: Faults, closed: () => void) {
    this.#client = client;
    this.#upstream = upstream;
    this.#faults = faults;
    client.on('close', closed);
    for (const [from, to, direction] of [
      [client, upstream, 'up'],
      [upstream, client, 'down'],
    ] as const) {
      // A reset is handed on as one.
      from.on('error', () => this.#gone(() => to.resetAndDestroy()));
      from.on('close', () => this.#gone(() => to.destroy()));
      this.#pump(from, to, direction).catch(() => this.destroy());
    }
  }

  inflict(faults: Faults): void {
    this.#faults = faults;
    this.#passed = { up: 0, down: 0 };
  }

  reset(): void {
    this.#client.resetAndDestroy();
    this.#upstream.resetAndDestroy();
  }

  destroy(): void {
    this.#client.destroy();
    this.#upstream.destroy();
  }

  /** In a black hole the other end does not even learn that this one is gone. */
  #gone(tell: () => void): void {
    if (this.#faults.blackhole === undefined) tell();
  }

  async #pump(from: Socket, to: Socket, direction: Direction): Promise<void> {
    // Left alone at its end: the other half may still be open.
    const pieces: AsyncIterable<Buffer> = from.iterator({ destroyOnReturn: false });
    for await (const piece of pieces) {
      await this.#hear();
      if (to.destroyed) return;
      await this.#forward(piece, to, direction);
      await this.#hear();
    }
    if (this.#faults.blackhole === undefined) to.end();
  }

  /** Waits as long as the connection is deaf. */
  async #hear(): Promise<void> {
    while (this.#faults.blackhole === 'deaf' && !(this.#client.destroyed && this.#upstream.destroyed)) {
      await sleep(LOOK_MS);
    }
  }

  async #forward(piece: Buffer, to: Socket, direction: Direction): Promise<void> {
    const { latencyMs, watch } = this.#faults;
    if (latencyMs !== undefined) await sleep(latencyMs);
    if (watch?.(piece, direction, this) === 'reset') return this.reset();
    for (let from = 0; from < piece.length && !to.destroyed; ) {
      const { trickle, cutAfter, blackhole } = this.#faults;
      if (blackhole === 'mute') return;
      let size = Math.min(trickle?.bytes ?? piece.length, piece.length - from);
      const left = cutAfter?.direction === direction ? cutAfter.bytes - this.#passed[direction] : size;
      size = Math.min(size, left);
      if (size > 0 && !to.write(piece.subarray(from, from + size))) await drained(to);
      this.#passed[direction] += size;
      from += size;
      if (cutAfter?.direction === direction && this.#passed[direction] >= cutAfter.bytes) {
        // What was just written shall have left: some kernels make a close in good order of a reset behind it.
        if (cutAfter.how === 'reset') await sleep(LOOK_MS);
        return cutAfter.how === 'reset' ? this.reset() : this.#endAll();
      }
      if (trickle !== undefined) await sleep(trickle.everyMs);
    }
  }

  /** Both ends are closed in good order, what is on its way still arrives. */
  #endAll(): void {
    this.#client.destroySoon();
    this.#upstream.destroySoon();
  }
}

async function drained(socket: Socket): Promise<void> {
  const left = new AbortController();
  const options = { signal: left.signal };
  await Promise.race([once(socket, 'drain', options), once(socket, 'close', options)]).catch(() => {});
  left.abort();
}
