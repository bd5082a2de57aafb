// GET /v1/batches…: what became of uploads.
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { sightOf } from '../access/client.ts';
import { Problem } from '../errors.ts';
import {
  decodeCursor,
  encodeCursor,
  readChoice,
  readLimit,
  readMoment,
  readParameters,
  UUID,
} from '../intake/query.ts';
import { ndjson } from '../report/full.ts';
import { type BatchFilter, listBatches, readBatch, readRejections, readVerdicts } from '../report/read.ts';
import type { Service } from '../service.ts';

const STATUSES = ['receiving', 'promoted', 'held', 'rejected', 'aborted', 'discarded', 'undone'];
const CURSOR_TIME = /^\d{4}-\d\d-\d\d [\d:.]{8,15}\+00$/;

export interface BatchById {
  Params: { id: string };
}

export function batchRoutes(server: FastifyInstance, { db }: Service): void {
  server.get('/v1/batches', { config: { scope: 'read' } }, async (request) => {
    const { items, next } = await listBatches(db, readFilter(request.query), sightOf(request.client));
    return { items, next_cursor: next && encodeCursor([next.receivedAt, next.id]) };
  });

  server.get<BatchById>('/v1/batches/:id', { config: { scope: 'read' } }, async (request) =>
    foundBatch(await readBatch(db, batchIdOf(request.params)), request.params.id),
  );

  server.get<BatchById>('/v1/batches/:id/lines', { config: { scope: 'read' } }, async (request, reply) =>
    sendLines(reply, foundBatch(await readVerdicts(db, batchIdOf(request.params)), request.params.id)),
  );

  server.get<BatchById>('/v1/batches/:id/rejections', { config: { scope: 'read' } }, async (request, reply) =>
    sendLines(reply, foundBatch(await readRejections(db, batchIdOf(request.params)), request.params.id)),
  );
}

function sendLines(reply: FastifyReply, items: AsyncIterable<object>): FastifyReply {
  return reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(ndjson(items)));
}

/** @throws {Problem} `batch_not_found` */
export function batchIdOf({ id }: BatchById['Params']): string {
  if (!UUID.test(id)) throw new Problem('batch_not_found', 'A batch id is a UUID');
  return id;
}

/** @throws {Problem} `batch_not_found` where there is none */
export function foundBatch<T>(value: T | undefined, id: string): T {
  if (value === undefined) throw new Problem('batch_not_found', `There is no batch ${id}`);
  return value;
}

const FILTERS = ['limit', 'cursor', 'status', 'subject', 'from', 'to'] as const;

function readFilter(query: unknown): BatchFilter {
  const { limit, cursor, status, subject, from, to } = readParameters(query, FILTERS);
  return {
    limit: readLimit(limit),
    after: decodeCursor(cursor, ([receivedAt, id]) =>
      typeof receivedAt === 'string' && CURSOR_TIME.test(receivedAt) && typeof id === 'string' && UUID.test(id)
        ? { receivedAt, id }
        : undefined,
    ),
    status: readChoice('status', status, STATUSES),
    subject: subject?.replaceAll('\0', '') ?? null,
    from: readMoment('from', from),
    to: readMoment('to', to),
  };
}
