// The differences between two object schemas in what they say about members: properties, patterns, content models.

import { step } from './document.ts';
import { isDeclared, rulesFor } from './evaluate.ts';
import { shown } from './finding.ts';
import type { ObjectRules } from './node.ts';
import type { Pair } from './pair.ts';
import { child, group, type Side, type Walker } from './side.ts';
import type { Step } from './trail.ts';
import { isObject, type JsonObject, own } from './value.ts';

const MEMBERS = ['properties', 'patternProperties', 'additionalProperties'];
const MODEL_WORDS = {
  open: 'an open content model: undeclared members are allowed and may be anything',
  closed: 'a closed content model: undeclared members are not allowed',
  partially_open: 'a partially open content model: undeclared members have to fit a schema',
};

/** What an object schema says about a member that it does not list. */
function contentModel(rules: ObjectRules | null, name: string, pair: Pair): keyof typeof MODEL_WORDS {
  if (!rules || (!isDeclared(rules, name) && rules.additional === pair.graph.anything)) return 'open';
  return !isDeclared(rules, name) && rules.additional === pair.graph.nothing ? 'closed' : 'partially_open';
}

/** Compares properties, patternProperties and additionalProperties. */
export function members(walk: Walker, before: Side, after: Side, trail: readonly Step[]): void {
  const names = (side: Side) => Object.keys((own(side.value as JsonObject, 'properties') ?? {}) as object);
  for (const name of new Set([...names(before), ...names(after)])) {
    const [one, two] = [child(before, 'properties', name), child(after, 'properties', name)];
    const down: Step[] = [...trail, { to: 'member', name }];
    if (one && two) walk.visit(one, two, down);
    else memberMoved(walk, before, after, name, one === undefined, down);
  }
  const patterns = (side: Side) => Object.keys((own(side.value as JsonObject, 'patternProperties') ?? {}) as object);
  for (const pattern of new Set([...patterns(before), ...patterns(after)])) {
    const keys = ['patternProperties', pattern];
    const [one, two] = [child(before, ...keys), child(after, ...keys)];
    const down: Step[] = [...trail, { to: 'someMember', hits: [pattern], misses: [], except: [] }];
    if (one && two) walk.visit(one, two, down);
    else group(walk, before, after, keys, MEMBERS, `pattern_properties_${one ? 'removed' : 'added'}`, trail);
  }
  additional(walk, before, after, trail, {
    names: [...names(before), ...names(after)],
    patterns: [...patterns(before), ...patterns(after)],
  });
}

/** A member that only one side declares: what counts is what the other side says about that name anyway. */
function memberMoved(
  walk: Walker,
  before: Side,
  after: Side,
  name: string,
  added: boolean,
  trail: readonly Step[],
): void {
  const model = contentModel((added ? before : after).node.object, name, walk.pair);
  const says = (side: Side) =>
    side.node.object ? walk.pair.graph.make({ all: rulesFor(side.node.object, name) }) : walk.pair.graph.anything;
  const [one, two] = [says(before), says(after)];
  const verb = added ? 'added to' : 'removed from';
  walk.add({
    type: `property_${added ? 'added_to' : 'removed_from'}_${model}_content_model`,
    oldPath: step(before.pointer, 'properties', name),
    newPath: step(after.pointer, 'properties', name),
    message: `The member ${shown(name)} was ${verb} ${MODEL_WORDS[model]}.`,
    trail,
    splits: { backward: { holds: one, fails: two }, forward: { holds: two, fails: one } },
  });
}

function additional(
  walk: Walker,
  before: Side,
  after: Side,
  trail: readonly Step[],
  { names, patterns }: { names: string[]; patterns: string[] },
): void {
  const one = before.node.object?.additional ?? walk.pair.graph.anything;
  const two = after.node.object?.additional ?? walk.pair.graph.anything;
  const [left, right] = [child(before, 'additionalProperties'), child(after, 'additionalProperties')];
  const down: Step[] = [...trail, { to: 'someMember', hits: [], misses: [...new Set(patterns)], except: names }];
  if (left && right && isObject(left.value) && isObject(right.value)) {
    walk.visit(left, right, down);
    return;
  }
  if (one.cls === two.cls) return;
  const { anything, nothing } = walk.pair.graph;
  const type = one === nothing ? 'added' : two === nothing ? 'removed' : two === anything ? 'extended' : 'narrowed';
  const words = {
    added: 'Members that are not declared are now allowed.',
    removed: 'Members that are not declared are no longer allowed.',
    extended: 'Members that are not declared may now be anything.',
    narrowed: 'Members that are not declared have to fit a schema now.',
  };
  walk.add({
    type: `additional_properties_${type}`,
    oldPath: step(before.pointer, 'additionalProperties'),
    newPath: step(after.pointer, 'additionalProperties'),
    message: words[type],
    trail: down,
    splits: { backward: { holds: one, fails: two }, forward: { holds: two, fails: one } },
  });
}
