// Looks for a document that meets a set of demands, or proves that there is none. Takes the demands type by type,
// remembers every answer, and knows how to deal with recursion; the work on one type is the tableau's.
//
// Recursion: a set of demands that comes up again while it is being worked on counts as impossible there. That is
// right because documents are finite: if the set can be met, then by a document that does not contain a smaller one.

import type { Asker } from './asker.ts';
import { type Atom, type Lit, litKey } from './atom.ts';
import type { Budget } from './budget.ts';
import { declaredOnly } from './declared.ts';
import { meets } from './evaluate.ts';
import type { Graph } from './graph.ts';
import { type Node, TYPE_BIT } from './node.ts';
import { EMPTY, found, type Outcome, unknown } from './outcome.ts';
import { Tableau } from './tableau.ts';
import { hasUnevaluated } from './unevaluated.ts';
import { JSON_TYPES, type JsonType } from './value.ts';

interface Remembered {
  outcome: Outcome;
  /** Depth of the unfinished question that the answer relies on. */
  relies: number;
}

const SETTLED = Number.POSITIVE_INFINITY;

export class Search implements Asker {
  readonly graph: Graph;
  readonly aString: Node;
  /** What the question at hand may cost. */
  budget: Budget;
  private readonly lenient: boolean;
  private readonly memory = new Map<string, Remembered>();
  private readonly open = new Map<string, number>();
  private readonly simple = new Map<Node, boolean>();
  /** Keys of answers that rely on an unfinished question, oldest first. */
  private readonly provisional: string[] = [];
  private readonly tableau: Tableau;
  private lowest = SETTLED;
  private doubts = '';

  constructor(graph: Graph, budget: Budget, lenient: boolean) {
    this.graph = graph;
    this.budget = budget;
    this.lenient = lenient;
    this.tableau = new Tableau(this);
    this.aString = graph.make({ types: TYPE_BIT.string });
  }

  /** Asks a new question with a budget of its own; what was found out before is kept. @throws BudgetSpent */
  ask(lits: readonly Lit[], budget: Budget): Outcome {
    this.budget = budget;
    this.lowest = SETTLED;
    this.doubts = '';
    this.open.clear();
    return this.solve(lits);
  }

  /** Notes that the branch at hand is not searched completely. */
  doubt(why: string): void {
    this.doubts = why;
  }

