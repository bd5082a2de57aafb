// Bounds on what clients can make this process hold at once: connections, requests, and answers that nobody reads. The
// bounds on a single body are those of pace.ts and stream.ts.
import type { Server } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Limits } from '../config.ts';
import { Problem } from '../errors.ts';

/** Connections for each request that may be under way: those kept alive cost little, but not nothing. */
const CONNECTIONS_A_REQUEST = 10;
/** They are asked when there is most to do. */
const EXEMPT = new Set(['/healthz', '/readyz']);

/**
 * For Fastify's `http`: a client that does not get to the end of its headers is cut off. Node looks at its connections
 * now and then only: https://nodejs.org/docs/latest-v20.x/api/http.html#httpcreateserveroptions-requestlistener
 */
export function headerBounds({ idleMs }: Limits): { headersTimeout: number; connectionsCheckingInterval: number } {
  return { headersTimeout: idleMs, connectionsCheckingInterval: Math.min(idleMs, 5_000) };
}

/** Holds the server within its bounds. To be called before routes are added. */
export function boundTraffic(server: FastifyInstance, { requests, idleMs }: Limits): void {
  (server.server as Server).maxConnections = requests * CONNECTIONS_A_REQUEST;
  let underWay = 0;

  server.addHook('onRequest', (request, reply, done) => {
    if (EXEMPT.has(request.url)) return done();
    if (underWay >= requests) {
      throw new Problem('overloaded', `There are ${requests} requests under way already`, { retryAfter: 1 });
    }
    underWay++;
    reply.raw.once('close', () => {
      underWay--;
    });
    done();
  });

  // The time counts from the last byte that moved either way; while we are the slow side nothing waits to be taken.
  server.addHook('onSend', (request, reply, _payload, done) => {
    const { raw } = reply;
    raw.setTimeout(idleMs, () => {
      if (raw.writableLength > 0 || raw.writableNeedDrain) request.raw.destroy();
    });
    done();
  });
}
