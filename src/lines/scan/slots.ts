// Where the values of one line wait until all of it has been read: keys come in any order, columns are written in theirs.

/** One slot a column. Which of the numbers a column uses depends on its type. */
export class Slots {
  /** Where a text begins in its block; the low word of an int8; a date's days; 0 or 1 for a boolean. */
  readonly low: Int32Array;
  /** Where a text ends; the high word of an int8. */
  readonly high: Int32Array;
  /** Numbers, for the rules of the schema and for double precision. */
  readonly number: Float64Array;
  /** What was parsed as JSON. */
  readonly value: unknown[];
  /** 1 where the line has a value other than null. */
  readonly set: Uint8Array;

  /** Whether what was parsed may hold NUL or half a surrogate pair. */
  escapes = false;
  /** Where the event's `$schema` stands among its members, if it is the last of them; and the place behind it. */
  envelope = -1;
  behindEnvelope = -1;

  constructor(columns: number) {
    this.low = new Int32Array(columns);
    this.high = new Int32Array(columns);
    this.number = new Float64Array(columns);
    this.value = new Array(columns).fill(undefined);
    this.set = new Uint8Array(columns);
  }
}
