// POST /v1/batches/{id}/promote and …/discard, DELETE /v1/batches/{id}: how a batch ends that was held, or should not
// have been promoted.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Limits } from '../config.ts';
import { readDocument } from '../intake/document.ts';
import { readParameters } from '../intake/query.ts';
import { discardBatch, promoteBatch, undoBatch } from '../load/settle.ts';
import { readBatch } from '../report/read.ts';
import type { Service } from '../service.ts';
import { type BatchById, batchIdOf, foundBatch } from './batches.ts';
import { type Deed, inAudit } from './deed.ts';
import { invalidBody, parseObject } from './json-body.ts';

/** Characters of a reason. */
const LONGEST_REASON = 1_000;

const DONE = { status: 200 };

export function settleRoutes(server: FastifyInstance, app: Service): void {
  const { db, config } = app;
  const current = async (id: string) => foundBatch(await readBatch(db, id), id);
  const deedOn = (action: Deed['action'], target: string, reason?: string): Deed => ({
    action,
    target,
    details: reason === undefined ? {} : { reason },
  });

  server.post<BatchById>('/v1/batches/:id/promote', { config: { scope: 'admin' } }, async (request) => {
    const id = batchIdOf(request.params);
    const reason = await readReason(request, config.limits);
    if (reason === undefined) throw invalidBody('', 'it needs a reason: {"reason": "why it is promoted all the same"}');
    const plans = new Map(app.schemas.current.tables.map((plan) => [plan.table, plan]));
    await inAudit(db, request, deedOn('batch.promote', id, reason), async (note) => {
      await promoteBatch(db, id, reason, plans, (connection) => note(connection, DONE));
      return DONE;
    });
    return current(id);
  });

  server.post<BatchById>('/v1/batches/:id/discard', { config: { scope: 'admin' } }, async (request) => {
    const id = batchIdOf(request.params);
    const reason = await readReason(request, config.limits);
    await inAudit(db, request, deedOn('batch.discard', id, reason), async (note) => {
      await discardBatch(db, id, reason, (connection) => note(connection, DONE));
      return DONE;
    });
    return current(id);
  });

  server.delete<BatchById>('/v1/batches/:id', { config: { scope: 'admin' } }, async (request) => {
    const id = batchIdOf(request.params);
    readParameters(request.query, []);
    await inAudit(db, request, deedOn('batch.undo', id), async (note) => {
      await undoBatch(db, id, (connection) => note(connection, DONE));
      return DONE;
    });
    return current(id);
  });
}

/** The reason in the body, as it was given; undefined where there is none. */
async function readReason(request: FastifyRequest, limits: Limits): Promise<string | undefined> {
  // A reason in the address would be lost without a word.
  readParameters(request.query, []);
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (coding === undefined && (length === undefined || Number(length) === 0)) return undefined;
  return checkReason(parseObject(await readDocument(request, limits), ['reason']).reason);
}

function checkReason(reason: unknown): string | undefined {
  if (reason === undefined) return undefined;
  if (typeof reason !== 'string') throw invalidBody('/reason', 'the reason is not a string');
  if (reason.trim() === '') throw invalidBody('/reason', 'the reason is empty');
  if (reason.length > 2 * LONGEST_REASON || [...reason].length > LONGEST_REASON) {
    throw invalidBody('/reason', `the reason has more than ${LONGEST_REASON} characters`);
  }
  // Text in Postgres can hold neither.
  if (reason.includes('\0')) throw invalidBody('/reason', 'the reason has the character NUL in it');
  if (!reason.isWellFormed()) throw invalidBody('/reason', 'the reason is not valid Unicode');
  return reason;
}
