// The lenient policy: documents hold declared members only.
// A member is declared when the schema that wrote the document lists it in `properties` or matches it with a
// `patternProperties`. Entries of a map (`additionalProperties` with a schema) count as declared too, unless the other
// schema knows that very name: there the two would speak of different things.

import type { Graph } from './graph.ts';
import { inPlace, type Node } from './node.ts';

interface Declared {
  names: Set<string>;
  patterns: Set<string>;
  map: boolean;
}

/** A node that only lets declared members through: what `written` declares at this place, given the reader's nodes. */
export function declaredOnly(written: readonly Node[], reader: readonly Node[], graph: Graph): Node {
  const declared = collect(written, graph);
  const properties = new Map([...declared.names].sort().map((name) => [name, graph.anything]));
  if (declared.map) {
    for (const name of [...collect(reader, graph).names].sort()) {
      if (!declared.names.has(name)) properties.set(name, graph.nothing);
    }
  }
  return graph.object({
    properties,
    patterns: [...declared.patterns].sort().map((pattern) => [pattern, graph.anything] as const),
    additional: declared.map ? graph.anything : graph.nothing,
  });
}

function collect(nodes: readonly Node[], graph: Graph): Declared {
  const declared: Declared = { names: new Set(), patterns: new Set(), map: false };
  const isMap = (node: Node | null) =>
    node !== null && node.cls !== graph.anything.cls && node.cls !== graph.nothing.cls;
  const seen = new Set<Node>();
  const open = [...nodes];
  while (open.length > 0) {
    const node = open.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const name of node.object?.properties.keys() ?? []) declared.names.add(name);
    for (const [pattern] of node.object?.patterns ?? []) declared.patterns.add(pattern);
    if (isMap(node.object?.additional ?? null) || isMap(node.unevaluatedProperties)) declared.map = true;
    open.push(...inPlace(node));
  }
  return declared;
}
