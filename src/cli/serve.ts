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
    .addHelpText('after', HELP.migrate)
    .action(async () => {
      const { migrateOnly } = await import('../main.ts');
      await migrateOnly();
    });
}
