// `sluice anomalies --series FILE`: what the watcher would have found in any series. No server, no database.
import type { Command } from 'commander';
import { StartError } from '../errors.ts';
import { visible, visibleJson } from '../visible.ts';
import { HELP } from './help.ts';

export function anomaliesCommand(program: Command): void {
  program
    .command('anomalies')
    .description('find what is unusual in a series of numbers')
    .requiredOption('--series <FILE>', 'CSV with the header timestamp,value, plain or gzipped; - is standard input')
    .addHelpText('after', HELP.anomalies)
    .action(async ({ series: name }: { series: string }) => {
      const { readSeries } = await import('./series.ts');
      const { gridOf, GridError } = await import('../watch/anomalies/grid.ts');
      const { judgeSeries } = await import('../watch/anomalies/findings.ts');
      const rows = await readSeries(name);
      try {
        const { series, notes } = gridOf(rows);
        const judgement = judgeSeries(series);
        judgement.notes.unshift(...notes);
        process.stdout.write(`${visibleJson(JSON.stringify(judgement, null, 2))}\n`);
      } catch (error) {
        throw error instanceof GridError
          ? new StartError(`${visible(name)}: ${error.message}`, { cause: error })
          : error;
      }
    });
}
