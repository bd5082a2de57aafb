// Which alternative of one list corresponds to which of another: equal ones first, then the most alike. Never tries
// all permutations: a list of hundreds is matched in the time that one look at each pair takes.

import type { Node } from './node.ts';

export interface Alternative {
  node: Node;
  /** The name under which it is defined, where it has one. */
  name: string | undefined;
  /** What it looks like: names of members and their constants, types, the name of a reference. */
  marks: ReadonlySet<string>;
}

/** Alternatives left over beyond this number are not compared one by one. */
const MAX_COMPARED = 300;

/** Pairs of positions that belong together, and the positions that have no partner. */
export function match(left: readonly Alternative[], right: readonly Alternative[]) {
  const pairs: [number, number][] = [];
  const [leftOver, rightOver] = [new Set(left.keys()), new Set(right.keys())];
  const marry = (i: number, j: number) => {
    leftOver.delete(i);
    rightOver.delete(j);
    pairs.push([i, j]);
  };
  for (const key of [(one: Alternative) => one.node.cls, (one: Alternative) => one.name]) {
    const open = new Map<unknown, number[]>();
    for (const j of rightOver) open.set(key(right[j]!), [...(open.get(key(right[j]!)) ?? []), j]);
    for (const i of leftOver) {
      const j = key(left[i]!) === undefined ? undefined : open.get(key(left[i]!))?.shift();
      if (j !== undefined) marry(i, j);
    }
  }
  const scored: [number, number, number][] = [];
  for (const i of [...leftOver].slice(0, MAX_COMPARED)) {
    for (const j of [...rightOver].slice(0, MAX_COMPARED))
      scored.push([likeness(left[i]!.marks, right[j]!.marks), i, j]);
  }
  scored.sort((a, b) => b[0] - a[0] || Math.abs(a[1] - a[2]) - Math.abs(b[1] - b[2]));
  for (const [score, i, j] of scored) if (score >= 0.3 && leftOver.has(i) && rightOver.has(j)) marry(i, j);
  return { pairs, removed: [...leftOver], added: [...rightOver] };
}

function likeness(left: ReadonlySet<string>, right: ReadonlySet<string>): number {
  let shared = 0;
  for (const mark of left) if (right.has(mark)) shared++;
  const all = left.size + right.size - shared;
  return all === 0 ? 1 : shared / all;
}
