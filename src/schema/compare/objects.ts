// Demands on an object: which members it has, what they are, how many; and whether one object meets them all.

import type { Asker } from './asker.ts';
import type { Atom, Clause, Lit, NameRule } from './atom.ts';
import { litKey } from './atom.ts';
import { accepts, rulesFor } from './evaluate.ts';
import type { ObjectRules } from './node.ts';
import { EMPTY, found, type Outcome, unknown } from './outcome.ts';
import { compilePattern } from './pattern.ts';
import { type JsonObject, put } from './value.ts';

/** Combinations of patterns that are tried in the search for a kind of name. */
const MAX_KINDS = 300;
/** Members a document may need before it is too large to be written down. */
const MAX_MEMBERS = 2000;

export class ObjectStore {
  min = 0;
  max = Number.POSITIVE_INFINITY;
  required = new Set<string>();
  absent = new Set<string>();
  layers: { rules: ObjectRules; src: boolean }[] = [];
  extra = new Map<string, Lit[]>();
  names: Lit[] = [];
  pending: { rule: NameRule; lit: Lit }[] = [];
  private readonly search: Asker;

  constructor(search: Asker) {
    this.search = search;
  }

  copy(): ObjectStore {
    const twin = new ObjectStore(this.search);
    Object.assign(twin, this);
    twin.required = new Set(this.required);
    twin.absent = new Set(this.absent);
    twin.layers = [...this.layers];
    twin.extra = new Map(this.extra);
    twin.names = [...this.names];
    twin.pending = [...this.pending];
    return twin;
  }

  /** Everything that is demanded of the value of the member `name`, should it be there. */
  lits(name: string): Lit[] {
    const lits = [...(this.extra.get(name) ?? [])];
    for (const { rules, src } of this.layers) {
      for (const node of rulesFor(rules, name)) {
        if (node !== this.search.graph.anything) lits.push({ node, neg: false, src });
      }
    }
    return lits;
  }

  /** Takes one more demand in; false when it contradicts the others. */
  add(atom: Atom): boolean {
    switch (atom.k) {
      case 'size':
        if (atom.low) this.min = Math.max(this.min, atom.value);
        else this.max = Math.min(this.max, atom.value);
        break;
      case 'member':
        (atom.yes ? this.required : this.absent).add(atom.name);
        return this.memberFits(atom.name) && this.required.size <= this.max;
      case 'members':
        this.layers.push(atom);
        for (const name of this.required) if (!this.memberFits(name)) return false;
        break;
      case 'has':
        this.required.add(atom.name);
        this.extra.set(atom.name, [...(this.extra.get(atom.name) ?? []), atom.lit]);
        return this.memberFits(atom.name) && this.required.size <= this.max;
      case 'someName':
        this.pending.push(atom);
        break;
      case 'names':
        this.names.push(atom.lit);
        for (const name of this.required) if (!this.memberFits(name)) return false;
    }
    return this.min <= this.max && this.required.size <= this.max;
  }

  /** Whether the member is not both demanded and forbidden, as far as can be seen at once. */
  private memberFits(name: string): boolean {
    if (!this.required.has(name)) return true;
    if (this.absent.has(name) || !this.nameFits(name)) return false;
    return !this.search.clash(this.lits(name));
  }

  private nameFits(name: string): boolean {
    return this.names.every((lit) => accepts(lit.node, name) !== lit.neg);
  }

  private possible(name: string, ...more: Lit[]): boolean {
    return !this.absent.has(name) && this.nameFits(name) && !this.search.clash([...this.lits(name), ...more]);
  }

  /** 1: holds already, -1: cannot hold, 0: open. */
  test(atom: Atom): -1 | 0 | 1 {
    switch (atom.k) {
      case 'size':
        if (atom.low) return atom.value <= Math.max(this.min, this.required.size) ? 1 : atom.value > this.max ? -1 : 0;
        return atom.value >= this.max ? 1 : atom.value < Math.max(this.min, this.required.size) ? -1 : 0;
      case 'member':
        if (atom.yes && this.required.has(atom.name)) return 1;
        if (!atom.yes && this.required.has(atom.name)) return -1;
        return this.possible(atom.name) ? 0 : atom.yes ? -1 : 1;
      case 'has':
        return this.testHas(atom.name, atom.lit);
      case 'someName':
        return this.testSomeName(atom.rule, atom.lit);
      case 'members':
        for (const name of this.required) {
          const lits = rulesFor(atom.rules, name).map((node): Lit => ({ node, neg: false, src: atom.src }));
          if (this.search.clash([...this.lits(name), ...lits])) return -1;
        }
        return 0;
      default:
        return 0;
    }
  }

  private testHas(name: string, lit: Lit): -1 | 0 | 1 {
    if (!this.possible(name, lit)) return -1;
    if (!this.required.has(name)) return 0;
    if (lit.node === this.search.graph.anything && !lit.neg) return 1;
    return this.search.clash([...this.lits(name), { ...lit, neg: !lit.neg }]) ? 1 : 0;
  }

