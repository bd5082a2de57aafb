// The command line of `npm run bench`.
import { parseArgs } from 'node:util';

export const USAGE = `npm run bench -- [options]
  --only a,b        these scenarios
  --lines N         so many lines in each
  --rounds N        rounds that count (3)
  --seed N          other lines (1)
  --quick           a small run, which shows that everything works and measures nothing
  --json FILE       where the figures go (bench/results/<date>.json)
  --markdown FILE   the table of the goals as Markdown
  --compare FILE    beside the figures of an earlier JSON file
  --profile         CPU profiles of the server, and what Postgres was busy with, into bench/results
  DATABASE_URL      another Postgres than the embedded one; it needs the right to make databases`;

export interface Options {
  only: readonly string[] | null;
  lines: number | null;
  rounds: number;
  seed: number;
  quick: boolean;
  json: string | null;
  markdown: string | null;
  compare: string | null;
  profile: boolean;
}

/**
 * Reads the words after `--`.
 * @throws {TypeError} an unknown option, or a number that is none
 */
export function readOptions(words: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...words],
    options: {
      only: { type: 'string' },
      lines: { type: 'string' },
      rounds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      markdown: { type: 'string' },
      compare: { type: 'string' },
      profile: { type: 'boolean', default: false },
    },
  });
  return {
    only: values.only?.split(',') ?? null,
    lines: values.lines === undefined ? null : whole('lines', values.lines),
    rounds: whole('rounds', values.rounds ?? (values.quick ? '1' : '3')),
    seed: whole('seed', values.seed),
    quick: values.quick,
    json: values.json ?? null,
    markdown: values.markdown ?? null,
    compare: values.compare ?? null,
    profile: values.profile,
  };
}

function whole(name: string, text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new TypeError(`--${name} takes a whole number from 1 on, not ${text}`);
  return Number(text);
}

/** How many lines a scenario takes that usually takes `usual`. */
export function linesOf({ lines, quick }: Pick<Options, 'lines' | 'quick'>, usual: number): number {
  if (lines !== null) return lines;
  return quick ? Math.ceil(usual / (usual > 100_000 ? 100 : 10)) : usual;
}
