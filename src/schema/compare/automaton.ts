// Turns a regular expression into an automaton that is walked one character at a time. It accepts the texts in which
// the expression finds a match, as `RegExp.prototype.test` does: unanchored, `^`, `$`, `\b` as assertions.
// What is not regular, or not worth it (look-around, back-references), is widened, and the automaton says so.

import { type AST, RegExpParser } from '@eslint-community/regexpp';
import { ALL_CHARS, type CharSet, complement, has, matching, normalise, union } from './charset.ts';

type Assertion = 'start' | 'end' | 'word' | 'notWord';
interface State {
  free: number[];
  guarded: [Assertion, number][];
  moves: [CharSet, number][];
}

/** What stands before or after a gap between two characters. */
type Side = 'edge' | 'word' | 'other';

const WORD = matching('\\w', 'u');
/** More states than this come from huge counted repeats: the expression is widened instead. */
const MAX_STATES = 12_000;

export class Automaton {
  /** False where the automaton accepts more than the expression does. */
  exact = true;
  readonly sets: readonly CharSet[];
  private readonly states: State[] = [];
  private readonly final: number;
  private readonly first: number;
  private usesWords = false;
  private readonly regex: RegExp;
  private readonly interned = new Map<string, number>();
  private readonly snapshots: { set: readonly number[]; side: Side }[] = [];
  private readonly steps = new Map<number, Map<number, number>>();

  constructor(regex: RegExp) {
    this.regex = regex;
    this.first = this.state();
    const open = this.state();
    this.final = this.state();
    this.states[this.first]!.free.push(open);
    this.states[this.first]!.moves.push([ALL_CHARS, this.first]);
    this.states[this.final]!.moves.push([ALL_CHARS, this.final]);
    try {
      const parsed = new RegExpParser().parsePattern(regex.source, 0, regex.source.length, {
        unicode: regex.flags.includes('u'),
      });
      this.choose(parsed.alternatives, open, this.final);
    } catch {
      this.exact = false;
      this.states[open]!.free.push(this.final);
    }
    const sets = new Set<CharSet>();
    for (const state of this.states) for (const [set] of state.moves) sets.add(set);
    if (this.usesWords) sets.add(WORD);
    this.sets = [...sets];
  }

  /** The state before the first character. */
  get start(): number {
    return this.intern([this.first], 'edge');
  }

  /** The state after one more character. */
  next(from: number, char: number): number {
    const row = this.steps.get(from) ?? new Map<number, number>();
    this.steps.set(from, row);
    const known = row.get(char);
    if (known !== undefined) return known;
    const { set, side } = this.snapshots[from]!;
    const ahead: Side = has(WORD, char) ? 'word' : 'other';
    const reached = new Set<number>();
    for (const id of this.closure(set, side, ahead)) {
      for (const [chars, to] of this.states[id]!.moves) if (has(chars, char)) reached.add(to);
    }
    const to = this.intern(
      reached.has(this.final) ? [this.final] : [...reached].sort((x, y) => x - y),
      this.usesWords ? ahead : 'other',
    );
    row.set(char, to);
    return to;
  }

  /** Whether a text that ends here is accepted. */
  accepts(state: number): boolean {
    const { set, side } = this.snapshots[state]!;
    return this.closure(set, side, 'edge').has(this.final);
  }

  private intern(set: readonly number[], side: Side): number {
    const key = `${side}:${set.join(',')}`;
    const known = this.interned.get(key);
    if (known !== undefined) return known;
    this.snapshots.push({ set, side });
    this.interned.set(key, this.snapshots.length - 1);
    return this.snapshots.length - 1;
  }

  private closure(set: readonly number[], behind: Side, ahead: Side): Set<number> {
    const seen = new Set(set);
    const open = [...set];
    const boundary = (behind === 'word') !== (ahead === 'word');
    while (open.length > 0) {
      const { free, guarded } = this.states[open.pop()!]!;
      const passed = guarded.filter(([guard]) => {
        if (guard === 'start') return behind === 'edge';
        if (guard === 'end') return ahead === 'edge';
        return (guard === 'word') === boundary;
      });
      for (const to of [...free, ...passed.map((pair) => pair[1])]) {
        if (seen.has(to)) continue;
        seen.add(to);
        open.push(to);
      }
    }
    return seen;
  }