  /**
   * A document that meets all of `lits`, or the proof that there is none.
   * @throws BudgetSpent
   */
  solve(lits: readonly Lit[]): Outcome {
    this.budget.spend();
    const unique = new Map<string, Lit>();
    for (const lit of lits) {
      if (lit.node === this.graph.anything && !lit.neg) continue;
      unique.set(litKey(lit), lit);
    }
    const list = [...unique.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map((entry) => entry[1]);
    if (contradictory(list)) return EMPTY;
    const key = list.map(litKey).join(' ');
    const known = this.memory.get(key);
    if (known !== undefined) {
      this.lowest = Math.min(this.lowest, known.relies);
      return known.outcome;
    }
    const depth = this.open.get(key);
    if (depth !== undefined) {
      this.lowest = Math.min(this.lowest, depth);
      return EMPTY;
    }
    return this.remember(key, list);
  }

  private remember(key: string, list: readonly Lit[]): Outcome {
    const depth = this.open.size;
    const outer = this.lowest;
    const mark = this.provisional.length;
    this.lowest = SETTLED;
    this.open.set(key, depth);
    let outcome: Outcome = unknown('');
    try {
      outcome = this.answer(list);
    } finally {
      this.open.delete(key);
      if (outcome.kind !== 'empty') this.forget(mark);
    }
    const relies = outcome.kind === 'found' || this.lowest >= depth ? SETTLED : this.lowest;
    if (relies !== SETTLED) this.provisional.push(key);
    else if (outcome.kind === 'empty') {
      for (const settled of this.provisional.splice(mark)) this.memory.get(settled)!.relies = SETTLED;
    }
    this.memory.set(key, { outcome, relies });
    this.lowest = Math.min(outer, relies);
    return outcome;
  }

  /** Answers that assumed an unfinished question to be impossible are dropped when it turns out not to be. */
  private forget(mark: number): void {
    for (const key of this.provisional.splice(mark)) this.memory.delete(key);
  }

  private answer(lits: readonly Lit[]): Outcome {
    const listed = lits.filter((lit) => !lit.neg && lit.node.values !== null);
    if (listed.length > 0) {
      const fewest = listed.map((lit) => lit.node.values!).reduce((a, b) => (a.length <= b.length ? a : b));
      const hit = fewest.find((value) => meets(lits, value));
      return hit === undefined ? EMPTY : found(hit);
    }
    let why = '';
    for (const type of JSON_TYPES) {
      if (lits.some((lit) => !lit.neg && (lit.node.types & TYPE_BIT[type]) === 0)) continue;
      const outcome = this.ofType(type, lits);
      if (outcome.kind === 'found') return outcome;
      if (outcome.kind === 'unknown') why = outcome.why;
    }
    return why ? unknown(why) : EMPTY;
  }

  private ofType(type: JsonType, lits: readonly Lit[]): Outcome {
    const quick = this.attempt(type, lits, true);
    const { kind } = quick.outcome;
    if (kind === 'empty' || !quick.loose) return quick.outcome;
    if (quick.outcome.kind === 'found' && meets(lits, quick.outcome.value)) return quick.outcome;
    const { outcome } = this.attempt(type, lits, false);
    if (outcome.kind !== 'found' || meets(lits, outcome.value)) return outcome;
    return unknown('unevaluatedProperties or unevaluatedItems over too many alternatives');
  }

  private attempt(type: JsonType, lits: readonly Lit[], relaxed: boolean): { outcome: Outcome; loose: boolean } {
    const atoms: Atom[] = lits.map((lit) => ({ k: 'lit', lit }));
    if (this.lenient && type === 'object') {
      const written = lits.filter((lit) => lit.src).map((lit) => lit.node);
      const reader = lits.filter((lit) => !lit.src).map((lit) => lit.node);
      const node = declaredOnly(written, reader, this.graph);
      atoms.push({ k: 'lit', lit: { node, neg: false, src: false } });
    }
    const before = this.doubts;
    this.doubts = '';
    const { outcome, loose } = this.tableau.start(type, lits, atoms, relaxed);
    const doubts = this.doubts;
    this.doubts = before;
    return { outcome: outcome.kind === 'empty' && doubts ? unknown(doubts) : outcome, loose };
  }

  /** Whether demands contradict each other for certain; looks deeper only where that is cheap. */
  clash(lits: readonly Lit[]): boolean {
    for (const lit of lits) {
      if (lit.neg ? lit.node === this.graph.anything : lit.node.types === 0) return true;
    }
    if (contradictory(lits)) return true;
    let types = 63;
    for (const lit of lits) if (!lit.neg) types &= lit.node.types;
    if (types === 0) return true;
    if (!lits.every((lit) => this.isSimple(lit.node))) return false;
    return this.solve(lits).kind === 'empty';
  }

  /** Says nothing about members or items: quick to decide. */
  private isSimple(node: Node): boolean {
    const known = this.simple.get(node);
    if (known !== undefined) return known;
    this.simple.set(node, false);
    const kids = [...node.all, ...node.any.flat(), ...node.one.flat(), ...node.not, ...node.conditions.flat()];
    const simple =
      !node.array &&
      !node.object &&
      !hasUnevaluated(node) &&
      kids.length <= 12 &&
      kids.every((kid) => this.isSimple(kid));
    this.simple.set(node, simple);
    return simple;
  }
}

/** A node that has to hold and to fail. */
function contradictory(lits: readonly Lit[]): boolean {
  const signs = new Map<number, boolean>();
  for (const { node, neg } of lits) {
    const before = signs.get(node.cls);
    if (before !== undefined && before !== neg) return true;
    signs.set(node.cls, neg);
  }
  return false;
}
