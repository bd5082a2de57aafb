// How an expectation is defined: it reads its arguments without a table, and then binds itself to as many as there are.
import type { Column } from '../model.ts';
import { type Arguments, share, text } from './arguments.ts';
import type { CheckPlan, RowPlan } from './check.ts';
import { nameOf, type Table } from './table.ts';

/** Reads arguments. What comes back is used only if none of them had a fault. */
type Define = (args: Arguments) => Bind;

/** @throws {Misfit} the arguments do not fit the table */
export type Bind = (table: Table) => Bound;

interface Bound {
  plan: CheckPlan;
  /** Regular expressions in it, by their path below kwargs. */
  patterns?: readonly { path: readonly string[]; source: string }[];
}

export interface Definition {
  define: Define;
  /** Whether it is about rows, so that lines can be rejected by it. */
  isAboutRows: boolean;
  /** Whether a row_condition can mean something. */
  takesCondition: boolean;
}

/** What an unexpected value is, as a predicate that is never true for null, and in words. */
export interface Unexpected {
  sql: string | ((stage: string) => string) | null;
  message: string;
  patterns?: Bound['patterns'];
}

/** Defines an expectation about each value of one column. Missing values do not count. */
export function onValues(define: (args: Arguments) => (column: Column, table: Table) => Unexpected): Definition {
  return {
    isAboutRows: true,
    takesCondition: true,
    define(args) {
      const name = args.need('column', text);
      const mostly = args.take('mostly', share) ?? 1;
      const bind = define(args);
      return (table) => {
        const column = table.column(name, 'column');
        const { sql, message, patterns } = bind(column, table);
        const considered = column.notNull ? null : `${nameOf(column)} IS NOT NULL`;
        const plan: RowPlan = {
          kind: 'rows',
          columns: [column],
          shape: 'value',
          considered,
          unexpected: typeof sql === 'string' ? () => sql : sql,
          tellsMissing: true,
          mostly,
          message,
        };
        return { plan, ...(patterns && { patterns }) };
      };
    },
  };
}
