// The tableau: takes the demands on a value of one type apart, simplifies alternatives against what is known already,
// and only then tries them one by one.

import { Apart } from './apart.ts';
import { ArrayStore } from './arrays.ts';
import type { Asker } from './asker.ts';
import type { Atom, Clause, Lit } from './atom.ts';
import { differing, exactly } from './constant.ts';
import { meets } from './evaluate.ts';
import { FewStore } from './few.ts';
import { type Node, TYPE_BIT } from './node.ts';
import { NumberStore } from './numbers.ts';
import { ObjectStore } from './objects.ts';
import { EMPTY, type Outcome, unknown } from './outcome.ts';
import { StringStore } from './strings.ts';
import { hasUnevaluated } from './unevaluated.ts';
import { type JsonType, typeOf } from './value.ts';

type Store = FewStore | NumberStore | StringStore | ArrayStore | ObjectStore;

/** One branch of the tableau. */
interface Branch {
  type: JsonType;
  /** The demands it started from: whatever meets them is an answer. */
  lits: readonly Lit[];
  store: Store;
  /** Class of a node → whether it has to fail; and whether it came from the writing schema. */
  asserted: Map<number, { neg: boolean; src: boolean; weak: boolean }>;
  clauses: Clause[];
  /** Some demand was left out, so a document that is found has to be tested. */
  loose: boolean;
  /** Leave out what is marked weak. If that is impossible already, so is the whole. */
  relaxed: boolean;
}

/** Alternatives that are looked at on their own before they are combined. */
const MAX_LOOKAHEAD = 200;
const MAX_PROBED = 300;

export class Tableau {
  private readonly search: Asker;
  private readonly apart: Apart;

  constructor(search: Asker) {
    this.search = search;
    this.apart = new Apart(search.graph);
  }

  /**
   * Works on `atoms`, which say of a value of `type` what `lits` say. With `relaxed`, implied demands are left out;
   * `loose` tells that something was, so that a document that is found has to be tested.
   */
  start(
    type: JsonType,
    lits: readonly Lit[],
    atoms: readonly Atom[],
    relaxed: boolean,
  ): { outcome: Outcome; loose: boolean } {
    const store = this.storeFor(type);
    const branch: Branch = { type, lits, store, asserted: new Map(), clauses: [], loose: false, relaxed };
    const outcome = this.run(branch, atoms, true);
    return { outcome, loose: branch.loose };
  }

  private storeFor(type: JsonType): Store {
    if (type === 'null') return new FewStore([null]);
    if (type === 'boolean') return new FewStore([false, true]);
    if (type === 'number') return new NumberStore();
    if (type === 'string') return new StringStore();
    return type === 'array' ? new ArrayStore(this.search) : new ObjectStore(this.search);
  }

  /** Takes the atoms in, simplifies the alternatives, and tries those that are left. */
  private run(branch: Branch, atoms: readonly Atom[], ahead: boolean): Outcome {
    this.search.budget.spend();
    if (!this.take(branch, atoms) || !this.simplify(branch)) return EMPTY;
    if (branch.clauses.length === 0) {
      const { store } = branch;
      const due = store instanceof ObjectStore || store instanceof ArrayStore ? store.obligation() : null;
      if (due === null) return store instanceof StringStore ? store.finish(this.search.budget) : store.finish();
      branch.clauses.push(due);
      if (!this.simplify(branch)) return EMPTY;
      if (branch.clauses.length === 0) return this.run(branch, [], ahead);
    }
    if (ahead && branch.clauses.length > 1 && branch.clauses.length <= MAX_LOOKAHEAD) {
      const outcome = this.lookAhead(branch);
      if (outcome) return outcome;
      // With two sets of alternatives, branching does as well.
      if (branch.clauses.length > 2 && !this.probe(branch)) return EMPTY;
      if (branch.clauses.length === 0) return this.run(branch, [], ahead);
    }
    return this.branchOut(branch, ahead);
  }

  /** Tries each alternative just far enough to see it contradict the rest; false when a set has none left. */
  private probe(branch: Branch): boolean {
    for (let again = true; again; ) {
      again = false;
      for (const clause of [...branch.clauses]) {
        if (weight(clause) > MAX_PROBED || !branch.clauses.includes(clause)) continue;
        const left = clause.filter((way) => this.survives(branch, clause, way));
        if (left.length === 0) return false;
        if (left.length === clause.length) continue;
        branch.clauses = branch.clauses.map((other) => (other === clause ? left : other));
        if (left.length === 1 && !this.simplify(branch)) return false;
        again ||= left.length === 1 && branch.clauses.length > 1;
      }
    }
    return true;
  }

