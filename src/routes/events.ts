// POST /v1/events: options, idempotency and admission around the pipeline.
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { checkReference } from '../access/subjects.ts';
import { borrow } from '../db.ts';
import { Problem } from '../errors.ts';
import { faultPoint } from '../fault-point.ts';
import { fingerprintOf, ingest, type Upload } from '../ingest.ts';
import type { Admission } from '../intake/admission.ts';
import { uploadFiles } from '../intake/body.ts';
import { decidingParameters, readIdempotencyKey, readOptions, type UploadOptions } from '../intake/options.ts';
import { fileOf, mayBeSingle, readAtOnce } from '../intake/small.ts';
import { claimKey, keyOf } from '../load/idempotency.ts';
import { readAnswer, type StoredAnswer } from '../load/record.ts';
import type { Report } from '../model.ts';
import { withDetail } from '../report/build.ts';
import { fullReport } from '../report/full.ts';
import type { Registry } from '../schema/registry.ts';
import type { Service } from '../service.ts';
import type { Singles } from '../singles.ts';

export function eventRoutes(server: FastifyInstance, app: Service, admission: Admission, singles: Singles): void {
  server.post('/v1/events', { config: { scope: 'ingest' } }, (request, reply) =>
    takeEvents(app, singles, admission, request, reply),
  );
}

async function takeEvents(
  app: Service,
  singles: Singles,
  admission: Admission,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const startedAt = performance.now();
  const { limits } = app.config;
  // The batch keeps these schemas, whatever is reloaded while it is under way.
  const registry = app.schemas.current;
  const options = readOptions(request.query as Record<string, unknown>);
  const key = options.dryRun ? null : readIdempotencyKey(request.headers['idempotency-key']);
  const { client } = request;
  if (options.schema !== null) checkReference(client, options.schema);
  const schema = options.schema === null ? null : registry.resolve(options.schema);
  if (options.schema !== null && schema === null) {
    throw new Problem('unknown_schema', `There is no schema ${JSON.stringify(options.schema)}`);
  }
  let files: Upload['files'] | undefined;
  if (key === null && mayBeSingle(request, options, limits)) {
    const body = await readAtOnce(request.raw, limits);
    // These are no uploads of their own: while the disk is slow, hundreds of them wait for the next commit together.
    const answer = body && singles.take(body, schema, registry, client, startedAt);
    if (answer !== undefined) {
      const single = await answer;
      return send(app, reply, single, options, single.batchId);
    }
    files = body && fileOf(body);
  }
  // Ids are made here and no earlier: random bytes for each single event, used by none, were a tenth of what they cost.
  const batchId = uuidv7();
  const claim = key === null ? null : { key: keyOf(client.id, key), batchId };
  const upload: Upload = {
    batchId,
    client,
    receivedAt: new Date(),
    startedAt,
    parameters: decidingParameters(options),
    schemaParameter: options.schema,
    schema,
    dryRun: options.dryRun,
    rules: options,
    full: options.report === 'full',
    claim,
    files: files ?? uploadFiles(request, limits),
  };
  return admission.during(request, () => takeUpload(app, upload, options, registry, request, reply));
}

async function takeUpload(
  app: Service,
  upload: Upload,
  options: UploadOptions,
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { db, presence, sweeper } = app;
  const { limits } = app.config;
  const { batchId, claim } = upload;
  if (claim !== null) {
    const claimed = await claimKey(db, claim, presence.process).catch((error: unknown) => {
      // The claim may have arrived although its answer did not: it must not be kept by nobody.
      sweeper.add(batchId);
      throw error;
    });
    faultPoint('after-claim');
    if (claimed.state === 'running') {
      throw new Problem(
        'idempotency_key_in_use',
        'The request that came first with this Idempotency-Key is still running',
        {
          retryAfter: 1,
        },
      );
    }
    if (claimed.state === 'done') {
      const stored = await replay(app, upload, claimed);
      reply.header('idempotent-replayed', 'true');
      return send(app, reply, stored, options, claimed.batchId);
    }
  }
  const onLost = (id: string) => sweeper.add(id);
  const stored = await ingest(upload, { db, registry, limits, process: presence.process, onLost });
  request.log.info({ batch_id: batchId, status: stored.status }, 'batch finished');
  return send(app, reply, stored, options, batchId);
}

/** The answer to the request that used the key first, if this one has the same payload. */
async function replay(
  { db }: Service,
  upload: Upload,
  done: { batchId: string; fingerprint: Buffer },
): Promise<StoredAnswer> {
  const fingerprint = await fingerprintOf(upload);
  if (!fingerprint.equals(done.fingerprint)) {
    throw new Problem(
      'idempotency_key_reused',
      'This Idempotency-Key was used with another payload or other parameters',
    );
  }
  const stored = await borrow(db, (connection) => readAnswer(connection, done.batchId));
  if (stored === undefined)
    throw new Problem('batch_not_found', 'The report of this Idempotency-Key is no longer kept');
  return stored;
}

function send(
  { db }: Service,
  reply: FastifyReply,
  stored: StoredAnswer,
  { report, dryRun }: UploadOptions,
  batchId: string,
): FastifyReply {
  reply.code(stored.status).type('application/json; charset=utf-8');
  if (!dryRun) reply.header('location', `/v1/batches/${batchId}`);
  if (report === 'rejected' || (report === 'full' && dryRun)) return reply.send(stored.report);
  const parsed: Report = JSON.parse(stored.report);
  if (report === 'summary') return reply.send(JSON.stringify(withDetail(parsed, report)));
  return reply.send(Readable.from(fullReport(db, parsed)));
}
