// How figures are summed up and printed.

export const MIB = 1024 * 1024;

export const say = (text: string): void => void process.stdout.write(`${text}\n`);

export const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]!;

/** Median and range, in seconds. */
export const spread = (all: readonly number[]): string =>
  `${median(all).toFixed(2)} (${Math.min(...all).toFixed(2)}–${Math.max(...all).toFixed(2)})`;

export interface Bench {
  /** A folder of the bench's own. */
  directory: string;
  /** An empty database of the bench's own. */
  url: string;
  lines: number;
  /** Share of bad lines, 0 to 1. */
  bad: number;
  seed: number;
  rounds: number;
  profile: boolean;
}
