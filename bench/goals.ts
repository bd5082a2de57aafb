// What is to be reached. Each goal is about one figure; a figure without one is there to explain another.
import { readable } from './figures.ts';

export interface Goal {
  /** The figure's id. */
  figure: string;
  work: string;
  better: 'higher' | 'lower';
  goal: number;
  stretch?: number;
}

export const GOALS: readonly Goal[] = [
  {
    figure: 'load.ratio',
    work: '`user_event` lines over HTTP, against the floor',
    better: 'higher',
    goal: 0.8,
    stretch: 1,
  },
  { figure: 'gzip.ratio', work: 'the same gzipped', better: 'higher', goal: 0.7, stretch: 0.9 },
  { figure: 'wide.ratio', work: 'wide, nested events', better: 'higher', goal: 0.7, stretch: 0.9 },
  { figure: 'mixed.ratio', work: 'a mixed upload over 15 subjects', better: 'higher', goal: 0.6, stretch: 0.8 },
  { figure: 'bad.some', work: '1 % bad in every way, time against all good', better: 'lower', goal: 1.1 },
  { figure: 'bad.some_violations', work: '1 % bad, a wrong type', better: 'lower', goal: 1.1 },
  { figure: 'bad.all', work: '100 % bad in every way, time against all good', better: 'lower', goal: 1 },
  { figure: 'bad.all_violations', work: '100 % bad, a wrong type', better: 'lower', goal: 1 },
  {
    figure: 'again.random',
    work: 'the same file again, random ids, against the first load',
    better: 'lower',
    goal: 1.5,
  },
  { figure: 'again.sequential', work: 'the same, ids in order', better: 'lower', goal: 1.5 },
  {
    figure: 'singles.to_empty',
    work: 'single events, 64 connections, against the emptiest POST',
    better: 'higher',
    goal: 0.7,
    stretch: 0.9,
  },
  {
    figure: 'singles.to_service',
    work: '… against a service with one INSERT per request',
    better: 'higher',
    goal: 3,
    stretch: 5,
  },
  {
    figure: 'singles.to_clients',
    work: '… against 64 clients with one INSERT each, no HTTP',
    better: 'higher',
    goal: 3,
    stretch: 5,
  },
  { figure: 'latency.p99', work: 'p99 of single events at half the maximum rate', better: 'lower', goal: 25 },
  { figure: 'delay.p99', work: 'p99 event-loop delay during a 2 GB upload', better: 'lower', goal: 50, stretch: 20 },
  { figure: 'memory.growth', work: 'peak memory, 2 GB upload against 100 MB', better: 'lower', goal: 32, stretch: 4 },
  { figure: 'together.two', work: 'two uploads at once, total rate against one', better: 'higher', goal: 1.3 },
  { figure: 'together.four', work: 'four uploads at once', better: 'higher', goal: 1.3 },
  {
    figure: 'full.ratio',
    work: 'into a table of 20 M rows, rate against an empty one',
    better: 'higher',
    goal: 0.8,
    stretch: 0.95,
  },
  {
    figure: 'size.exponent',
    work: 'growth exponent of the load above 100,000 lines',
    better: 'lower',
    goal: 1.05,
    stretch: 1,
  },
];

export type Outcome = 'stretch' | 'met' | 'missed';

/** What became of a goal. */
export function outcome({ better, goal, stretch }: Goal, value: number): Outcome {
  const reaches = (bar: number): boolean => (better === 'higher' ? value >= bar : value <= bar);
  if (stretch !== undefined && reaches(stretch)) return 'stretch';
  return reaches(goal) ? 'met' : 'missed';
}

/** `≥ 0.80`. */
export const bar = ({ better }: Goal, value: number | undefined): string =>
  value === undefined ? '' : `${better === 'higher' ? '≥' : '≤'} ${readable(value)}`;
