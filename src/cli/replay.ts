// `sluice replay`: stored rejections once more, on a running server. The server decides; this asks, waits and tells.
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { replayRejections, type Target } from '../client/client.ts';
import { apiKey, keyFileOption } from './api-key.ts';
import { forEachSource, type OutputOptions } from './files.ts';
import { HELP } from './help.ts';
import { outcomeFrom, urlOption } from './load.ts';
import { ExitCode, type Outcome } from './outcome.ts';
import { FAULTS, patchFault, sourceFault } from './print.ts';
import { SourceError, STDIN } from './source.ts';

interface ReplayOptions extends OutputOptions {
  url: URL;
  keyFile?: string;
  subject?: string;
  code?: string;
  path?: string;
  keyword?: string;
  batch?: string;
  from?: string;
  to?: string;
  schema?: string;
  patch?: string;
  dryRun?: boolean;
}

/** What stands in the place of a file's name. */
const NAME = 'rejections';

export function replayCommand(program: Command): void {
  program
    .command('replay')
    .description('judge stored rejections once more, and load those that pass')
    .option('--subject <S>', 'only lines refused by a schema of this subject')
    .option('--code <C>', 'only lines refused with this code, e.g. schema_violation')
    .option('--path <P>', 'only lines with an error at this JSON Pointer, e.g. /event_time')
    .option('--keyword <K>', 'only lines with an error by this rule, e.g. format; with --path by the same error')
    .option('--batch <ID>', 'only lines of this batch')
    .option('--from <T>', 'only lines of batches received at this time (RFC 3339) or later')
    .option('--to <T>', 'only lines of batches received before this time')
    .option('--schema <REF>', 'judge every line by this: user_event, user_event/1 or user_event/1.0.0')
    .option('--patch <FILE>', 'change every line by this JSON Patch first; - is standard input')
    .option('--dry-run', 'check everything, store nothing')
    .addOption(urlOption())
    .addOption(keyFileOption())
    .option('--report <FILE>', 'write the full report as JSON, with all rejected lines (of a dry run up to 1,000)')
    .option('--json', 'print one JSON object in place of the summary')
    .addHelpText('after', HELP.replay)
    .action(async (options: ReplayOptions, command: Command) => {
      const patch = options.patch === undefined ? undefined : await readPatch(options.patch);
      if (patch instanceof SourceError) {
        command.error(patchFault(options.patch!, sourceFault(patch)), { exitCode: ExitCode.Failed });
      }
      const target = { url: options.url, key: apiKey(options.keyFile, command) };
      await forEachSource(command, [NAME], options, () => replay(target, options, patch as string | undefined));
    });
}

function replay(target: Target, options: ReplayOptions, patch: string | undefined): Promise<Outcome> {
  const { subject, code, path, keyword, batch, from, to, schema, dryRun } = options;
  const filter = { subject, code, path, keyword, batch_id: batch, from, to };
  // What is wrong with a value the server says, as it does to everybody.
  const order = { filter, ...(schema !== undefined && { schema }), ...(dryRun && { dry_run: true }) };
  return outcomeFrom(target, () => replayRejections(target, order as Parameters<typeof replayRejections>[1], patch));
}

/** The patch as text: parsing it would change numbers that no double holds. */
async function readPatch(name: string): Promise<string | SourceError> {
  if (name === STDIN && process.stdin.isTTY) process.stderr.write(FAULTS.terminalPatch);
  try {
    const content = name === STDIN ? await text(process.stdin) : await readFile(name, 'utf8');
    JSON.parse(content);
    return content;
  } catch (error) {
    return new SourceError(error);
  }
}
