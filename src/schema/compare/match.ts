// Which alternative of one list corresponds to which of another: equal ones first, then the most alike. Never tries
// all permutations: a list of hundreds is matched in the time that one look at each pair takes.

import type { Node } from './node.ts';

export interface Alternative {
  node: Node;
  /** What it looks like: names of members and their constants, types, the name of a reference. */
  marks: ReadonlySet<string>;
}

/** Pairs of positions, and the positions that have no partner. Beyond this many left over, only order decides. */
const MAX_COMPARED = 60;

export function match(left: readonly Alternative[], right: readonly Alternative[]) {
  const pairs: [number, number][] = [];
  const open = new Map<number, number[]>();
  right.forEach(({ node }, j) => {
    open.set(node.cls, [...(open.get(node.cls) ?? []), j]);
  });
  const leftOver: number[] = [];
  left.forEach(({ node }, i) => {
    const j = open.get(node.cls)?.shift();
    if (j === undefined) leftOver.push(i);
    else pairs.push([i, j]);
  });
  const rightOver = [...open.values()].flat().sort((a, b) => a - b);
  const scored: [number, number, number][] = [];
  for (const i of leftOver.slice(0, MAX_COMPARED)) {
    for (const j of rightOver.slice(0, MAX_COMPARED)) scored.push([likeness(left[i]!.marks, right[j]!.marks), i, j]);
  }
  scored.sort((a, b) => b[0] - a[0] || Math.abs(a[1] - a[2]) - Math.abs(b[1] - b[2]));
  const [usedLeft, usedRight] = [new Set<number>(), new Set<number>()];
  for (const [score, i, j] of scored) {
    if (score < 0.3 || usedLeft.has(i) || usedRight.has(j)) continue;
    usedLeft.add(i);
    usedRight.add(j);
    pairs.push([i, j]);
  }
  return {
    pairs,
    removed: leftOver.filter((i) => !usedLeft.has(i)),
    added: rightOver.filter((j) => !usedRight.has(j)),
  };
}

function likeness(left: ReadonlySet<string>, right: ReadonlySet<string>): number {
  let shared = 0;
  for (const mark of left) if (right.has(mark)) shared++;
  const all = left.size + right.size - shared;
  return all === 0 ? 1 : shared / all;
}
