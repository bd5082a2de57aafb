// Twelve months in which nothing happened: hardly a finding, whatever the volume, the rhythm, the trend and the noise.
import t from 'tap';
import { judgeSeries } from '../../../src/watch/anomalies/findings.ts';
import type { Series } from '../../../src/watch/anomalies/model.ts';
import { bursty, DAY, HOUR, logNormal, measured, volumeOf } from './simulate.ts';

/** The promise is one a month for each series; over all of them it is far less. */
const MOST = 1;
const MOST_ON_AVERAGE = 0.2;

const kinds: [what: string, make: (seed: number, step: number) => Series][] = [
  ['counts with nothing but the noise of counting', (seed, step) => logNormal(volumeOf(seed, step, 0))],
  ['counts with 10 % of log-normal noise', (seed, step) => logNormal(volumeOf(seed, step, 0.1))],
  ['counts with 20 % of log-normal noise', (seed, step) => logNormal(volumeOf(seed, step, 0.2))],
  ['counts with good days, bad days and bursts', (seed, step) => bursty(volumeOf(seed, step, 0.15))],
  ['counts with a tenth of the rows missing', (seed, step) => bursty({ ...volumeOf(seed, step, 0.1), missing: 0.1 })],
  ['measures with a season of the year', (seed, step) => measured({ seed, step, days: 365, size: 5 })],
];

for (const [step, name, seeds] of [
  [DAY, 'daily', 40],
  [HOUR, 'hourly', 10],
] as const) {
  for (const [what, make] of kinds) {
    t.test(`${name} ${what}: less than one false alarm in five months`, async (t) => {
      let findings = 0;
      let months = 0;
      for (let seed = 1; seed <= seeds; seed++) {
        const series = make(seed, step);
        const judgement = judgeSeries(series);
        const length = (series.values.length * step) / DAY / 30.4;
        t.ok(judgement.findings.length <= MOST * length, `seed ${seed}: ${judgement.findings.length}`);
        findings += judgement.findings.length;
        months += length;
      }
      t.comment(`${(findings / months).toFixed(3)} a month`);
      t.ok(findings / months <= MOST_ON_AVERAGE, `${findings} in ${months.toFixed(0)} months`);
    });
  }
}
