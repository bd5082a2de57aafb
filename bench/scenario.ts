// What a scenario is given, and what it gives back. It measures and says nothing; run.ts prints.
import type { Figure } from './figures.ts';

export interface Bench {
  /** A folder of the scenario's own; it is removed afterwards. */
  directory: string;
  /** An empty database of the scenario's own; it is dropped afterwards. */
  url: string;
  /** Makes another one. */
  anotherDatabase(): Promise<string>;
  /** How many lines: `usual`, unless `--lines` or `--quick` says otherwise. */
  lines(usual: number): number;
  /** Rounds that count; one more comes before them to warm up. */
  rounds: number;
  /** How long a rate of requests is measured, in seconds. */
  seconds: number;
  seed: number;
  /** Where the server is to write a CPU profile; undefined: none is wanted. */
  profileDir: string | undefined;
  /** Prints a line about something that a reader of the figures has to know. It stands in the JSON too. */
  note(text: string): void;
}

/** Measures; the figures come in the order in which they are to be read. */
export type Scenario = (bench: Bench) => Promise<Figure[]>;
