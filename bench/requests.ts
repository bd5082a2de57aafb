// Requests a second: many connections, each sending the next request when the last one is answered. By wrk where the
// machine has it, for it leaves the cores to the server; else by a client in this process.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Connection, type Request } from './connection.ts';

export const CONNECTIONS = 64;

const run = promisify(execFile);

export interface Generator {
  name: 'wrk' | 'Node';
  /** Requests a second to a server. Throws where an answer is not as it has to be. */
  rate(url: string, request: Request, seconds: number): Promise<number>;
}

/** The best generator that is there. wrk wants its request as a file, which is written into the folder. */
export async function loadGenerator(directory: string): Promise<Generator> {
  const script = join(directory, 'request.lua');
  const isThere = await run('wrk', ['-v']).then(
    () => true,
    // It ends with 1 after printing its version.
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
  if (!isThere) return { name: 'Node', rate: rateByNode };
  return { name: 'wrk', rate: (url, request, seconds) => rateByWrk(script, url, request, seconds) };
}

async function rateByWrk(script: string, url: string, request: Request, seconds: number): Promise<number> {
  await writeFile(script, luaOf(request));
  const words = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, new URL(request.path, url).href];
  const { stdout } = await run('wrk', words);
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? 0);
  const done = number(/(\d+) requests in/);
  const others = number(/Non-2xx or 3xx responses: (\d+)/);
  const wanted = request.status < 400 ? others === 0 : others === done;
  if (done === 0 || !wanted || stdout.includes('Socket errors')) {
    throw new Error(`${request.method} ${request.path}, not all answers are ${request.status}: ${stdout}`);
  }
  return number(/Requests\/sec:\s+([\d.]+)/);
}

/** The request in Lua. Long brackets need no escapes, and in an index a space: https://www.lua.org/manual/5.1/manual.html#2.1 */
function luaOf({ method, headers, body }: Request): string {
  const text = (value: string): string => `[==[${value}]==]`;
  const lines = Object.entries(headers).map(([name, value]) => `wrk.headers[ ${text(name)} ] = ${text(value)}`);
  return [`wrk.method = ${text(method)}`, ...(body === '' ? [] : [`wrk.body = ${text(body)}`]), ...lines, ''].join(
    '\n',
  );
}

async function rateByNode(url: string, request: Request, seconds: number): Promise<number> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(url, request)));
  const start = performance.now();
  let done = 0;
  const worker = async (connection: Connection): Promise<void> => {
    while (performance.now() - start < seconds * 1_000) {
      const status = await connection.send();
      if (status !== request.status) throw new Error(`${request.method} ${request.path}: ${status}`);
      done++;
    }
  };
  try {
    await Promise.all(connections.map(worker));
    return done / ((performance.now() - start) / 1_000);
  } finally {
    for (const connection of connections) connection.close();
  }
}
