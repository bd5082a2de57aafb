// The differences between two lists of subschemas: allOf, anyOf, oneOf.

import { step } from './document.ts';
import { snake } from './keywords.ts';
import { type Alternative, match } from './match.ts';
import { child, group, part, type Side, sideOf, type Walker } from './side.ts';
import type { Step } from './trail.ts';
import { canonical, isObject, type JsonObject, own } from './value.ts';

function alternatives(side: Side, keyword: string): { side: Side; alternative: Alternative }[] {
  const list = own(side.value as JsonObject, keyword);
  const places: (Side | undefined)[] = Array.isArray(list) ? list.map((_, index) => child(side, keyword, index)) : [];
  // A reference with siblings is one more part of the whole.
  const ref = keyword === 'allOf' ? own(side.value as JsonObject, '$ref') : undefined;
  if (typeof ref === 'string') {
    const place = side.schema.document.resolve(ref, side.value as object, side.pointer);
    places.push(sideOf(side.schema, place.value, place.pointer));
  }
  return places
    .filter((place) => place !== undefined)
    .map((place) => ({
      side: place,
      alternative: { node: place.node, name: definedAs(place), marks: marks(place) },
    }));
}

/** Compares what is under `keyword` on both sides, alternative by alternative. */
export function combined(walk: Walker, before: Side, after: Side, keyword: string, trail: readonly Step[]): void {
  const [one, two] = [alternatives(before, keyword), alternatives(after, keyword)];
  if (one.length === 0 && two.length === 0) return;
  if (one.length === 0 || two.length === 0) {
    const verb = one.length === 0 ? 'added' : 'removed';
    if (own((one.length === 0 ? after : before).value as JsonObject, keyword) !== undefined) {
      group(walk, before, after, [keyword], [keyword], `${snake(keyword)}_${verb}`, trail);
      return;
    }
  }
  const { pairs, removed, added } = match(
    one.map((entry) => entry.alternative),
    two.map((entry) => entry.alternative),
  );
  for (const [i, j] of pairs) walk.visit(one[i]!.side, two[j]!.side, trail);
  const either = keyword !== 'allOf';
  const piece = either ? 'alternative' : 'part';
  const whole = (side: Side) => part(side, { [keyword]: own(side.value as JsonObject, keyword) ?? [true] });
  for (const i of removed) {
    const { side } = one[i]!;
    const holds = { holds: either ? side.node : before.node, fails: either ? whole(after) : side.node };
    walk.add({
      type: `${snake(keyword)}_${piece}_removed`,
      oldPath: side.pointer,
      newPath: step(after.pointer, keyword),
      message: either ? 'An alternative was removed.' : 'A part that had to hold was removed.',
      trail,
      splits: either ? { backward: holds } : { forward: { holds: after.node, fails: side.node } },
    });
  }
  for (const j of added) {
    const { side } = two[j]!;
    walk.add({
      type: `${snake(keyword)}_${piece}_added`,
      oldPath: step(before.pointer, keyword),
      newPath: side.pointer,
      message: either ? 'An alternative was added.' : 'A part was added that has to hold.',
      trail,
      splits: either
        ? {
            forward: { holds: side.node, fails: whole(before) },
            backward: { holds: before.node, fails: whole(after) },
          }
        : { backward: { holds: before.node, fails: side.node } },
    });
  }
}

/** The name of a definition that a reference led to. */
function definedAs({ pointer }: Side): string | undefined {
  return /\/(?:definitions|\$defs)\/([^/]+)$/.exec(pointer)?.[1];
}

function marks({ value }: Side): Set<string> {
  const found = new Set<string>();
  if (!isObject(value)) return found.add(String(value));
  for (const key of ['type', 'const', 'enum', 'format', 'title', '$ref', 'required']) {
    const said = own(value, key);
    if (said === undefined) continue;
    for (const part of Array.isArray(said) ? said : [said]) found.add(`${key} ${canonical(part)}`);
  }
  const members = own(value, 'properties');
  if (!isObject(members)) return found;
  for (const [name, member] of Object.entries(members)) {
    found.add(`member ${name}`);
    if (!isObject(member)) continue;
    // A constant tells alternatives apart like nothing else.
    for (const key of ['const', 'enum']) {
      if (own(member, key) !== undefined)
        for (const n of [1, 2, 3]) found.add(`${name} ${key} ${canonical(own(member, key))} ${n}`);
    }
  }
  return found;
}
