// Expectations about several columns of each row.

import type { Column } from '../model.ts';
import { type Arguments, listOf, number, oneOf, share, text } from './arguments.ts';
import type { Definition } from './definition.ts';
import { allOf, demandComparable, demandNumeric, nameOf } from './table.ts';

/** The predicate of an unexpected row, and what is wrong with it; null: rows that repeat one another. */
type DefineRecord = (args: Arguments) => (columns: readonly Column[]) => { unexpected: string | null; message: string };

function onRecords(define: DefineRecord): Definition {
  return {
    isAboutRows: true,
    takesCondition: true,
    define(args) {
      const names = args.need('column_list', listOf(text, 2));
      if (names !== undefined && new Set(names).size < names.length)
        args.fault(['column_list'], 'names a column twice');
      const mostly = args.take('mostly', share) ?? 1;
      const ignored = args.take('ignore_row_if', oneOf('all_values_are_missing', 'any_value_is_missing', 'never'));
      const bind = define(args);
      return (table) => {
        const columns = table.columns(names, 'column_list');
        const { unexpected, message } = bind(columns);
        const considered = consider(columns, ignored ?? 'all_values_are_missing');
        const sql = unexpected === null ? null : allOf(considered, unexpected)!;
        const shown = { kind: 'rows', columns, shape: 'record', tellsMissing: true } as const;
        return { plan: { ...shown, considered, unexpected: sql === null ? null : () => sql, mostly, message } };
      };
    },
  };
}

function consider(columns: readonly Column[], ignored: string): string | null {
  if (ignored === 'never') return null;
  const each = columns.map((column) => `${nameOf(column)} IS NOT NULL`);
  return each.join(ignored === 'any_value_is_missing' ? ' AND ' : ' OR ');
}

export const compoundUnique = onRecords(() => (columns) => ({
  unexpected: null,
  message: `is, together with ${listNames(columns.slice(1))}, repeated in the batch`,
}));

/** Two that are missing are equal; one that is missing is equal to nothing. */
export const uniqueWithinRecord = onRecords(() => (columns) => {
  const equal = columns.flatMap((one, at) =>
    columns.slice(at + 1).map((other, further) => {
      demandComparable(one, other, 'column_list', String(at + 1 + further));
      return `${nameOf(one)} IS NOT DISTINCT FROM ${nameOf(other)}`;
    }),
  );
  return { unexpected: equal.join(' OR '), message: `and ${listNames(columns.slice(1))} do not all differ` };
});

/** As in SQL, a row with a missing value has no sum and is not unexpected. */
export const sumEqual = onRecords((args) => {
  const total = args.need('sum_total', number);
  return (columns) => {
    columns.forEach((column, at) => {
      demandNumeric(column, 'only numbers can be added: this adds the values', 'column_list', String(at));
    });
    // bigint alone could overflow.
    const type = columns.some((column) => column.type !== 'bigint') ? 'float8' : 'numeric';
    const sum = columns.map((column) => `${nameOf(column)}::${type}`).join(' + ');
    return {
      unexpected: `${sum} <> '${total}'::${type}`,
      message: `and ${listNames(columns.slice(1))} do not add up to ${total}`,
    };
  };
});

function listNames(columns: readonly Column[]): string {
  return columns.map((column) => JSON.stringify(column.name)).join(', ');
}
