// The embedded Postgres's files: `<home>/postgres` with `data` and `password` in it, and `<home>/postgres.log`.
// `<home>/postgres` appears whole or not at all; nothing else in Sluice touches these files.
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  closeSync,
  existsSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../errors.ts';
import type { Account } from './account.ts';
import type { Binaries } from './binaries.ts';
import { supervise } from './supervisor.ts';

/** Role that owns the database; a superuser of this cluster alone. */
export const ROLE = 'sluice';

/** A log larger than this is put aside (as `postgres.log.1`, one generation) at the next start. */
const LOG_BYTES = 4 * 1024 * 1024;

/** How long another process may take to initialise. */
const INITDB_MS = 120_000;

const SCRATCH = /^postgres\.new-(\d+)-/;

/** Names of what this process is initialising. */
const ours = new Set<string>();

/** Where the parts of one embedded Postgres lie. */
export function layout(home: string) {
  const cluster = join(home, 'postgres');
  return {
    home,
    cluster,
    data: join(cluster, 'data'),
    password: join(cluster, 'password'),
    log: join(home, 'postgres.log'),
  };
}

export type Layout = ReturnType<typeof layout>;

/**
 * Makes sure that initialised data of this major version is there.
 * It is made under another name and moved into place, so half of it is never taken for a whole; of several processes
 * at it one wins the move.
 * @param major version of the binaries, e.g. `18`
 * @throws {StartError} initdb failed, or what is there is not usable
 */
export async function ensureCluster(at: Layout, binaries: Binaries, account: Account, major: string): Promise<void> {
  await scratchOfOthers(at.home);
  if (!existsSync(at.cluster)) await initialise(at, binaries, account);
  const found = readText(join(at.data, 'PG_VERSION'));
  if (found === undefined) throw new StartError(`${at.cluster} is not the embedded Postgres's data: move it away`);
  if (found !== major) {
    throw new StartError(
      `${at.data} was written by Postgres ${found}, and this is Postgres ${major}: move ${at.cluster} away to start empty, or run Postgres ${found} on it and set DATABASE_URL`,
    );
  }
}

/** @throws {StartError} it cannot be read */
export function readPassword(at: Layout): string {
  const password = readText(at.password);
  if (!password)
    throw new StartError(`${at.password} is empty or missing: the embedded Postgres cannot be reached without it`);
  return password;
}

async function initialise(at: Layout, binaries: Binaries, account: Account): Promise<void> {
  const name = `postgres.new-${process.pid}-${randomBytes(4).toString('hex')}`;
  ours.add(name);
  const scratch = join(at.home, name);
  const [data, password] = [join(scratch, 'data'), join(scratch, 'password')];
  try {
    for (const folder of [scratch, data]) mkdirSync(folder, { mode: 0o700 });
    writeFileSync(password, randomBytes(24).toString('hex'), { mode: 0o600 });
    for (const path of [data, password, scratch]) {
      if (account.owner) chownSync(path, account.owner.uid, account.owner.gid);
    }
    const log = openLog(at, account);
    const initdb = supervise(
      account,
      binaries.initdb,
      ['-D', data, '-U', ROLE, `--pwfile=${password}`, '--auth=scram-sha-256', '--no-instructions']
        // Postgres's own C.UTF-8: the same order and the same upper and lower case on every machine.
        .concat('--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'),
      log.fd,
    );
    const code = await initdb.ended;
    closeSync(log.fd);
    if (code !== 0) throw new StartError(`initdb failed: ${log.reason() || `exit code ${code}`}`);
    moveIntoPlace(scratch, at);
  } finally {
    remove(scratch);
    ours.delete(name);
  }
}

function moveIntoPlace(scratch: string, at: Layout): void {
  try {
    renameSync(scratch, at.cluster);
  } catch (error) {
    // Another process was faster: its data is as good.
    if (existsSync(at.data)) return;
    throw error;
  }
  const folder = openSync(at.home, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** Waits for another process's initdb to end, and removes what killed ones have left. */
async function scratchOfOthers(home: string): Promise<void> {
  for (const until = Date.now() + INITDB_MS; Date.now() < until; await sleep(100)) {
    const others = readdirSync(home).filter((name) => SCRATCH.test(name));
    const dead = others.filter((name) => !ours.has(name) && !alive(Number(SCRATCH.exec(name)![1])));
    for (const name of dead) remove(join(home, name));
    if (dead.length === others.length || existsSync(join(home, 'postgres'))) return;
  }
}

/** What cannot be removed (another user's, or its initdb is just ending) is in nobody's way. */
function remove(scratch: string): void {
  try {
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  } catch {
    // The next start tries again.
  }
}

function alive(pid: number): boolean {
  // Our own pid on what is not ours: of a process before us that had the same one.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Postgres's log, open for appending. `reason()` is why it failed, from what it has written since. */
export function openLog(at: Layout, { owner }: Account): { fd: number; reason(): string } {
  if ((statSync(at.log, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES) renameSync(at.log, `${at.log}.1`);
  const fd = openSync(at.log, 'a', 0o600);
  // The user whose data it is can then start without root as well.
  if (owner) fchownSync(fd, owner.uid, owner.gid);
  const from = statSync(at.log).size;
  return { fd, reason: () => reasonIn(readFrom(at.log, from)) };
}

function readFrom(file: string, from: number): string {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(64 * 1024);
    const length = readSync(fd, bytes, 0, bytes.length, Math.max(from, statSync(file).size - bytes.length));
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

/** The lines that name a fault, else the last three, in one line without their time stamps. */
function reasonIn(text: string): string {
  const lines = text.split('\n').map((line) =>
    line
      .replace(/^.*[\d:.]+ \w+ \[\d+\] /, '')
      .replace(/\s+/g, ' ')
      .trim(),
  );
  const written = lines.filter((line) => line !== '');
  const faults = written.filter((line) => /^(FATAL|PANIC|ERROR)\b|error:|^HINT|^DETAIL|: not found|denied/.test(line));
  return (faults.length > 0 ? faults : written).slice(-3).join('; ');
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
