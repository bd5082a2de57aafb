// What one comparison may cost. Every loop of the engine that can grow spends from here, so it always ends.

/** Thrown when the budget is used up; caught where an answer can still be given. */
export class BudgetSpent extends Error {
  constructor() {
    super('the budget of the comparison is used up');
    this.name = 'BudgetSpent';
  }
}

/** Steps and wall-clock time, whichever ends first. The clock is read every 64 steps. */
export class Budget {
  readonly deadline: number;
  private left: number;

  constructor(ms: number, steps = Number.POSITIVE_INFINITY, started = performance.now()) {
    this.deadline = started + ms;
    this.left = steps;
  }

  /** Takes `steps` from the budget. @throws BudgetSpent when nothing is left */
  spend(steps = 1): void {
    const before = this.left;
    this.left = Number.isFinite(before) ? before - steps : before;
    this.ticks += steps;
    if (this.left < 0) throw new BudgetSpent();
    if (this.ticks < 64) return;
    this.ticks = 0;
    if (performance.now() > this.deadline) throw new BudgetSpent();
  }

  private ticks = 0;

  /** A part of what is left, at most `ms` and `steps`; spending it does not touch the steps of the whole. */
  part(ms: number, steps: number): Budget {
    const now = performance.now();
    return new Budget(Math.max(0, Math.min(ms, this.deadline - now)), steps, now);
  }

  get spent(): boolean {
    return this.left < 0 || performance.now() > this.deadline;
  }
}
