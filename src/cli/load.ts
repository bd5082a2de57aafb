// `sluice load FILE…`: files to a running server, one batch a file. The server decides; this sends, waits and tells.
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  ConnectionError,
  rejectionLines,
  type Target,
  UnexpectedAnswer,
  type Upload,
  type UploadAnswer,
  uploadEvents,
} from '../client/client.ts';
import { apiKey, keyFileOption } from './api-key.ts';
import { forEachFile } from './files.ts';
import { DEFAULT_URL, HELP } from './help.ts';
import type { Outcome } from './outcome.ts';
import { connectionFault, FAULTS, keyHint, problemText, unexpectedAnswer } from './print.ts';

interface LoadOptions {
  url: URL;
  keyFile?: string;
  schema?: string;
  onError?: 'continue' | 'abort';
  maxRejected?: string;
  dryRun?: boolean;
  idempotencyKey?: string;
  report?: string;
  json?: boolean;
}

export function loadCommand(program: Command): void {
  program
    .command('load')
    .description('send files to a running server')
    .argument('<FILE...>', 'NDJSON files, plain or gzipped; - is standard input')
    .option('--schema <REF>', 'check every line against this: user_event, user_event/1 or user_event/1.0.0')
    .addOption(urlOption())
    .addOption(keyFileOption())
    .addOption(
      new Option('--on-error <WHAT>', 'abort: one rejected line, and nothing of its file is stored').choices([
        'continue',
        'abort',
      ]),
    )
    .option(
      '--max-rejected <N|P%>',
      'abort a file with more rejected lines, or a larger share of them',
      parseMaxRejected,
    )
    .option('--dry-run', 'check everything, store nothing')
    .option('--idempotency-key <KEY>', 'makes it safe to send the same file again: it is stored once')
    .option('--report <FILE>', 'write the full report as JSON, with all rejected lines (of a dry run up to 1,000)')
    .option('--json', 'print one JSON object a file in place of the summary')
    .addHelpText('after', HELP.load)
    .action(async (names: string[], options: LoadOptions, command: Command) => {
      if (options.idempotencyKey !== undefined && names.length > 1) command.error(FAULTS.oneKeyOneFile);
      const target = { url: options.url, key: apiKey(options.keyFile, command) };
      await forEachFile(command, names, options, (bytes, { gzip }) => load(uploadOf(bytes, gzip, options), target));
    });
}

function load(upload: Upload, target: Target): Promise<Outcome> {
  return outcomeFrom(target, () => uploadEvents(target, upload));
}

/** What came of a request that is answered with a report, or why there is no answer. */
export async function outcomeFrom(target: Target, ask: () => Promise<UploadAnswer>): Promise<Outcome> {
  try {
    return outcomeOf(await ask(), target);
  } catch (error) {
    if (error instanceof ConnectionError) return { error: connectionFault(error, target.url) };
    if (error instanceof UnexpectedAnswer) return { error: unexpectedAnswer(error, target.url) };
    throw error;
  }
}

function uploadOf(body: AsyncIterable<Buffer>, gzip: boolean, options: LoadOptions): Upload {
  const { schema, onError, maxRejected, dryRun, report, idempotencyKey } = options;
  return {
    body,
    contentEncoding: gzip ? 'gzip' : undefined,
    idempotencyKey,
    ...(schema !== undefined && { schema }),
    ...(onError !== undefined && { on_error: onError }),
    ...(maxRejected !== undefined && { max_rejected: maxRejected }),
    // A dry run leaves nothing behind to read the rejections from: they have to come with the answer.
    ...(dryRun && { dry_run: true, ...(report !== undefined && { report: 'full' }) }),
  };
}

function outcomeOf(answer: UploadAnswer, target: Target): Outcome {
  if ('problem' in answer) {
    const { problem, retryAfter } = answer;
    const hint = problem.code === 'unauthorized' ? keyHint(target.key !== undefined) : '';
    return { error: problemText(problem, retryAfter) + hint, problem };
  }
  const { report } = answer;
  if (report.links.rejections === undefined || report.lines.rejected === 0) return { report };
  return { report, rejections: () => rejectionLines(target, report.batch_id) };
}

/** The option that says which server is meant. */
export function urlOption(): Option {
  return new Option('--url <URL>', 'where the server listens')
    .env('SLUICE_URL')
    .default(new URL(DEFAULT_URL), DEFAULT_URL)
    .argParser(parseUrl);
}

function parseUrl(text: string): URL {
  const url = URL.parse?.(text) ?? (URL.canParse(text) ? new URL(text) : undefined);
  const usable = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  if (!usable) throw new InvalidArgumentError(FAULTS.url);
  return url;
}

function parseMaxRejected(text: string): string {
  if (!/^\d{1,15}$|^\d{1,3}(\.\d{1,6})?%$/.test(text)) throw new InvalidArgumentError(FAULTS.maxRejected);
  return text;
}
