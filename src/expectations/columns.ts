// Expectations about the table itself. Its columns are those of the schema, in the schema's order: neither provenance
// nor `_extra` belongs to them. What they come to is known before there is a row.
import type { Column, ColumnType } from '../model.ts';
import { type Arguments, count, flag, listOf, share, text } from './arguments.ts';
import type { Outcome } from './check.ts';
import type { Definition } from './definition.ts';
import type { Table } from './table.ts';

function onTable(define: (args: Arguments) => (table: Table) => Outcome, takesCondition = false): Definition {
  return {
    isAboutRows: false,
    takesCondition,
    define(args) {
      const bind = define(args);
      return (table) => ({ plan: { kind: 'fixed', outcome: bind(table) } });
    },
  };
}

export const columnCountEqual = onTable((args) => {
  const value = args.need('value', count);
  return ({ plan: { columns } }) => ({ success: columns.length === value, fields: { observed_value: columns.length } });
});

export const columnCountBetween = onTable((args) => {
  const least = args.take('min_value', count) ?? 0;
  const most = args.take('max_value', count) ?? Number.POSITIVE_INFINITY;
  return ({ plan: { columns } }) => ({
    success: columns.length >= least && columns.length <= most,
    fields: { observed_value: columns.length },
  });
});

export const columnSet = onTable((args) => {
  const wanted = args.needOrNull('column_set', listOf(text));
  const isExact = args.take('exact_match', flag) ?? true;
  return ({ plan }) => {
    const names = namesOf(plan.columns);
    const missing = (wanted ?? names).filter((name) => !names.includes(name)).sort();
    const unexpected = wanted === null ? [] : names.filter((name) => !wanted.includes(name)).sort();
    const success = missing.length === 0 && (!isExact || unexpected.length === 0);
    const mismatched = { ...(unexpected.length > 0 && { unexpected }), ...(missing.length > 0 && { missing }) };
    const isSame = unexpected.length + missing.length === 0;
    return { success, fields: { observed_value: names, ...(!isSame && { details: { mismatched } }) } };
  };
});

export const columnOrder = onTable((args) => {
  const wanted = args.needOrNull('column_list', listOf(text));
  return ({ plan }) => {
    const names = namesOf(plan.columns);
    if (wanted === null) return { success: true, fields: { observed_value: names } };
    const positions = Array.from({ length: Math.max(names.length, wanted.length) }, (_, at) => at);
    const mismatched = positions
      .filter((at) => names[at] !== wanted[at])
      .map((at) => ({ 'Expected Column Position': at, Expected: wanted[at] ?? null, Found: names[at] ?? null }));
    const success = mismatched.length === 0;
    return { success, fields: { observed_value: names, ...(!success && { details: { mismatched } }) } };
  };
});

export const columnExists = onTable((args) => {
  const name = args.need('column', text);
  const index = args.take('column_index', count);
  return ({ plan }) => {
    const at = namesOf(plan.columns).indexOf(name);
    return { success: at >= 0 && (index === undefined || at === index), fields: {} };
  };
});

function namesOf(columns: readonly Column[]): string[] {
  return columns.map(({ name }) => name);
}

/** Names of our column types: SQLAlchemy's own comes first and is reported; then Postgres's and further ones. */
const TYPE_NAMES: Record<ColumnType, readonly string[]> = {
  bigint: ['BIGINT', 'INTEGER', 'INT', 'INT8', 'BIGINTEGER'],
  'double precision': ['DOUBLE_PRECISION', 'DOUBLE', 'FLOAT', 'FLOAT8'],
  boolean: ['BOOLEAN', 'BOOL'],
  text: ['TEXT', 'VARCHAR', 'CHARACTER_VARYING', 'STRING', 'UNICODE', 'UNICODETEXT'],
  timestamptz: ['TIMESTAMP', 'TIMESTAMPTZ', 'TIMESTAMP_WITH_TIME_ZONE', 'DATETIME'],
  date: ['DATE'],
  uuid: ['UUID'],
  jsonb: ['JSONB', 'JSON'],
};

function isNamed(type: ColumnType, name: string): boolean {
  return TYPE_NAMES[type].includes(name.trim().toUpperCase().replaceAll(/\s+/g, '_'));
}

function onType(readNames: (args: Arguments) => readonly string[] | null): Definition {
  return onTable((args) => {
    const name = args.need('column', text);
    const names = readNames(args);
    // All values of a column have its type, so that no share of them has another one.
    args.take('mostly', share);
    return (table) => {
      const { type } = table.column(name, 'column');
      const success = names === null || names.some((each) => isNamed(type, each));
      return { success, fields: { observed_value: TYPE_NAMES[type][0] } };
    };
  }, true);
}

export const ofType = onType((args) => {
  const name = args.need('type_', text);
  return [name];
});
export const inTypeList = onType((args) => args.needOrNull('type_list', listOf(text)));
