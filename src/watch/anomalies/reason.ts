// Findings in words and numbers: the expected range, the severity, the sentence that explains.
import { type Episode, isNothing } from './episode.ts';
import type { Verdict } from './judge.ts';
import type { Finding, Kind, Nature, Severity } from './model.ts';
import { DAY } from './plan.ts';
import { place, valueAt } from './spread.ts';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** @param isLearnt whether the series stayed there for so long that it is the new level */
export function findingOf(
  episode: Episode,
  isLearnt: boolean,
  { start, step, nature }: { start: number; step: number; nature: Nature },
): Finding {
  const { first, last, peak } = episode;
  const kind = kindOf(episode, isLearnt);
  const [low, high] = rangeOf(peak.verdict, nature);
  const at = (t: number) => new Date(start + t * step).toISOString();
  const periods = last - first + 1;
  const which = periods === 1 ? '' : ` in ${periods} periods, most of all at ${at(peak.t - peak.periods + 1)}`;
  const span = peak.periods === 1 ? '' : ` in ${peak.periods} periods together`;
  const learnt = isLearnt ? ' It has stayed so and is taken as the new level.' : '';
  return {
    from: at(first),
    to: at(last + 1),
    kind,
    severity: severityOf(episode, kind, step),
    expected: [low, high],
    observed: rounded(peak.value),
    reason:
      `${WORDS[kind]}${which}: expected ${low} to ${high}${span}, observed ${rounded(peak.value)}, ` +
      `judged by ${historyOf(peak.t, peak.verdict, start, step)}.${learnt}`,
  };
}

const WORDS: Record<Kind, string> = {
  zero: 'Nothing arrived',
  drop: 'Far less than usual',
  spike: 'Far more than usual',
  shift: 'A new level',
};

function kindOf({ direction, zeros, flagged, peak }: Episode, isLearnt: boolean): Kind {
  const isZero = direction < 0 && (zeros * 2 >= flagged || isNothing(peak.value, peak.verdict.expected));
  if (isZero && flagged > 0) return 'zero';
  if (isLearnt) return 'shift';
  return direction < 0 ? 'drop' : 'spike';
}

/** The values that would not have been unusual. */
function rangeOf({ expected, gauge: { spread, low, high } }: Verdict, nature: Nature): [number, number] {
  const centre = place(spread, expected);
  const bounds: [number, number] = [valueAt(spread, centre - low), valueAt(spread, centre + high)];
  if (nature === 'measure') return [rounded(bounds[0]), rounded(bounds[1])];
  if (nature === 'count') return [Math.max(0, Math.ceil(bounds[0])), Math.max(0, Math.floor(bounds[1]))];
  return [rounded(Math.max(0, bounds[0])), rounded(Math.max(0, bounds[1]))];
}

/** How far off and for how long: an hour that is a little odd is for information, a dead stream is not. */
function severityOf({ peak, flagged, first, last }: Episode, kind: Kind, step: number): Severity {
  const { z, gauge } = peak.verdict;
  const times = Math.abs(z) / (z < 0 ? gauge.low : gauge.high);
  const days = ((last - first + 1) * step) / DAY;
  if (kind === 'zero' && (times > 1.5 || flagged > 1)) return 'critical';
  if (times > 2.5 || (times > 1.5 && days >= 1 && flagged >= 3)) return 'critical';
  return times < 1.25 && flagged === 1 ? 'info' : 'warning';
}

function historyOf(t: number, { reference, gauge }: Verdict, start: number, step: number): string {
  const { count, oldest } = reference.support(t);
  const date = new Date(start + t * step);
  const since = new Date(start + oldest * step).toISOString().slice(0, 10);
  const time = date.toISOString().slice(11, 16);
  const weekday = WEEKDAYS[date.getUTCDay()]!;
  const what = {
    week: step < DAY ? `${count} ${weekday}s at ${time}` : `${count} ${weekday}s`,
    day: `${count} days at ${time}`,
    none: `${count} periods`,
  }[reference.cycle.name];
  return `${what} since ${since} and the spread of ${gauge.count} periods`;
}

/** Six digits say more than anybody wants to know, but counts stay whole. */
function rounded(value: number): number {
  if (!Number.isFinite(value)) return value;
  const digits = Number(value.toPrecision(6));
  return Math.abs(value) >= 1e6 && Number.isInteger(value) ? value : digits;
}
