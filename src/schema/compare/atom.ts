// What a schema demands of a value of one JSON type, broken into atoms: either all of a node's demands (it has to
// hold) or the alternatives of which one suffices (it has to fail).

import type { Graph } from './graph.ts';
import { type ArrayRules, type Node, type ObjectRules, TYPE_BIT } from './node.ts';
import { type JsonType, typeOf } from './value.ts';

/** A node that has to hold or (`neg`) to fail. `src` marks what comes from the schema that wrote the document. */
export interface Lit {
  node: Node;
  neg: boolean;
  src: boolean;
}

/** Which member names are meant: those that match all of `hits`, none of `misses`, and are none of `except`. */
export interface NameRule {
  hits: readonly string[];
  misses: readonly string[];
  except: readonly string[];
  /** Further demands on the name as a string. */
  lits: readonly Lit[];
}

export type Atom =
  /** `weak`: implied, so it need not be taken apart; it still contradicts its opposite. */
  | { k: 'lit'; lit: Lit; weak?: boolean }
  | { k: 'neq'; value: unknown }
  | { k: 'is'; value: string }
  | { k: 'bound'; low: boolean; value: number; open: boolean }
  | { k: 'whole'; yes: boolean }
  | { k: 'multiple'; of: number; yes: boolean }
  | { k: 'size'; low: boolean; value: number }
  | { k: 'pattern'; pattern: string; yes: boolean }
  | { k: 'format'; format: string; yes: boolean }
  | { k: 'items'; rules: ArrayRules; src: boolean }
  | { k: 'at'; index: number; lit: Lit }
  | { k: 'some'; from: number; lit: Lit }
  | { k: 'count'; lit: Lit; low: boolean; value: number; from?: number }
  | { k: 'same'; left: number; right: number }
  | { k: 'unique'; yes: boolean }
  | { k: 'member'; name: string; yes: boolean }
  | { k: 'members'; rules: ObjectRules; src: boolean }
  | { k: 'has'; name: string; lit: Lit }
  | { k: 'someName'; rule: NameRule; lit: Lit }
  | { k: 'names'; lit: Lit }
  | { k: 'two'; group: readonly Node[]; src: boolean };

/** One of the alternatives has to hold, all of its atoms together. */
export type Clause = readonly (readonly Atom[])[];

export interface Demands {
  atoms: Atom[];
  clauses: Clause[];
}

export function litKey(lit: Lit): string {
  return `${lit.neg ? '-' : '+'}${lit.node.cls}${lit.src ? 's' : ''}`;
}

const lit = (node: Node, neg: boolean, src: boolean): Atom => ({ k: 'lit', lit: { node, neg, src } });

/** What a value of `type` needs so that `node` holds; null when no such value exists. */
export function toHold(node: Node, type: JsonType, src: boolean): Demands | null {
  if ((node.types & TYPE_BIT[type]) === 0) return null;
  const atoms: Atom[] = [];
  const clauses: Clause[] = [];
  if (type === 'number') atoms.push(...numberAtoms(node));
  if (type === 'string') atoms.push(...stringAtoms(node));
  if (type === 'array' && node.array) atoms.push(...arrayAtoms(node.array, src));
  if (type === 'object' && node.object) objectDemands(node.object, src, atoms, clauses);
  for (const kid of node.all) atoms.push(lit(kid, false, src));
  for (const kid of node.not) atoms.push(lit(kid, true, src));
  for (const group of node.any) clauses.push(group.map((kid) => [lit(kid, false, src)]));
  for (const group of node.one) {
    clauses.push(group.map((kid, i) => [lit(kid, false, src), ...othersFail(group, i, src)]));
  }
  for (const [test, then, otherwise] of node.conditions) {
    clauses.push([
      [lit(test, false, src), lit(then, false, src)],
      [lit(test, true, src), lit(otherwise, false, src)],
    ]);
  }
  return { atoms, clauses };
}

