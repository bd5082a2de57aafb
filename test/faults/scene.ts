// A stage for faults: a database, servers as real processes, a ledger, a client, a reader; and, when the curtain falls, the
// oracle. Tests make the faults; nothing is judged before `judged`.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import { schemaFolder } from '../helpers/schemas.ts';
import { type Server, type ServerOptions, startServer } from '../helpers/server.ts';
import { Driver, storedIds } from './driver.ts';
import type { ProcessFacts } from './evidence.ts';
import { Generator, SCHEMAS, type Upload } from './generate.ts';
import { Ledger, readLedger } from './ledger.ts';
import { judge, type Violation } from './oracle.ts';
import { type Reader, readFinal } from './readers.ts';

const UNCAUGHT = /uncaught|unhandled|^\s+at .*\(?(node:|file:)|heap out of memory/i;

/** Whether `npm run faults` asks for everything; `npm test` has the shorter form of some tests. */
export const IS_LONG = process.env.FAULTS_SEED !== undefined;

/** Uploads that are asked for again at the end. */
const PROBES = 25;

export interface SceneOptions {
  seed?: number;
  /** Where the data goes; absent: a fresh test database. */
  database?: Pick<Awaited<ReturnType<typeof testDatabase>>, 'url' | 'query'>;
  /** What servers connect to, where that is not the database itself: a proxy. */
  serversConnectTo?: string;
}

export interface Scene {
  query: Awaited<ReturnType<typeof testDatabase>>['query'];
  generator: Generator;
  driver: Driver;
  ledger: Ledger;
  reader: Reader;
  /** The folder that all servers load. */
  schemaDir: string;
  /** Starts a server that takes uploads until it ends. */
  start(env?: Record<string, string>, options?: Partial<ServerOptions>): Promise<Server>;
  /** Servers that run. */
  running(): Server[];
  /** `kill -9`. */
  kill(server: Server): Promise<void>;
  /** Notes that this process may end. */
  excuse(server: Server): void;
  /** Sends an upload, and remembers what is stored now. */
  send(upload: Upload, options?: Parameters<Driver['send']>[1]): ReturnType<Driver['send']>;
  /** Fresh events, the same keys once more, and then the oracle: all that it found. */
  judged(): Promise<Violation[]>;
}

export async function openScene(t: Test, options: SceneOptions = {}): Promise<Scene> {
  const database = options.database ?? (await testDatabase(t));
  const schemaDir = await schemaFolder(t, SCHEMAS);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-ledger-'));
  const ledger = new Ledger(join(folder, 'ledger.ndjson'));
  const began = performance.now();
  const processes: (ProcessFacts & { server: Server })[] = [];
  const hasEnded = ({ child }: Server): boolean => child.exitCode !== null || child.signalCode !== null;
  const running = (): Server[] => processes.map(({ server }) => server).filter((server) => !hasEnded(server));
  let turn = 0;
  const driver = new Driver(ledger, () => {
    const servers = running();
    return servers[turn++ % Math.max(1, servers.length)]?.url;
  });
  const generator = new Generator(options.seed ?? 1);
  const reader = readFinal((sql) => database.query(sql));
  t.teardown(async () => {
    await reader.stop();
    ledger.close();
    if (t.passing()) rmSync(folder, { recursive: true, force: true });
    else t.comment(`kept ledger ${ledger.path}`);
  });
  const excuse = (server: Server): void => {
    for (const facts of processes) if (facts.server === server) facts.wasKilled = true;
  };
  const send: Scene['send'] = async (upload, how) => {
    const answer = await driver.send(upload, how);
    generator.stored(storedIds(upload, answer));
    return answer;
  };

  const judged = async (): Promise<Violation[]> => {
    for (const subject of ['order', 'visit'] as const) {
      await send(generator.upload({ subject, size: 'small', bad: 0, lines: 1, hasKey: true }), { isFresh: true });
    }
    for (const upload of driver.sent.filter(({ key }) => key !== null).slice(-PROBES)) {
      await driver.again(upload);
      await driver.other(upload);
    }
    await reader.stop();
    for (const facts of processes) {
      facts.hasEnded = hasEnded(facts.server);
      facts.uncaught = facts.server.logs().filter((line) => UNCAUGHT.test(line));
      if (!facts.hasEnded) facts.resident = { before: facts.resident!.before, after: residentOf(facts.server.pid) };
    }
    const content = readLedger(ledger.path);
    const server = running()[0]!;
    const violations = await judge({ ledger: content, query: database.query, server, seen: reader.seen, processes });
    record(t.name, {
      uploads: content.uploads.length,
      lines: content.uploads.reduce((sum, { lines }) => sum + lines.length, 0),
      looks: reader.looks(),
      violations: violations.map(({ invariant, what }) => `${invariant} ${what}`),
      seconds: Math.round((performance.now() - began) / 1000),
    });
    return violations;
  };

  return {
    query: database.query,
    generator,
    driver,
    ledger,
    reader,
    schemaDir,
    start: async (env = {}, more = {}) => {
      const databaseUrl = options.serversConnectTo ?? database.url;
      const server = await startServer(t, { databaseUrl, schemaDir, env: { ...env }, ...more });
      processes.push({
        server,
        name: `process ${server.pid}`,
        wasKilled: false,
        hasEnded: false,
        uncaught: [],
        resident: { before: residentOf(server.pid), after: 0 },
      });
      return server;
    },
    running,
    excuse,
    kill: async (server) => {
      excuse(server);
      await server.kill();
    },
    send,
    judged,
  };
}

/** Resident bytes of a process; 0 where the system does not tell. */
function residentOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** For the table of `npm run faults`: FAULTS_RECORD names the file that it is made of. */
export function record(name: string, facts: object): void {
  const file = process.env.FAULTS_RECORD;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify({ name, ...facts })}\n`);
}

/** Asks until the answer is there, for at most `ms`. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  ms = 30_000,
): Promise<T> {
  for (const began = Date.now(); Date.now() - began < ms; await sleep(50)) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
  }
  throw new Error(`it never came to be: ${what}`);
}
