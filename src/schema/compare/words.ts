// Finds texts that some expressions match and others do not, of a length within bounds, or proves there are none.

import type { Automaton } from './automaton.ts';
import { type Budget, BudgetSpent } from './budget.ts';
import { representatives } from './charset.ts';

export interface WordQuery {
  /** Expressions that have to match. */
  hits: readonly Automaton[];
  /** Expressions that must not match. */
  misses: readonly Automaton[];
  min: number;
  max: number;
}

interface Step {
  states: readonly number[];
  parent: Step | null;
  char: number;
}

/** Combined states looked at in one question. */
const MAX_WORK = 40_000;

/**
 * Up to `wanted` texts that answer the query, shortest first. `complete` says that there are no others: no text at
 * all when the list is empty. Widened automata among `hits` keep that proof valid; among `misses` they would not,
 * so the caller leaves them out.
 */
export function findWords(query: WordQuery, wanted: number, budget: Budget): { words: string[]; complete: boolean } {
  const all = [...query.hits, ...query.misses];
  const chars = representatives(all.flatMap((automaton) => automaton.sets));
  const words: string[] = [];
  const good = (states: readonly number[]) =>
    all.every((automaton, i) => automaton.accepts(states[i]!) === i < query.hits.length);
  let layer: Step[] = [{ states: all.map((automaton) => automaton.start), parent: null, char: 0 }];
  const layers = new Set<string>();
  let work = 0;
  try {
    for (let length = 0; length <= query.max; length++) {
      if (length >= query.min) {
        for (const end of layer) if (good(end.states)) words.push(spell(end));
        if (words.length >= wanted) return { words: words.slice(0, wanted), complete: false };
      }
      const next = new Map<string, Step>();
      for (const from of layer) {
        for (const char of chars) {
          budget.spend();
          if (++work > MAX_WORK) return { words, complete: false };
          const states = all.map((automaton, i) => automaton.next(from.states[i]!, char));
          const key = states.join(',');
          if (!next.has(key)) next.set(key, { states, parent: from, char });
        }
      }
      layer = [...next.values()];
      const key = [...next.keys()].sort().join('|');
      // The same set of states again, past the shortest length allowed: longer texts bring nothing new.
      if (length >= query.min && layers.has(key)) return { words, complete: words.length === 0 };
      if (length >= query.min) layers.add(key);
    }
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
    return { words, complete: false };
  }
  return { words, complete: words.length === 0 };
}

function spell(end: Step): string {
  const chars: string[] = [];
  for (let at: Step = end; at.parent !== null; at = at.parent) chars.push(String.fromCodePoint(at.char));
  return chars.reverse().join('');
}
