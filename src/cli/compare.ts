// `sluice schemas compare`: the comparison without a server and without a folder, for other tools and for CI.
// Reads files or lines, prints answers, decides nothing itself.

import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { Command, InvalidArgumentError, Option } from 'commander';
import { compare } from '../schema/compare/compare.ts';
import { type Comparison, MODES, type Mode } from '../schema/compare/difference.ts';
import { SchemaFault } from '../schema/compare/fault.ts';
import { visible, visibleJson, visibleLines } from '../visible.ts';

interface Options {
  mode: Mode;
  lenient?: boolean;
  format: 'text' | 'json';
  budgetMs: number;
  pairs?: string;
}

/** Exit codes: 0 compatible, 1 not, 2 could not run. */
type Exit = 0 | 1 | 2;

/** The command, to be added under `schemas`. It sets `process.exitCode` and never throws. */
export function compareCommand(): Command {
  return new Command('compare')
    .summary('say whether one schema may follow another')
    .description(
      'Compares two JSON Schemas (draft-07 to 2020-12). Exits 0 when the new one is compatible, 1 when it is not (or when that cannot be decided), 2 when the comparison cannot run.',
    )
    .argument('[old]', 'the schema in use')
    .argument('[new]', 'the schema that is to follow it')
    .addOption(new Option('--mode <mode>', 'what has to hold').choices(MODES).default('BACKWARD').argParser(parseMode))
    .option('--lenient', 'only look at documents that hold declared properties')
    .addOption(new Option('--format <format>', 'how to print the answer').choices(['text', 'json']).default('text'))
    .option('--budget-ms <ms>', 'time for one comparison', parseBudget, 5000)
    .option('--pairs <file>', 'compare many: lines of {"id","old","new","mode"?,"lenient"?}; - reads from stdin')
    .action(async (oldFile: string | undefined, newFile: string | undefined, options: Options) => {
      process.exitCode =
        options.pairs === undefined ? await one(oldFile, newFile, options) : await many(options.pairs, options);
    });
}

function parseMode(text: string): Mode {
  const mode = MODES.find((known) => known === text.toUpperCase());
  if (mode === undefined) throw new InvalidArgumentError(`Allowed choices are ${MODES.join(', ')}.`);
  return mode;
}

function parseBudget(text: string): number {
  const ms = Number(text);
  if (!Number.isFinite(ms) || ms <= 0) throw new InvalidArgumentError('It has to be a number of milliseconds above 0.');
  return ms;
}

async function one(oldFile: string | undefined, newFile: string | undefined, options: Options): Promise<Exit> {
  if (oldFile === undefined || newFile === undefined) return complain('give two files, or --pairs FILE');
  try {
    const [before, after] = [await readSchema(oldFile), await readSchema(newFile)];
    const { mode, lenient = false, budgetMs } = options;
    const result = compare(before, after, { mode, lenient, budgetMs });
    await print(options.format === 'json' ? visibleJson(JSON.stringify(result, null, 2)) : inWords(result));
    return result.compatible ? 0 : 1;
  } catch (error) {
    return complain(reason(error));
  }
}

function complain(message: string): Exit {
  process.stderr.write(`sluice schemas compare: ${visibleLines(message)}\n`);
  return 2;
}

async function readSchema(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`${file} cannot be read: ${error.message}`);
  });
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`);
  }
}

function reason(error: unknown): string {
  if (error instanceof SchemaFault) return `not a schema: ${error.message}`;
  if (error instanceof RangeError) return `the schema is nested too deeply: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

/** One answer a line, in the order of the questions; a line that cannot be run does not stop the others. */
async function many(file: string, options: Options): Promise<Exit> {
  let exit: Exit = 0;
  try {
    const input = file === '-' ? process.stdin : createReadStream(file);
    // readline swallows the errors of its input, so they are waited for here.
    if (file !== '-') await once(input, 'open');
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.trim() === '') continue;
      const answer = answerLine(line, options);
      if ('error' in answer) exit = 2;
      else if (!answer.compatible && exit === 0) exit = 1;
      await print(visibleJson(JSON.stringify(answer)));
    }
  } catch (error) {
    return complain(reason(error));
  }
  return exit;
}

type Answer = { id: unknown; error: string } | ({ id: unknown } & Comparison);

function answerLine(line: string, options: Options): Answer {
  let id: unknown = null;
  try {
    const pair: unknown = JSON.parse(line);
    if (typeof pair !== 'object' || pair === null) throw new Error('a line has to be an object');
    const { old: before, new: after, mode, lenient } = pair as Record<string, unknown>;
    id = (pair as Record<string, unknown>).id ?? null;
    if (before === undefined || after === undefined) throw new Error('a line needs "old" and "new"');
    const comparison = compare(before, after, {
      mode: mode === undefined || mode === null ? options.mode : parseMode(String(mode)),
      lenient: typeof lenient === 'boolean' ? lenient : (options.lenient ?? false),
      budgetMs: options.budgetMs,
    });
    return { id, ...comparison };
  } catch (error) {
    return { id, error: reason(error) };
  }
}

async function print(text: string): Promise<void> {
  if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
}

/** The answer for people: the verdict, then a line or two for each difference, breaking ones first. */
function inWords(result: Comparison): string {
  const verdict = result.compatible ? 'compatible' : 'NOT compatible';
  const lines = [
    `${verdict} (${result.mode}${result.lenient ? ', lenient' : ''}); needs a ${result.needed_bump} version`,
  ];
  const rank = (breaks: string) => (breaks === 'none' ? 1 : 0);
  for (const item of [...result.differences].sort((a, b) => rank(a.breaks) - rank(b.breaks))) {
    const breaks =
      item.breaks === 'none' ? '' : ` [breaks ${item.breaks === 'both' ? 'backward and forward' : item.breaks}]`;
    lines.push(`- ${visible(item.new_path || '(root)')}: ${visible(item.message)}${breaks}`);
    if (item.witness === undefined) continue;
    lines.push(
      `    valid under the ${item.witness_valid_under} version only: ${visibleJson(JSON.stringify(item.witness))}`,
    );
  }
  if (result.differences_truncated) lines.push('There are more differences than are listed.');
  if (result.budget_exhausted) lines.push('The budget was used up before everything was looked at.');
  return lines.join('\n');
}
