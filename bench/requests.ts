// Requests by the second: many connections, each sending the next when the last one is answered.
import { Agent, request } from 'node:http';
import type { Server } from './server.ts';

const CONNECTIONS = 64;
const SECONDS = 3;

export interface Load {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body: string;
  status: number;
}

/** One good event. */
export const EVENT = `${JSON.stringify({
  event_type: 1,
  event_time: '2026-01-02T03:04:05Z',
  data: { user_email: 'ada@example.com', phone_number: '+4912345' },
  processing_date: '2026-01-02',
})}\n`;

/** Requests a second, over 3 seconds and 64 connections that are kept alive. */
export async function ratePerSecond({ url }: Server, load: Load): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const start = performance.now();
  let done = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - start < SECONDS * 1_000) {
      await send(new URL(load.path, url), agent, load);
      done++;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const rate = done / ((performance.now() - start) / 1_000);
  agent.destroy();
  return rate;
}

function send(url: URL, agent: Agent, { method, headers, body, status }: Load): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === status) resolve();
        else reject(new Error(`${method} ${url}: ${response.statusCode}, not ${status}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}
