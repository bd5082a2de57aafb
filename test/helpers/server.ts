// The real server as a process of its own, for tests that talk to it over HTTP or send it signals.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { testDatabase } from './postgres.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Until the server listens: migrations, or a first initdb, on a busy machine. */
const LISTEN_MS = 60_000;

/** Until it ends after a signal: it drains for up to 30 s by default, and then stops its Postgres. */
const END_MS = 90_000;

export interface ServerOptions {
  /** Settings over the test's defaults; undefined takes one out. */
  env?: Record<string, string | undefined>;
  /** Absent: a fresh test database, or the embedded Postgres where `env` has SLUICE_DATA_DIR. */
  databaseUrl?: string;
  schemaDir?: string;
  /** More words after `serve`. */
  args?: string[];
  /** What to run instead of `bin/sluice.js serve`: tests of this file. */
  program?: string[];
}

export interface Server {
  url: string;
  pid: number;
  child: ChildProcess;
  /** Every line so far, of stdout and stderr. */
  logs(): string[];
  /** Sends a signal (SIGTERM) and waits for the end; the exit code, or null where a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** SIGKILL, and waits. */
  kill(): Promise<void>;
}

/**
 * Starts `bin/sluice.js serve` on a free port and waits until it listens. It is killed when the test ends.
 * @throws {Error} it ended, or did not listen in time, with everything that it wrote
 */
export async function startServer(t: Test, options: ServerOptions = {}): Promise<Server> {
  const databaseUrl = options.databaseUrl ?? (options.env?.SLUICE_DATA_DIR ? undefined : (await testDatabase(t)).url);
  const program = options.program ?? ['bin/sluice.js', 'serve'];
  const child = spawn(process.execPath, [...program, ...(options.args ?? [])], {
    cwd: ROOT,
    env: environment({
      PORT: '0',
      LOG_LEVEL: 'info',
      DATABASE_URL: databaseUrl,
      SCHEMA_DIR: options.schemaDir,
      ...options.env,
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const closed = once(child, 'close');
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await within(END_MS, closed, () => `the server did not end after ${signal}:\n${lines.join('\n')}`);
    return child.exitCode;
  };
  const kill = async () => {
    await stop('SIGKILL');
  };
  t.teardown(kill);
  const ended = () => `the server ended before it listened:\n${lines.join('\n')}`;
  const url = await within(
    LISTEN_MS,
    Promise.race([listening(child, lines), closed.then(() => Promise.reject(new Error(ended())))]),
    () => `the server did not listen:\n${lines.join('\n')}`,
  );
  return { url, pid: child.pid!, child, logs: () => [...lines], stop, kill };
}

/** Collects the lines; resolves with the url of the line that says the server listens. */
function listening(child: ChildProcess, lines: string[]): Promise<string> {
  return new Promise((resolve) => {
    for (const input of [child.stdout!, child.stderr!]) {
      createInterface({ input }).on('line', (line) => {
        lines.push(line);
        if (!line.includes('"msg":"listening"')) return;
        resolve(JSON.parse(line).url);
      });
    }
  });
}

/** Ours without what tap and the user's shell would slip in: the server runs as it does for anybody. */
function environment(settings: Record<string, string | undefined>): NodeJS.ProcessEnv {
  const foreign =
    /^(TAP|_TAPJS|NODE_OPTIONS$|NODE_V8_COVERAGE$|TS_NODE_|AUTH$|KEY_|PG[A-Z]+$|SLUICE_|OTEL_|MAX_|DATABASE_URL$)/;
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return Object.fromEntries([...own, ...Object.entries(settings)].filter(([, value]) => value !== undefined));
}

async function within<T>(ms: number, promise: Promise<T>, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(message())), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
