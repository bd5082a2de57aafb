// What a series of this step is compared with, and how much of it has to be known before anything is judged. All the
// constants of judging that depend on the length of a period are here.
import type { GaugeRule } from './gauge.ts';
import type { Cycle } from './reference.ts';

const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const WEEK = 7 * DAY;

/** 1970-01-05, a Monday: slots of a week are counted from it. */
const MONDAY = 4 * DAY;

interface Candidate {
  cycle: Cycle;
  /** Periods since the beginning before which it is not judged by. */
  ready: number;
  phase: number;
}

export interface Plan {
  /** The longest cycle first. */
  candidates: Candidate[];
  gauge: GaugeRule;
  /** Periods between two looks at what judges best. */
  refresh: number;
  /** Periods of one day; below 1 where a period is longer than that. */
  perDay: number;
  perWeek: number;
  /** Normal periods that do not end an episode. */
  gap: number;
  /** Periods after which an episode is the new level, and after which silence is. */
  learnAfter: number;
  learnZeroAfter: number;
  /** Periods over which few events are added up to be judged together, at most. */
  longestRun: number;
}

/** False alarms a month and side that the bounds aim at. */
const FALSE_A_MONTH = 0.15;

/** @param start, @param step in milliseconds */
export function planFor(start: number, step: number): Plan {
  const perDay = DAY / step;
  const perWeek = WEEK / step;
  const isWithinDay = perDay >= 2 && Number.isInteger(perDay);
  const phase = Math.floor((start - MONDAY) / step);
  const relevel = isWithinDay ? Math.max(1, Math.round(perDay / 4)) : 1;
  const reprofile = isWithinDay ? perDay : 1;
  const candidates: Candidate[] = [];
  const add = (name: Cycle['name'], length: number, depth: number, window: number, ready: number) => {
    // A profile of thousands of slots is worked out once a week, where a week no longer changes much.
    const often = length > 1000 ? { reprofile: reprofile * 7, early: reprofile } : { reprofile, early: reprofile };
    candidates.push({ cycle: { name, length, depth, window, relevel, ...often }, ready, phase });
  };
  if (perWeek >= 2 && Number.isInteger(perWeek)) {
    add('week', perWeek, 10, isWithinDay ? perWeek : 2 * perWeek, 4 * perWeek);
  }
  if (isWithinDay) add('day', perDay, 14, 3 * perDay, 7 * perDay);
  if (isWithinDay) add('none', 1, 1, perDay, Math.max(60, 3 * perDay));
  else add('none', 1, 1, 21, 28);
  const back = isWithinDay ? 28 * perDay : 180;
  return {
    candidates,
    gauge: {
      window: back,
      stride: Math.ceil(back / 2000),
      least: isWithinDay ? 4.2 : 3.5,
      falseShare: Math.min(0.02, FALSE_A_MONTH / (30 * perDay)),
    },
    refresh: isWithinDay ? perDay : 1,
    perDay,
    perWeek,
    gap: isWithinDay ? Math.max(2, Math.round(perDay / 8)) : 1,
    learnAfter: isWithinDay ? 4 * perDay : 7,
    learnZeroAfter: isWithinDay ? 14 * perDay : 28,
    longestRun: isWithinDay ? perDay : 3,
  };
}
