// Two schemas in one graph, and the one question that everything rests on: is there a document that the one accepts
// and the other rejects?

import type { Lit } from './atom.ts';
import type { Budget } from './budget.ts';
import { BudgetSpent } from './budget.ts';
import { accepts } from './evaluate.ts';
import { Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { Outcome } from './outcome.ts';
import { unknown } from './outcome.ts';
import { ReadSchema } from './read.ts';
import { Referee } from './referee.ts';
import { Search } from './search.ts';

/** Why a question stayed open when time or steps ran out. */
export const OUT_OF_BUDGET = 'the budget was used up';

/** `backward`: old documents under the new schema. `forward`: new documents under the old schema. */
export type Direction = 'backward' | 'forward';

export class Pair {
  readonly graph = new Graph();
  readonly old: ReadSchema;
  readonly new: ReadSchema;
  readonly lenient: boolean;
  private engine: Search | undefined;
  private readonly referees: { old: Referee; new: Referee };

  /** @throws SchemaFault when one of the two is not a schema; its pointer begins with the side's name in `message` */
  constructor(oldSchema: unknown, newSchema: unknown, lenient: boolean, budget: Budget) {
    this.lenient = lenient;
    this.old = new ReadSchema(oldSchema, this.graph);
    this.new = new ReadSchema(newSchema, this.graph);
    this.graph.settle(budget);
    this.referees = { old: new Referee(this.old.document), new: new Referee(this.new.document) };
  }

  /** The schema that wrote the documents, and the one that reads them. */
  roles(direction: Direction): { writer: ReadSchema; reader: ReadSchema } {
    return direction === 'backward' ? { writer: this.old, reader: this.new } : { writer: this.new, reader: this.old };
  }

  /** Looks for a document that the writer accepts and that meets `demands`. */
  search(direction: Direction, demands: readonly Lit[], budget: Budget): Outcome {
    return this.solve([{ node: this.roles(direction).writer.root, neg: false, src: true }, ...demands], budget);
  }

  /** Looks for a value that meets `demands`. The budget running out is `unknown`. */
  solve(demands: readonly Lit[], budget: Budget): Outcome {
    try {
      this.engine ??= new Search(this.graph, budget, this.lenient);
      return this.engine.ask(demands, budget);
    } catch (error) {
      if (error instanceof BudgetSpent) return unknown(OUT_OF_BUDGET);
      if (error instanceof RangeError) return unknown('the schemas are too deeply intertwined');
      throw error;
    }
  }

  /** Looks for a document that the writer accepts and the reader rejects. */
  contradict(direction: Direction, budget: Budget): Outcome {
    return this.search(direction, [rejects(this.roles(direction).reader.root)], budget);
  }

  /** Whether a direction holds without the lenient policy. */
  strictly(direction: Direction, budget: Budget): boolean {
    const { writer, reader } = this.roles(direction);
    try {
      const written: Lit = { node: writer.root, neg: false, src: true };
      return new Search(this.graph, budget, false).solve([written, rejects(reader.root)]).kind === 'empty';
    } catch (error) {
      if (error instanceof BudgetSpent || error instanceof RangeError) return false;
      throw error;
    }
  }

  /** Whether the engine's own reading of the schemas agrees that `value` separates them. */
  separates(direction: Direction, value: unknown): boolean {
    const { writer, reader } = this.roles(direction);
    return accepts(writer.root, value) && !accepts(reader.root, value);
  }

  /** Whether ajv agrees. */
  confirmed(direction: Direction, value: unknown): boolean {
    const backward = direction === 'backward';
    const [writer, reader] = backward ? [this.referees.old, this.referees.new] : [this.referees.new, this.referees.old];
    return writer.accepts(value) === true && reader.accepts(value) === false;
  }
}

/** The demand that a node rejects. */
export function rejects(node: Node): Lit {
  return { node, neg: true, src: false };
}
