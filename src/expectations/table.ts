// The table that a suite is bound to, as the expectations ask about it. What does not fit is thrown as a Misfit, which
// the suite turns into a fault or a warning with its place.
import type { Column, ColumnType, TablePlan } from '../model.ts';
import { quote } from '../sql.ts';

/** An argument and the table do not fit together. */
export class Misfit extends Error {
  /** Path below the expectation's kwargs. */
  readonly path: readonly string[];
  readonly isMissingColumn: boolean;

  constructor(path: readonly string[], reason: string, isMissingColumn = false) {
    super(reason);
    this.path = path;
    this.isMissingColumn = isMissingColumn;
  }
}

const NUMERIC: readonly ColumnType[] = ['bigint', 'double precision'];
const MOST_NAMES = 10;

export class Table {
  readonly plan: TablePlan;
  /** Predicate of the rows that the check is about; null: all. */
  readonly condition: string | null;
  /** What is odd but no fault. */
  readonly note: (path: readonly string[], reason: string) => void;

  constructor(plan: TablePlan, condition: string | null, note: (path: readonly string[], reason: string) => void) {
    this.plan = plan;
    this.condition = condition;
    this.note = note;
  }

  /** @throws {Misfit} there is no such column */
  column(name: string, ...path: readonly string[]): Column {
    const found = this.plan.columns.find((column) => column.name === name);
    if (found !== undefined) return found;
    const names = this.plan.columns.map((column) => column.name);
    const known =
      names.length <= MOST_NAMES
        ? names.join(', ')
        : `${names.slice(0, MOST_NAMES).join(', ')} and ${names.length - MOST_NAMES} more`;
    throw new Misfit(path, `the table ${this.plan.table} has no column ${JSON.stringify(name)}: it has ${known}`, true);
  }

  columns(names: readonly string[], argument: string): Column[] {
    return names.map((name, at) => this.column(name, argument, String(at)));
  }

  /** ` FILTER (WHERE …)` for an aggregate, or nothing. */
  filter(...predicates: readonly (string | null)[]): string {
    const both = allOf(this.condition, ...predicates);
    return both === null ? '' : ` FILTER (WHERE ${both})`;
  }
}

/** @throws {Misfit} the column's type is none of those */
export function demand(column: Column, types: readonly ColumnType[], what: string, ...path: readonly string[]): void {
  if (types.includes(column.type)) return;
  throw new Misfit(path, `${what} of the column ${JSON.stringify(column.name)}, which is ${column.type}`);
}

export function demandNumeric(column: Column, what: string, ...path: readonly string[]): void {
  demand(column, NUMERIC, what, ...path);
}

/** @throws {Misfit} Postgres cannot compare the two columns */
export function demandComparable(a: Column, b: Column, ...path: readonly string[]): void {
  const kindOf = ({ type }: Column) =>
    NUMERIC.includes(type) ? 'number' : type === 'date' || type === 'timestamptz' ? 'time' : type;
  if (kindOf(a) === kindOf(b)) return;
  throw new Misfit(
    path,
    `${JSON.stringify(b.name)} is ${b.type} and cannot be compared with ${JSON.stringify(a.name)}, which is ${a.type}`,
  );
}

/** The conjunction of predicates; null where there are none. */
export function allOf(...predicates: readonly (string | null)[]): string | null {
  const given = predicates.filter((predicate) => predicate !== null);
  return given.length === 0 ? null : given.map((predicate) => `(${predicate})`).join(' AND ');
}

export function nameOf(column: Column): string {
  return quote(column.name);
}
