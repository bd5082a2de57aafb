// Walks two schemas side by side and lists what is different, with pointers into both and a sentence each. It does
// not decide what breaks: each finding says how to ask.

import type { Budget } from './budget.ts';
import { type Place, step } from './document.ts';
import { isDeclared, rulesFor } from './evaluate.ts';
import { type Finding, shown } from './finding.ts';
import { annotationChanges, keywordChanges, snake } from './keywords.ts';
import { type Alternative, match } from './match.ts';
import type { Node, ObjectRules } from './node.ts';
import type { Pair } from './pair.ts';
import type { ReadSchema } from './read.ts';
import type { Step } from './trail.ts';
import { canonical, isObject, type JsonObject, own } from './value.ts';

/** More findings than this help nobody. */
const MAX_FINDINGS = 1000;
/** A shared definition is looked at from this many places: it may matter in one and not in another. */
const MAX_VISITS = 3;

interface Side {
  schema: ReadSchema;
  value: unknown;
  pointer: string;
  node: Node;
}

export class Walk {
  readonly findings: Finding[] = [];
  truncated = false;
  private readonly pair: Pair;
  private readonly budget: Budget;
  private readonly visits = new Map<string, number>();
  private readonly byPlace = new Map<string, Finding>();

  constructor(pair: Pair, budget: Budget) {
    this.pair = pair;
    this.budget = budget;
  }

  /** @throws BudgetSpent */
  run(): void {
    const side = (schema: ReadSchema) => this.side(schema, schema.document.root, '');
    this.visit(side(this.pair.old)!, side(this.pair.new)!, []);
  }

  /** A subschema, behind the references that are all it consists of. */
  private side(schema: ReadSchema, value: unknown, pointer: string): Side | undefined {
    let place: Place = { value, pointer };
    while (isObject(place.value) && typeof own(place.value, '$ref') === 'string' && this.isAlias(schema, place.value)) {
      place = schema.document.resolve(own(place.value, '$ref') as string, place.value, place.pointer);
    }
    const node = schema.nodeAt(place.value);
    return node && { schema, node, ...place };
  }

  private isAlias(schema: ReadSchema, value: JsonObject): boolean {
    const target = schema.document.resolve(own(value, '$ref') as string, value, '').value;
    return target !== value && schema.nodeAt(target) === schema.nodeAt(value);
  }

  private visit(before: Side, after: Side, trail: readonly Step[]): void {
    this.budget.spend();
    const key = `${before.pointer}\n${after.pointer}`;
    const visits = (this.visits.get(key) ?? 0) + 1;
    if (visits > MAX_VISITS || this.truncated) return;
    this.visits.set(key, visits);
    const [one, two] = [before.value, after.value];
    if (!isObject(one) || !isObject(two)) {
      if (before.node.cls !== after.node.cls) this.whole(before, after, trail);
      return;
    }
    for (const { keyword, type, message } of annotationChanges(one, two)) {
      this.add({
        type,
        oldPath: step(before.pointer, keyword),
        newPath: step(after.pointer, keyword),
        message,
        trail,
        splits: {},
      });
    }
    if (before.node.cls === after.node.cls && canonicalShallow(one) === canonicalShallow(two)) {
      this.descend(before, after, trail);
      return;
    }
    if (before.node.cls === after.node.cls) return;
    const changes = keywordChanges(one, two);
    for (const change of changes) {
      this.add({
        type: change.type,
        oldPath: step(before.pointer, change.keyword),
        newPath: step(after.pointer, change.keyword),
        message: change.message,
        trail,
        splits: this.splits(before, after, this.part(before, change.oldPart), this.part(after, change.newPart)),
      });
    }
    if (changes.some(({ type }) => type === 'type_changed') && (before.node.types & after.node.types) === 0) return;
    this.descend(before, after, trail);
  }

  private part(side: Side, part: JsonObject): Node {
    return side.schema.nodeOf(part, side.value as object, side.pointer);
  }

