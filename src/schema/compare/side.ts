// One side of a comparison at one place: a subschema, where it stands, and its node.

import { type Place, step } from './document.ts';
import type { Finding } from './finding.ts';
import type { Node } from './node.ts';
import type { Pair } from './pair.ts';
import type { ReadSchema } from './read.ts';
import type { Step } from './trail.ts';
import { isObject, type JsonObject, own } from './value.ts';

export interface Side {
  schema: ReadSchema;
  value: unknown;
  pointer: string;
  node: Node;
}

/** What the parts of the walk need of the whole. */
export interface Walker {
  readonly pair: Pair;
  /** Compares two subschemas at the end of `trail`. */
  visit(before: Side, after: Side, trail: readonly Step[]): void;
  add(finding: Omit<Finding, 'trails'> & { trail: readonly Step[] }): void;
}

/** A subschema, behind the references that are all it consists of. */
export function sideOf(schema: ReadSchema, value: unknown, pointer: string): Side | undefined {
  let place: Place = { value, pointer };
  while (isObject(place.value) && typeof own(place.value, '$ref') === 'string' && isAlias(schema, place.value)) {
    place = schema.document.resolve(own(place.value, '$ref') as string, place.value, place.pointer);
  }
  const node = schema.nodeAt(place.value);
  return node && { schema, node, ...place };
}

function isAlias(schema: ReadSchema, value: JsonObject): boolean {
  const target = schema.document.resolve(own(value, '$ref') as string, value, '').value;
  return target !== value && schema.nodeAt(target) === schema.nodeAt(value);
}

/** The subschema below `side` at `keys`, if there is one. */
export function child(side: Side, ...keys: (string | number)[]): Side | undefined {
  let { value, pointer } = side;
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as JsonObject)[key];
    pointer = step(pointer, key);
  }
  return sideOf(side.schema, value, pointer);
}

/** A node for some of the keywords of a subschema. */
export function part(side: Side, part: JsonObject): Node {
  return side.schema.nodeOf(part, side.value as object, side.pointer);
}

/** How to ask whom the change from `oldPart` to `newPart` breaks. */
export function splits(before: Side, after: Side, oldPart: Node, newPart: Node): Finding['splits'] {
  return { backward: { holds: before.node, fails: newPart }, forward: { holds: after.node, fails: oldPart } };
}

/** A difference that can only be tested with several keywords of the subschema together. */
export function group(
  walk: Walker,
  before: Side,
  after: Side,
  keys: readonly string[],
  together: readonly string[],
  type: string,
  trail: readonly Step[],
): void {
  const pick = (side: Side) =>
    Object.fromEntries(
      together
        .filter((key) => own(side.value as JsonObject, key) !== undefined)
        .map((key) => [key, (side.value as JsonObject)[key]]),
    );
  walk.add({
    type,
    oldPath: step(before.pointer, ...keys),
    newPath: step(after.pointer, ...keys),
    message: `${keys.join(' ')}: ${type.replaceAll('_', ' ')}.`,
    trail,
    splits: splits(before, after, part(before, pick(before)), part(after, pick(after))),
  });
}
