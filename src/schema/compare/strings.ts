// Demands on a string, and whether one string meets them all.

import type { Atom } from './atom.ts';
import { type Automaton, automatonOf } from './automaton.ts';
import type { Budget } from './budget.ts';
import { formatWithin, STRING_FORMATS } from './format.ts';
import { conditionsOf } from './lookahead.ts';
import { EMPTY, found, type Outcome, unknown } from './outcome.ts';
import { compilePattern } from './pattern.ts';
import { codePoints } from './value.ts';
import { findWords } from './words.ts';

/** A text longer than this is not written down. */
const MAX_LENGTH = 2_000_000;

/** Texts of a nature that real data has; tried first, so that witnesses read well. */
const COMMON = ['', 'a', 'A', '0', '1', 'b', 'ab', 'abc', 'x1', '-', ' ', 'a b', 'é', '😀', '_', 'foo'];

export class StringStore {
  min = 0;
  max = Number.POSITIVE_INFINITY;
  patterns = new Map<string, boolean>();
  formats = new Map<string, boolean>();
  excluded = new Set<string>();
  only: string | null = null;

  copy(): StringStore {
    const twin = new StringStore();
    twin.min = this.min;
    twin.max = this.max;
    twin.patterns = new Map(this.patterns);
    twin.formats = new Map(this.formats);
    twin.excluded = new Set(this.excluded);
    twin.only = this.only;
    return twin;
  }

  /** Takes one more demand in; false when it contradicts the others. */
  add(atom: Atom): boolean {
    if (atom.k === 'is') {
      if (!this.fits(atom.value)) return false;
      this.only = atom.value;
    } else if (atom.k === 'size' && atom.low) this.min = Math.max(this.min, atom.value);
    else if (atom.k === 'size') this.max = Math.min(this.max, atom.value);
    else if (atom.k === 'neq' && typeof atom.value === 'string') this.excluded.add(atom.value);
    else if (atom.k === 'pattern') {
      if (this.patterns.get(atom.pattern) === !atom.yes) return false;
      this.patterns.set(atom.pattern, atom.yes);
    } else if (atom.k === 'format') {
      if (this.formats.get(atom.format) === !atom.yes) return false;
      this.formats.set(atom.format, atom.yes);
      for (const [inner, yes] of this.formats) {
        for (const [outer, no] of this.formats) if (yes && !no && formatWithin(inner, outer)) return false;
      }
    }
    return this.min <= this.max && (this.only === null || this.fits(this.only));
  }

  /** 1: holds already, -1: cannot hold, 0: open. */
  test(atom: Atom): -1 | 0 | 1 {
    if (atom.k === 'size' && (atom.low ? atom.value <= this.min : atom.value >= this.max)) return 1;
    if (atom.k === 'pattern' && this.patterns.get(atom.pattern) === atom.yes) return 1;
    if (atom.k === 'format' && this.formats.get(atom.format) === atom.yes) return 1;
    if (atom.k === 'neq' && typeof atom.value === 'string' && !this.fits(atom.value)) return 1;
    return this.copy().add(atom) ? 0 : -1;
  }

  /** Whether the text meets every demand so far. */
  fits(text: string): boolean {
    if (this.only !== null && this.only !== text) return false;
    const length = codePoints(text);
    if (length < this.min || length > this.max || this.excluded.has(text)) return false;
    for (const [pattern, yes] of this.patterns) if (compilePattern(pattern).test(text) !== yes) return false;
    for (const [format, yes] of this.formats) if (STRING_FORMATS.get(format)!.test(text) !== yes) return false;
    return true;
  }

  finish(budget: Budget): Outcome {
    if (this.min > this.max) return EMPTY;
    if (this.only !== null) return this.fits(this.only) ? found(this.only) : EMPTY;
    const samples = [...COMMON];
    for (const [format, yes] of this.formats) {
      if (yes) samples.unshift(...STRING_FORMATS.get(format)!.samples);
    }
    if (this.min <= MAX_LENGTH) samples.push('a'.repeat(this.min), 'a'.repeat(this.min + 1));
    else if (this.patterns.size === 0) return unknown('the shortest text is too long to write down');
    const easy = samples.find((text) => this.fits(text));
    if (easy !== undefined) return found(easy);
    return this.bySearch(budget);
  }

  /** By automata. An expression that must not match may have several reasons not to: each is a question of its own. */
  private bySearch(budget: Budget): Outcome {
    let ways: Way[] = [{ hits: [], misses: [], widened: [] }];
    const expressions: [RegExp, boolean, boolean][] = [];
    for (const [pattern, yes] of this.patterns) expressions.push([compilePattern(pattern), yes, true]);
    for (const [format, yes] of this.formats) {
      const { regex, exact } = STRING_FORMATS.get(format)!;
      expressions.push([regex, yes, exact]);
    }
    if (this.excluded.size > 0) expressions.push([literally(this.excluded), false, true]);
    for (const [regex, yes, exact] of expressions) {
      const { hits, misses } = conditionsOf(regex);
      const all: [RegExp, boolean][] = [...hits.map(wanted(yes)), ...misses.map(wanted(!yes))];
      ways = yes
        ? ways.map((way) => all.reduce((to, [part, match]) => extend(to, part, match, exact), way))
        : ways.flatMap((way) => all.map(([part, match]) => extend(way, part, match, exact)));
      if (ways.length > MAX_WAYS) return unknown('too many look-aheads');
    }
    let open = false;
    for (const way of ways) {
      const outcome = this.oneWay(way, budget);
      if (outcome.kind === 'found') return outcome;
      open ||= outcome.kind === 'unknown';
    }
    return open ? unknown('the regular expressions or formats could not be decided') : EMPTY;
  }

  private oneWay({ hits, misses, widened }: Way, budget: Budget): Outcome {
    const query = { hits, misses, min: this.min, max: this.max };
    const result = findWords(query, 40, budget);
    const word = result.words.find((text) => this.fits(text));
    if (word !== undefined) return found(word);
    if (result.complete) return EMPTY;
    const other = widened.length > 0 ? findWords({ ...query, misses: [...misses, ...widened] }, 40, budget).words : [];
    const text = other.find((candidate) => this.fits(candidate));
    return text === undefined ? unknown('') : found(text);
  }
}

const MAX_WAYS = 64;

/** One question for the automata; `widened` cannot be part of a proof. */
interface Way {
  hits: readonly Automaton[];
  misses: readonly Automaton[];
  widened: readonly Automaton[];
}

const wanted =
  (yes: boolean) =>
  (regex: RegExp): [RegExp, boolean] => [regex, yes];

function extend(way: Way, regex: RegExp, match: boolean, exact: boolean): Way {
  const automaton = automatonOf(regex);
  if (match) return { ...way, hits: [...way.hits, automaton] };
  if (exact && automaton.exact) return { ...way, misses: [...way.misses, automaton] };
  return { ...way, widened: [...way.widened, automaton] };
}

/** An expression that matches exactly these texts. */
function literally(texts: Iterable<string>): RegExp {
  const quote = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(`^(?:${Array.from(texts, quote).join('|')})$`, 'u');
}
