// GET /v1/batches…: what became of uploads.
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Problem } from '../errors.ts';
import { ndjson } from '../report/full.ts';
import { type BatchFilter, listBatches, readBatch, readRejections, readVerdicts } from '../report/read.ts';
import type { Service } from '../service.ts';

const STATUSES = ['receiving', 'promoted', 'held', 'rejected', 'aborted', 'discarded', 'undone'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MOST_ITEMS = 1_000;

export interface BatchById {
  Params: { id: string };
}

export function batchRoutes(server: FastifyInstance, { db }: Service): void {
  server.get('/v1/batches', async (request) => {
    const { items, next } = await listBatches(db, readFilter(request.query as Record<string, unknown>));
    return { items, next_cursor: next === null ? null : encodeCursor(next) };
  });

  server.get<BatchById>('/v1/batches/:id', async (request) =>
    foundBatch(await readBatch(db, batchIdOf(request.params)), request.params.id),
  );

  server.get<BatchById>('/v1/batches/:id/lines', async (request, reply) =>
    sendLines(reply, foundBatch(await readVerdicts(db, batchIdOf(request.params)), request.params.id)),
  );

  server.get<BatchById>('/v1/batches/:id/rejections', async (request, reply) =>
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

const FILTERS = ['limit', 'cursor', 'status', 'subject', 'from', 'to'];

function readFilter(query: Readonly<Record<string, unknown>>): BatchFilter {
  for (const [name, value] of Object.entries(query)) {
    if (!FILTERS.includes(name)) throw invalid(name, `is not known: known are ${FILTERS.join(', ')}`);
    if (typeof value !== 'string') throw invalid(name, 'is given more than once');
  }
  const { limit, cursor, status, subject, from, to } = query as Record<string, string | undefined>;
  if (status !== undefined && !STATUSES.includes(status))
    throw invalid('status', `must be one of ${STATUSES.join(', ')}`);
  const count = limit === undefined ? 100 : /^\d{1,4}$/.test(limit) ? Number(limit) : 0;
  if (count < 1 || count > MOST_ITEMS) throw invalid('limit', `must be a whole number from 1 to ${MOST_ITEMS}`);
  return {
    limit: count,
    after: cursor === undefined ? null : decodeCursor(cursor),
    status: status ?? null,
    subject: subject?.replaceAll('\0', '') ?? null,
    from: time('from', from),
    to: time('to', to),
  };
}

const DATE_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

function time(name: string, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const date = new Date(text);
  if (!DATE_TIME.test(text) || Number.isNaN(date.getTime()))
    throw invalid(name, 'must be a date or a date-time (RFC 3339)');
  return date;
}

type Cursor = { receivedAt: string; id: string };

function encodeCursor({ receivedAt, id }: Cursor): string {
  return Buffer.from(JSON.stringify([receivedAt, id])).toString('base64url');
}

function decodeCursor(text: string): Cursor {
  try {
    const [receivedAt, id] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (UUID.test(id) && /^\d{4}-\d\d-\d\d [\d:.]{8,15}\+00$/.test(receivedAt)) return { receivedAt, id };
  } catch {
    // Said below.
  }
  throw invalid('cursor', 'is not one that this service gave out');
}

function invalid(name: string, fault: string): Problem {
  return new Problem('invalid_parameter', `The parameter ${name} ${fault}`, { members: { parameter: name } });
}
