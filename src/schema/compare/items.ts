// The differences between two array schemas in what they say about items, by position and for the rest.

import { step } from './document.ts';
import { child, type Side, type Walker } from './side.ts';
import type { Step } from './trail.ts';
import { type JsonObject, own } from './value.ts';

/** Compares items, prefixItems and additionalItems. */
export function items(walk: Walker, before: Side, after: Side, trail: readonly Step[]): void {
  const { anything } = walk.pair.graph;
  const at = (side: Side, index: number) => side.node.array?.prefix[index] ?? side.node.array?.rest ?? anything;
  const length = (side: Side) => side.node.array?.prefix.length ?? 0;
  for (let index = 0; index < Math.max(length(before), length(after)); index++) {
    const keyword = (side: Side) => (side.schema.document.draft === '2020-12' ? 'prefixItems' : 'items');
    const down: Step[] = [...trail, { to: 'item', index }];
    const [one, two] = [before, after].map((side) =>
      index < length(side) ? child(side, keyword(side), index) : undefined,
    );
    if (one && two) walk.visit(one, two, down);
    else {
      const verb = one ? 'removed' : 'added';
      walk.add({
        type: `item_${verb}`,
        oldPath: step(before.pointer, keyword(before), index),
        newPath: step(after.pointer, keyword(after), index),
        message: `The schema of the item at position ${index} was ${verb}.`,
        trail: down,
        splits: {
          backward: { holds: at(before, index), fails: at(after, index) },
          forward: { holds: at(after, index), fails: at(before, index) },
        },
      });
    }
  }
  rest(walk, before, after, trail);
}

function rest(walk: Walker, before: Side, after: Side, trail: readonly Step[]): void {
  const keyword = (side: Side) => {
    const tuple = side.schema.document.draft !== '2020-12' && Array.isArray(own(side.value as JsonObject, 'items'));
    return tuple ? 'additionalItems' : 'items';
  };
  const [one, two] = [child(before, keyword(before)), child(after, keyword(after))];
  const down: Step[] = [...trail, { to: 'someItem' }];
  if (one && two) {
    walk.visit(one, two, down);
    return;
  }
  const rest = (side: Side) => side.node.array?.rest ?? walk.pair.graph.anything;
  if (rest(before).cls === rest(after).cls) return;
  const verb = one ? 'removed' : 'added';
  walk.add({
    type: `items_${verb}`,
    oldPath: step(before.pointer, keyword(before)),
    newPath: step(after.pointer, keyword(after)),
    message: `The schema of the ${one?.pointer.endsWith('additionalItems') ? 'further ' : ''}items was ${verb}.`,
    trail: down,
    splits: {
      backward: { holds: rest(before), fails: rest(after) },
      forward: { holds: rest(after), fails: rest(before) },
    },
  });
}
