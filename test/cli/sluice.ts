// Runs the real command line as a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

const BIN = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));

/** Longer than anything here takes on a busy machine. */
const MOST_MS = 60_000;

export interface Run {
  /** Null where a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  /** What comes on standard input, which then ends. */
  stdin?: string | Buffer;
  /** Standard input does not end. */
  staysOpen?: boolean;
  /** Whoever reads standard output goes away before anything is printed. */
  isDeaf?: boolean;
}

export async function sluice(
  t: Test,
  args: string[],
  { cwd, env, stdin = '', staysOpen = false, isDeaf = false }: RunOptions = {},
): Promise<Run> {
  const foreign = /^(TAP|_TAPJS|NODE_OPTIONS$|NODE_V8_COVERAGE$|SLUICE_|DATABASE_URL$|NO_COLOR$|FORCE_COLOR$|CI$)/;
  const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  const child = spawn(process.execPath, [BIN, ...args], {
    ...(cwd !== undefined && { cwd }),
    env: { ...Object.fromEntries(own), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const timer = setTimeout(() => child.kill('SIGKILL'), MOST_MS);
  // The command may be done before it has read everything.
  child.stdin.on('error', () => {});
  child.stdin.write(stdin);
  if (!staysOpen) child.stdin.end();
  if (isDeaf) child.stdout.destroy();
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const [code] = await once(child, 'close');
  clearTimeout(timer);
  return { code, ...output };
}
