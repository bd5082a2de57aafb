// Places at which the process can be made to die, for tests of what is left behind: FAULT_POINT names one, and the
// process kills itself the first time it comes by. Unset, as everywhere but in tests, a place costs one comparison.

/** In the order in which a batch comes by them. */
export const FAULT_POINTS = [
  /** The Idempotency-Key is claimed, nothing of the body is read. */
  'after-claim',
  /** The first chunk of a large batch is in its stage. */
  'mid-upload',
  /** All rows are in the stage; nothing is promoted. */
  'after-stage',
  /** Everything of the promoting transaction is done but its COMMIT. */
  'before-commit',
  /** Postgres has confirmed the COMMIT; nothing is answered. */
  'after-commit',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

let armed: FaultPoint | undefined;

/** Makes the process die at this place. */
export function armFaultPoint(point: FaultPoint | undefined): void {
  armed = point;
}

/** Dies here without a word, as by `kill -9`, if this is the place. */
export function faultPoint(point: FaultPoint): void {
  if (point === armed) process.kill(process.pid, 'SIGKILL');
}
