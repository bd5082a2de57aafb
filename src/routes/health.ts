// GET /healthz: the process lives. GET /readyz: it could store an event now.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../errors.ts';
import type { Service } from '../service.ts';

const PATIENCE_MS = 2_000;

export function healthRoutes(server: FastifyInstance, { db }: Service): void {
  server.get('/healthz', { config: { scope: null } }, async () => ({ status: 'ok' }));

  server.get('/readyz', { config: { scope: null } }, async () => {
    try {
      await db.raw('SELECT 1').timeout(PATIENCE_MS, { cancel: false });
    } catch (error) {
      throw new Problem('database_unavailable', 'Postgres does not answer', { retryAfter: 2, cause: error });
    }
    return { status: 'ready' };
  });
}
