// Series as they might be, of three kinds that differ in how they scatter. Everything follows from the seed.
import type { Series } from '../../../src/watch/anomalies/model.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** A Thursday, so that no week begins with the series. */
const START = Date.UTC(2026, 0, 1);

export interface Random {
  uniform(): number;
  normal(): number;
  gamma(shape: number): number;
  poisson(mean: number): number;
}

/** mulberry32 by Tommy Ettinger (public domain), and what can be drawn with it. */
export function randomOf(seed: number): Random {
  let state = (seed * 2_654_435_761) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  /** Marsaglia and Tsang, https://doi.org/10.1145/358407.358414 */
  const gamma = (shape: number): number => {
    if (shape < 1) return gamma(shape + 1) * (1 - uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  const poisson = (mean: number): number => {
    if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()));
    const least = Math.exp(-mean);
    let count = 0;
    for (let product = uniform(); product > least; product *= uniform()) count++;
    return count;
  };
  return { uniform, normal, gamma, poisson };
}

export interface Volume {
  seed: number;
  step: number;
  days: number;
  /** Events a day at the beginning. */
  perDay: number;
  /** Saturday and Sunday as shares of a weekday. */
  weekend: [number, number];
  /** Growth a year: 0.5 is half as much again. */
  trend: number;
  /** Scatter beside that of counting, as a share. */
  noise: number;
  /** How much less the night has than the day; 0 is none. */
  night?: number;
  /** Share of rows that are missing. */
  missing?: number;
}

/** Counts: weekly and daily rhythm, trend, log-normal scatter, Poisson. */
export function logNormal(volume: Volume): Series {
  const random = randomOf(volume.seed);
  return build(volume, random, (mean) => {
    const factor = Math.exp(volume.noise * random.normal() - volume.noise ** 2 / 2);
    return random.poisson(mean * factor);
  });
}

/** Counts: days that are better or worse as a whole, one after the other alike, and bursts within them. */
export function bursty(volume: Volume): Series {
  const random = randomOf(volume.seed);
  const perDay = DAY / volume.step;
  const split = Math.SQRT1_2;
  let day = 0;
  return build(volume, random, (mean, t) => {
    if (t % perDay === 0) day = 0.5 * day + Math.sqrt(0.75) * random.normal();
    const whole = Math.exp(volume.noise * split * day);
    const shape = 1 / Math.max(1e-6, (volume.noise * split) ** 2);
    return random.poisson((mean * whole * random.gamma(shape)) / shape);
  });
}

/** Measures: season of the year and of the day, a slow drift that wanders, Gaussian scatter; may be negative. */
export function measured({
  seed,
  step,
  days,
  size,
}: {
  seed: number;
  step: number;
  days: number;
  size: number;
}): Series {
  const random = randomOf(seed);
  const length = Math.round((days * DAY) / step);
  const values = new Float64Array(length);
  let drift = 0;
  for (let t = 0; t < length; t++) {
    const day = (t * step) / DAY;
    drift = drift * (1 - 0.25 * (step / DAY)) + size * 0.5 * Math.sqrt(step / DAY) * random.normal();
    const seasons = 3 * Math.sin((2 * Math.PI * day) / 365) + Math.sin(2 * Math.PI * day);
    values[t] = size * seasons + drift + size * 0.2 * random.normal();
  }
  return { start: START, step, values };
}

function build(volume: Volume, random: Random, draw: (mean: number, t: number) => number): Series {
  const { step, days, perDay, weekend, trend, night = 0, missing = 0 } = volume;
  const length = Math.round((days * DAY) / step);
  const values = new Float64Array(length);
  for (let t = 0; t < length; t++) {
    const at = START + t * step;
    const weekday = new Date(at).getUTCDay();
    const week = weekday === 6 ? weekend[0] : weekday === 0 ? weekend[1] : 1;
    const hour = (at % DAY) / HOUR;
    const ofDay = step < DAY ? 1 - night * Math.cos((2 * Math.PI * (hour - 2)) / 24) : 1;
    const grown = (1 + trend) ** ((t * step) / (365 * DAY));
    values[t] = draw(((perDay * step) / DAY) * week * ofDay * grown, t);
    if (random.uniform() < missing) values[t] = Number.NaN;
  }
  return { start: START, step, values };
}

/** A mix of volumes, rhythms, trends: `seed` picks one of many. */
export function volumeOf(seed: number, step: number, noise: number, leastPerDay = 50): Volume {
  const random = randomOf(seed + 7_777);
  const spread = Math.log(5_000_000 / leastPerDay);
  const saturday = 0.35 + 0.9 * random.uniform();
  return {
    seed,
    step,
    days: 365,
    perDay: leastPerDay * Math.exp(random.uniform() * spread),
    weekend: [saturday, saturday * (0.7 + 0.3 * random.uniform())],
    trend: -0.5 + 3.5 * random.uniform(),
    noise,
    night: 0.3 + 0.5 * random.uniform(),
  };
}
