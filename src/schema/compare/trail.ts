// Ways down into a document, and the demand that the value at the end of one is of a certain kind.

import { FREE_OBJECT, type Graph } from './graph.ts';
import { type Node, TYPE_BIT } from './node.ts';

/** One step from a value to a value inside of it. */
export type Step =
  | { to: 'member'; name: string }
  | { to: 'item'; index: number }
  | { to: 'someItem' }
  | { to: 'someMember'; except: readonly string[]; hits: readonly string[]; misses: readonly string[] };

/** A node that demands: there is a value at the end of `trail`, and it is one that `end` accepts. */
export function atEnd(trail: readonly Step[], end: Node, graph: Graph): Node {
  return trail.reduceRight((node, step) => inside(step, node, graph), end);
}

function inside(step: Step, node: Node, graph: Graph): Node {
  if (step.to === 'member') {
    const object = {
      ...FREE_OBJECT,
      additional: graph.anything,
      required: [step.name],
      properties: new Map([[step.name, node]]),
    };
    return graph.make({ types: TYPE_BIT.object, object });
  }
  if (step.to === 'item') {
    const prefix = [...Array.from({ length: step.index }, () => graph.anything), node];
    const { array } = graph.array({ prefix, minItems: step.index + 1 });
    return graph.make({ types: TYPE_BIT.array, array });
  }
  if (step.to === 'someItem') {
    const { array } = graph.array({ contains: { node, min: 1, max: Number.POSITIVE_INFINITY } });
    return graph.make({ types: TYPE_BIT.array, array });
  }
  // "Some member" is said as "not: every such member is otherwise".
  const other = graph.complement(node);
  const all = graph.object(
    step.hits.length > 0
      ? { patterns: step.hits.map((pattern) => [pattern, other] as const) }
      : {
          properties: new Map([...step.except].sort().map((name) => [name, graph.anything])),
          patterns: step.misses.map((pattern) => [pattern, graph.anything] as const),
          additional: other,
        },
  );
  return graph.make({ types: TYPE_BIT.object, not: [all] });
}
