// Walks two schemas side by side and lists what is different, with pointers into both and a sentence each. It does
// not decide what breaks: each finding says how to ask.

import { combined } from './alternatives.ts';
import type { Budget } from './budget.ts';
import { step } from './document.ts';
import { type Finding, shown } from './finding.ts';
import { items } from './items.ts';
import { annotationChanges, keywordChanges, snake } from './keywords.ts';
import { members } from './members.ts';
import type { Pair } from './pair.ts';
import type { ReadSchema } from './read.ts';
import { part, type Side, sideOf, splits, type Walker } from './side.ts';
import type { Step } from './trail.ts';
import { canonical, isObject, type JsonObject, own } from './value.ts';

/** More findings than this help nobody. */
const MAX_FINDINGS = 1000;
/** A shared definition is looked at from this many places: it may matter in one and not in another. */
const MAX_VISITS = 3;

export class Walk implements Walker {
  readonly findings: Finding[] = [];
  truncated = false;
  readonly pair: Pair;
  private readonly budget: Budget;
  private readonly visits = new Map<string, number>();
  private readonly byPlace = new Map<string, Finding>();

  constructor(pair: Pair, budget: Budget) {
    this.pair = pair;
    this.budget = budget;
  }

  /** @throws BudgetSpent */
  run(): void {
    const side = (schema: ReadSchema) => sideOf(schema, schema.document.root, '');
    this.visit(side(this.pair.old)!, side(this.pair.new)!, []);
  }

  visit(before: Side, after: Side, trail: readonly Step[]): void {
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
    if (before.node.cls === after.node.cls && keywordsOf(one) === keywordsOf(two)) {
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
        splits: splits(before, after, part(before, change.oldPart), part(after, change.newPart)),
      });
    }
    if (changes.some(({ type }) => type === 'type_changed') && (before.node.types & after.node.types) === 0) return;
    this.descend(before, after, trail);
  }

  /** A second way to the same place is one more place in a document where the difference may show. */
  add({ trail, ...found }: Omit<Finding, 'trails'> & { trail: readonly Step[] }): void {
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
      splits: splits(before, after, before.node, after.node),
    });
  }

  private descend(before: Side, after: Side, trail: readonly Step[]): void {
    if (before.node.object || after.node.object) members(this, before, after, trail);
    if (before.node.array || after.node.array) items(this, before, after, trail);
    for (const keyword of ['allOf', 'anyOf', 'oneOf']) combined(this, before, after, keyword, trail);
    for (const keyword of ['unevaluatedProperties', 'unevaluatedItems'])
      this.unevaluated(before, after, keyword, trail);
  }

  private unevaluated(before: Side, after: Side, keyword: string, trail: readonly Step[]): void {
    if (before.node.cls === after.node.cls) return;
    const [one, two] = [before, after].map((side) => own(side.value as JsonObject, keyword));
    if (one === two || canonical(one ?? null) === canonical(two ?? null)) return;
    const verb = one === undefined ? 'added' : two === undefined ? 'removed' : 'changed';
    this.add({
      type: `${snake(keyword)}_${verb}`,
      oldPath: step(before.pointer, keyword),
      newPath: step(after.pointer, keyword),
      message: `${keyword} was ${verb}.`,
      trail,
      splits: splits(before, after, before.node, after.node),
    });
  }
}

/** Which keywords a subschema has, but for words to the reader. */
function keywordsOf(schema: JsonObject): string {
  return Object.keys(schema)
    .filter((key) => key !== 'title' && key !== 'description')
    .sort()
    .join(',');
}