  private survives(branch: Branch, clause: Clause, way: readonly Atom[]): boolean {
    const clauses = branch.clauses.filter((other) => other !== clause);
    const twin = { ...branch, store: branch.store.copy(), asserted: new Map(branch.asserted), clauses };
    const alive = this.take(twin, way) && this.simplify(twin);
    if (twin.loose) branch.loose = true;
    return alive;
  }

  /** A single set of alternatives that cannot be met settles it, without any combination. */
  private lookAhead(branch: Branch): Outcome | null {
    for (const clause of branch.clauses) {
      const alone = this.branchOut({ ...branch, clauses: [clause] }, false);
      if (alone.kind === 'empty') return EMPTY;
      if (alone.kind === 'found' && meets(branch.lits, alone.value)) return alone;
    }
    return null;
  }

  private branchOut(branch: Branch, ahead: boolean): Outcome {
    let best = 0;
    const weights = branch.clauses.map(weight);
    weights.forEach((weighs, i) => {
      if (weighs < weights[best]!) best = i;
    });
    const clause = branch.clauses[best]!;
    const rest = branch.clauses.filter((_, i) => i !== best);
    let why = '';
    for (const way of clause) {
      const twin = { ...branch, store: branch.store.copy(), asserted: new Map(branch.asserted), clauses: [...rest] };
      const outcome = this.run(twin, way, ahead);
      if (twin.loose) branch.loose = true;
      if (outcome.kind === 'found') return outcome;
      if (outcome.kind === 'unknown') why = outcome.why;
    }
    return why ? unknown(why) : EMPTY;
  }

  /** Adds atoms and everything that follows from them; false on a contradiction. */
  private take(branch: Branch, atoms: readonly Atom[]): boolean {
    const queue = [...atoms];
    for (let i = 0; i < queue.length; i++) {
      const atom = queue[i]!;
      this.search.budget.spend();
      if (atom.k === 'lit') {
        if (!this.assert(branch, atom.lit, atom.weak === true && branch.relaxed, queue)) return false;
      } else if (atom.k === 'two') this.atLeastTwo(branch, atom.group, atom.src);
      else if (atom.k === 'neq' && typeof atom.value === 'object' && atom.value !== null) {
        branch.clauses.push(differing(atom.value, this.search.graph));
      } else if (!branch.store.add(atom)) return false;
    }
    return true;
  }

  private assert(branch: Branch, lit: Lit, weak: boolean, queue: Atom[]): boolean {
    const { node, neg, src } = lit;
    const before = branch.asserted.get(node.cls);
    if (before !== undefined) {
      if (before.neg !== neg) return false;
      if (weak || (before.weak && branch.relaxed)) return true;
      if (!before.weak && (before.src || !src)) return true;
    }
    branch.asserted.set(node.cls, { neg, src, weak });
    if (weak) {
      branch.loose = true;
      return true;
    }
    let known: Node | null = node;
    if (hasUnevaluated(node)) {
      known = this.apart.withoutUnevaluated(node);
      if (known === null) branch.loose = true;
      if (known === null && neg) return true;
      known ??= this.search.graph.make({ ...node, unevaluatedProperties: null, unevaluatedItems: null });
    }
    if (neg) {
      const ways = this.apart.failing(known, branch.type, src);
      if (ways !== null) branch.clauses.push(ways);
      return true;
    }
    const demands = this.apart.holding(known, branch.type, src);
    if (demands === null) return false;
    queue.push(...demands.atoms);
    branch.clauses.push(...demands.clauses);
    if (known.values !== null) branch.clauses.push(this.listed(known.values, branch));
    return true;
  }

  /** Drops what holds already and what cannot hold; false when a set of alternatives has none left. */
  private simplify(branch: Branch): boolean {
    for (let again = true; again; ) {
      again = false;
      const clauses = branch.clauses;
      branch.clauses = [];
      for (const [index, clause] of clauses.entries()) {
        const left = this.reduce(branch, clause);
        if (left === null) continue;
        if (left.length === 0) return false;
        if (left.length > 1) {
          branch.clauses.push(left);
          continue;
        }
        branch.clauses.push(...clauses.slice(index + 1));
        if (!this.take(branch, left[0]!)) return false;
        again = true;
        break;
      }
    }
    return true;
  }

