// The product under measurement: the built server as a process of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Server {
  url: string;
  /** Peak resident set so far, in bytes (Linux only, else NaN). */
  peak(): number;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM; resolves when it has ended. */
  stop(): Promise<void>;
}

export interface ServerSettings {
  databaseUrl: string;
  schemaDir?: string;
  env?: Record<string, string>;
  /** Words for Node, before the program. */
  nodeArgs?: readonly string[];
  /** Writes a CPU profile into it when the server ends. */
  profileDir?: string | undefined;
}

/** Those that run. */
const running = new Set<Server>();

/** Stops what a scenario that failed has left running. */
export async function stopLeftovers(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

/** Starts the server on a free port; resolves once it listens. */
export async function startServer(settings: ServerSettings): Promise<Server> {
  const { databaseUrl, schemaDir, env, nodeArgs = [], profileDir } = settings;
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  return startProcess([...nodeArgs, ...profiling, 'bin/sluice.js', 'serve'], {
    DATABASE_URL: databaseUrl,
    LOG_LEVEL: 'info',
    ...(schemaDir === undefined ? {} : { SCHEMA_DIR: schemaDir }),
    ...env,
  });
}

/** Starts a Node program that prints a JSON line with `"msg":"listening"` and its `url` once it listens. */
export async function startProcess(words: readonly string[], env: Record<string, string>): Promise<Server> {
  const child = spawn(process.execPath, words, {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await listening(child);
  const server: Server = {
    url,
    peak: () => peakOf(child.pid!),
    signal: (name) => void child.kill(name),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else {
          child.once('exit', () => resolve());
          child.kill('SIGTERM');
        }
      }),
  };
  running.add(server);
  child.once('exit', () => running.delete(server));
  return server;
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line.includes('"listening"')) resolve(JSON.parse(line).url);
    });
  });
}

function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

/** Writes a schema folder: version 1.0.0 of each subject. */
export async function schemaFolder(folder: string, subjects: Readonly<Record<string, object>>): Promise<string> {
  for (const [subject, schema] of Object.entries(subjects)) {
    await mkdir(join(folder, subject), { recursive: true });
    await writeFile(join(folder, subject, '1.0.0.json'), JSON.stringify(schema));
  }
  return folder;
}
