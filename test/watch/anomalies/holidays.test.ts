// A holiday is news once. The next one is like the first, and is said to be.
import t from 'tap';
import { judgeSeries } from '../../../src/watch/anomalies/findings.ts';
import type { Series } from '../../../src/watch/anomalies/model.ts';
import { DAY, HOUR, logNormal, volumeOf } from './simulate.ts';

const HOLIDAYS = ['02-16', '04-03', '04-06', '05-01', '05-14', '05-25', '07-03', '09-07', '10-12', '11-26', '12-25'];

/** A year whose holidays are as the Sunday after them would have been. */
function yearWithHolidays(seed: number, step: number, noise: number): Series {
  const saturday = 0.6 + 0.03 * (seed % 5);
  const volume = { ...volumeOf(seed, step, noise, 5000), weekend: [saturday, saturday - 0.15] as [number, number] };
  const series = logNormal(volume);
  const other = logNormal({ ...volume, seed: seed + 500 });
  const perDay = DAY / step;
  for (const holiday of HOLIDAYS) {
    const at = Date.parse(`2026-${holiday}T00:00:00Z`);
    const first = (at - series.start) / step;
    const sunday = first + ((7 - new Date(at).getUTCDay()) % 7) * perDay;
    series.values.set(other.values.subarray(sunday, sunday + perDay), first);
  }
  return series;
}

for (const [step, name, seeds, noise] of [
  [DAY, 'days', 20, 0.03],
  [DAY, 'days', 20, 0.08],
  [HOUR, 'hours', 6, 0.08],
] as const) {
  t.test(`of the holidays of a year the first one or two are findings, in ${name} with noise ${noise}`, async (t) => {
    let findings = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const judgement = judgeSeries(yearWithHolidays(seed, step, noise));
      findings += judgement.findings.length;
      t.ok(judgement.findings.length <= 4, `seed ${seed}: ${judgement.findings.length}`);
      t.ok(judgement.explained.length >= HOLIDAYS.length / 2);
      t.match(judgement.explained[0]?.reason, /^like a day of rest, as 2026-0\d-\d\d was$/);
    }
    t.ok(findings <= 2.2 * seeds, `${(findings / seeds).toFixed(1)} a year`);
  });
}

t.test('a day that was so a year before is explained', async (t) => {
  const series = logNormal({ ...volumeOf(5, DAY, 0.05, 5000), days: 800, weekend: [0.8, 0.8], trend: 0.2 });
  for (const date of ['2026-11-27', '2027-11-27']) {
    series.values[(Date.parse(`${date}T00:00:00Z`) - series.start) / DAY]! *= 3;
  }
  const { findings, explained } = judgeSeries(series);
  t.same(
    findings.map(({ from }) => from.slice(0, 10)),
    ['2026-11-27'],
  );
  t.match(explained, [{ from: '2027-11-27T00:00:00.000Z', reason: 'like the same days of a year before' }]);
});