  private splits(before: Side, after: Side, oldPart: Node, newPart: Node): Finding['splits'] {
    return { backward: { holds: before.node, fails: newPart }, forward: { holds: after.node, fails: oldPart } };
  }

  /** A second way to the same place is one more place in a document where the difference may show. */
  private add({ trail, ...found }: Omit<Finding, 'trails'> & { trail: readonly Step[] }): void {
    const key = `${found.type}\n${found.oldPath}\n${found.newPath}\n${found.message}`;
    const known = this.byPlace.get(key);
    const finding: Finding = known ?? { ...found, trails: [] };
    finding.trails.push(trail);
    if (known !== undefined) return;
    this.byPlace.set(key, finding);
    if (this.findings.length < MAX_FINDINGS) this.findings.push(finding);
    else this.truncated = true;
  }

  /** One of the two is a boolean: there is nothing to take apart. */
  private whole(before: Side, after: Side, trail: readonly Step[]): void {
    this.add({
      type: 'schema_changed',
      oldPath: before.pointer,
      newPath: after.pointer,
      message: `The schema changed from ${shown(before.value)} to ${shown(after.value)}.`,
      trail,
      splits: this.splits(before, after, before.node, after.node),
    });
  }

  private descend(before: Side, after: Side, trail: readonly Step[]): void {
    if (before.node.object || after.node.object) this.members(before, after, trail);
    if (before.node.array || after.node.array) this.items(before, after, trail);
    for (const keyword of ['allOf', 'anyOf', 'oneOf']) this.combined(before, after, keyword, trail);
    for (const keyword of ['unevaluatedProperties', 'unevaluatedItems'])
      this.unevaluated(before, after, keyword, trail);
  }

  private child(side: Side, ...keys: (string | number)[]): Side | undefined {
    let { value, pointer } = side;
    for (const key of keys) {
      if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
      value = (value as JsonObject)[key];
      pointer = step(pointer, key);
    }
    return this.side(side.schema, value, pointer);
  }

  private members(before: Side, after: Side, trail: readonly Step[]): void {
    const names = (side: Side) => Object.keys((own(side.value as JsonObject, 'properties') ?? {}) as object);
    for (const name of new Set([...names(before), ...names(after)])) {
      const [one, two] = [this.child(before, 'properties', name), this.child(after, 'properties', name)];
      const down: Step[] = [...trail, { to: 'member', name }];
      if (one && two) this.visit(one, two, down);
      else this.memberMoved(before, after, name, one === undefined, down);
    }
    const patterns = (side: Side) => Object.keys((own(side.value as JsonObject, 'patternProperties') ?? {}) as object);
    for (const pattern of new Set([...patterns(before), ...patterns(after)])) {
      const keys = ['patternProperties', pattern];
      const [one, two] = [this.child(before, ...keys), this.child(after, ...keys)];
      const down: Step[] = [...trail, { to: 'someMember', hits: [pattern], misses: [], except: [] }];
      if (one && two) this.visit(one, two, down);
      else this.group(before, after, keys, MEMBERS, `pattern_properties_${one ? 'removed' : 'added'}`, trail);
    }
    this.additional(before, after, trail, {
      names: [...names(before), ...names(after)],
      patterns: [...patterns(before), ...patterns(after)],
    });
  }

  /** A member that only one side declares: what counts is what the other side says about that name anyway. */
  private memberMoved(before: Side, after: Side, name: string, added: boolean, trail: readonly Step[]): void {
    const model = contentModel((added ? before : after).node.object, name, this.pair);
    const says = (side: Side) =>
      side.node.object ? this.pair.graph.make({ all: rulesFor(side.node.object, name) }) : this.pair.graph.anything;
    const [one, two] = [says(before), says(after)];
    const verb = added ? 'added to' : 'removed from';
    this.add({
      type: `property_${added ? 'added_to' : 'removed_from'}_${model}_content_model`,
      oldPath: step(before.pointer, 'properties', name),
      newPath: step(after.pointer, 'properties', name),
      message: `The member ${shown(name)} was ${verb} ${MODEL_WORDS[model]}.`,
      trail,
      splits: { backward: { holds: one, fails: two }, forward: { holds: two, fails: one } },
    });
  }

