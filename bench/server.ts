// The product under measurement: the built server as a process of its own, and an upload to it.
import { spawn } from 'node:child_process';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Report } from '../src/model.ts';

export interface Server {
  url: string;
  /** Peak resident set so far, in bytes (Linux only, else NaN). */
  peak(): number;
  stop(): Promise<void>;
}

export interface ServerSettings {
  databaseUrl: string;
  schemaDir?: string;
  env?: Record<string, string>;
  /** Writes a CPU profile when it ends. */
  profile?: boolean;
}

/** Starts the server on a free port; resolves once it listens. */
export async function startServer({ databaseUrl, schemaDir, env, profile = false }: ServerSettings): Promise<Server> {
  const child = spawn(
    process.execPath,
    [...(profile ? ['--cpu-prof', '--cpu-prof-dir=bench/results'] : []), 'bin/sluice.js', 'serve'],
    {
      env: {
        ...process.env,
        DATABASE_URL: databaseUrl,
        PORT: '0',
        HOST: '127.0.0.1',
        LOG_LEVEL: 'info',
        ...(schemaDir === undefined ? {} : { SCHEMA_DIR: schemaDir }),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    child.stdout.on('data', (data: Buffer) => {
      for (const line of data.toString().split('\n')) if (line.includes('"listening"')) resolve(JSON.parse(line).url);
    });
  });
  const status = `/proc/${child.pid}/status`;
  return {
    url,
    peak: () =>
      existsSync(status) ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]) * 1024 : Number.NaN,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

export interface Timed<T> {
  seconds: number;
  answer: T;
}

/** Uploads a file; seconds from the first byte to the end of the report. */
export function upload(server: Server, path: string, query = ''): Promise<Timed<Report>> {
  return timed<Report>(`${server.url}/v1/events?report=summary${query}`, 'application/x-ndjson', path);
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

async function timed<T>(url: string, type: string, path: string): Promise<Timed<T>> {
  const start = performance.now();
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: { 'content-type': type } });
    sent.on('error', reject);
    sent.on('response', async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve(body);
    });
    createReadStream(path, { highWaterMark: 256 * 1024 }).pipe(sent);
  });
  return { seconds: (performance.now() - start) / 1000, answer: JSON.parse(text) };
}
