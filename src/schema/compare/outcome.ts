// The three answers of the search.

/** There is no such document (proved) · here is one · neither was found out. */
export type Outcome = { kind: 'empty' } | { kind: 'found'; value: unknown } | { kind: 'unknown'; why: string };

export const EMPTY: Outcome = { kind: 'empty' };

export function found(value: unknown): Outcome {
  return { kind: 'found', value };
}

export function unknown(why: string): Outcome {
  return { kind: 'unknown', why };
}
