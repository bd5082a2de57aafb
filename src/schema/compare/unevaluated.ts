// `unevaluatedProperties` and `unevaluatedItems` depend on which subschemas hold. This rewrites them: one alternative
// for each way in which the combinators can turn out, each with a plain `additionalProperties` or `items` instead.

import { evaluatedItems } from './evaluate.ts';
import type { Graph } from './graph.ts';
import { inPlace, type Node } from './node.ts';

/** One way in which a schema holds, and what it has then evaluated. */
interface Way {
  hold: readonly Node[];
  fail: readonly Node[];
  names: readonly string[];
  patterns: readonly string[];
  allNames: boolean;
  items: number;
}

const MAX_WAYS = 128;
const NONE: Way = { hold: [], fail: [], names: [], patterns: [], allNames: false, items: 0 };

/** Whether the node itself has such a keyword. */
export function hasUnevaluated(node: Node): boolean {
  return node.unevaluatedProperties !== null || node.unevaluatedItems !== null;
}

/** The same schema without its unevaluated keywords (those of its subschemas stay); null when it would get too large. */
export function rewritten(node: Node, graph: Graph): Node | null {
  const ways = waysOf(graph.make({ ...without(node) }), graph);
  if (ways === null) return null;
  const { unevaluatedProperties: names, unevaluatedItems: items } = node;
  const alternatives = ways.map((way) => {
    const parts: Node[] = [...way.hold];
    if (names && !way.allNames) {
      const unique = [...new Set(way.names)].sort();
      const patterns = [...new Set(way.patterns)].sort();
      parts.push(
        graph.object({
          properties: new Map(unique.map((name) => [name, graph.anything])),
          patterns: patterns.map((pattern) => [pattern, graph.anything] as const),
          additional: names,
        }),
      );
    }
    if (items && Number.isFinite(way.items)) {
      parts.push(graph.array({ prefix: Array.from({ length: way.items }, () => graph.anything), rest: items }));
    }
    return graph.make({ all: parts, not: way.fail });
  });
  return alternatives.length === 1 ? alternatives[0]! : graph.make({ any: [alternatives] });
}

function without(node: Node) {
  const { id: _id, cls: _cls, ...parts } = node;
  return { ...parts, unevaluatedProperties: null, unevaluatedItems: null };
}

function waysOf(node: Node, graph: Graph): Way[] | null {
  if (!contributes(node, new Set())) return [{ ...NONE, hold: [node] }];
  if (hasUnevaluated(node)) {
    const plain = waysOf(graph.make(without(node)), graph);
    if (plain === null) return null;
    return plain.map((way) => ({
      ...way,
      hold: [...way.hold, node],
      allNames: way.allNames || node.unevaluatedProperties !== null,
      items: node.unevaluatedItems ? Number.POSITIVE_INFINITY : way.items,
    }));
  }
  const { object, array } = node;
  const bare = {
    types: node.types,
    values: node.values,
    number: node.number,
    string: node.string,
    array,
    not: node.not,
  };
  const rules = object && { ...object, dependents: new Map<string, Node>() };
  let ways: Way[] | null = [
    {
      hold: [graph.make({ ...bare, object: rules })],
      fail: [],
      names: [...(object?.properties.keys() ?? [])],
      patterns: object?.patterns.map((pair) => pair[0]) ?? [],
      allNames: object?.additionalSays ?? false,
      items: array ? evaluatedItems(array) : 0,
    },
  ];
  for (const kid of node.all) ways = times(ways, waysOf(kid, graph));
  for (const group of node.any) ways = times(ways, anyOf(group, graph));
  for (const group of node.one) ways = times(ways, oneOf(group, graph));
  for (const [test, then, otherwise] of node.conditions) {
    const yes = times(waysOf(test, graph), waysOf(then, graph));
    ways = times(ways, plus(yes, times([failing(test)], waysOf(otherwise, graph))));
  }
  for (const [name, kid] of object?.dependents ?? []) {
    const present = graph.make({ types: 32, object: graph.object({ required: [name] }).object });
    const absent: Way = { ...NONE, fail: [present] };
    ways = times(ways, plus([absent], times([{ ...NONE, hold: [present] }], waysOf(kid, graph))));
  }
  return ways;
}

const failing = (node: Node): Way => ({ ...NONE, fail: [node] });

function plus(left: Way[] | null, right: Way[] | null): Way[] | null {
  return left && right && left.length + right.length <= MAX_WAYS ? [...left, ...right] : null;
}

function times(left: Way[] | null, right: Way[] | null): Way[] | null {
  if (!left || !right || left.length * right.length > MAX_WAYS) return null;
  return left.flatMap((a) =>
    right.map((b) => ({
      hold: [...a.hold, ...b.hold],
      fail: [...a.fail, ...b.fail],
      names: [...a.names, ...b.names],
      patterns: [...a.patterns, ...b.patterns],
      allNames: a.allNames || b.allNames,
      items: Math.max(a.items, b.items),
    })),
  );
}

/** Every alternative that holds evaluates, so each combination is a way of its own. */
function anyOf(group: readonly Node[], graph: Graph): Way[] | null {
  const silent = group.filter((kid) => !contributes(kid, new Set()));
  const loud = group.filter((kid) => !silent.includes(kid));
  let ways: Way[] | null = [NONE];
  for (const kid of loud) ways = times(ways, plus([failing(kid)], waysOf(kid, graph)));
  if (!ways) return null;
  // Where no loud alternative holds, a silent one has to.
  return ways.flatMap((way) => {
    if (way.fail.length < loud.length || !loud.every((kid) => way.fail.includes(kid))) return [way];
    return silent.length === 0 ? [] : [{ ...way, hold: [...way.hold, graph.make({ any: [silent] })] }];
  });
}

function oneOf(group: readonly Node[], graph: Graph): Way[] | null {
  let ways: Way[] | null = [];
  for (const kid of group) {
    const others = group.filter((other) => other !== kid);
    if (others.length < group.length - 1) return null;
    ways = plus(ways, times(waysOf(kid, graph), [{ ...NONE, fail: others }]));
  }
  return ways;
}

/** Whether a schema can evaluate members or items at all. */
function contributes(node: Node, seen: Set<Node>): boolean {
  if (seen.has(node)) return false;
  seen.add(node);
  if (node.object || node.array || hasUnevaluated(node)) return true;
  return inPlace(node).some((kid) => contributes(kid, seen));
}
