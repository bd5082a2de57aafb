// `sluice audit`: what was changed, by whom, as the database has it. Nothing is changed, no server is asked.
import type { Command } from 'commander';
import type { AuditRecord } from '../access/audit.ts';
import { sqlstate } from '../db.ts';
import { StartError } from '../errors.ts';
import { visible } from '../visible.ts';
import { HELP } from './help.ts';
import { parseSince } from './since.ts';

export function auditCommand(program: Command): void {
  program
    .command('audit')
    .description('list what was changed by admins, the oldest first')
    .option('--since <TIME>', 'only since then: 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z', parseSince)
    .option('--json', 'print NDJSON')
    .addHelpText('after', HELP.audit)
    .action(async ({ since = null, json = false }: { since?: Date | null; json?: boolean }) => {
      const { readAudit } = await import('../access/audit.ts');
      const { withDatabase } = await import('./database.ts');
      await withDatabase(async (connection) => {
        for await (const record of readAudit(connection, since)) {
          process.stdout.write(json ? `${JSON.stringify(record)}\n` : lineOf(record));
        }
      }).catch(explained);
    });
}

/** When, who, what, to what, how it was answered, and the rest. */
function lineOf({ at, actor, key_id, action, target, status, details }: AuditRecord): string {
  const who = key_id === null ? actor : `${actor} (key ${key_id})`;
  const rest = Object.keys(details).length === 0 ? [] : [JSON.stringify(details)];
  const cells = [at.toISOString(), who, action, target ?? '-', status === null ? '-' : String(status), ...rest];
  return `${cells.map(visible).join('  ')}\n`;
}

function explained(error: unknown): never {
  if (!/^(42P01|42703|3F000)$/.test(sqlstate(error) ?? '')) throw error;
  const reason = `${(error as Error).message} (was it ever used by this version of sluice?)`;
  throw new StartError(`There is no audit log: ${reason}`, { cause: error });
}
