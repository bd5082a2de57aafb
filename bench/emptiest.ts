// The emptiest POST route of the server: whichever it answers with the least work. They are tried, not guessed.
import { EVENT, type Request } from './connection.ts';
import type { Generator } from './requests.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const post = { method: 'POST', headers: JSON_TYPE, body: EVENT } as const;

/** A single event that is stored. */
export const SINGLE: Request = { ...post, path: '/v1/events', status: 201 };

/** POSTs to routes of the server that touch no table, each with the body of a single event. */
const CANDIDATES: readonly Request[] = [
  { ...post, path: '/v1/events', headers: { 'content-type': 'text/plain' }, status: 415 },
  { ...post, path: '/v1/events?schema=nothing', status: 400 },
  { ...post, path: '/v1/events?dry_run=true', status: 200 },
  { ...post, path: '/v1/batches/nothing/promote', status: 404 },
  { ...post, path: '/v1/rejections/replay', status: 400 },
  { ...post, path: '/v1/schemas/nothing/compatibility', status: 404 },
];

export interface Emptiest {
  request: Request;
  /** The rate of each that was tried, in words. */
  tried: string;
}

/** Tries all of them for a second. */
export async function emptiestPost(generator: Generator, url: string): Promise<Emptiest> {
  const rates: [Request, number][] = [];
  for (const request of CANDIDATES) {
    // Once to warm up.
    await generator.rate(url, request, 1);
    rates.push([request, await generator.rate(url, request, 1)]);
  }
  rates.sort((a, b) => b[1] - a[1]);
  const tried = rates.map(([{ path, status }, rate]) => `${path} (${status}) ${rate.toFixed(0)}`).join(', ');
  return { request: rates[0]![0], tried };
}
