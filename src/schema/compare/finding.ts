// A difference as the walk finds it: what changed and where, before it is known whom it breaks.

import type { Node } from './node.ts';
import type { Direction } from './pair.ts';
import type { Step } from './trail.ts';

/** What a document has to be for the difference to matter: `holds` accepts, `fails` rejects the value at the place. */
interface Split {
  holds: Node;
  fails: Node;
}

export interface Finding {
  type: string;
  oldPath: string;
  newPath: string;
  message: string;
  /** Where in a document the difference shows: one or more places. */
  trails: (readonly Step[])[];
  /** How to look for a document that it breaks, by direction; absent where it cannot break. */
  splits: Partial<Record<Direction, Split>>;
}

/** A value as it appears in a message: short. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
