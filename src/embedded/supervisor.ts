// Keeps Postgres's life tied to ours, and tells who keeps a running one.
//
// Between Sluice and Postgres stands a small shell. Sluice holds one end of a pipe to it, which closes when Sluice
// wants Postgres to stop and also when Sluice dies, in whatever way: one path for both. The shell is a session of its
// own, so a ctrl-C at the terminal reaches Sluice alone, which stops Postgres after it has drained.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { basename } from 'node:path';
import type { Account } from './account.ts';

/** The shell's name in the process table; the pid of the Sluice that it serves follows. */
const MARK = 'sluice-postgres';

/** Marks a Postgres as started by Sluice, in the process table and in its own settings. */
export const CLUSTER_NAME = 'sluice';

// SIGINT is Postgres's fast shutdown (clients are cut off, nothing committed is lost), SIGQUIT its immediate one
// (recovery at the next start). The words before the program are for `keeperOf`, the shell drops them.
const SCRIPT = `
shift
"$@" 3<&- &
program=$!
{
  read -r _ <&3
  trap 'kill $timer; exit' TERM
  for try in 'INT 15' 'QUIT 5' 'KILL 5'; do
    kill -"\${try% *}" $program
    sleep "\${try#* }" &
    timer=$!
    wait $timer
  done
} >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait $program
code=$?
exec 2>/dev/null
kill $watcher
wait $watcher
exit $code
`;

/** A program that ends when this process ends. */
export interface Supervised {
  /** Resolves with the program's exit code (128 + signal, as shells tell it). */
  readonly ended: Promise<number>;
  /** Whether `ended` has resolved. */
  over(): boolean;
  /** No longer keeps this process's event loop alive. */
  unref(): void;
  /** Asks the program to stop. Resolves when it is gone: after 25 s it is killed. */
  release(): Promise<void>;
}

/**
 * Starts a program under a supervisor.
 * @param output file descriptor that takes its stdout and stderr
 */
export function supervise(account: Account, program: string, args: readonly string[], output: number): Supervised {
  const line = [...account.prefix, '/bin/sh', '-c', SCRIPT, MARK, String(process.pid), program, ...args];
  const child = spawn(line[0]!, line.slice(1), {
    ...account.ids,
    cwd: '/',
    detached: true,
    // The user's own PG… variables and locale must not reach it.
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', output, output, 'pipe'],
  });
  const pipe = child.stdio[3] as Socket;
  pipe.on('error', () => {});
  let over = false;
  const ended = endOf(child).finally(() => {
    over = true;
    pipe.destroy();
  });
  return {
    ended,
    over: () => over,
    unref() {
      pipe.unref();
      child.unref();
    },
    async release() {
      child.ref();
      pipe.destroy();
      await ended;
    },
  };
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(127));
    child.once('exit', (code) => resolve(code ?? 128));
  });
}

/** Whether anybody runs Postgres on some data, and who looks after it. */
export interface Keeper {
  /**
   * - `none`: no Postgres runs there, whatever `postmaster.pid` says
   * - `kept`: its Sluice is alive, or somebody started it by hand
   * - `closing`: its Sluice is gone or has asked it to stop: it will end by itself
   * - `orphan`: its supervisor was killed too: nobody will stop it
   */
  state: 'none' | 'kept' | 'closing' | 'orphan';
  pid: number;
  port: number;
  /** It takes connections. */
  ready: boolean;
}

/**
 * Reads `postmaster.pid` and the process table. A pid alone proves nothing, it may be another process's by now; that
 * a process's parent is what it should be cannot be faked by a reused pid, a dead parent is replaced at once.
 * @param data Postgres's data directory, as a real path
 */
export function keeperOf(data: string): Keeper {
  const [pidText, , , portText, , , , status] = pidFile(data).split('\n');
  const keeper: Keeper = {
    state: 'none',
    pid: Number(pidText),
    port: Number(portText),
    ready: status?.trim() === 'ready',
  };
  const postgres = keeper.pid > 0 ? inspect(keeper.pid) : undefined;
  if (postgres === undefined || !runsOn(postgres, keeper.pid, data)) return keeper;
  const supervisor = inspect(postgres.parent);
  const sluice = new RegExp(`\\s${MARK} (\\d+) `).exec(supervisor?.command ?? '')?.[1];
  if (status?.trim() === 'stopping') keeper.state = 'closing';
  else if (sluice !== undefined) keeper.state = supervisor?.parent === Number(sluice) ? 'kept' : 'closing';
  else keeper.state = postgres.command.includes(`cluster_name=${CLUSTER_NAME}`) ? 'orphan' : 'kept';
  return keeper;
}

function pidFile(data: string): string {
  try {
    return readFileSync(`${data}/postmaster.pid`, 'utf8');
  } catch {
    return '';
  }
}

/**
 * Postgres takes a `postmaster.pid` for a running Postgres's when a process of its own user has that pid, whatever it
 * is (after a container's restart that is likely). Where it is none, the pid is replaced by one that cannot exist; the
 * rest of the file stays, Postgres looks for left-over backends with it.
 */
export function forgetStalePid(data: string): void {
  const text = pidFile(data);
  if (/^\d+\n/.test(text) && keeperOf(data).state === 'none' && pidFile(data) === text) {
    writeFileSync(`${data}/postmaster.pid`, text.replace(/^\d+/, '2147483647'));
  }
}

interface Entry {
  parent: number;
  /** File name of the program, without its folder. */
  name: string;
  command: string;
}

function runsOn(entry: Entry, pid: number, data: string): boolean {
  if (entry.name !== 'postgres' && entry.name !== 'postmaster') return false;
  if (entry.command.includes(data)) return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === data;
  } catch {
    return false;
  }
}

function inspect(pid: number): Entry | undefined {
  try {
    if (process.platform === 'linux') {
      // The second field is a name in brackets that may hold anything: what follows the last bracket can be split.
      const [, parent] = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return { parent: Number(parent), name: basename(args[0]!), command: args.join(' ') };
    }
    const line = execFileSync('ps', ['-ww', '-o', 'ppid=,ucomm=,command=', '-p', String(pid)], { encoding: 'utf8' });
    const [parent, name, ...command] = line.trim().split(/\s+/);
    return { parent: Number(parent), name: name!, command: command.join(' ') };
  } catch {
    return undefined;
  }
}