  private additional(
    before: Side,
    after: Side,
    trail: readonly Step[],
    { names, patterns }: { names: string[]; patterns: string[] },
  ): void {
    const one = before.node.object?.additional ?? this.pair.graph.anything;
    const two = after.node.object?.additional ?? this.pair.graph.anything;
    const [left, right] = [this.child(before, 'additionalProperties'), this.child(after, 'additionalProperties')];
    const down: Step[] = [...trail, { to: 'someMember', hits: [], misses: [...new Set(patterns)], except: names }];
    if (left && right && isObject(left.value) && isObject(right.value)) {
      this.visit(left, right, down);
      return;
    }
    if (one.cls === two.cls) return;
    const { anything, nothing } = this.pair.graph;
    const type = one === nothing ? 'added' : two === nothing ? 'removed' : two === anything ? 'extended' : 'narrowed';
    const words = {
      added: 'Members that are not declared are now allowed.',
      removed: 'Members that are not declared are no longer allowed.',
      extended: 'Members that are not declared may now be anything.',
      narrowed: 'Members that are not declared have to fit a schema now.',
    };
    this.add({
      type: `additional_properties_${type}`,
      oldPath: step(before.pointer, 'additionalProperties'),
      newPath: step(after.pointer, 'additionalProperties'),
      message: words[type],
      trail: down,
      splits: { backward: { holds: one, fails: two }, forward: { holds: two, fails: one } },
    });
  }

  private items(before: Side, after: Side, trail: readonly Step[]): void {
    const { anything } = this.pair.graph;
    const at = (side: Side, index: number) => side.node.array?.prefix[index] ?? side.node.array?.rest ?? anything;
    const length = (side: Side) => side.node.array?.prefix.length ?? 0;
    for (let index = 0; index < Math.max(length(before), length(after)); index++) {
      const keyword = (side: Side) => (side.schema.document.draft === '2020-12' ? 'prefixItems' : 'items');
      const down: Step[] = [...trail, { to: 'item', index }];
      const [one, two] = [before, after].map((side) =>
        index < length(side) ? this.child(side, keyword(side), index) : undefined,
      );
      if (one && two) this.visit(one, two, down);
      else {
        const verb = one ? 'removed' : 'added';
        this.add({
          type: `item_${verb}`,
          oldPath: step(before.pointer, keyword(before), index),
          newPath: step(after.pointer, keyword(after), index),
          message: `The schema of the item at position ${index} was ${verb}.`,
          trail: down,
          splits: {
            backward: { holds: at(before, index), fails: at(after, index) },
            forward: { holds: at(after, index), fails: at(before, index) },
          },
        });
      }
    }
    this.rest(before, after, trail);
  }

  private rest(before: Side, after: Side, trail: readonly Step[]): void {
    const keyword = (side: Side) => {
      const tuple = side.schema.document.draft !== '2020-12' && Array.isArray(own(side.value as JsonObject, 'items'));
      return tuple ? 'additionalItems' : 'items';
    };
    const [one, two] = [this.child(before, keyword(before)), this.child(after, keyword(after))];
    const down: Step[] = [...trail, { to: 'someItem' }];
    if (one && two) {
      this.visit(one, two, down);
      return;
    }
    const rest = (side: Side) => side.node.array?.rest ?? this.pair.graph.anything;
    if (rest(before).cls === rest(after).cls) return;
    const verb = one ? 'removed' : 'added';
    this.add({
      type: `items_${verb}`,
      oldPath: step(before.pointer, keyword(before)),
      newPath: step(after.pointer, keyword(after)),
      message: `The schema of the ${one?.pointer.endsWith('additionalItems') ? 'further ' : ''}items was ${verb}.`,
      trail: down,
      splits: {
        backward: { holds: rest(before), fails: rest(after) },
        forward: { holds: rest(after), fails: rest(before) },
      },
    });
  }