/** Exactly one of a group: the others are marked weak, since the search first does without them. */
function othersFail(group: readonly Node[], i: number, src: boolean): Atom[] {
  return group.flatMap((node, j): Atom[] => (j === i ? [] : [{ k: 'lit', lit: { node, neg: true, src }, weak: true }]));
}

function numberAtoms({ number }: Node): Atom[] {
  if (!number) return [];
  const atoms: Atom[] = number.multiples.map((of) => ({ k: 'multiple', of, yes: true }));
  if (number.integer) atoms.push({ k: 'whole', yes: true });
  if (number.min !== Number.NEGATIVE_INFINITY)
    atoms.push({ k: 'bound', low: true, value: number.min, open: number.minOpen });
  if (number.max !== Number.POSITIVE_INFINITY)
    atoms.push({ k: 'bound', low: false, value: number.max, open: number.maxOpen });
  return atoms;
}

function stringAtoms({ string }: Node): Atom[] {
  if (!string) return [];
  const atoms: Atom[] = sizeAtoms(string.minLength, string.maxLength);
  for (const pattern of string.patterns) atoms.push({ k: 'pattern', pattern, yes: true });
  for (const format of string.formats) atoms.push({ k: 'format', format, yes: true });
  return atoms;
}

function sizeAtoms(min: number, max: number): Atom[] {
  const atoms: Atom[] = [];
  if (min > 0) atoms.push({ k: 'size', low: true, value: min });
  if (Number.isFinite(max)) atoms.push({ k: 'size', low: false, value: max });
  return atoms;
}

function arrayAtoms(rules: ArrayRules, src: boolean): Atom[] {
  const atoms: Atom[] = sizeAtoms(rules.minItems, rules.maxItems);
  atoms.push({ k: 'items', rules, src });
  if (rules.unique) atoms.push({ k: 'unique', yes: true });
  if (rules.contains) {
    const { node, min, max } = rules.contains;
    if (min > 0) atoms.push({ k: 'count', lit: { node, neg: false, src }, low: true, value: min });
    if (Number.isFinite(max)) atoms.push({ k: 'count', lit: { node, neg: false, src }, low: false, value: max });
  }
  return atoms;
}

function objectDemands(rules: ObjectRules, src: boolean, atoms: Atom[], clauses: Clause[]): void {
  atoms.push(...sizeAtoms(rules.minProperties, rules.maxProperties));
  for (const name of rules.required) atoms.push({ k: 'member', name, yes: true });
  atoms.push({ k: 'members', rules, src });
  if (rules.names) atoms.push({ k: 'names', lit: { node: rules.names, neg: false, src: false } });
  for (const [name, needed] of rules.needs) {
    clauses.push([
      [{ k: 'member', name, yes: false }],
      [{ k: 'member', name, yes: true }, ...needed.map((other): Atom => ({ k: 'member', name: other, yes: true }))],
    ]);
  }
  for (const [name, kid] of rules.dependents) {
    clauses.push([[{ k: 'member', name, yes: false }], [{ k: 'member', name, yes: true }, lit(kid, false, src)]]);
  }
}

/** The ways in which a value of `type` can make `node` fail; null when every such value does. */
export function toFail(node: Node, type: JsonType, src: boolean, graph: Graph): Clause | null {
  if ((node.types & TYPE_BIT[type]) === 0) return null;
  const ways: Atom[][] = [];
  if (node.values !== null) {
    const listed = node.values.filter((value) => typeOf(value) === type);
    if (listed.length === 0) return null;
    ways.push(listed.map((value) => ({ k: 'neq', value })));
  }
  if (type === 'number') for (const atom of numberAtoms(node)) ways.push([opposite(atom)]);
  if (type === 'string') for (const atom of stringAtoms(node)) ways.push([opposite(atom)]);
  if (type === 'array' && node.array) ways.push(...arrayFailures(node.array, src));
  if (type === 'object' && node.object) ways.push(...objectFailures(node.object, src, graph));
  for (const kid of node.all) ways.push([lit(kid, true, src)]);
  for (const kid of node.not) ways.push([lit(kid, false, src)]);
  for (const group of node.any) ways.push(group.map((kid) => lit(kid, true, src)));
  for (const group of node.one) {
    ways.push(group.map((kid) => lit(kid, true, src)));
    if (group.length > 1) ways.push([{ k: 'two', group, src }]);
  }
  for (const [test, then, otherwise] of node.conditions) {
    ways.push([lit(test, false, src), lit(then, true, src)], [lit(test, true, src), lit(otherwise, true, src)]);
  }
  return ways;
}

