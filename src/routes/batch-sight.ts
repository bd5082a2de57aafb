// Whose batches may be looked at: asked in one place for every address below /v1/batches/{id}, also for those that are
// added later. What may not be seen is answered like what does not exist, in the same words.
import type { FastifyInstance } from 'fastify';
import { sightOf } from '../access/client.ts';
import type { Database } from '../db.ts';
import { isSeen } from '../report/read.ts';
import { type BatchById, batchIdOf, foundBatch } from './batches.ts';

const BELOW_BATCH = '/v1/batches/:';

/** Puts the question before all routes of one batch that are registered afterwards. */
export function hideBatches(server: FastifyInstance, db: Database): void {
  server.addHook('onRoute', (route) => {
    if (!route.url.startsWith(BELOW_BATCH)) return;
    const others = [route.preHandler ?? []].flat();
    route.preHandler = [
      async ({ params, client }) => {
        const id = batchIdOf(params as BatchById['Params']);
        const sight = sightOf(client);
        // Whoever sees all batches is told by whatever looks for this one.
        if (sight !== null) foundBatch((await isSeen(db, id, sight)) || undefined, id);
      },
      ...others,
    ];
  });
}
