// Demands on an array: its items by position, how many, which occur how often; and whether one array meets them all.

import type { Asker } from './asker.ts';
import { type Atom, type Clause, type Lit, litKey } from './atom.ts';
import type { ArrayRules } from './node.ts';
import { EMPTY, found, type Outcome, unknown } from './outcome.ts';
import { canonical } from './value.ts';

/** Items a document may need before it is too large to be written down. */
const MAX_ITEMS = 200_000;
/** With distinct items every item has to be searched for on its own. */
const MAX_DISTINCT = 150;
const MAX_PAIRS = 80;

export class ArrayStore {
  min = 0;
  max = Number.POSITIVE_INFINITY;
  layers: { rules: ArrayRules; src: boolean }[] = [];
  extra = new Map<number, Lit[]>();
  /** Demands on all items from some index on. */
  everywhere: { from: number; lit: Lit }[] = [];
  some: { from: number; lit: Lit }[] = [];
  atLeast: { lit: Lit; value: number; from: number }[] = [];
  atMost: { lit: Lit; value: number; from: number }[] = [];
  unique = false;
  repeats = false;
  same: [number, number] | null = null;
  private readonly search: Asker;

  constructor(search: Asker) {
    this.search = search;
  }

  copy(): ArrayStore {
    const twin = new ArrayStore(this.search);
    Object.assign(twin, this);
    twin.layers = [...this.layers];
    twin.extra = new Map(this.extra);
    twin.everywhere = [...this.everywhere];
    twin.some = [...this.some];
    twin.atLeast = [...this.atLeast];
    twin.atMost = [...this.atMost];
    return twin;
  }

  /** Everything that is demanded of the item at `index`, should it be there. */
  private own(index: number): Lit[] {
    const lits = [...(this.extra.get(index) ?? [])];
    for (const { rules, src } of this.layers) {
      const node = rules.prefix[index] ?? rules.rest;
      if (node !== this.search.graph.anything) lits.push({ node, neg: false, src });
    }
    for (const { from, lit } of this.everywhere) if (index >= from) lits.push(lit);
    return lits;
  }

  lits(index: number): Lit[] {
    if (this.same === null || !this.same.includes(index)) return this.own(index);
    return [...this.own(this.same[0]), ...this.own(this.same[1])];
  }

  /** Takes one more demand in; false when it contradicts the others. */
  add(atom: Atom): boolean {
    switch (atom.k) {
      case 'size':
        if (atom.low) this.min = Math.max(this.min, atom.value);
        else this.max = Math.min(this.max, atom.value);
        break;
      case 'items':
        this.layers.push(atom);
        break;
      case 'at':
        this.min = Math.max(this.min, atom.index + 1);
        this.extra.set(atom.index, [...(this.extra.get(atom.index) ?? []), atom.lit]);
        if (this.search.clash(this.lits(atom.index))) return false;
        break;
      case 'some':
        this.some.push(atom);
        this.min = Math.max(this.min, atom.from + 1);
        break;
      case 'count':
        this.addCount(atom.lit, atom.low, atom.value, atom.from ?? 0);
        break;
      case 'unique':
        if (atom.yes) this.unique = true;
        else this.repeats = true;
        if (!atom.yes) this.min = Math.max(this.min, 2);
        if (this.unique && this.repeats) return false;
        break;
      case 'same':
        this.same = [atom.left, atom.right];
        this.min = Math.max(this.min, atom.right + 1);
        if (this.search.clash(this.lits(atom.left))) return false;
    }
    return this.min <= this.max;
  }

  private addCount(lit: Lit, low: boolean, value: number, from: number): void {
    if (low && value > 0) {
      this.atLeast.push({ lit, value, from });
      this.min = Math.max(this.min, from + value);
    } else if (!low && value === 0) this.everywhere.push({ from, lit: { ...lit, neg: !lit.neg } });
    else if (!low) this.atMost.push({ lit, value, from });
  }

  /** 1: holds already, -1: cannot hold, 0: open. */
  test(atom: Atom): -1 | 0 | 1 {
    switch (atom.k) {
      case 'size':
        if (atom.low) return atom.value <= this.min ? 1 : atom.value > this.max ? -1 : 0;
        return atom.value >= this.max ? 1 : atom.value < this.min ? -1 : 0;
      case 'at': {
        if (atom.index >= this.max) return -1;
        const lits = this.lits(atom.index);
        if (this.search.clash([...lits, atom.lit])) return -1;
        if (atom.index >= this.min) return 0;
        return this.search.clash([...lits, { ...atom.lit, neg: !atom.lit.neg }]) ? 1 : 0;
      }
      case 'some':
        return atom.from >= this.max ? -1 : 0;
      case 'unique':
        if (atom.yes) return this.unique || this.max <= 1 ? 1 : this.repeats ? -1 : 0;
        return this.repeats ? 1 : this.unique || this.max <= 1 ? -1 : 0;
      case 'count':
        return atom.low && atom.value > this.max ? -1 : !atom.low && atom.value >= this.max ? 1 : 0;
      default:
        return 0;
    }
  }

