// Half, nothing and double are found within one period, also one soon after the other, and with rows missing.
import t from 'tap';
import { judgeSeries } from '../../../src/watch/anomalies/findings.ts';
import type { Series } from '../../../src/watch/anomalies/model.ts';
import { injectAndCount, periodsOf, sumOf } from './inject.ts';
import { bursty, DAY, HOUR, logNormal, type Volume, volumeOf } from './simulate.ts';

/** No day of the week has about half of another: a half day that is just like a Sunday may be a holiday. */
function volume(seed: number, step: number, noise: number, least: number): Volume {
  const weekend = 0.7 + 0.05 * (seed % 8);
  return { ...volumeOf(seed, step, noise, least), weekend: [weekend + 0.1, weekend] };
}

interface Case {
  what: string;
  seeds: number;
  lasts: [number, number];
  apartDays: number;
  make: (seed: number) => Series;
}

const daily = (what: string, make: Case['make'], apartDays = 9): Case => {
  return { what: `days, ${what}`, seeds: 40, lasts: [1, 1], apartDays, make };
};
const hourly = (what: string, make: Case['make'], apartDays = 9): Case => {
  return { what: `hours, ${what}`, seeds: 10, lasts: [3, 8], apartDays, make };
};

const cases = [
  daily('no noise', (seed) => logNormal(volume(seed, DAY, 0, 500))),
  daily('5 % of noise', (seed) => logNormal(volume(seed, DAY, 0.05, 500))),
  daily('10 % of noise', (seed) => logNormal(volume(seed, DAY, 0.1, 500))),
  daily('good and bad ones', (seed) => bursty(volume(seed, DAY, 0.08, 500))),
  daily('some missing', (seed) => logNormal({ ...volume(seed, DAY, 0.08, 500), missing: 0.05 })),
  daily('soon after another', (seed) => logNormal(volume(seed, DAY, 0.08, 500)), 2),
  hourly('5 % of noise', (seed) => logNormal(volume(seed, HOUR, 0.05, 10_000))),
  hourly('10 % of noise', (seed) => logNormal(volume(seed, HOUR, 0.1, 10_000))),
  hourly('good and bad days', (seed) => bursty(volume(seed, HOUR, 0.1, 10_000))),
  hourly('some missing', (seed) => logNormal({ ...volume(seed, HOUR, 0.08, 10_000), missing: 0.05 }), 2),
];

for (const { what, seeds, lasts, apartDays, make } of cases) {
  t.test(`half, nothing and double are found within one period: ${what}`, async (t) => {
    const counts = Array.from({ length: seeds }, (_, seed) =>
      injectAndCount(make(seed + 1), lasts, apartDays, seed + 1),
    );
    const { injected, found, besides, months } = sumOf(counts);
    t.comment(`${found} of ${injected} found, ${(besides / months).toFixed(3)} a month besides`);
    t.ok(injected > 100);
    t.ok(found >= 0.95 * injected, `${found} of ${injected}`);
    t.ok(besides <= 0.2 * months, `${besides} besides in ${months.toFixed(0)} months`);
  });
}

t.test('what is found is found on the day: only the past judges', async (t) => {
  const series = logNormal(volume(3, DAY, 0.08, 5000));
  for (const [at, factor] of [
    [100, 0.5],
    [160, 0],
    [161, 0],
    [230, 2],
  ] as const) {
    series.values[at] = Math.round(series.values[at]! * factor);
    const values = series.values.slice(0, at + 1);
    const [latest] = judgeSeries({ ...series, values }).findings.slice(-1);
    t.ok(latest, `found at ${at}`);
    t.equal(periodsOf(latest!, series).to, at + 1);
  }
  const { findings } = judgeSeries(series);
  t.same(
    findings.map(({ kind, from }) => [kind, from.slice(0, 10)]),
    [
      ['drop', '2026-04-11'],
      ['zero', '2026-06-10'],
      ['spike', '2026-08-19'],
    ],
    'two days of nothing are one finding',
  );
});

t.test('where noise hides a half day there is silence', async (t) => {
  let findings = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const series = bursty({ ...volume(seed, DAY, 0.4, 50), perDay: 60 });
    series.values[200] = Math.round(series.values[200]! / 2);
    findings += judgeSeries(series).findings.length;
  }
  t.ok(findings <= 40 * 12 * 0.2, `${findings}`);
});

t.test('half a day that is just like a Sunday is found where there was no such day before', async (t) => {
  for (let seed = 1; seed <= 40; seed++) {
    const series = logNormal({ ...volumeOf(seed, DAY, 0.08, 500), weekend: [0.6, 0.5] });
    // Mondays to Fridays.
    const at = 200 + 7 * (seed % 10) + (seed % 5) - ((200 - 4) % 7);
    series.values[at] = Math.round(series.values[at]! / 2);
    const { findings } = judgeSeries(series);
    t.ok(
      findings.some((each) => periodsOf(each, series).from === at),
      `seed ${seed}`,
    );
  }
});
