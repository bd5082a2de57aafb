// As whom Postgres runs. It refuses root, so a root process starts it as an account that exists already; no account
// is made and no permission of the user's folders is changed.
import { execFileSync, type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { StartError } from '../errors.ts';
import type { Binaries } from './binaries.ts';

/** How to start a program as somebody: a command line to put in front, and ids for `spawn`. */
export interface Account {
  /** Set only where a root process starts Postgres as somebody else, who then has to own the data. */
  owner: { uid: number; gid: number } | undefined;
  /** Ids for `spawn`; absent where `prefix` changes them. */
  ids: { uid: number; gid: number } | undefined;
  prefix: readonly string[];
}

/** An account that was tried, and what it ran. */
export interface Tried {
  account: Account;
  /** Postgres's major version, e.g. `18`. */
  major: string;
}

/** Accounts of last resort for a root process, the better one first. */
const CANDIDATES = ['postgres', 'nobody'];

/**
 * Capabilities that let an account pass folders closed to it (a project under /root), the weaker one first.
 * Containers often grant only the second. They are taken only where nothing less reaches the binaries and the data.
 */
const CAPABILITIES = ['dac_read_search', 'dac_override'];

/**
 * Chooses the account and tries that it can run the binaries and reach the data.
 * @param home the data folder, existing
 * @param cluster the folder in it that holds the data once initialised: its owner goes on running it
 * @throws {StartError} the binaries do not run here, or no account can reach them
 */
export function chooseAccount(binaries: Binaries, home: string, cluster: string): Tried {
  if (process.getuid?.() !== 0) {
    const answer = tryOut({ owner: undefined, ids: undefined, prefix: [] }, binaries, home);
    if (typeof answer === 'object') return answer;
    throw new StartError(`the embedded Postgres does not run here (${answer}): set DATABASE_URL`);
  }
  const owner = ownerOf(cluster) ?? CANDIDATES.map(lookUp).find((each) => each !== undefined);
  if (owner === undefined) {
    throw new StartError('Postgres refuses to run as root, and there is no other account: set DATABASE_URL');
  }
  let fault: string | undefined;
  for (const account of [
    { owner, ids: owner, prefix: [] },
    ...CAPABILITIES.map((name) => withCapability(owner, name)),
  ]) {
    const answer = tryOut(account, binaries, home);
    if (typeof answer === 'object') return answer;
    fault ??= answer;
  }
  throw new StartError(
    `Postgres refuses to run as root, and uid ${owner.uid} cannot run it from here (${fault}): set DATABASE_URL, or start Sluice as an ordinary user`,
  );
}

/** The account that initialised the data keeps running it, as Postgres demands. */
function ownerOf(cluster: string): { uid: number; gid: number } | undefined {
  const found = statSync(cluster, { throwIfNoEntry: false });
  return found === undefined || found.uid === 0 ? undefined : { uid: found.uid, gid: found.gid };
}

function lookUp(name: string): { uid: number; gid: number } | undefined {
  try {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })),
    );
    return uid ? { uid, gid: gid! } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `no_setuid_fixup` because Postgres looks at its own binary with access(2), which counts a capability of a process
 * that is not root only under this bit.
 */
function withCapability(owner: { uid: number; gid: number }, name: string): Account {
  const prefix = ['setpriv', `--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'];
  prefix.push(`--inh-caps=-all,+${name}`, `--ambient-caps=-all,+${name}`, '--securebits=+no_setuid_fixup');
  return { owner, ids: undefined, prefix };
}

/** Asks Postgres for its version from within the data folder; a text says what went wrong. */
function tryOut(account: Account, { postgres }: Binaries, home: string): Tried | string {
  const [program, ...args] = [
    ...account.prefix,
    '/bin/sh',
    '-c',
    'cd "$1" && exec "$2" --version',
    'sh',
    home,
    postgres,
  ];
  const options: SpawnSyncOptions = { ...account.ids, cwd: '/', encoding: 'utf8', timeout: 30_000 };
  const { error, status, signal, stdout, stderr } = spawnSync(program!, args, options);
  if (error !== undefined) return error.message;
  const major = /\(PostgreSQL\) (\d+)/.exec(String(stdout))?.[1];
  if (status === 0 && major !== undefined) return { account, major };
  return String(stderr).trim().split('\n').at(-1) || `it ended with ${signal ?? status}`;
}
