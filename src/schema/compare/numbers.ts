// Demands on a number, and whether one number meets them all.

import type { Atom } from './atom.ts';
import {
  ceilOf,
  type Fraction,
  floorOf,
  fraction,
  leastCommon,
  ofDecimal,
  ofDouble,
  ratio,
  toNumber,
} from './fraction.ts';
import { EMPTY, found, type Outcome, unknown } from './outcome.ts';
import { isMultiple } from './value.ts';

/** Candidates tried on a grid of multiples before giving up. */
const TRIES = 4000;

export class NumberStore {
  min = Number.NEGATIVE_INFINITY;
  minOpen = false;
  max = Number.POSITIVE_INFINITY;
  maxOpen = false;
  steps = new Set<number>();
  offSteps = new Set<number>();
  excluded = new Set<number>();

  copy(): NumberStore {
    const twin = new NumberStore();
    Object.assign(twin, this);
    twin.steps = new Set(this.steps);
    twin.offSteps = new Set(this.offSteps);
    twin.excluded = new Set(this.excluded);
    return twin;
  }

  /** Takes one more demand in; false when it contradicts the others. */
  add(atom: Atom): boolean {
    if (atom.k === 'bound' && atom.low && (atom.value > this.min || (atom.value === this.min && atom.open))) {
      this.min = atom.value;
      this.minOpen = atom.open;
    } else if (atom.k === 'bound' && !atom.low && (atom.value < this.max || (atom.value === this.max && atom.open))) {
      this.max = atom.value;
      this.maxOpen = atom.open;
    } else if (atom.k === 'whole') (atom.yes ? this.steps : this.offSteps).add(1);
    else if (atom.k === 'multiple') (atom.yes ? this.steps : this.offSteps).add(atom.of);
    else if (atom.k === 'neq' && typeof atom.value === 'number') this.excluded.add(atom.value === 0 ? 0 : atom.value);
    return !this.contradicts();
  }

  private contradicts(): boolean {
    if (this.min > this.max || (this.min === this.max && (this.minOpen || this.maxOpen))) return true;
    for (const off of this.offSteps) if (this.steps.has(off)) return true;
    return this.min === this.max && !this.fits(this.min);
  }

  /** 1: holds already, -1: cannot hold, 0: open. */
  test(atom: Atom): -1 | 0 | 1 {
    if (atom.k === 'bound') {
      const beyond = atom.low ? atom.value < this.min : atom.value > this.max;
      const same = atom.low ? atom.value === this.min : atom.value === this.max;
      if (beyond || (same && (!atom.open || (atom.low ? this.minOpen : this.maxOpen)))) return 1;
    }
    if (atom.k === 'neq' && typeof atom.value === 'number' && !this.fits(atom.value)) return 1;
    return this.copy().add(atom) ? 0 : -1;
  }

  /** Whether the number meets every demand so far. */
  fits(value: number): boolean {
    if (!Number.isFinite(value) || value < this.min || value > this.max) return false;
    if ((this.minOpen && value === this.min) || (this.maxOpen && value === this.max)) return false;
    if (this.excluded.has(value)) return false;
    for (const step of this.steps) if (!isMultiple(value, step)) return false;
    for (const off of this.offSteps) if (isMultiple(value, off)) return false;
    return true;
  }

  finish(): Outcome {
    if (this.contradicts()) return EMPTY;
    const near = this.candidates().find((value) => this.fits(value));
    if (near !== undefined) return found(near === 0 ? 0 : near);
    if (this.steps.size > 0) return this.onGrid();
    return unknown('no number was found between the bounds');
  }

  /** Numbers that read well, then some around the bounds and between them. */
  private candidates(): number[] {
    const { min, max } = this;
    const list = [0, 1, 0.5, -1, 2, 1.5, 10, 100, -0.5, 1.25, 0.1, -2, 3, 5, 7, 1000];
    for (const bound of [min, max].filter(Number.isFinite)) {
      for (const by of [0, 1, -1, 0.5, -0.5, 0.1, -0.1, 2, -2, 0.001, -0.001])
        list.push(bound + by, Math.trunc(bound) + by);
      list.push(bound * 2, bound / 2, bound * (1 + 2 ** -50), bound * (1 - 2 ** -50), bound + Math.PI, bound - Math.PI);
    }
    if (Number.isFinite(min) && Number.isFinite(max)) {
      for (const part of [0.5, 0.25, 0.75, 1 / 3, Math.PI / 10, 0.123456789]) list.push(min + (max - min) * part);
    }
    list.push(Math.PI, -Math.PI, Math.E * 1e-7);
    return list;
  }

  /** With a `multipleOf` (or integer) the values lie on a grid: walk it, nearest to zero first. */
  private onGrid(): Outcome {
    const grid = [...this.steps].map(ofDecimal).reduce(leastCommon);
    const first = Number.isFinite(this.min) ? ceilOf(ratio(ofDouble(this.min), grid)) : null;
    const last = Number.isFinite(this.max) ? floorOf(ratio(ofDouble(this.max), grid)) : null;
    if (first !== null && last !== null && first > last) return EMPTY;
    let walked = 0;
    const start = first !== null && first > 0n ? first : last !== null && last < 0n ? last : 0n;
    for (let i = 0n; walked < TRIES; i++) {
      const pair = i === 0n ? [start] : [start + i, start - i];
      const inside = pair.filter((k) => (first === null || k >= first) && (last === null || k <= last));
      if (inside.length === 0) return EMPTY;
      for (const k of inside) {
        const value = toNumber(fraction(grid.n * k, grid.d));
        if (this.fits(value)) return found(value === 0 ? 0 : value);
        walked++;
      }
    }
    for (const off of this.offSteps) if (this.alwaysMultiple(grid, off)) return EMPTY;
    return unknown('multiples of these numbers depend on how doubles are rounded');
  }

  /** Whether each value of the grid is a multiple of `off`, in the arithmetic of doubles that validators use. */
  private alwaysMultiple(grid: Fraction, off: number): boolean {
    for (const step of this.steps) {
      // Division by a power of two is exact.
      const times = step / off;
      if (Number.isInteger(times) && Number.isInteger(Math.log2(times)) && off * times === step) return true;
    }
    const wanted = ofDecimal(off);
    if (ratio(grid, wanted).d !== 1n) return false;
    if (!isExact(grid)) return false;
    // The quotient of an exact value rounds to the whole number it should be if `off` is near enough to its decimal.
    const real = ofDouble(off);
    const error = fraction(real.n * wanted.d - wanted.n * real.d, wanted.n * real.d);
    return (error.n < 0n ? -error.n : error.n) * 2n ** 54n <= error.d;
  }
}

/** Whether doubles hold the grid's values without rounding (up to 2^53 steps). */
function isExact(grid: Fraction): boolean {
  return (grid.d & (grid.d - 1n)) === 0n && grid.d <= 2n ** 20n;
}
