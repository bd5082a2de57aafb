// The nouns of anomaly detection. Imports nothing.

/** A regular series: the value of period `i` begins at `start + i * step`. */
export interface Series {
  /** Start of the first period, in milliseconds since 1970 UTC. */
  start: number;
  /** Length of a period in milliseconds. */
  step: number;
  /** One value a period; NaN where it is unknown. */
  values: Float64Array;
}

export type Kind = 'zero' | 'drop' | 'spike' | 'shift';
export type Severity = 'info' | 'warning' | 'critical';

/** One episode: unusual periods of one kind that belong together. */
export interface Finding {
  /** Start of the first unusual period, RFC 3339. */
  from: string;
  /** End of the last unusual period, RFC 3339. */
  to: string;
  kind: Kind;
  severity: Severity;
  /** What the most unusual period was expected to be, from and to. */
  expected: [low: number, high: number];
  /** What the most unusual period was. */
  observed: number;
  /** A sentence: expected, observed, and the history it was judged by. */
  reason: string;
}

/** Unusual periods that are like others before them and therefore no finding. */
export interface Explained {
  from: string;
  to: string;
  reason: string;
}

export interface Judgement {
  findings: Finding[];
  explained: Explained[];
  /** What the history does not support, in sentences. */
  notes: string[];
}

/** What the numbers are. `count`: whole and never negative; `amount`: never negative; `measure`: anything. */
export type Nature = 'count' | 'amount' | 'measure';
