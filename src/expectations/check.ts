// What one check of a suite is, once it is bound to a table: SQL to ask, and how to judge the answers. Types only.
import type { Column } from '../model.ts';

/** What a failed check does: holds the batch, is only reported, or rejects the lines that offend. */
export type Severity = 'hold' | 'warn' | 'reject_rows';

/** One expectation bound to one table. */
export interface Check {
  /** The expectation's type, e.g. `expect_column_values_to_be_unique`. */
  readonly name: string;
  readonly severity: Severity;
  /** As written in the suite. */
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** Relative to the schema folder. */
  readonly file: string;
  /** JSON Pointer of the expectation in its file. */
  readonly place: string;
  /** SQL predicate of the rows that the check is about; null: all. */
  readonly condition: string | null;
  /** Regular expressions that Postgres will be given, and where they stand in the file. */
  readonly patterns: readonly Pattern[];
  readonly plan: CheckPlan;
}

interface Pattern {
  readonly place: string;
  readonly source: string;
}

export type CheckPlan = RowPlan | AggregatePlan | GroupPlan | FixedPlan;

/** Every row is expected or not. */
export interface RowPlan {
  readonly kind: 'rows';
  /** Whose values are shown. The first is where a rejected line's error points. */
  readonly columns: readonly Column[];
  /** How an unexpected row is shown: its value, `[a, b]`, or `{column: value}`. */
  readonly shape: 'value' | 'pair' | 'record';
  /** Predicate of the rows that count; null: all of them. */
  readonly considered: string | null;
  /** Predicate, true for an unexpected row and for no row that does not count; null: rows that repeat one another. */
  readonly unexpected: ((stage: string) => string) | null;
  /** Whether the result tells how many rows do not count. The checks for null themselves do not. */
  readonly tellsMissing: boolean;
  /** Share of the rows that count that has to be expected, 0 to 1. */
  readonly mostly: number;
  /** What is wrong with an unexpected row, in words. */
  readonly message: string;
}

/** An aggregate expression. Those that sort the whole column are asked for apart: they cannot run in parallel. */
export interface Aggregate {
  readonly sql: string;
  readonly sorts: boolean;
}

/** The rows together are expected or not. The condition is in the expressions already. */
export interface AggregatePlan {
  readonly kind: 'aggregate';
  readonly aggregates: readonly Aggregate[];
  judge(values: readonly unknown[]): Outcome;
}

/** The distinct values of a column are expected or not, without its nulls. */
export interface GroupPlan {
  readonly kind: 'groups';
  readonly column: Column;
  /**
   * Expressions over a relation `groups (v, n)`: each distinct value, and how many rows have it.
   * @param distinct SQL of the number of groups
   * @param all SQL of the number of rows in them
   */
  expressions(distinct: string, all: string): readonly string[];
  /** Whether the expressions only count groups and rows, and all of that from `distinct` and `all`. */
  readonly countsOnly: boolean;
  judge(values: readonly unknown[]): Outcome;
}

/** It concerns the table, whatever is in it. */
interface FixedPlan {
  readonly kind: 'fixed';
  readonly outcome: Outcome;
}

export interface Outcome {
  readonly success: boolean;
  /** Members of the result under the names that Great Expectations gives them. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Unexpected rows that were found on the way: line and values. */
  readonly rows?: readonly UnexpectedRow[];
}

/** A row as a result shows it. */
export type UnexpectedRow = readonly [line: number, values: readonly unknown[]];
