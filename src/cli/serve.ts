// `sluice serve` and `sluice migrate`: the server process. Loaded only when asked for, because it pulls in all of it.
import type { Command } from 'commander';
import { HELP } from './help.ts';

export function serveCommands(program: Command): void {
  program
    .command('serve')
    .description('start the server')
    .addHelpText('after', HELP.serve)
    .action(async () => {
      const { main } = await import('../main.ts');
      await main();
    });
  program
    .command('migrate')
    .description('bring the database up to date, then stop')
    .option('--app-role <ROLE>', 'give this role what the server needs; it can then change no table')
    .option(
      '--reader-role <ROLE>',
      'give this role what "sluice reconcile" and analysts need; it can then change nothing',
    )
    .addHelpText('after', HELP.migrate)
    .action(async ({ appRole, readerRole }: { appRole?: string; readerRole?: string }) => {
      const { migrateOnly } = await import('../main.ts');
      await migrateOnly({ app: appRole, reader: readerRole });
    });
}
