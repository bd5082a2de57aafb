// Where hostile input meets the real server. Every answer passes through here, and so does what must hold for all of
// them: none is a 500, none tells of our insides, every report adds up, and the process is the same one at the end.
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { exchange } from '../helpers/exchange.ts';
import { type Answer, addsUp, get, type PostOptions, post } from '../helpers/http.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { schemaFolder } from '../helpers/schemas.ts';
import { type Server, startServer } from '../helpers/server.ts';

export interface Arena {
  server: Server;
  query: TestDatabase['query'];
  post(name: string, body: string | Buffer | FormData, options?: PostOptions): Promise<Answer>;
  get(name: string, path: string): Promise<Answer>;
  /** Bytes on a socket of their own; the answers as text. */
  exchange(name: string, ...parts: (string | Buffer)[]): Promise<string>;
  /** An answer that came another way. */
  seen(name: string, status: number, text: string): void;
}

interface ArenaOptions {
  env?: Record<string, string>;
  /** Files of the schema folder; absent: the folder that ships. */
  schemas?: Readonly<Record<string, object>>;
  schemaDir?: string;
}

/** Stack traces, our paths, and SQL. */
const INSIDES = /\n\s+at |node_modules|dist\/|\/src\/|\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE)\b/;

/** Of pino's levels. */
const ERROR = 50;

/** A test on a server of its own, whose every answer is looked at. */
export function hostile(title: string, options: ArenaOptions, body: (t: Test, arena: Arena) => Promise<void>): void {
  t.test(title, async (t) => {
    const { url: databaseUrl, query } = await testDatabase(t);
    const schemaDir = options.schemas === undefined ? options.schemaDir : await schemaFolder(t, options.schemas);
    const server = await startServer(t, {
      databaseUrl,
      ...(schemaDir === undefined ? {} : { schemaDir }),
      ...(options.env === undefined ? {} : { env: options.env }),
    });
    const seen = (name: string, status: number, text: string): void => look(t, name, status, text);
    const checked = async (name: string, answer: Promise<Answer>): Promise<Answer> => {
      const { status, text, json } = await answer;
      seen(name, status, text);
      if (json?.lines?.received !== undefined && !addsUp(json)) t.fail(`${name}: the report does not add up`, json);
      return answer;
    };
    await body(t, {
      server,
      query,
      seen,
      post: (name, sent, more) => checked(name, post(server, sent, more)),
      get: (name, path) => checked(name, get(server, path)),
      exchange: async (name, ...parts) => {
        const text = await exchange(server, ...parts);
        for (const [, status] of text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)) seen(name, Number(status), text);
        return text;
      },
    });
    await isSound(t, server, query);
  });
}

function look(t: Test, name: string, status: number, text: string): void {
  if (status === 500) t.fail(`${name}: a 500`, { text: text.slice(0, 2_000) });
  if (status >= 400 && INSIDES.test(text)) t.fail(`${name}: the answer tells of our insides`, { text });
}

/** The process that has seen all of it lives, has logged no failure of its own, and left nothing half done. */
async function isSound(t: Test, server: Server, query: TestDatabase['query']): Promise<void> {
  t.equal(server.child.exitCode ?? server.child.signalCode, null, 'the process lives');
  t.equal((await get(server, '/healthz')).status, 200);
  t.equal((await get(server, '/readyz')).status, 200);
  const failures = server.logs().filter((line) => {
    const [, level] = /^\{"level":(\d+)/.exec(line) ?? [];
    return level === undefined || Number(level) >= ERROR;
  });
  t.strictSame(failures, [], 'nothing failed, and nothing was written beside the log');
  const left = "SELECT tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'";
  t.strictSame(await query(left), [], 'nothing stays behind in the stage');
}

/** Resident bytes of a process. */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
