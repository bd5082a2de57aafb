// GET /v1/batches/{id}/reconciliation: the proof that a batch's rows are what was sent.
import type { FastifyInstance } from 'fastify';
import { databaseProblem } from '../db.ts';
import { Problem } from '../errors.ts';
import { type Reconciliation, reconcileBatch } from '../reconcile/batch.ts';
import { withReading } from '../reconcile/connections.ts';
import type { Service } from '../service.ts';
import { type BatchById, batchIdOf } from './batches.ts';

export function reconciliationRoutes(server: FastifyInstance, { db }: Service): void {
  // One at a time: each sorts all rows of a batch in Postgres, on connections that are not the pool's.
  let turn: Promise<unknown> = Promise.resolve();

  server.get<BatchById>('/v1/batches/:id/reconciliation', { config: { scope: 'read' } }, async (request, reply) => {
    const id = batchIdOf(request.params);
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const answer = turn.then(() => reconcile(id, gone.signal));
    turn = answer.catch(() => {});
    return answer.catch((error) => {
      if (!gone.signal.aborted) throw error;
      // Nobody is there to be told.
      return reply.hijack();
    });
  });

  async function reconcile(id: string, signal: AbortSignal): Promise<Reconciliation> {
    try {
      return await withReading(db, (reading) => reconcileBatch(reading, id), signal);
    } catch (error) {
      const problem = databaseProblem(error);
      if (problem === undefined) throw error;
      const detail = 'The batch could not be held against its rows: Postgres could not be read';
      throw new Problem(problem.code, detail, { retryAfter: problem.retryAfter ?? 5, cause: error });
    }
  }
}