  /** A difference that can only be tested with several keywords of the subschema together. */
  private group(
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
    this.add({
      type,
      oldPath: step(before.pointer, ...keys),
      newPath: step(after.pointer, ...keys),
      message: `${keys.join(' ')}: ${type.replaceAll('_', ' ')}.`,
      trail,
      splits: this.splits(before, after, this.part(before, pick(before)), this.part(after, pick(after))),
    });
  }

  private unevaluated(before: Side, after: Side, keyword: string, trail: readonly Step[]): void {
    const [one, two] = [before, after].map((side) => own(side.value as JsonObject, keyword));
    if (one === two || canonical(one ?? null) === canonical(two ?? null)) return;
    const verb = one === undefined ? 'added' : two === undefined ? 'removed' : 'changed';
    this.add({
      type: `${snake(keyword)}_${verb}`,
      oldPath: step(before.pointer, keyword),
      newPath: step(after.pointer, keyword),
      message: `${keyword} was ${verb}.`,
      trail,
      splits: this.splits(before, after, before.node, after.node),
    });
  }

  private alternatives(side: Side, keyword: string): { side: Side; alternative: Alternative }[] {
    const list = own(side.value as JsonObject, keyword);
    const places: (Side | undefined)[] = Array.isArray(list)
      ? list.map((_, index) => this.child(side, keyword, index))
      : [];
    // A reference with siblings is one more part of the whole.
    const ref = keyword === 'allOf' ? own(side.value as JsonObject, '$ref') : undefined;
    if (typeof ref === 'string') {
      const place = side.schema.document.resolve(ref, side.value as object, side.pointer);
      places.push(this.side(side.schema, place.value, place.pointer));
    }
    return places
      .filter((place) => place !== undefined)
      .map((place) => ({
        side: place,
        alternative: { node: place.node, name: definedAs(place), marks: marks(place) },
      }));
  }

  private combined(before: Side, after: Side, keyword: string, trail: readonly Step[]): void {
    const [one, two] = [this.alternatives(before, keyword), this.alternatives(after, keyword)];
    if (one.length === 0 && two.length === 0) return;
    if (one.length === 0 || two.length === 0) {
      const verb = one.length === 0 ? 'added' : 'removed';
      if (own((one.length === 0 ? after : before).value as JsonObject, keyword) !== undefined) {
        this.group(before, after, [keyword], [keyword], `${snake(keyword)}_${verb}`, trail);
        return;
      }
    }
    const { pairs, removed, added } = match(
      one.map((entry) => entry.alternative),
      two.map((entry) => entry.alternative),
    );
    for (const [i, j] of pairs) this.visit(one[i]!.side, two[j]!.side, trail);
    const either = keyword !== 'allOf';
    const whole = (side: Side) => this.part(side, { [keyword]: own(side.value as JsonObject, keyword) ?? [true] });
    for (const i of removed) {
      const { side } = one[i]!;
      const holds = { holds: either ? side.node : before.node, fails: either ? whole(after) : side.node };
      this.add({
        type: `${snake(keyword)}_narrowed`,
        oldPath: side.pointer,
        newPath: step(after.pointer, keyword),
        message: either ? 'An alternative was removed.' : 'A part that had to hold was removed.',
        trail,
        splits: either ? { backward: holds } : { forward: { holds: after.node, fails: side.node } },
      });
    }
    for (const j of added) {
      const { side } = two[j]!;
      this.add({
        type: `${snake(keyword)}_extended`,
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
}

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

/** A subschema's own keywords, without those that lead to others. */
function canonicalShallow(schema: JsonObject): string {
  return Object.keys(schema)
    .filter((key) => key !== 'title' && key !== 'description')
    .sort()
    .join(',');
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
