// Nodes taken apart into atoms, each once: the search asks for the same ones over and over.

import { type Clause, type Demands, toFail, toHold } from './atom.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import { rewritten } from './unevaluated.ts';
import type { JsonType } from './value.ts';

export class Apart {
  private readonly graph: Graph;
  private readonly plain = new Map<Node, Node | null>();
  private readonly held = new Map<string, Demands | null>();
  private readonly failed = new Map<string, Clause | null>();

  constructor(graph: Graph) {
    this.graph = graph;
  }

  /** As `toHold`. */
  holding(node: Node, type: JsonType, src: boolean): Demands | null {
    const key = `${node.cls} ${type} ${src}`;
    if (!this.held.has(key)) this.held.set(key, toHold(node, type, src));
    return this.held.get(key)!;
  }

  /** As `toFail`. */
  failing(node: Node, type: JsonType, src: boolean): Clause | null {
    const key = `${node.cls} ${type} ${src}`;
    if (!this.failed.has(key)) this.failed.set(key, toFail(node, type, src, this.graph));
    return this.failed.get(key)!;
  }

  /** As `rewritten`. */
  withoutUnevaluated(node: Node): Node | null {
    if (!this.plain.has(node)) this.plain.set(node, rewritten(node, this.graph));
    return this.plain.get(node)!;
  }
}
