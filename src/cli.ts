// The command line: names the commands and turns whatever escapes them into one line and exit code 2.
// What a command does stands in its file in cli/.
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { anomaliesCommand } from './cli/anomalies.ts';
import { auditCommand } from './cli/audit.ts';
import { HELP } from './cli/help.ts';
import { keysCommand } from './cli/keys.ts';
import { loadCommand } from './cli/load.ts';
import { ExitCode } from './cli/outcome.ts';
import { fatalText } from './cli/print.ts';
import { reconcileCommand } from './cli/reconcile.ts';
import { replayCommand } from './cli/replay.ts';
import { retentionCommand } from './cli/retention.ts';
import { schemasCommand } from './cli/schemas.ts';
import { serveCommands } from './cli/serve.ts';
import { validateCommand } from './cli/validate.ts';
import { StartError } from './errors.ts';
import { visibleLines } from './visible.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('sluice')
  .description(HELP.program)
  .version(version)
  .showHelpAfterError(HELP.afterError)
  .exitOverride()
  .configureOutput({ writeErr: (text) => process.stderr.write(visibleLines(text)) })
  .addHelpText('after', HELP.exitCodes);
// Registered on the program and not built apart, so that they inherit what is set above.
serveCommands(program);
loadCommand(program);
validateCommand(program);
reconcileCommand(program);
replayCommand(program);
schemasCommand(program);
retentionCommand(program);
keysCommand(program);
auditCommand(program);
anomaliesCommand(program);

// Whoever reads our output may stop (`| head`): the work goes on, and the exit code tells how it went.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exitCode = ExitCode.Failed;
  });
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its text already; help and version that were asked for are no errors.
    process.exitCode = error.exitCode === 0 ? ExitCode.Fine : ExitCode.Failed;
  } else {
    process.stderr.write(fatalText(error instanceof StartError ? error.message : error));
    process.exitCode = ExitCode.Failed;
  }
}
