// Expectations about two columns of each row. Comparisons are null-safe: [6, null] is unexpected wherever it counts.

import type { Column } from '../model.ts';
import {
  type Arguments,
  flag,
  listOf,
  oneOf,
  type Read,
  type Scalar,
  scalarOrNull,
  share,
  text,
  Unfit,
  unsupported,
} from './arguments.ts';
import type { Definition } from './definition.ts';
import { excerpt, literalOf, operandOf } from './literal.ts';
import { allOf, demandComparable, nameOf } from './table.ts';

type DefinePair = (args: Arguments) => (a: Column, b: Column) => { expected: string; message: string };

function onPairs(define: DefinePair): Definition {
  return {
    isAboutRows: true,
    takesCondition: true,
    define(args) {
      const names = [args.need('column_A', text), args.need('column_B', text)] as const;
      const mostly = args.take('mostly', share) ?? 1;
      const ignored = args.take(
        'ignore_row_if',
        oneOf('both_values_are_missing', 'either_value_is_missing', 'neither', 'never'),
      );
      const bind = define(args);
      return (table) => {
        const a = table.column(names[0], 'column_A');
        const b = table.column(names[1], 'column_B');
        const { expected, message } = bind(a, b);
        const considered = consider(a, b, ignored ?? 'both_values_are_missing');
        const sql = allOf(considered, `(${expected}) IS NOT TRUE`)!;
        const shown = { kind: 'rows', columns: [a, b], shape: 'pair', tellsMissing: true } as const;
        return { plan: { ...shown, considered, unexpected: () => sql, mostly, message } };
      };
    },
  };
}

/** Predicate of the rows that are not ignored; null: none is. */
function consider(a: Column, b: Column, ignored: string): string | null {
  const isThere = (column: Column) => `${nameOf(column)} IS NOT NULL`;
  if (ignored === 'either_value_is_missing') return `${isThere(a)} AND ${isThere(b)}`;
  return ignored === 'both_values_are_missing' ? `${isThere(a)} OR ${isThere(b)}` : null;
}

export const pairEqual = onPairs(() => (a, b) => {
  demandComparable(a, b, 'column_B');
  return { expected: `${nameOf(a)} = ${nameOf(b)}`, message: `is not equal to ${excerpt(b.name)}` };
});

export const pairGreater = onPairs((args) => {
  const orEqual = args.take('or_equal', flag) ?? false;
  args.take('allow_cross_type_comparisons', unsupported);
  return (a, b) => {
    demandComparable(a, b, 'column_B');
    const [one, other] = [nameOf(a), nameOf(b)];
    const expected = orEqual ? `${one} >= ${other} OR ${one} IS NULL AND ${other} IS NULL` : `${one} > ${other}`;
    return { expected, message: `is not greater than ${orEqual ? 'or equal to ' : ''}${excerpt(b.name)}` };
  };
});

const pair: Read<(Scalar | null)[]> = (value) => {
  const read = listOf(scalarOrNull)(value);
  return read instanceof Unfit || read.length === 2 ? read : new Unfit('must be a pair');
};

export const pairInSet = onPairs((args) => {
  const pairs = args.needOrNull('value_pairs_set', listOf(pair));
  return (a, b) => {
    const literal = (column: Column, value: Scalar, at: number, side: string) =>
      literalOf(value, operandOf(column, ''), ['value_pairs_set', String(at), side]);
    const whole: string[] = [];
    const partial: string[] = [];
    for (const [at, [one = null, other = null]] of pairs?.entries() ?? []) {
      const left = one === null ? null : literal(a, one, at, '0');
      const right = other === null ? null : literal(b, other, at, '1');
      if (left !== null && right !== null) whole.push(`(${left}, ${right})`);
      else partial.push(`(${nameOf(a)} ${isValue(left)} AND ${nameOf(b)} ${isValue(right)})`);
    }
    // Postgres looks whole pairs up by hash.
    if (whole.length > 0) partial.push(`(${nameOf(a)}, ${nameOf(b)}) IN (VALUES ${whole.join(', ')})`);
    const expected = pairs === null ? 'TRUE' : partial.join(' OR ') || 'FALSE';
    return { expected, message: `makes no pair of the set with ${excerpt(b.name)}` };
  };
});

function isValue(literal: string | null): string {
  return literal === null ? 'IS NULL' : `= ${literal}`;
}