function opposite(atom: Atom): Atom {
  if (atom.k === 'bound') return { ...atom, low: !atom.low, open: !atom.open };
  if (atom.k === 'size') return { k: 'size', low: !atom.low, value: atom.low ? atom.value - 1 : atom.value + 1 };
  if (atom.k === 'whole' || atom.k === 'multiple' || atom.k === 'pattern' || atom.k === 'format') {
    return { ...atom, yes: !atom.yes };
  }
  throw new Error(`no opposite of ${atom.k}`);
}

function arrayFailures(rules: ArrayRules, src: boolean): Atom[][] {
  const ways: Atom[][] = sizeAtoms(rules.minItems, rules.maxItems).map((atom) => [opposite(atom)]);
  for (const [index, node] of rules.prefix.entries()) ways.push([{ k: 'at', index, lit: { node, neg: true, src } }]);
  ways.push([{ k: 'some', from: rules.prefix.length, lit: { node: rules.rest, neg: true, src } }]);
  if (rules.unique) ways.push([{ k: 'unique', yes: false }]);
  if (rules.contains) {
    const { node, min, max } = rules.contains;
    const match = { node, neg: false, src };
    if (min > 0) ways.push([{ k: 'count', lit: match, low: false, value: min - 1 }]);
    if (Number.isFinite(max)) ways.push([{ k: 'count', lit: match, low: true, value: max + 1 }]);
  }
  return ways;
}

function objectFailures(rules: ObjectRules, src: boolean, graph: Graph): Atom[][] {
  const ways: Atom[][] = [];
  for (const name of rules.required) ways.push([{ k: 'member', name, yes: false }]);
  for (const [name, node] of rules.properties) ways.push([{ k: 'has', name, lit: { node, neg: true, src } }]);
  const misses = rules.patterns.map((pair) => pair[0]);
  for (const [pattern, node] of rules.patterns) {
    ways.push([
      { k: 'someName', rule: { hits: [pattern], misses: [], except: [], lits: [] }, lit: { node, neg: true, src } },
    ]);
  }
  const rule: NameRule = { hits: [], misses, except: [...rules.properties.keys()], lits: [] };
  ways.push([{ k: 'someName', rule, lit: { node: rules.additional, neg: true, src } }]);
  if (rules.names) {
    const lits = [{ node: rules.names, neg: true, src: false }];
    const free = { node: graph.anything, neg: false, src: false };
    ways.push([{ k: 'someName', rule: { hits: [], misses: [], except: [], lits }, lit: free }]);
  }
  for (const atom of sizeAtoms(rules.minProperties, rules.maxProperties)) ways.push([opposite(atom)]);
  for (const [name, needed] of rules.needs) {
    for (const other of needed)
      ways.push([
        { k: 'member', name, yes: true },
        { k: 'member', name: other, yes: false },
      ]);
  }
  for (const [name, node] of rules.dependents) ways.push([{ k: 'member', name, yes: true }, lit(node, true, src)]);
  // A node that accepts everything cannot fail; leaving it out keeps the search small.
  return ways.filter((way) => !way.some((atom) => 'lit' in atom && atom.lit.neg && atom.lit.node === graph.anything));
}