  private testSomeName(rule: NameRule, lit: Lit): -1 | 0 | 1 {
    for (const name of this.required) if (matches(rule, name) && this.testHas(name, lit) === 1) return 1;
    const { nothing } = this.search.graph;
    const closed = this.layers.find(({ rules }) => rules.additional === nothing && rules.patterns.length === 0);
    if (closed === undefined) return 0;
    for (const name of closed.rules.properties.keys()) {
      if (matches(rule, name) && this.possible(name, lit)) return 0;
    }
    return -1;
  }

  /** The ways to meet a demand that is still open, or null when none is. */
  obligation(): Clause | null {
    const next = this.pending.pop();
    if (next === undefined) return null;
    const ways: Atom[][] = [];
    const names = this.knownNames();
    for (const name of names) {
      if (matches(next.rule, name) && this.possible(name, next.lit)) ways.push([{ k: 'has', name, lit: next.lit }]);
    }
    const kinds = new Set<string>();
    for (const name of this.freshNames(next.rule, names)) {
      const kind = [...new Set(this.lits(name).map(litKey))].sort().join(' ');
      if (kinds.has(kind)) continue;
      kinds.add(kind);
      ways.push([{ k: 'has', name, lit: next.lit }]);
    }
    return ways;
  }

  private knownNames(): Set<string> {
    const names = new Set([...this.required, ...this.absent, ...this.extra.keys()]);
    for (const { rules } of this.layers) for (const name of rules.properties.keys()) names.add(name);
    return names;
  }

  /** One new name of each kind that the patterns in play can tell apart, as far as the rule allows. */
  private freshNames(rule: NameRule, taken: ReadonlySet<string>): string[] {
    const patterns = new Set<string>();
    for (const { rules } of this.layers) for (const [pattern] of rules.patterns) patterns.add(pattern);
    const open = [...patterns].filter((pattern) => !rule.hits.includes(pattern) && !rule.misses.includes(pattern));
    const { graph } = this.search;
    const base: Lit[] = [...rule.lits, ...this.names, { node: this.search.aString, neg: false, src: false }];
    const sign = (pattern: string, neg: boolean): Lit => ({ node: graph.pattern(pattern), neg, src: false });
    base.push(...rule.hits.map((p) => sign(p, false)), ...rule.misses.map((p) => sign(p, true)));
    base.push({ node: graph.values([...new Set([...taken, ...rule.except])].sort()), neg: true, src: false });
    const names: string[] = [];
    let looked = 0;
    const descend = (lits: Lit[], index: number) => {
      if (++looked > MAX_KINDS) return this.search.doubt('too many patterns of member names');
      const outcome = this.search.solve(lits);
      if (outcome.kind === 'unknown') this.search.doubt(outcome.why);
      if (outcome.kind !== 'found') return;
      if (index === open.length) {
        names.push(outcome.value as string);
        return;
      }
      descend([...lits, sign(open[index]!, true)], index + 1);
      descend([...lits, sign(open[index]!, false)], index + 1);
    };
    descend(base, 0);
    return names;
  }

  finish(): Outcome {
    const value = {};
    let why = '';
    const members = [...this.required];
    for (const name of members) {
      if (!this.memberFits(name)) return EMPTY;
    }
    for (const name of members) {
      const outcome = this.search.solve(this.lits(name));
      if (outcome.kind === 'empty') return EMPTY;
      if (outcome.kind === 'unknown') why = outcome.why;
      else put(value, name, outcome.value);
    }
    const missing = this.min - members.length;
    if (missing > MAX_MEMBERS) return unknown('the document would need too many members');
    if (missing > 0) {
      const outcome = this.fill(value, missing);
      if (outcome) return outcome;
    }
    return why ? unknown(why) : found(value);
  }

  /** Adds members that nothing asks for by name until there are enough. */
  private fill(value: JsonObject, missing: number): Outcome | null {
    let left = missing;
    let why = '';
    const tried = new Set([...this.required, ...this.absent]);
    const attempt = (name: string) => {
      if (left === 0 || tried.has(name)) return;
      tried.add(name);
      if (!this.possible(name)) return;
      const outcome = this.search.solve(this.lits(name));
      if (outcome.kind === 'unknown') why = outcome.why;
      if (outcome.kind !== 'found') return;
      put(value, name, outcome.value);
      left--;
    };
    for (const name of this.knownNames()) attempt(name);
    for (let i = 0; i < missing && left > 0; i++) attempt(`p${i}`);
    // Fresh names of one kind are all alike: a round in which none of them helps was the last.
    for (let before = -1; left > 0 && before !== left; ) {
      before = left;
      for (const name of this.freshNames({ hits: [], misses: [], except: [], lits: [] }, tried)) attempt(name);
    }
    if (left === 0) return null;
    return why ? unknown(why) : EMPTY;
  }
}

/** Whether a name is one of those that a rule speaks of. */
function matches(rule: NameRule, name: string): boolean {
  if (rule.except.includes(name)) return false;
  if (!rule.hits.every((pattern) => compilePattern(pattern).test(name))) return false;
  if (rule.misses.some((pattern) => compilePattern(pattern).test(name))) return false;
  return rule.lits.every((lit) => accepts(lit.node, name) !== lit.neg);
}
