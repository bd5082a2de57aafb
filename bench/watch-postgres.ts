// What Postgres is busy with while a scenario runs: by perf where the machine has it, and in any case by looking every
// few milliseconds at what its connections do and what they wait for.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { markdown } from './table.ts';

const EVERY_MS = 20;

/** Beginnings of statements long enough to tell them apart. */
const STATEMENT = 90;

const SAMPLE = `SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), ${STATEMENT}) AS statement,
    coalesce(wait_event_type || ':' || wait_event, 'on CPU') AS waits_for
  FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type = 'client backend'`;

export interface Watch {
  /** Ends it and writes what it saw; says what could not be had, in words that follow on "profiles are in …". */
  stop(): Promise<string>;
}

/** Watches until it is stopped; writes `postgres-waits.md` and `postgres-perf.txt` into the folder. */
export async function watchPostgres(url: string, folder: string): Promise<Watch> {
  await mkdir(folder, { recursive: true });
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  const seen = new Map<string, number>();
  let samples = 0;
  let isOver = false;
  const look = async (): Promise<void> => {
    while (!isOver) {
      const { rows } = await client.query<{ statement: string; waits_for: string }>(SAMPLE);
      samples++;
      for (const row of rows) {
        const key = `${row.statement}\t${row.waits_for}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  };
  const looking = look();
  const perf = await startPerf(client, folder);
  return {
    async stop() {
      isOver = true;
      await looking;
      await client.end();
      await writeFile(join(folder, 'postgres-waits.md'), waits(seen, samples));
      return perf === undefined
        ? '; without perf on this machine, Postgres has no CPU profile'
        : await stopPerf(perf, folder);
    },
  };
}

function waits(seen: ReadonlyMap<string, number>, samples: number): string {
  const rows = [...seen]
    .sort((a, b) => b[1] - a[1])
    .map(([key, count]) => [`${((count / samples) * 100).toFixed(1)} %`, ...key.split('\t')]);
  return `${samples} looks, one every ${EVERY_MS} ms.\n\n${markdown([['of the time', 'statement', 'waits for'], ...rows])}\n`;
}

/**
 * Records Postgres's processes that start from now on, as those of all connections of a scenario do. Undefined: there is
 * no perf, or no right to it, or Postgres is on another machine.
 */
async function startPerf(client: pg.Client, folder: string): Promise<ChildProcess | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the parent is the field after the state.
  const stat = await readFile(`/proc/${rows[0]!.pid}/stat`, 'utf8').catch(() => '');
  const parent = /^\d+ \(postgres\) \S (\d+) /.exec(stat)?.[1];
  if (parent === undefined) return undefined;
  const words = ['record', '-q', '-p', parent, '-F', '499', '-o', join(folder, 'perf.data')];
  const perf = spawn('perf', words, { stdio: 'ignore' });
  const ended = once(perf, 'exit').then(
    () => true,
    () => true,
  );
  const started = new Promise<boolean>((resolve) => setTimeout(resolve, 300, false));
  return (await Promise.race([ended, started])) ? undefined : perf;
}

async function stopPerf(perf: ChildProcess, folder: string): Promise<string> {
  perf.kill('SIGINT');
  await once(perf, 'exit');
  const data = join(folder, 'perf.data');
  const report = ['report', '-i', data, '--stdio', '--sort', 'dso,symbol', '--percent-limit', '0.3'];
  try {
    const { stdout } = await promisify(execFile)('perf', report, { maxBuffer: 1 << 26 });
    await writeFile(join(folder, 'postgres-perf.txt'), stdout);
    return '';
  } catch (error) {
    return `; perf could not report: ${(error as Error).message.split('\n', 1)[0]}`;
  } finally {
    await rm(data, { force: true });
  }
}
