// What a comparison answers. The names of types are stable: tools store and filter them.

/** Which readers a difference breaks. `backward`: the new schema rejects a document that the old one accepts. */
export type Breaks = 'backward' | 'forward' | 'both' | 'none';

/** One difference between two schemas. */
export interface Difference {
  /** Stable name in snake case, e.g. `maximum_decreased`. */
  type: string;
  breaks: Breaks;
  /** JSON Pointer into the old document: the keyword, or where it would stand. */
  old_path: string;
  /** JSON Pointer into the new document. */
  new_path: string;
  /** One sentence. */
  message: string;
  /** A document that one version accepts and the other rejects, because of this difference; checked with ajv. */
  witness?: unknown;
  /** The version that accepts the witness. */
  witness_valid_under?: 'old' | 'new';
  /** For `breaks: "both"`: a document for the other direction, valid under the new version. */
  forward_witness?: unknown;
}

/** The smallest honest step of the version number. */
export type Bump = 'major' | 'minor' | 'patch';

/** How a direction came out. */
export type Verdict = 'holds' | 'fails' | 'undecided';

export const MODES = [
  'NONE',
  'BACKWARD',
  'BACKWARD_TRANSITIVE',
  'FORWARD',
  'FORWARD_TRANSITIVE',
  'FULL',
  'FULL_TRANSITIVE',
] as const;

/** For one pair the transitive forms are the same as the plain ones. */
export type Mode = (typeof MODES)[number];

/** The answer to "may `new` follow `old`?" */
export interface Comparison {
  compatible: boolean;
  mode: Mode;
  lenient: boolean;
  /** Does each document of the old schema fit the new one? */
  backward: Verdict;
  /** Does each document of the new schema fit the old one? */
  forward: Verdict;
  needed_bump: Bump;
  differences: Difference[];
  /** The list was cut: there are more differences. */
  differences_truncated: boolean;
  /** Time or steps ran out before everything was decided or explained. */
  budget_exhausted: boolean;
}
