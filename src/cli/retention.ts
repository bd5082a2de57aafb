// `sluice retention`: one pass of what the server does in the background, for a cron job or before a backup.
import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { databaseProblem, sqlstate } from '../db.ts';
import { StartError } from '../errors.ts';
import { HELP } from './help.ts';

export function retentionCommand(program: Command): void {
  program
    .command('retention')
    .description('remove what has been kept long enough, then stop')
    .addHelpText('after', HELP.retention)
    .action(async () => {
      process.stdout.write(await retain());
    });
}

async function retain(): Promise<string> {
  const { databaseUrl, retention } = readConfig();
  if (databaseUrl === undefined) {
    throw new StartError('DATABASE_URL is not set: the embedded Postgres is looked after by its server');
  }
  const { runPass } = await import('../retention/pass.ts');
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort());
  try {
    const removed = await runPass(databaseUrl, retention, ending.signal);
    if (removed === null) return 'another process is at it: nothing was removed\n';
    const { rejections, idempotency_keys, discarded_rows, batches } = removed;
    return (
      `removed ${rejections} rejections, ${idempotency_keys} idempotency keys, ` +
      `${discarded_rows} rows of discarded batches, ${batches} batch records\n`
    );
  } catch (error) {
    // Refused, unreachable, or not migrated: a fault for the operator, not of ours.
    if (databaseProblem(error) === undefined && !/^(28|3D|3F|42)/.test(sqlstate(error) ?? '')) throw error;
    throw new StartError(`Postgres cannot be used: ${(error as Error).message}`, { cause: error });
  }
}
