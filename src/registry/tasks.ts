// What runs in the registry's worker thread: plain data in, plain data out, no database.
import { assembleEvent } from '../lines/assemble.ts';
import type { TablePlan } from '../model.ts';
import type { Bundle } from '../schema/bundle.ts';
import { type CompareOptions, compare, undecidedComparison } from '../schema/compare/compare.ts';
import type { Comparison } from '../schema/compare/difference.ts';
import { SchemaFault } from '../schema/compare/fault.ts';
import { Validator, ValidatorCache } from '../schema/compile.ts';
import type { Fault } from '../schema/faults.ts';
import type { ObjectShape } from '../schema/shape.ts';

interface CompareTask {
  kind: 'compare';
  before: unknown;
  after: unknown;
  options: CompareOptions;
}

/** A candidate held against events that came in before. */
export interface StoredTask {
  kind: 'stored';
  candidate: Bundle;
  /** Whether the candidate declares `$schema` itself; else it is the event's envelope. */
  declaresEnvelope: boolean;
  /** Final rows as JSON text by column name, `_extra` and `_schema_version` among them. */
  rows: string[];
  versions: ReadonlyMap<string, { plan: TablePlan; shape: ObjectShape }>;
  /** Rejected lines as they came in. */
  rejections: string[];
}

export interface Stored {
  rows_checked: number;
  rows_failing: number;
  rejections_checked: number;
  rejections_rescued: number;
}

/** A document whose regular expressions are to be judged. */
interface PatternsTask {
  kind: 'patterns';
  document: unknown;
}

export type Task = CompareTask | StoredTask | PatternsTask;

/** A comparison that cannot be made is an answer too: undecided. */
export function undecided(options: CompareOptions, why: string): Comparison {
  return undecidedComparison(options, `Whether the versions are compatible could not be decided: ${why}.`, false);
}

export function perform(task: Task): Comparison | Stored | Promise<Fault[]> {
  switch (task.kind) {
    case 'compare':
      return comparison(task);
    case 'stored':
      return judgeStored(task);
    case 'patterns':
      return unsafePatterns(task.document);
  }
}

/** Those with which one event could keep the server busy for ever. */
async function unsafePatterns(document: unknown): Promise<Fault[]> {
  // The analysis is large, and most servers never need it.
  const { FolderLint } = await import('../schema/check-lint.ts');
  const findings = await new FolderLint().lint('', Buffer.from(JSON.stringify(document)));
  const unsafe = findings.filter(({ rule }) => rule === 'unsafe_pattern');
  return unsafe.map(({ file, place, message }) => ({ file, place, reason: message }));
}

function comparison({ before, after, options }: CompareTask): Comparison {
  try {
    return compare(before, after, options);
  } catch (error) {
    if (error instanceof SchemaFault || error instanceof RangeError) return undecided(options, error.message);
    throw error;
  }
}

function judgeStored({ candidate, declaresEnvelope, rows, versions, rejections }: StoredTask): Stored {
  const { accepts } = new Validator('the candidate', () => candidate, new ValidatorCache(1));
  const stored: Stored = { rows_checked: 0, rows_failing: 0, rejections_checked: 0, rejections_rescued: 0 };
  for (const text of rows) {
    const row = JSON.parse(text) as Record<string, unknown>;
    const version = versions.get(row._schema_version as string);
    if (version === undefined) continue;
    stored.rows_checked++;
    if (!accepts(assembleEvent(row, version.plan, version.shape))) stored.rows_failing++;
  }
  for (const text of rejections) {
    const { $schema, ...rest } = JSON.parse(text) as Record<string, unknown>;
    stored.rejections_checked++;
    const event = declaresEnvelope && $schema !== undefined ? { $schema, ...rest } : rest;
    if (accepts(event)) stored.rejections_rescued++;
  }
  return stored;
}
