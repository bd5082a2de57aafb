// Looks for a document that meets a set of demands, or proves that there is none: a tableau. Demands are taken apart
// type by type; alternatives are simplified against what is known already, and only then tried one by one.
//
// Recursion: a set of demands that comes up again while it is being worked on counts as impossible there. That is
// right because documents are finite: if the set can be met, then by a document that does not contain a smaller one.

import { ArrayStore } from './arrays.ts';
import { type Atom, type Clause, type Demands, type Lit, litKey, toFail, toHold } from './atom.ts';
import type { Budget } from './budget.ts';
import { declaredOnly } from './declared.ts';
import { accepts } from './evaluate.ts';
import type { Graph } from './graph.ts';
import { type Node, TYPE_BIT } from './node.ts';
import { NumberStore } from './numbers.ts';
import { ObjectStore } from './objects.ts';
import { EMPTY, found, type Outcome, unknown } from './outcome.ts';
import { StringStore } from './strings.ts';
import { hasUnevaluated, rewritten } from './unevaluated.ts';
import { equal, isObject, JSON_TYPES, type JsonType, typeOf } from './value.ts';

/** `null` and booleans: a handful of values, just try them. */
class FewStore {
  left: unknown[];

  constructor(values: unknown[]) {
    this.left = values;
  }

  copy(): FewStore {
    return new FewStore([...this.left]);
  }

  add(atom: Atom): boolean {
    if (atom.k === 'neq') this.left = this.left.filter((value) => !equal(value, atom.value));
    return this.left.length > 0;
  }

  test(atom: Atom): -1 | 0 | 1 {
    if (atom.k !== 'neq') return 0;
    const rest = this.left.filter((value) => !equal(value, atom.value)).length;
    return rest === 0 ? -1 : rest === this.left.length ? 1 : 0;
  }

  finish(): Outcome {
    return this.left.length > 0 ? found(this.left[0]) : EMPTY;
  }
}

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

interface Remembered {
  outcome: Outcome;
  /** Depth of the unfinished question that the answer relies on. */
  relies: number;
}

const SETTLED = Number.POSITIVE_INFINITY;
/** Alternatives that are looked at on their own before they are combined. */
const MAX_LOOKAHEAD = 200;
const MAX_PROBED = 300;

export class Search {
  readonly graph: Graph;
  readonly aString: Node;
  private budget: Budget;
  private readonly lenient: boolean;
  private readonly memory = new Map<string, Remembered>();
  private readonly open = new Map<string, number>();
  private readonly simple = new Map<Node, boolean>();
  private readonly plain = new Map<Node, Node | null>();
  /** Keys of answers that rely on an unfinished question, oldest first. */
  private readonly provisional: string[] = [];
  private readonly held = new Map<string, Demands | null>();
  private readonly failed = new Map<string, Clause | null>();
  private lowest = SETTLED;
  private doubts = '';

  constructor(graph: Graph, budget: Budget, lenient: boolean) {
    this.graph = graph;
    this.budget = budget;
    this.lenient = lenient;
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
    if (quick.outcome.kind !== 'found' || !quick.loose || meets(lits, quick.outcome.value)) return quick.outcome;
    const { outcome } = this.attempt(type, lits, false);
    if (outcome.kind !== 'found' || meets(lits, outcome.value)) return outcome;
    return unknown('unevaluatedProperties or unevaluatedItems over too many alternatives');
  }

  private attempt(type: JsonType, lits: readonly Lit[], relaxed: boolean): { outcome: Outcome; loose: boolean } {
    const store = this.storeFor(type);
    const branch: Branch = { type, lits, store, asserted: new Map(), clauses: [], loose: false, relaxed };
    const atoms: Atom[] = lits.map((lit) => ({ k: 'lit', lit }));
    if (this.lenient && type === 'object') {
      const written = lits.filter((lit) => lit.src).map((lit) => lit.node);
      const reader = lits.filter((lit) => !lit.src).map((lit) => lit.node);
      const node = declaredOnly(written, reader, this.graph);
      atoms.push({ k: 'lit', lit: { node, neg: false, src: false } });
    }
    const before = this.doubts;
    this.doubts = '';
    const outcome = this.run(branch, atoms, true);
    const doubts = this.doubts;
    this.doubts = before;
    return { outcome: outcome.kind === 'empty' && doubts ? unknown(doubts) : outcome, loose: branch.loose };
  }

  private storeFor(type: JsonType): Store {
    if (type === 'null') return new FewStore([null]);
    if (type === 'boolean') return new FewStore([false, true]);
    if (type === 'number') return new NumberStore();
    if (type === 'string') return new StringStore();
    return type === 'array' ? new ArrayStore(this) : new ObjectStore(this);
  }

  /** Takes the atoms in, simplifies the alternatives, and tries those that are left. */
  private run(branch: Branch, atoms: readonly Atom[], ahead: boolean): Outcome {
    this.budget.spend();
    if (!this.take(branch, atoms) || !this.simplify(branch)) return EMPTY;
    if (branch.clauses.length === 0) {
      const { store } = branch;
      const due = store instanceof ObjectStore || store instanceof ArrayStore ? store.obligation() : null;
      if (due === null) return store instanceof StringStore ? store.finish(this.budget) : store.finish();
      branch.clauses.push(due);
      if (!this.simplify(branch)) return EMPTY;
      if (branch.clauses.length === 0) return this.run(branch, [], ahead);
    }
    if (ahead && branch.clauses.length > 1 && branch.clauses.length <= MAX_LOOKAHEAD) {
      if (!this.probe(branch)) return EMPTY;
      if (branch.clauses.length === 0) return this.run(branch, [], ahead);
      const outcome = this.lookAhead(branch);
      if (outcome) return outcome;
    }
    return this.branchOut(branch, ahead);
  }

