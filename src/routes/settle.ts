// POST /v1/batches/{id}/promote and …/discard, DELETE /v1/batches/{id}: how a batch ends that was held, or should not
// have been promoted.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Limits } from '../config.ts';
import { Problem } from '../errors.ts';
import { readDocument } from '../intake/document.ts';
import { discardBatch, promoteBatch, undoBatch } from '../load/settle.ts';
import { readBatch } from '../report/read.ts';
import { parseDocument } from '../schema/document.ts';
import type { Service } from '../service.ts';
import { type BatchById, batchIdOf, foundBatch } from './batches.ts';

/** Characters of a reason. */
const LONGEST_REASON = 1_000;

export function settleRoutes(server: FastifyInstance, app: Service): void {
  const { db, config } = app;
  const current = async (id: string) => foundBatch(await readBatch(db, id), id);

  server.post<BatchById>('/v1/batches/:id/promote', async (request) => {
    const id = batchIdOf(request.params);
    const reason = await readReason(request, config.limits);
    if (reason === undefined) throw invalidBody('it needs a reason: {"reason": "why it is promoted all the same"}');
    const plans = new Map(app.schemas.current.tables.map((plan) => [plan.table, plan]));
    await promoteBatch(db, id, reason, plans);
    request.log.info({ batch_id: id }, 'batch promoted');
    return current(id);
  });

  server.post<BatchById>('/v1/batches/:id/discard', async (request) => {
    const id = batchIdOf(request.params);
    await discardBatch(db, id, await readReason(request, config.limits));
    request.log.info({ batch_id: id }, 'batch discarded');
    return current(id);
  });

  server.delete<BatchById>('/v1/batches/:id', async (request) => {
    const id = batchIdOf(request.params);
    refuseParameters(request);
    await undoBatch(db, id);
    request.log.info({ batch_id: id }, 'batch undone');
    return current(id);
  });
}

/** The reason in the body, as it was given; undefined where there is none. */
async function readReason(request: FastifyRequest, limits: Limits): Promise<string | undefined> {
  refuseParameters(request);
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (coding === undefined && (length === undefined || Number(length) === 0)) return undefined;
  const parsed = parseDocument(await readDocument(request, limits));
  if (!('value' in parsed)) throw invalidBody(parsed.reason, parsed.place);
  const { value } = parsed;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidBody('it is not a JSON object');
  for (const name of Object.keys(value)) {
    if (name !== 'reason') throw invalidBody(`it has a member ${JSON.stringify(name.slice(0, 100))}: known is reason`);
  }
  return checkReason((value as { reason?: unknown }).reason);
}

function checkReason(reason: unknown): string | undefined {
  if (reason === undefined) return undefined;
  if (typeof reason !== 'string') throw invalidBody('the reason is not a string', '/reason');
  if (reason.trim() === '') throw invalidBody('the reason is empty', '/reason');
  if (reason.length > 2 * LONGEST_REASON || [...reason].length > LONGEST_REASON) {
    throw invalidBody(`the reason has more than ${LONGEST_REASON} characters`, '/reason');
  }
  // Text in Postgres can hold neither.
  if (reason.includes('\0')) throw invalidBody('the reason has the character NUL in it', '/reason');
  if (!reason.isWellFormed()) throw invalidBody('the reason is not valid Unicode', '/reason');
  return reason;
}

/** A reason in the address would be lost without a word. */
function refuseParameters({ query }: FastifyRequest): void {
  const [name] = Object.keys(query as object);
  if (name === undefined) return;
  throw new Problem('invalid_parameter', `The parameter ${name} is not known: there are none`, {
    members: { parameter: name },
  });
}

function invalidBody(fault: string, place = ''): Problem {
  return new Problem('invalid_body', `The body is not valid${place === '' ? '' : ` at ${place}`}: ${fault}`);
}
