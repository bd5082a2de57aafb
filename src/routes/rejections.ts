// GET /v1/rejections: the quarantine. POST /v1/rejections/replay: out of it.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sightOf } from '../access/client.ts';
import { checkReference } from '../access/subjects.ts';
import { Problem } from '../errors.ts';
import type { Admission } from '../intake/admission.ts';
import { readDocument } from '../intake/document.ts';
import {
  decodeCursor,
  encodeCursor,
  invalidQuery,
  readChoice,
  readLimit,
  readMoment,
  readParameters,
  UUID,
} from '../intake/query.ts';
import { REJECTION_CODES } from '../quarantine/filter.ts';
import { listRejections, type RejectionPlace, type RejectionQuery, STATES } from '../quarantine/list.ts';
import { Patch } from '../quarantine/patch.ts';
import { Replays } from '../quarantine/replay.ts';
import { isSubjectName } from '../schema/listing.ts';
import type { Service } from '../service.ts';
import { inAudit } from './deed.ts';
import { isPointer, readReplayOrder } from './replay-order.ts';

export function rejectionRoutes(server: FastifyInstance, app: Service, admission: Admission): void {
  const replays = new Replays();

  server.get('/v1/rejections', { config: { scope: 'read' } }, async (request) => {
    const { items, next } = await listRejections(app.db, readQuery(request.query), sightOf(request.client));
    return { items, next_cursor: next && encodeCursor([next.batchId, next.batchLine]) };
  });

  server.post('/v1/rejections/replay', { config: { scope: 'admin' } }, (request, reply) =>
    admission.during(request, () => takeReplay(app, replays, request, reply)),
  );
}

async function takeReplay(
  { db, config, schemas, presence, sweeper }: Service,
  replays: Replays,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  readParameters(request.query, []);
  const { limits } = config;
  const {
    filter,
    schema: reference,
    patch,
    dryRun,
  } = readReplayOrder(await readDocument(request, limits), limits.depth);
  const registry = schemas.current;
  if (reference !== null) checkReference(request.client, reference);
  const schema = reference === null ? null : registry.resolve(reference);
  if (reference !== null && schema === null) {
    throw new Problem('unknown_schema', `There is no schema ${JSON.stringify(reference.slice(0, 100))}`);
  }
  const deed = {
    action: 'rejections.replay',
    target: null,
    details: { filter: given(filter), schema: reference, patched: patch !== null, dry_run: dryRun },
  } as const;
  const {
    target: batchId,
    report,
    status,
  } = await inAudit(db, request, deed, async (note) => {
    const answer = await replays.run(
      {
        client: request.client,
        filter,
        schemaParameter: reference,
        schema,
        patch: patch === null ? null : new Patch(patch, limits.lineBytes),
        dryRun,
        alongside: (connection, target, { status }) => note(connection, { status, target }),
      },
      { db, registry, limits, process: presence.process, onLost: (id) => sweeper.add(id) },
    );
    return { ...answer, target: answer.batchId };
  });
  if (batchId !== null) reply.header('location', `/v1/batches/${batchId}`);
  return reply.code(status).type('application/json; charset=utf-8').send(report);
}

/** What the filter restricts. */
function given(filter: object): object {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== null));
}

const PARAMETERS = [
  'subject',
  'code',
  'path',
  'keyword',
  'batch_id',
  'from',
  'to',
  'state',
  'limit',
  'cursor',
] as const;

function readQuery(query: unknown): RejectionQuery {
  const { subject, code, path, keyword, batch_id, from, to, state, limit, cursor } = readParameters(query, PARAMETERS);
  if (subject !== undefined && !isSubjectName(subject)) throw invalidQuery('subject', 'must be the name of a subject');
  if (path !== undefined && !isPointer(path)) throw invalidQuery('path', 'must be a JSON Pointer such as /event_time');
  if (batch_id !== undefined && !UUID.test(batch_id)) throw invalidQuery('batch_id', 'must be a UUID');
  return {
    subject: subject ?? null,
    code: readChoice('code', code, REJECTION_CODES),
    path: path ?? null,
    keyword: keyword ?? null,
    batchId: batch_id ?? null,
    from: readMoment('from', from),
    to: readMoment('to', to),
    state: readChoice('state', state, STATES),
    limit: readLimit(limit),
    after: decodeCursor(cursor, placeOf),
  };
}

function placeOf([batchId, batchLine]: unknown[]): RejectionPlace | undefined {
  const isPlace = typeof batchId === 'string' && UUID.test(batchId) && Number.isInteger(batchLine);
  const line = Number(batchLine);
  return isPlace && line > 0 && line < 2 ** 31 ? { batchId, batchLine: line } : undefined;
}