  /** The alternatives still possible, or null when one of them holds already. */
  private reduce(branch: Branch, clause: Clause): Clause | null {
    const left: (readonly Atom[])[] = [];
    for (const way of clause) {
      this.search.budget.spend();
      if (way.some((atom) => atom.k === 'lit' && branch.asserted.get(atom.lit.node.cls)?.neg === !atom.lit.neg))
        continue;
      let worst: -1 | 0 | 1 = 1;
      for (const atom of way) {
        if (atom.k === 'lit' && atom.weak && branch.relaxed) {
          worst = 0;
          continue;
        }
        const verdict = this.test(branch, atom, 2);
        if (verdict < worst) worst = verdict;
        if (worst === -1) break;
      }
      if (worst === 1) return null;
      if (worst === 0) left.push(way);
    }
    return left;
  }

  private test(branch: Branch, atom: Atom, depth: number): -1 | 0 | 1 {
    if (atom.k === 'two') return 0;
    if (atom.k === 'lit') return this.testLit(branch, atom.lit, depth);
    if (atom.k === 'neq' && typeof atom.value === 'object' && atom.value !== null) return 0;
    return branch.store.test(atom);
  }

  private testLit(branch: Branch, { node, neg, src }: Lit, depth: number): -1 | 0 | 1 {
    const known = branch.asserted.get(node.cls);
    if (known !== undefined && (known.neg !== neg || !known.weak || branch.relaxed)) return known.neg === neg ? 1 : -1;
    if ((node.types & TYPE_BIT[branch.type]) === 0) return neg ? 1 : -1;
    if (neg && node.values?.every((value) => typeOf(value) !== branch.type)) return 1;
    if (!neg && node.values !== null && !node.values.some((value) => admits(branch, value))) return -1;
    if (depth === 0 || hasUnevaluated(node) || node.values !== null) return 0;
    this.search.budget.spend();
    if (neg) {
      const ways = this.apart.failing(node, branch.type, src);
      if (ways === null) return 1;
      let left = false;
      for (const way of ways) {
        const verdicts = way.map((atom) => this.test(branch, atom, depth - 1));
        if (verdicts.every((verdict) => verdict === 1)) return 1;
        if (!verdicts.includes(-1)) left = true;
      }
      return left ? 0 : -1;
    }
    const demands = this.apart.holding(node, branch.type, src)!;
    let sure = demands.clauses.length === 0;
    for (const atom of demands.atoms) {
      const verdict = this.test(branch, atom, depth - 1);
      if (verdict === -1) return -1;
      if (verdict === 0) sure = false;
    }
    if (depth > 1) {
      const dead = (way: readonly Atom[]) => way.some((atom) => this.test(branch, atom, depth - 1) === -1);
      if (demands.clauses.some((clause) => clause.every(dead))) return -1;
    }
    return sure ? 1 : 0;
  }

  /** Two or more of a group hold. Pairs are only formed of those that can hold here at all. */
  private atLeastTwo(branch: Branch, group: readonly Node[], src: boolean): void {
    const able = group.filter((node) => this.testLit(branch, { node, neg: false, src }, 3) !== -1);
    const pairs: Atom[][] = [];
    for (const [i, left] of able.entries()) {
      for (const right of able.slice(i + 1)) {
        if (left !== right && this.search.clash([left, right].map((node) => ({ node, neg: false, src })))) continue;
        pairs.push([left, right].map((node) => ({ k: 'lit', lit: { node, neg: false, src } })));
      }
    }
    branch.clauses.push(pairs);
  }

  /** One of the values listed, as atoms cannot say it: each is tried through its own node. */
  private listed(values: readonly unknown[], branch: Branch): Clause {
    const ofType = values.filter((value) => admits(branch, value));
    return ofType.map((value) => exactly(value, this.search.graph));
  }
}

/** Whether a value is of the branch's type and, as far as a look can tell, not ruled out. */
function admits({ type, store }: Branch, value: unknown): boolean {
  if (typeOf(value) !== type) return false;
  if (store instanceof StringStore) return store.fits(value as string);
  return store instanceof NumberStore ? store.fits(value as number) : true;
}

/** How much work a set of alternatives promises: their number, and much more where one is a crowd of its own. */
function weight(clause: Clause): number {
  const crowded = clause.some((way) => way.length > 8 && !way.some((atom) => atom.k === 'lit' && atom.weak));
  const pairs = clause.some((way) => way.some((atom) => atom.k === 'two'));
  return clause.length + (crowded || pairs ? 1000 : 0);
}