  /** Tries each alternative just far enough to see it contradict the rest; false when a set has none left. */
  private probe(branch: Branch): boolean {
    for (let again = true; again; ) {
      again = false;
      for (const clause of branch.clauses) {
        if (clause.length > MAX_PROBED) continue;
        const left = clause.filter((way) => this.survives(branch, clause, way));
        if (left.length === 0) return false;
        if (left.length === clause.length) continue;
        branch.clauses = branch.clauses.map((other) => (other === clause ? left : other));
        if (!this.simplify(branch)) return false;
        again = branch.clauses.length > 1;
        break;
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
      this.budget.spend();
      if (atom.k === 'lit') {
        if (!this.assert(branch, atom.lit, atom.weak === true && branch.relaxed, queue)) return false;
      } else if (atom.k === 'two') this.atLeastTwo(branch, atom.group, atom.src);
      else if (atom.k === 'neq' && typeof atom.value === 'object' && atom.value !== null) {
        branch.clauses.push(this.differing(atom.value));
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
      known = this.withoutUnevaluated(node);
      if (known === null) branch.loose = true;
      if (known === null && neg) return true;
      known ??= this.graph.make({ ...node, unevaluatedProperties: null, unevaluatedItems: null });
    }
    if (neg) {
      const ways = this.failing(known, branch.type, src);
      if (ways !== null) branch.clauses.push(ways);
      return true;
    }
    const demands = this.holding(known, branch.type, src);
    if (demands === null) return false;
    queue.push(...demands.atoms);
    branch.clauses.push(...demands.clauses);
    if (known.values !== null) branch.clauses.push(this.listed(known.values, branch));
    return true;
  }

  /** Taking a node apart is done once for each type. */
  private holding(node: Node, type: JsonType, src: boolean): Demands | null {
    const key = `${node.cls} ${type} ${src}`;
    if (!this.held.has(key)) this.held.set(key, toHold(node, type, src));
    return this.held.get(key)!;
  }

  private failing(node: Node, type: JsonType, src: boolean): Clause | null {
    const key = `${node.cls} ${type} ${src}`;
    if (!this.failed.has(key)) this.failed.set(key, toFail(node, type, src, this.graph));
    return this.failed.get(key)!;
  }

  private withoutUnevaluated(node: Node): Node | null {
    if (!this.plain.has(node)) this.plain.set(node, rewritten(node, this.graph));
    return this.plain.get(node)!;
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
      this.budget.spend();
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
    this.budget.spend();
    if (neg) {
      const ways = this.failing(node, branch.type, src);
      if (ways === null) return 1;
      let left = false;
      for (const way of ways) {
        const verdicts = way.map((atom) => this.test(branch, atom, depth - 1));
        if (verdicts.every((verdict) => verdict === 1)) return 1;
        if (!verdicts.includes(-1)) left = true;
      }
      return left ? 0 : -1;
    }
    const demands = this.holding(node, branch.type, src)!;
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
        if (left !== right && this.clash([left, right].map((node) => ({ node, neg: false, src })))) continue;
        pairs.push([left, right].map((node) => ({ k: 'lit', lit: { node, neg: false, src } })));
      }
    }
    branch.clauses.push(pairs);
  }

  /** One of the values listed, as atoms cannot say it: each is tried through its own node. */
  private listed(values: readonly unknown[], branch: Branch): Clause {
    const ofType = values.filter((value) => admits(branch, value));
    return ofType.map((value) => this.exactly(value));
  }

  private exactly(value: unknown): Atom[] {
    const lit = (member: unknown): Lit => ({ node: this.graph.values([member]), neg: false, src: false });
    if (typeof value === 'number') {
      return [true, false].map((low): Atom => ({ k: 'bound', low, value, open: false }));
    }
    if (typeof value === 'string') return [{ k: 'is', value }];
    if (typeof value === 'boolean') return [{ k: 'neq', value: !value }];
    if (Array.isArray(value)) {
      const size = [true, false].map((low): Atom => ({ k: 'size', low, value: value.length }));
      return [...size, ...value.map((item, index): Atom => ({ k: 'at', index, lit: lit(item) }))];
    }
    if (!isObject(value)) return [];
    const names = Object.keys(value);
    const size: Atom = { k: 'size', low: false, value: names.length };
    return [size, ...names.map((name): Atom => ({ k: 'has', name, lit: lit(value[name]) }))];
  }

  /** The ways in which an array or object can differ from a given one. */
  private differing(value: object): Clause {
    const not = (member: unknown): Lit => ({ node: this.graph.values([member]), neg: true, src: false });
    if (Array.isArray(value)) {
      const ways: Atom[][] = [[{ k: 'size', low: true, value: value.length + 1 }]];
      if (value.length > 0) ways.push([{ k: 'size', low: false, value: value.length - 1 }]);
      for (const [index, item] of value.entries()) ways.push([{ k: 'at', index, lit: not(item) }]);
      return ways;
    }
    const names = Object.keys(value);
    const free: Lit = { node: this.graph.anything, neg: false, src: false };
    const ways: Atom[][] = [[{ k: 'someName', rule: { hits: [], misses: [], except: names, lits: [] }, lit: free }]];
    for (const name of names) {
      ways.push([{ k: 'member', name, yes: false }]);
      ways.push([{ k: 'has', name, lit: not((value as Record<string, unknown>)[name]) }]);
    }
    return ways;
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

/** Whether a value meets all demands. */
function meets(lits: readonly Lit[], value: unknown): boolean {
  return lits.every(({ node, neg }) => accepts(node, value) !== neg);
}
