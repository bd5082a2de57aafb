// What the parts of the search may ask of the whole: questions about members, items and names are questions again.

import type { Lit } from './atom.ts';
import type { Budget } from './budget.ts';
import type { Graph } from './graph.ts';
import type { Node } from './node.ts';
import type { Outcome } from './outcome.ts';

export interface Asker {
  readonly graph: Graph;
  /** Accepts all strings. */
  readonly aString: Node;
  /** What the question at hand may cost. */
  readonly budget: Budget;
  /** A value that meets all demands, or the proof that there is none. @throws BudgetSpent */
  solve(lits: readonly Lit[]): Outcome;
  /** Whether demands contradict each other for certain, as far as that is quick to see. */
  clash(lits: readonly Lit[]): boolean;
  /** Notes that the branch at hand is not searched completely, so that it proves nothing. */
  doubt(why: string): void;
}