  private state(): number {
    if (this.states.length >= MAX_STATES) throw new Error('too many states');
    this.states.push({ free: [], guarded: [], moves: [] });
    return this.states.length - 1;
  }

  private link(from: number, to: number): void {
    this.states[from]!.free.push(to);
  }

  private choose(alternatives: readonly AST.Alternative[], from: number, to: number): void {
    for (const alternative of alternatives) {
      let here = from;
      for (const element of alternative.elements) {
        const next = this.state();
        this.element(element, here, next);
        here = next;
      }
      this.link(here, to);
    }
  }

  private element(element: AST.Element, from: number, to: number): void {
    switch (element.type) {
      case 'Character':
      case 'CharacterSet':
      case 'CharacterClass':
      case 'ExpressionCharacterClass':
        this.states[from]!.moves.push([this.chars(element), to]);
        return;
      case 'Group':
        if (element.modifiers) throw new Error('modifiers');
        this.choose(element.alternatives, from, to);
        return;
      case 'CapturingGroup':
        this.choose(element.alternatives, from, to);
        return;
      case 'Quantifier':
        this.repeat(element, from, to);
        return;
      case 'Assertion':
        this.assertion(element, from, to);
        return;
      default:
        // A back-reference: any text may stand here.
        this.exact = false;
        this.states[from]!.moves.push([ALL_CHARS, from]);
        this.link(from, to);
    }
  }

  private assertion(assertion: AST.Assertion, from: number, to: number): void {
    if (assertion.kind === 'start' || assertion.kind === 'end') {
      this.states[from]!.guarded.push([assertion.kind, to]);
    } else if (assertion.kind === 'word') {
      this.usesWords = true;
      this.states[from]!.guarded.push([assertion.negate ? 'notWord' : 'word', to]);
    } else {
      this.exact = false;
      this.link(from, to);
    }
  }

  private repeat(quantifier: AST.Quantifier, from: number, to: number): void {
    const { element, min, max } = quantifier;
    let here = from;
    for (let i = 0; i < min; i++) {
      const next = this.state();
      this.element(element, here, next);
      here = next;
    }
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.state();
      const back = this.state();
      this.link(here, loop);
      this.element(element, loop, back);
      this.link(back, loop);
      this.link(loop, to);
      return;
    }
    for (let i = min; i < max; i++) {
      const next = this.state();
      this.link(here, to);
      this.element(element, here, next);
      here = next;
    }
    this.link(here, to);
  }

  private chars(
    element: AST.Character | AST.CharacterSet | AST.CharacterClass | AST.ExpressionCharacterClass,
  ): CharSet {
    const fold = this.regex.flags.includes('i');
    if (element.type === 'Character' && !fold) return normalise([[element.value, element.value]]);
    if (element.type === 'CharacterClass' && !fold) {
      const sets = element.elements.map((part): CharSet => {
        if (part.type === 'CharacterClassRange') return normalise([[part.min.value, part.max.value]]);
        if (part.type === 'Character') return normalise([[part.value, part.value]]);
        return matching(part.raw, this.flags);
      });
      const set = union(...sets);
      return element.negate ? complement(set) : set;
    }
    const set = matching(element.raw, this.regex.flags);
    // Without the unicode flag a character beyond the BMP is two units, which a negated class or a dot matches one by one.
    if (this.regex.flags.includes('u') || !has(set, 0xfffd)) return set;
    return union(set, normalise([[0x10000, 0x10ffff]]));
  }

  private get flags(): string {
    return this.regex.flags.includes('u') ? 'u' : '';
  }
}

const cache = new Map<string, Automaton>();

/** The automaton of an expression; they are kept, since schemas repeat their patterns. */
export function automatonOf(regex: RegExp): Automaton {
  const key = `${regex.flags}/${regex.source}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  if (cache.size > 500) cache.clear();
  const automaton = new Automaton(regex);
  cache.set(key, automaton);
  return automaton;
}
