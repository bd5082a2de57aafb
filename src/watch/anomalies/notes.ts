// What a series' history does not support, in sentences.
import type { Series } from './model.ts';
import { DAY, type Plan } from './plan.ts';

/** @param judged the first period that was judged, null if none was */
export function notesOn({ start, step, values }: Series, judged: number | null, plan: Plan): string[] {
  const at = (t: number) => new Date(start + t * step).toISOString();
  const least = Math.min(...plan.candidates.map(({ ready }) => ready));
  const days = (periods: number) => `${Number(((periods * step) / DAY).toFixed(1))} days`;
  if (values.length < 2) return ['Nothing was judged: of fewer than two rows no period can be told.'];
  if (judged === null) {
    return [
      `Nothing was judged: ${values.length} periods (${days(values.length)}) are too little history, ` +
        `at least ${least} (${days(least)}) with few gaps are needed.`,
    ];
  }
  const notes = [`Judged from ${at(judged)} on: what was before is only history.`];
  const week = plan.candidates.find(({ cycle }) => cycle.name === 'week');
  if (week !== undefined && judged < week.ready) {
    const until = Math.min(week.ready, values.length);
    notes.push(
      `Until ${at(until)} there were no four weeks of history for a weekly rhythm: judged by the day, or by no rhythm.`,
    );
  }
  return notes;
}
