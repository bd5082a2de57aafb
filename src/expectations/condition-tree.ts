// What a row condition says, whatever it was written in, and the one way in which reading it fails.

export type Comparator = '==' | '!=' | '<' | '<=' | '>' | '>=';

/** A value in a condition. A number is kept as its text, for it may have more digits than a double. */
export type Literal =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'boolean'; readonly value: boolean };

export type Operand = Literal | { readonly kind: 'column'; readonly name: string };

export type Condition =
  | { readonly kind: 'comparison'; readonly left: Operand; readonly operator: Comparator; readonly right: Operand }
  | {
      readonly kind: 'membership';
      readonly of: Operand;
      readonly values: readonly Literal[];
      readonly isNegated: boolean;
    }
  | { readonly kind: 'nullity'; readonly column: string; readonly isNull: boolean }
  | { readonly kind: 'and' | 'or'; readonly conditions: readonly Condition[] };

const COMPARATORS: ReadonlySet<unknown> = new Set<Comparator>(['==', '!=', '<', '<=', '>', '>=']);

export function isComparator(value: unknown): value is Comparator {
  return COMPARATORS.has(value);
}

/** Groups inside each other, at most: both readers recurse. Great Expectations itself allows two levels. */
export const MOST_LEVELS = 32;

/** The condition cannot be used. The message says why, without a full stop. */
export class ConditionFault extends Error {}

/** A text of somebody else, fit for a message. */
export function excerpt(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
