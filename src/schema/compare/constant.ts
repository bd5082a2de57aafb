// A given value in terms of atoms: to be exactly that value, or to differ from it.

import type { Atom, Clause, Lit } from './atom.ts';
import type { Graph } from './graph.ts';
import { isObject } from './value.ts';

/** The atoms that only this value meets; its type is known already. */
export function exactly(value: unknown, graph: Graph): Atom[] {
  const lit = (member: unknown): Lit => ({ node: graph.values([member]), neg: false, src: false });
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
export function differing(value: object, graph: Graph): Clause {
  const not = (member: unknown): Lit => ({ node: graph.values([member]), neg: true, src: false });
  if (Array.isArray(value)) {
    const ways: Atom[][] = [[{ k: 'size', low: true, value: value.length + 1 }]];
    if (value.length > 0) ways.push([{ k: 'size', low: false, value: value.length - 1 }]);
    for (const [index, item] of value.entries()) ways.push([{ k: 'at', index, lit: not(item) }]);
    return ways;
  }
  const names = Object.keys(value);
  const free: Lit = { node: graph.anything, neg: false, src: false };
  const ways: Atom[][] = [[{ k: 'someName', rule: { hits: [], misses: [], except: names, lits: [] }, lit: free }]];
  for (const name of names) {
    ways.push([{ k: 'member', name, yes: false }]);
    ways.push([{ k: 'has', name, lit: not((value as Record<string, unknown>)[name]) }]);
  }
  return ways;
}
