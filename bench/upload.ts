// Uploads, timed from the first byte to the end of the report.
import { createReadStream } from 'node:fs';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import type { Report } from '../src/model.ts';
import type { Server } from './server.ts';

export interface Timed<T> {
  seconds: number;
  answer: T;
}

export interface Upload {
  path: string;
  /** The file is sent so many times over, as one body. */
  times?: number;
  /** More of the query, with its `&`. */
  query?: string;
  headers?: Record<string, string>;
}

/** Uploads a file as NDJSON; whatever becomes of it, the answer is a report. */
export async function upload(server: Server, path: string, query = ''): Promise<Timed<Report>> {
  return send(server, { path, query });
}

/** The same, with more to say about it. */
export async function send({ url }: Server, { path, times = 1, query = '', headers }: Upload): Promise<Timed<Report>> {
  const start = performance.now();
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(`${url}/v1/events?report=summary${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', ...headers },
    });
    sent.on('error', reject);
    sent.on('response', async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve(body);
    });
    bodyOf(path, times).on('error', reject).pipe(sent);
  });
  const answer = JSON.parse(text) as Report;
  if (answer.lines === undefined) throw new Error(text);
  return { seconds: (performance.now() - start) / 1000, answer };
}

/** Uploads a file all of whose lines are to be accepted. */
export async function load(server: Server, file: Upload): Promise<Timed<Report>> {
  const timed = await send(server, file);
  const { status, lines } = timed.answer;
  if (status !== 'promoted' || lines.accepted !== lines.received) throw new Error(JSON.stringify(timed.answer));
  return timed;
}

function bodyOf(path: string, times: number): Readable {
  const part = (): Readable => createReadStream(path, { highWaterMark: 256 * 1024 });
  if (times === 1) return part();
  return Readable.from(
    (async function* () {
      for (let time = 0; time < times; time++) yield* part();
    })(),
    { objectMode: false, highWaterMark: 256 * 1024 },
  );
}

/** A request with a JSON body, or none. */
export async function ask<T>(url: string, body?: object): Promise<Timed<T>> {
  const start = performance.now();
  const json = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(url, body === undefined ? {} : json);
  const answer = (await response.json()) as T;
  if (!response.ok) throw new Error(`${url}: ${response.status} ${JSON.stringify(answer)}`);
  return { seconds: (performance.now() - start) / 1000, answer };
}
