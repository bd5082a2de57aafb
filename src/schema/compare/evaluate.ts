// Whether a document is valid under a node, straight from the meaning of the keywords. The search uses it to test
// its candidates cheaply; what is shown to a user is checked by ajv besides.

import type { Lit } from './atom.ts';
import { STRING_FORMATS } from './format.ts';
import {
  ALL_TYPES,
  type ArrayRules,
  type Node,
  type NumberRules,
  type ObjectRules,
  type StringRules,
  TYPE_BIT,
} from './node.ts';
import { compilePattern } from './pattern.ts';
import { canonical, codePoints, equal, isMultiple, isObject, type JsonObject, typeOf } from './value.ts';

/** What the keywords of a node and its combinators looked at: names of members, number of items. */
interface Seen {
  names: Set<string> | 'all';
  items: number;
}

/** Whether `value` is valid under `node`. */
export function accepts(node: Node, value: unknown): boolean {
  return visit(node, value, null);
}

/** Whether `value` meets all demands. */
export function meets(lits: readonly Lit[], value: unknown): boolean {
  return lits.every(({ node, neg }) => accepts(node, value) !== neg);
}

function visit(node: Node, value: unknown, seen: Seen | null): boolean {
  const type = typeOf(value);
  if ((node.types & TYPE_BIT[type]) === 0) return false;
  if (node.values !== null && !node.values.some((listed) => equal(listed, value))) return false;
  if (type === 'number' && node.number && !numberFits(node.number, value as number)) return false;
  if (type === 'string' && node.string && !stringFits(node.string, value as string)) return false;
  const tracks = node.unevaluatedProperties !== null || node.unevaluatedItems !== null;
  const own: Seen | null = tracks || seen !== null ? { names: new Set(), items: 0 } : null;
  if (type === 'array' && node.array && !arrayFits(node.array, value as unknown[], own)) return false;
  if (type === 'object' && node.object && !objectFits(node.object, value as JsonObject, own)) return false;
  if (!combinatorsFit(node, value, own)) return false;
  if (isObject(value) && node.unevaluatedProperties) {
    const { names } = own!;
    const rule = node.unevaluatedProperties;
    if (names !== 'all' && !Object.keys(value).every((name) => names.has(name) || accepts(rule, value[name])))
      return false;
    own!.names = 'all';
  }
  if (Array.isArray(value) && node.unevaluatedItems) {
    const rule = node.unevaluatedItems;
    if (!value.slice(own!.items).every((item) => accepts(rule, item))) return false;
    own!.items = Number.POSITIVE_INFINITY;
  }
  if (seen && own) merge(seen, own);
  return true;
}

function merge(into: Seen, from: Seen): void {
  into.items = Math.max(into.items, from.items);
  if (into.names === 'all' || from.names === 'all') into.names = 'all';
  else for (const name of from.names) into.names.add(name);
}

function combinatorsFit(node: Node, value: unknown, seen: Seen | null): boolean {
  if (!node.all.every((kid) => visit(kid, value, seen))) return false;
  for (const group of node.any) {
    // Every alternative that holds counts for unevaluated*, so all are tried where that matters.
    const holds = seen === null ? group.some((kid) => visit(kid, value, null)) : count(group, value, seen) > 0;
    if (!holds) return false;
  }
  for (const group of node.one) if (count(group, value, seen) !== 1) return false;
  if (node.not.some((kid) => accepts(kid, value))) return false;
  return node.conditions.every(([test, then, otherwise]) =>
    visit(test, value, seen) ? visit(then, value, seen) : visit(otherwise, value, seen),
  );
}

function count(group: readonly Node[], value: unknown, seen: Seen | null): number {
  let holding = 0;
  for (const kid of group) if (visit(kid, value, seen)) holding++;
  return holding;
}

function numberFits(rules: NumberRules, value: number): boolean {
  if (value < rules.min || value > rules.max) return false;
  if ((rules.minOpen && value === rules.min) || (rules.maxOpen && value === rules.max)) return false;
  if (rules.integer && !Number.isInteger(value)) return false;
  return rules.multiples.every((multiple) => isMultiple(value, multiple));
}

function stringFits(rules: StringRules, value: string): boolean {
  const length = codePoints(value);
  if (length < rules.minLength || length > rules.maxLength) return false;
  if (!rules.patterns.every((pattern) => compilePattern(pattern).test(value))) return false;
  return rules.formats.every((format) => STRING_FORMATS.get(format)!.test(value));
}

function arrayFits(rules: ArrayRules, value: readonly unknown[], seen: Seen | null): boolean {
  if (value.length < rules.minItems || value.length > rules.maxItems) return false;
  if (rules.unique && new Set(value.map(canonical)).size < value.length) return false;
  const { prefix, rest, contains } = rules;
  if (!value.every((item, index) => visit(prefix[index] ?? rest, item, null))) return false;
  if (contains) {
    const hits = value.filter((item) => accepts(contains.node, item)).length;
    if (hits < contains.min || hits > contains.max) return false;
  }
  if (seen) seen.items = evaluatedItems(rules);
  return true;
}

/** How many items count as evaluated. ajv takes `contains` for all items, and ajv is what events are validated with. */
export function evaluatedItems(rules: ArrayRules): number {
  return rules.restSays || (rules.contains && !isTrue(rules.contains.node))
    ? Number.POSITIVE_INFINITY
    : rules.prefix.length;
}

/** A schema that says nothing at all. */
function isTrue(node: Node): boolean {
  const { number, string, array, object, all, any, one, not, conditions } = node;
  const free = !number && !string && !array && !object && node.values === null && node.types === ALL_TYPES;
  return free && [all, any, one, not, conditions].every((list) => list.length === 0);
}

function objectFits(rules: ObjectRules, value: JsonObject, seen: Seen | null): boolean {
  const names = Object.keys(value);
  if (names.length < rules.minProperties || names.length > rules.maxProperties) return false;
  if (!rules.required.every((name) => Object.hasOwn(value, name))) return false;
  for (const [name, needed] of rules.needs) {
    if (Object.hasOwn(value, name) && !needed.every((other) => Object.hasOwn(value, other))) return false;
  }
  for (const [name, kid] of rules.dependents) if (Object.hasOwn(value, name) && !visit(kid, value, seen)) return false;
  for (const name of names) {
    if (rules.names && !accepts(rules.names, name)) return false;
    const kids = rulesFor(rules, name);
    if (!kids.every((kid) => accepts(kid, value[name]))) return false;
    if (seen && seen.names !== 'all' && (rules.additionalSays || isDeclared(rules, name))) seen.names.add(name);
  }
  return true;
}

/** The nodes that `properties`, `patternProperties` and `additionalProperties` apply to the member `name`. */
export function rulesFor(rules: ObjectRules, name: string): Node[] {
  const declared = rules.properties.get(name);
  const kids = declared ? [declared] : [];
  for (const [pattern, kid] of rules.patterns) if (compilePattern(pattern).test(name)) kids.push(kid);
  return declared || kids.length > 0 ? kids : [rules.additional];
}

/** Whether `name` is listed in `properties` or matches a `patternProperties`. */
export function isDeclared(rules: ObjectRules, name: string): boolean {
  return rules.properties.has(name) || rules.patterns.some(([pattern]) => compilePattern(pattern).test(name));
}