  /** Items from this index on are all alike, and nothing is said yet about this one. */
  private get tail(): number {
    let index = 0;
    for (const { rules } of this.layers) index = Math.max(index, rules.prefix.length);
    for (const known of this.extra.keys()) index = Math.max(index, known + 1);
    for (const { from } of this.everywhere) index = Math.max(index, from);
    if (this.same) index = Math.max(index, this.same[1] + 1);
    return index;
  }

  /** The ways to meet a demand that is still open, or null when none is. */
  obligation(): Clause | null {
    const some = this.some.pop();
    if (some) return this.places(some.from).map((index) => [{ k: 'at', index, lit: some.lit }]);
    const count = this.atLeast.pop();
    if (count) {
      const { lit, value, from } = count;
      return this.places(from).map((index) => [
        { k: 'at', index, lit },
        { k: 'count', lit, low: true, value: value - 1, from: index + 1 },
      ]);
    }
    if (this.repeats && this.same === null) return this.pairs();
    return this.spare();
  }

  private places(from: number): number[] {
    const last = Math.max(this.tail, from);
    return Array.from({ length: last - from + 1 }, (_, i) => from + i).filter((index) => index < this.max);
  }

  private pairs(): Clause {
    const places = this.places(0);
    places.push(places.length);
    const ways: Atom[][] = [];
    for (const right of places) {
      if (right >= this.max) continue;
      for (const left of places) if (left < right) ways.push([{ k: 'same', left, right }]);
    }
    if (ways.length > MAX_PAIRS) {
      this.search.doubt('too many positions for equal items');
      ways.length = MAX_PAIRS;
    }
    return ways;
  }

  /** An upper limit of matches: decide item by item whether it matches. Comes last, when the length is known. */
  private spare(): Clause | null {
    for (;;) {
      const limit = this.atMost.pop();
      if (limit === undefined) return null;
      const { lit, value, from } = limit;
      if (this.min - from <= value) continue;
      const not = { ...lit, neg: !lit.neg };
      return [
        [
          { k: 'at', index: from, lit: not },
          { k: 'count', lit, low: false, value, from: from + 1 },
        ],
        [{ k: 'count', lit, low: false, value: value - 1, from: from + 1 }],
      ];
    }
  }

  finish(): Outcome {
    const length = this.min;
    if (length > this.max) return EMPTY;
    if (length > MAX_ITEMS) return unknown('the document would need too many items');
    if (this.unique && length > 1) return this.distinct(length);
    const items: unknown[] = [];
    const known = new Map<string, Outcome>();
    let why = '';
    for (let index = 0; index < length; index++) {
      const lits = this.lits(index);
      const key = lits.map(litKey).join(' ');
      const outcome = known.get(key) ?? this.search.solve(lits);
      known.set(key, outcome);
      if (outcome.kind === 'empty') return EMPTY;
      if (outcome.kind === 'unknown') why = outcome.why;
      else items.push(outcome.value);
    }
    return why ? unknown(why) : found(items);
  }

  /** Items that all differ: enough values for each position, then a matching of values to positions. */
  private distinct(length: number): Outcome {
    if (length > MAX_DISTINCT) return unknown('the document would need too many distinct items');
    const options = new Map<string, { values: Map<string, unknown>; complete: boolean }>();
    const positions: string[] = [];
    for (let index = 0; index < length; index++) {
      const lits = this.lits(index);
      const key = lits.map(litKey).sort().join(' ');
      positions.push(key);
      if (!options.has(key)) options.set(key, this.several(lits, length));
    }
    const owner = new Map<string, number>();
    const place = (index: number, seen: Set<string>): boolean => {
      for (const text of options.get(positions[index]!)!.values.keys()) {
        if (seen.has(text)) continue;
        seen.add(text);
        const holder = owner.get(text);
        if (holder === undefined || place(holder, seen)) {
          owner.set(text, index);
          return true;
        }
      }
      return false;
    };
    for (let index = 0; index < length; index++) {
      if (place(index, new Set())) continue;
      const sure = [...options.values()].every(({ complete }) => complete);
      return sure ? EMPTY : unknown('distinct items could not be found');
    }
    const items: unknown[] = new Array(length);
    for (const [text, index] of owner) items[index] = options.get(positions[index]!)!.values.get(text);
    return found(items);
  }

  private several(lits: readonly Lit[], wanted: number): { values: Map<string, unknown>; complete: boolean } {
    const values = new Map<string, unknown>();
    while (values.size < wanted) {
      const but: Lit = { node: this.search.graph.values([...values.values()]), neg: true, src: false };
      const outcome = this.search.solve(values.size === 0 ? lits : [...lits, but]);
      if (outcome.kind !== 'found') return { values, complete: outcome.kind === 'empty' };
      values.set(canonical(outcome.value), outcome.value);
    }
    return { values, complete: true };
  }
}
