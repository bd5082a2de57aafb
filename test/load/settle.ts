// Requests that settle a batch.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../helpers/http.ts';
import type { TestDatabase } from '../helpers/postgres.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

type Server = { url: string };

/** @param path the batch's id and what follows it */
export async function settle(
  server: Server,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = body === undefined ? {} : JSON_TYPE,
  method = 'POST',
): Promise<Answer> {
  const init = { method, headers, body: (body ?? null) as string | null, signal: AbortSignal.timeout(60_000) };
  const response = await fetch(`${server.url}/v1/batches/${path}`, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}

export const promote = (server: Server, id: string, reason: string) =>
  settle(server, `${id}/promote`, JSON.stringify({ reason }));

export const discard = (server: Server, id: string, body?: string) => settle(server, `${id}/discard`, body);

export const undo = (server: Server, id: string) => settle(server, id, undefined, {}, 'DELETE');

/** Waits until some statement sleeps in Postgres. */
export async function sleeping(query: TestDatabase['query']): Promise<void> {
  const sql = `SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`;
  for (let tries = 0; tries < 600; tries++) {
    if ((await query(sql)).length > 0) return;
    await sleep(25);
  }
  throw new Error('nothing sleeps');
}
