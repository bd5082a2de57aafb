// Every text that a command prints about its work. Strings in, strings out: nothing is written here.
// What comes from files or servers is shown with its control characters spelled out, for it ends on a terminal.
import type { Colors } from 'picocolors/types.js';
import type { ConnectionError, ProblemDocument, Report, UnexpectedAnswer } from '../client/client.ts';
import { visible, visibleLines } from '../visible.ts';
import type { Outcome } from './outcome.ts';
import { type SourceError, STDIN } from './source.ts';

/** What the progress bar shows. */
export interface Sent {
  name: string;
  bytes: number;
  /** Undefined where lines cannot be seen. */
  lines: number | undefined;
  seconds: number;
  /** Everything was sent; the answer is awaited. */
  over: boolean;
  /** Rejected lines of the files before. */
  rejected: number;
}

const MAX_CAUSES = 20;
const MAX_CELL = 60;
const number = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

export function progressText(sent: Sent, bar: string, width: number): string {
  const rate = sent.lines !== undefined && sent.seconds > 0 ? Math.round(sent.lines / sent.seconds) : undefined;
  const parts = [
    `${sourceName(sent.name)} ${bar}`.trimEnd(),
    size(sent.bytes),
    sent.lines !== undefined && `${compact.format(sent.lines)} lines`,
    sent.over ? 'waiting for the answer' : rate !== undefined && `${compact.format(rate)} lines/s`,
    `${compact.format(sent.rejected)} rejected so far`,
  ];
  return cut(parts.filter(Boolean).join(' | '), width - 1);
}

/** The summary of one loaded or validated file. */
export function summaryText(source: string, report: Report, colors: Colors): string {
  const { lines, causes } = report;
  const counts = [
    colors.green(`${number.format(lines.accepted)} accepted`),
    lines.rejected > 0 ? colors.red(`${number.format(lines.rejected)} rejected`) : '0 rejected',
    `${number.format(lines.duplicate)} duplicate`,
    `${number.format(lines.blank)} blank`,
  ];
  return [
    `${colors.bold(sourceName(source))}: ${statusText(report, colors)}`,
    `  ${plural(lines.received, 'line')}: ${counts.join(', ')} (${size(report.bytes)}, ${seconds(report.duration_ms)})`,
    ...report.checks.filter((each) => each.status !== 'passed').map((each) => `  ${colors.red(checkText(each))}`),
    ...(causes.length > 0
      ? ['', ...causeTable(causes.slice(0, MAX_CAUSES), colors), ...moreCauses(causes.length)]
      : []),
    ...rejectionsHint(report),
    '',
  ].join('\n');
}

/** One line over all files, where there are several. */
export function totalText(outcomes: readonly Outcome[]): string {
  const reports = outcomes.flatMap((each) => ('report' in each ? [each.report] : []));
  const sum = (of: 'received' | 'accepted' | 'rejected' | 'duplicate' | 'blank') =>
    number.format(reports.reduce((total, { lines }) => total + lines[of], 0));
  const failed = outcomes.length - reports.length;
  return (
    `${plural(outcomes.length, 'file')}${failed > 0 ? `, ${failed} without a report` : ''}: ${sum('received')} lines, ` +
    `${sum('accepted')} accepted, ${sum('rejected')} rejected, ${sum('duplicate')} duplicate, ${sum('blank')} blank\n`
  );
}

/** The line on standard error for a file that failed. */
export function failureText(source: string, error: string, colors: Colors): string {
  return `${colors.red('sluice:')} ${sourceName(source)}: ${visibleLines(error)}\n`;
}

export function problemText(problem: ProblemDocument, retryAfter: string | undefined): string {
  const retry = retryAfter === undefined ? '' : ` (try again in ${visible(retryAfter)} s)`;
  return `${problem.status} ${visible(problem.code)}: ${visible(problem.detail)}${retry}`;
}

/** What can be done about a key that is missing or not taken. */
export function keyHint(wasSent: boolean): string {
  return wasSent
    ? ' (the key that was sent is not known, has expired or was revoked)'
    : ' (no key was sent: set SLUICE_API_KEY, or name a file with --key-file)';
}

export function sourceFault(error: SourceError): string {
  switch (error.code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EISDIR':
      return 'is a directory: name the files in it';
    case 'EACCES':
    case 'EPERM':
      return 'may not be read by this user';
    default:
      return `cannot be read: ${visible(error.message)}`;
  }
}

