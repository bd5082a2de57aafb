// The engine's own form of a schema: a graph of nodes that say what each keyword means, free of drafts, references
// and annotations. Nodes with the same class number mean the same, whichever document they come from.

import type { JsonType } from './value.ts';

export const TYPE_BIT: Record<JsonType, number> = { null: 1, boolean: 2, number: 4, string: 8, array: 16, object: 32 };
export const ALL_TYPES = 63;

/** Rules for numbers; `integer` only speaks about numbers. */
export interface NumberRules {
  min: number;
  minOpen: boolean;
  max: number;
  maxOpen: boolean;
  integer: boolean;
  multiples: readonly number[];
}

/** Rules for strings; lengths in code points. `patterns` are unanchored, as in JSON Schema. */
export interface StringRules {
  minLength: number;
  maxLength: number;
  patterns: readonly string[];
  formats: readonly string[];
}

export interface ArrayRules {
  prefix: readonly Node[];
  rest: Node;
  minItems: number;
  maxItems: number;
  unique: boolean;
  /** Whether `items` (for a tuple: `additionalItems`) is written at all: then it counts as having evaluated the rest. */
  restSays: boolean;
  contains: { node: Node; min: number; max: number } | null;
}

export interface ObjectRules {
  properties: ReadonlyMap<string, Node>;
  patterns: readonly (readonly [string, Node])[];
  additional: Node;
  /** Whether `additionalProperties` is written at all: then it counts as having evaluated all members. */
  additionalSays: boolean;
  names: Node | null;
  required: readonly string[];
  minProperties: number;
  maxProperties: number;
  needs: ReadonlyMap<string, readonly string[]>;
  dependents: ReadonlyMap<string, Node>;
}

/** A schema: everything in it has to hold. */
export interface Node {
  readonly id: number;
  /** Equal numbers mean equal schemas. */
  cls: number;
  types: number;
  /** `enum` and `const`: the value has to be one of these. */
  values: readonly unknown[] | null;
  number: NumberRules | null;
  string: StringRules | null;
  array: ArrayRules | null;
  object: ObjectRules | null;
  all: readonly Node[];
  any: readonly (readonly Node[])[];
  one: readonly (readonly Node[])[];
  not: readonly Node[];
  /** if, then, else. */
  conditions: readonly (readonly [Node, Node, Node])[];
  unevaluatedProperties: Node | null;
  unevaluatedItems: Node | null;
}

export type NodeParts = Partial<Omit<Node, 'id' | 'cls'>>;

/** What the combinators of a node lead to at the same value. */
export function inPlace(node: Node): Node[] {
  return [
    ...node.all,
    ...node.any.flat(),
    ...node.one.flat(),
    ...node.not,
    ...node.conditions.flat(),
    ...(node.object?.dependents.values() ?? []),
  ];
}
