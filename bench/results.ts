// A run as a JSON file: what was measured, on what, with which settings.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import type { Figure } from './figures.ts';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  node: string;
  platform: string;
}

export interface Results {
  /** When the run began, ISO 8601. */
  date: string;
  machine: Machine;
  postgres: Record<string, string>;
  /** The command line's words. */
  options: readonly string[];
  notes: readonly string[];
  figures: readonly Figure[];
}

/** The machine that this runs on. */
export function machine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
}

/** Writes the file, and its folder. */
export async function writeResults(path: string, results: Results): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(results, null, 2)}\n`);
}

/** Reads what {@link writeResults} wrote. */
export async function readResults(path: string): Promise<Results> {
  return JSON.parse(await readFile(path, 'utf8')) as Results;
}

/** Two lines that say what the figures came from. */
export function describe({ machine: on, postgres }: Results): string {
  const settings = Object.entries(postgres).map(([name, value]) => `${name} ${value}`);
  return (
    `${on.cpu}, ${on.cores} cores, ${on.memoryGib} GiB, ${on.platform}, Node ${on.node}\n` +
    `Postgres: ${settings.join(', ')}`
  );
}