export function connectionFault(error: ConnectionError, url: URL): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return `no server listens at ${url.origin}: start one with "sluice serve", or name another with --url or SLUICE_URL`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host ${url.hostname} is not known: name another with --url or SLUICE_URL`;
    case 'ECONNRESET':
    case 'EPIPE':
      return (
        `the connection to ${url.origin} broke before the answer (${error.code}): whether the batch was stored is ` +
        'not known, GET /v1/batches tells'
      );
    default:
      return `no answer from ${url.origin}: ${visible(error.message)} (${error.code})`;
  }
}

export function unexpectedAnswer(error: UnexpectedAnswer, url: URL): string {
  return `${url.origin} answers, but not as Sluice does (${visible(error.message)}): is the URL right?`;
}

export const FAULTS = {
  apiKey: 'has no API key in it: one is made with "sluice keys create"',
  url: 'allowed is an http or https URL without user, query and fragment, e.g. http://127.0.0.1:3000',
  maxRejected: 'allowed is a count of lines (100) or a share of them (5%)',
  stdinTwice: "error: '-' (standard input) can be read only once",
  oneKeyOneFile: 'error: --idempotency-key names one batch, and each FILE is a batch: give it with a single FILE',
  terminalInput: 'sluice: reading events from the terminal; end with Ctrl-D\n',
  terminalPatch: 'sluice: reading the patch from the terminal; end with Ctrl-D\n',
} as const;

export function reportFault(path: string, error: unknown): string {
  return `error: the report cannot be written to ${visible(path)}: ${visible(messageOf(error))}`;
}

export function patchFault(path: string, fault: string): string {
  return `error: the patch ${sourceName(path)}: ${fault}`;
}

/** A report file without all its rejections. */
export function rejectionsFault(error: unknown): string {
  return `loaded, but its rejections could not be read again for the report: ${visible(messageOf(error))}`;
}

/** What nobody foresaw keeps its stack, for the bug report; a plain string was foreseen. */
export function fatalText(error: unknown): string {
  if (typeof error === 'string') return `sluice: ${visibleLines(error)}\n`;
  return `sluice: ${visibleLines(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`;
}

function statusText({ status, reason, batch_id: id, lines, replay_of }: Report, colors: Colors): string {
  if (replay_of?.length === 0 && lines.received === 0) return 'nothing to replay';
  const because = reason === undefined ? '' : ` (${visible(reason)})`;
  switch (status) {
    // No batch that anybody could look up.
    case 'dry_run':
      return 'checked, nothing was stored';
    case 'promoted':
      return `${colors.green('promoted')}, batch ${visible(id)}`;
    case 'held':
      return `${colors.yellow('held')}, batch ${visible(id)}: a check failed, its rows wait in stage`;
    case 'rejected':
      return `${colors.red('rejected')}, batch ${visible(id)}: no line is valid, nothing was stored`;
    case 'aborted':
      return `${colors.red('aborted')}, batch ${visible(id)}: nothing was stored${because}`;
    default:
      return `${visible(status)}, batch ${visible(id)}`;
  }
}

function checkText(check: Report['checks'][number]): string {
  const figures = check.expected === undefined ? '' : `: expected ${check.expected}, observed ${check.observed}`;
  return `check ${visible(check.name)} ${check.status}${figures}`;
}

function causeTable(causes: Report['causes'], colors: Colors): string[] {
  const head = ['count', 'code', 'schema', 'path', 'rule', 'message', 'example'];
  const rows = causes.map((each) => [
    number.format(each.count),
    each.code,
    each.schema ?? '-',
    each.path || '-',
    each.keyword || '-',
    each.message,
    `line ${each.example_line}`,
  ]);
  const table = [head, ...rows.map((row) => row.map((cell) => cut(visible(cell), MAX_CELL)))];
  const widths = head.map((_, column) => Math.max(...table.map((row) => length(row[column]!))));
  const lines = table.map((row) =>
    `  ${row.map((cell, column) => pad(cell, widths[column]!, column === 0)).join('  ')}`.trimEnd(),
  );
  return [colors.dim(lines[0]!), ...lines.slice(1)];
}

function moreCauses(count: number): string[] {
  return count > MAX_CAUSES ? [`  and ${plural(count - MAX_CAUSES, 'more cause')}; --report FILE has all of them`] : [];
}

function rejectionsHint({ lines, links }: Report): string[] {
  if (lines.rejected === 0 || links.rejections === undefined) return [];
  return ['', `  Every rejected line with its bytes: ${visible(links.rejections)}, or --report FILE`];
}

function sourceName(name: string): string {
  return name === STDIN ? 'standard input' : visible(name);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function length(text: string): number {
  return [...text].length;
}

function cut(text: string, max: number): string {
  const points = [...text];
  return points.length <= max ? text : `${points.slice(0, max - 1).join('')}…`;
}

function pad(cell: string, width: number, right: boolean): string {
  const gap = ' '.repeat(width - length(cell));
  return right ? gap + cell : cell + gap;
}

function plural(count: number, noun: string): string {
  return `${number.format(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const steps = ['kB', 'MB', 'GB', 'TB'];
  const step = Math.min(Math.floor(Math.log10(bytes) / 3), steps.length);
  return `${(bytes / 1000 ** step).toPrecision(3)} ${steps[step - 1]}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
