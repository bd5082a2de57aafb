// GET /healthz: the process lives. GET /readyz: it could store an event now.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../errors.ts';
import type { Service } from '../service.ts';

const PATIENCE_MS = 2_000;

export function healthRoutes(server: FastifyInstance, { db, presence }: Service): void {
  server.get('/healthz', { config: { scope: null } }, async () => ({ status: 'ok' }));

  server.get('/readyz', { config: { scope: null } }, async () => {
    if (!presence.isReady) throw unready();
    try {
      await db.raw('SELECT 1').timeout(PATIENCE_MS, { cancel: false });
    } catch (error) {
      // That all connections are in use is no fault: Postgres has just answered on another one.
      if ((error as Error).name !== 'KnexTimeoutError') throw unready(error);
    }
    return { status: 'ready' };
  });
}

function unready(cause?: unknown): Problem {
  return new Problem('database_unavailable', 'Postgres does not answer, or takes no writes', { retryAfter: 2, cause });
}
