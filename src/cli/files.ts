// What load and validate share: file after file, its summary printed, its report written, the worst fate as exit code.

import type { Command } from 'commander';
import picocolors from 'picocolors';
import { visibleJson } from '../visible.ts';
import { ExitCode, exitCodeOf, type Outcome } from './outcome.ts';
import { FAULTS, failureText, rejectionsFault, reportFault, sourceFault, summaryText, totalText } from './print.ts';
import { startProgress } from './progress.ts';
import { ReportFile } from './report-file.ts';
import { openSource, type Source, SourceError, STDIN } from './source.ts';

export interface OutputOptions {
  report?: string;
  json?: boolean;
}

type Handle = (bytes: AsyncIterable<Buffer>, source: Source) => Promise<Outcome>;

/** Handles all files, also after one that failed, and sets the process's exit code. */
export async function forEachFile(
  command: Command,
  names: readonly string[],
  options: OutputOptions,
  handle: Handle,
): Promise<void> {
  if (names.filter((name) => name === STDIN).length > 1) command.error(FAULTS.stdinTwice);
  const outcomes: Outcome[] = [];
  await forEachSource(command, names, options, async (name) => {
    const outcome = await handleFile(name, rejectedIn(outcomes), handle);
    outcomes.push(outcome);
    return outcome;
  });
  if (names.length > 1 && !options.json) process.stdout.write(totalText(outcomes));
}

/** Prints what `handle` makes of each source, writes the report file, and sets the process's exit code. */
export async function forEachSource(
  command: Command,
  names: readonly string[],
  options: OutputOptions,
  handle: (name: string) => Promise<Outcome>,
): Promise<void> {
  const cannotWrite = (error: unknown): never => command.error(reportFault(options.report!, error));
  const file =
    options.report === undefined ? undefined : await ReportFile.open(options.report, names.length).catch(cannotWrite);

  let worst: number = ExitCode.Fine;
  for (const name of names) {
    const outcome = await handle(name);
    show(name, outcome, options);
    worst = Math.max(worst, exitCodeOf(outcome));
    const fault = await file?.write(name, outcome).catch(cannotWrite);
    if (fault !== undefined) {
      process.stderr.write(failureText(name, rejectionsFault(fault), stderrColors()));
      worst = ExitCode.Failed;
    }
  }
  await file?.close().catch(cannotWrite);
  process.exitCode = worst;
}

async function handleFile(name: string, rejected: number, handle: Handle): Promise<Outcome> {
  if (name === STDIN && process.stdin.isTTY) process.stderr.write(FAULTS.terminalInput);
  try {
    const source = await openSource(name);
    const progress = startProgress(name, source, rejected);
    try {
      return await handle(progress.bytes, source);
    } finally {
      progress.stop();
      source.close();
    }
  } catch (error) {
    if (error instanceof SourceError) return { error: sourceFault(error) };
    throw error;
  }
}

function show(name: string, outcome: Outcome, options: OutputOptions): void {
  if ('error' in outcome) process.stderr.write(failureText(name, outcome.error, stderrColors()));
  if (options.json) process.stdout.write(`${visibleJson(JSON.stringify(withSource(name, outcome)))}\n`);
  else if ('report' in outcome) process.stdout.write(summaryText(name, outcome.report, stdoutColors()));
}

function rejectedIn(outcomes: readonly Outcome[]): number {
  return outcomes.reduce((sum, each) => sum + ('report' in each ? each.report.lines.rejected : 0), 0);
}

/** The form in which a file's fate is machine-readable: the report or the error, and whose it is. */
function withSource(source: string, outcome: Outcome): object {
  return 'report' in outcome ? { source, ...outcome.report } : { source, ...outcome };
}

// No colour where NO_COLOR is set or the terminal is dumb (isColorSupported), nor into a file or pipe, not even in CI.
function stdoutColors() {
  return picocolors.createColors(picocolors.isColorSupported && process.stdout.isTTY === true);
}

function stderrColors() {
  return picocolors.createColors(picocolors.isColorSupported && process.stderr.isTTY === true);
}
