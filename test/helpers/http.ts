// Requests to the server under test, as a client would send them.
import type { Report } from '../../src/model.ts';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON: a report, a problem document, a list. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every kind
  json: any;
}

export interface PostOptions {
  query?: Record<string, string>;
  headers?: Record<string, string>;
}

async function call(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(60_000) });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && !text.includes('\n{');
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
}

export function post(
  server: { url: string },
  body: string | Buffer | FormData,
  options: PostOptions = {},
): Promise<Answer> {
  const query = new URLSearchParams(options.query ?? {}).toString();
  return call(`${server.url}/v1/events${query === '' ? '' : `?${query}`}`, {
    method: 'POST',
    body: body as string,
    headers: { ...(body instanceof FormData ? {} : { 'content-type': 'application/x-ndjson' }), ...options.headers },
  });
}

export const get = (server: { url: string }, path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  call(`${server.url}${path}`, { headers });

/** The objects of an NDJSON answer. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export function lines(answer: Answer): any[] {
  return answer.text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** What must hold for every report. */
export function addsUp(report: Report): boolean {
  const { received, accepted, rejected, duplicate, blank } = report.lines;
  const bySchema = Object.values(report.schemas).reduce((sum, count) => sum + count, 0);
  const byCause = report.causes.reduce((sum, cause) => sum + cause.count, 0);
  return received === accepted + rejected + duplicate + blank && bySchema === accepted && byCause === rejected;
}

/** A `user_event` that is valid, but for what `change` says. */
export function userEvent(change: Record<string, unknown> = {}, data: Record<string, unknown> = {}): object {
  return {
    event_type: 1,
    event_time: '2026-01-02T03:04:05Z',
    data: { user_email: 'ada@example.com', phone_number: '+4912345', ...data },
    processing_date: '2026-01-02',
    ...change,
  };
}

/** Objects (or raw text) as NDJSON. */
export function ndjson(...items: (object | string)[]): string {
  return ndjsonOf(items);
}

export function ndjsonOf(items: readonly (object | string)[]): string {
  return items.map((item) => `${typeof item === 'string' ? item : JSON.stringify(item)}\n`).join('');
}
