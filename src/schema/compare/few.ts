// Demands on null and booleans: a handful of values, just try them.

import type { Atom } from './atom.ts';
import { EMPTY, found, type Outcome } from './outcome.ts';
import { equal } from './value.ts';

export class FewStore {
  left: unknown[];

  constructor(values: unknown[]) {
    this.left = values;
  }

  copy(): FewStore {
    return new FewStore([...this.left]);
  }

  add(atom: Atom): boolean {
    if (atom.k === 'neq') this.left = this.left.filter((value) => !equal(value, atom.value));
    return this.left.length > 0;
  }

  test(atom: Atom): -1 | 0 | 1 {
    if (atom.k !== 'neq') return 0;
    const rest = this.left.filter((value) => !equal(value, atom.value)).length;
    return rest === 0 ? -1 : rest === this.left.length ? 1 : 0;
  }

  finish(): Outcome {
    return this.left.length > 0 ? found(this.left[0]) : EMPTY;
  }
}
