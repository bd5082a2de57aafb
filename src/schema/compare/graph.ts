// Owns the nodes of one comparison and finds out which of them mean the same: equal structure, whatever the document,
// the order of members or the way through references. That makes big and nearly equal schemas quick to compare.

import type { Budget } from './budget.ts';
import { ALL_TYPES, type ArrayRules, type Node, type NodeParts, type ObjectRules, type StringRules } from './node.ts';
import { canonical } from './value.ts';

export const FREE_ARRAY = {
  prefix: [],
  minItems: 0,
  maxItems: Number.POSITIVE_INFINITY,
  unique: false,
  restSays: false,
  contains: null,
};
export const FREE_OBJECT = {
  properties: new Map(),
  patterns: [],
  additionalSays: false,
  names: null,
  required: [],
  minProperties: 0,
  maxProperties: Number.POSITIVE_INFINITY,
  needs: new Map(),
  dependents: new Map(),
};
export const FREE_NUMBER = {
  min: Number.NEGATIVE_INFINITY,
  minOpen: false,
  max: Number.POSITIVE_INFINITY,
  maxOpen: false,
  integer: false,
  multiples: [],
};
export const FREE_STRING: StringRules = {
  minLength: 0,
  maxLength: Number.POSITIVE_INFINITY,
  patterns: [],
  formats: [],
};

export class Graph {
  /** Accepts everything. */
  readonly anything: Node;
  /** Accepts nothing. */
  readonly nothing: Node;
  private readonly nodes: Node[] = [];
  private readonly byKey = new Map<string, Node>();
  private classes = 0;
  private settled = false;

  constructor() {
    this.anything = this.create({});
    this.nothing = this.create({ types: 0 });
  }

  /** An empty node, to be filled by whoever reads a document. Its class is known after `settle`. */
  create(parts: NodeParts): Node {
    const node: Node = {
      id: this.nodes.length,
      cls: this.nodes.length,
      types: ALL_TYPES,
      values: null,
      number: null,
      string: null,
      array: null,
      object: null,
      all: [],
      any: [],
      one: [],
      not: [],
      conditions: [],
      unevaluatedProperties: null,
      unevaluatedItems: null,
      ...parts,
    };
    this.nodes.push(node);
    return node;
  }

  /**
   * Gives equal numbers to nodes that mean the same: starts with all alike and splits by content until nothing
   * splits any more (partition refinement), so recursion through `$ref` is no obstacle.
   */
  settle(budget: Budget): void {
    for (const node of this.nodes) node.cls = 0;
    const fixed = this.nodes.map(localKey);
    let count = 0;
    for (;;) {
      const seen = new Map<string, number>();
      const next = this.nodes.map((node, index) => {
        budget.spend();
        const key = `${node.cls}|${fixed[index]}|${childKey(node)}`;
        const known = seen.get(key);
        if (known !== undefined) return known;
        seen.set(key, seen.size);
        return seen.size - 1;
      });
      this.nodes.forEach((node, index) => {
        node.cls = next[index]!;
      });
      if (seen.size === count) break;
      count = seen.size;
    }
    this.classes = count;
    this.settled = true;
    for (const [index, node] of this.nodes.entries()) this.byKey.set(`${fixed[index]}|${childKey(node)}`, node);
  }

  /** A node made of parts that are already settled; the same parts give the same node. */
  make(parts: NodeParts): Node {
    if (!this.settled) throw new Error('nodes can only be made after settle()');
    const node = this.create(parts);
    const key = `${localKey(node)}|${childKey(node)}`;
    const known = this.byKey.get(key);
    if (known !== undefined) {
      this.nodes.pop();
      return known;
    }
    node.cls = this.classes++;
    this.byKey.set(key, node);
    return node;
  }

  object(parts: Partial<ObjectRules>): Node {
    return this.make({ object: { ...FREE_OBJECT, additional: this.anything, ...parts } });
  }

  array(parts: Partial<ArrayRules>): Node {
    return this.make({ array: { ...FREE_ARRAY, rest: this.anything, ...parts } });
  }

  /** Accepts exactly the values given. */
  values(values: readonly unknown[]): Node {
    return this.make({ values });
  }

  pattern(pattern: string): Node {
    return this.make({ string: { ...FREE_STRING, patterns: [pattern] } });
  }

  complement(node: Node): Node {
    return this.make({ not: [node] });
  }

  get size(): number {
    return this.nodes.length;
  }
}

/** Everything about a node that is not another node. */
function localKey(node: Node): string {
  const { number: n, string: s, array: a, object: o } = node;
  const parts: unknown[] = [node.types];
  if (node.values) parts.push('values', ...node.values.map(canonical).sort());
  if (n) parts.push('n', n.min, n.minOpen, n.max, n.maxOpen, n.integer, ...n.multiples);
  if (s) parts.push('s', s.minLength, s.maxLength, JSON.stringify(s.patterns), ...s.formats);
  if (a)
    parts.push('a', a.prefix.length, a.minItems, a.maxItems, a.unique, a.restSays, a.contains?.min, a.contains?.max);
  if (o) {
    parts.push('o', JSON.stringify([...o.properties.keys()]), JSON.stringify(o.patterns.map((pair) => pair[0])));
    parts.push(JSON.stringify(o.required), o.minProperties, o.maxProperties, o.names !== null, o.additionalSays);
    parts.push(JSON.stringify([...o.needs]), JSON.stringify([...o.dependents.keys()]));
  }
  return parts.join('\u0000');
}

/** The classes of the nodes that a node refers to; the order inside a combinator does not matter. */
function childKey(node: Node): string {
  const { array: a, object: o } = node;
  const set = (nodes: readonly Node[]) => [...new Set(nodes.map((kid) => kid.cls))].sort((x, y) => x - y).join(',');
  const bag = (nodes: readonly Node[]) =>
    nodes
      .map((kid) => kid.cls)
      .sort((x, y) => x - y)
      .join(',');
  const list = (nodes: Iterable<Node>) => Array.from(nodes, (kid) => kid.cls).join(',');
  const groups = (list: readonly string[]) =>
    [...list]
      .sort()
      .map((text) => `(${text})`)
      .join('');
  let key = `${set(node.all)};${groups(node.any.map(set))};${groups(node.one.map(bag))};${set(node.not)}`;
  key += `;${node.conditions.map(list).sort().join('+')}`;
  if (a) key += `;a${list(a.prefix)}:${a.rest.cls}:${a.contains?.node.cls}`;
  if (o) {
    key += `;o${list(o.properties.values())}:${list(o.patterns.map((pair) => pair[1]))}:${o.additional.cls}`;
    key += `:${o.names?.cls}:${list(o.dependents.values())}`;
  }
  return `${key};${node.unevaluatedProperties?.cls};${node.unevaluatedItems?.cls}`;
}
