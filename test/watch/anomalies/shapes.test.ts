// Series of every shape: what is so all the time is no news, and what changes is told once.
import t from 'tap';
import { judgeSeries } from '../../../src/watch/anomalies/findings.ts';
import type { Series } from '../../../src/watch/anomalies/model.ts';
import { periodsOf } from './inject.ts';
import { bursty, DAY, HOUR, logNormal, type Random, randomOf, volumeOf } from './simulate.ts';

const MINUTE = HOUR / 60;
const STEPS: [name: string, step: number, length: number][] = [
  ['daily', DAY, 400],
  ['hourly', HOUR, 3000],
  ['5 minutes', 5 * MINUTE, 6000],
];

function series(step: number, length: number, draw: (t: number, random: Random) => number, seed = 3): Series {
  const random = randomOf(seed);
  const values = Float64Array.from({ length }, (_, t) => draw(t, random));
  return { start: Date.UTC(2026, 0, 1), step, values };
}

/** Each with the most findings in all of its series. */
function quietShapes(): [what: string, most: number, draw: (t: number, random: Random) => number][] {
  let walk = 0;
  let wave = 0;
  return [
    ['a constant', 0, () => 5],
    ['nothing at all', 0, () => 0],
    ['a fraction that is constant', 0, () => 0.125],
    ['a line', 0, (t) => 100 + 3 * t],
    ['a noisy line', 1, (t, { normal }) => 100 + 3 * t + 50 * normal()],
    ['a sawtooth', 0, (t) => t % 13],
    ['a random walk', 2, (_, { normal }) => (walk += normal())],
    ['slow waves', 2, (_, { normal }) => (wave = 0.95 * wave + normal())],
    ['rare events', 1, (_, { poisson }) => poisson(0.05)],
    ['mostly nothing, else many', 1, (_, { uniform, poisson }) => (uniform() < 0.6 ? 0 : poisson(30))],
    ['a small rate', 2, (_, { gamma }) => 0.002 * gamma(0.5)],
    ['heavy tails', 2, (_, { normal }) => 10 * Math.exp(normal())],
    ['counts in bursts', 2, (_, { poisson, gamma }) => poisson(40 * gamma(0.5))],
  ];
}

for (const [name, step, length] of STEPS) {
  for (const [what, most, draw] of quietShapes()) {
    t.test(`${what} is usual, ${name}`, async (t) => {
      const { findings } = judgeSeries(series(step, length, draw));
      t.ok(findings.length <= most, JSON.stringify(findings.slice(0, 3)));
    });
  }

  t.test(`a new level is told once and then learnt, ${name}`, async (t) => {
    const at = Math.floor(length * 0.6);
    const one = series(step, length, (t, { normal }) => (t < at ? 100 : 220) + 4 * normal());
    const { findings } = judgeSeries(one);
    const shifts = findings.filter(({ kind }) => kind === 'shift');
    t.equal(shifts.length, 1);
    t.equal(periodsOf(shifts[0]!, one).from, at);
    t.match(shifts[0]!.reason, 'taken as the new level');
    t.ok(findings.length <= 2, JSON.stringify(findings));
  });

  t.test(`a stream that ends is told once, and one that begins too, ${name}`, async (t) => {
    const half = Math.floor(length / 2);
    const ends = judgeSeries(series(step, length, (t, { poisson }) => (t < half ? poisson(100) : 0))).findings;
    t.equal(ends.filter(({ kind }) => kind === 'zero').length, 1);
    t.ok(ends.length <= 2, JSON.stringify(ends));
    const begins = judgeSeries(series(step, length, (t, { poisson }) => (t < half ? 0 : poisson(100)))).findings;
    t.equal(begins.filter(({ kind }) => kind === 'shift').length, 1);
    t.ok(begins.length <= 2, JSON.stringify(begins));
  });

  t.test(`surprises without end are no flood of findings, ${name}`, async (t) => {
    const wild = series(step, length, (_, { normal }) => 10 + normal() / normal());
    t.ok(judgeSeries(wild).findings.length < 60);
  });
}

t.test('what recurs every day or now and then is told a few times at most', async (t) => {
  const daily = series(5 * MINUTE, 6000, (t, { normal }) => (t % 288 === 5 ? 90 : 10) + normal());
  t.same(judgeSeries(daily).findings, []);
  const often = judgeSeries(series(HOUR, 4000, (t, { normal }) => (t % 96 === 5 ? 90 : 10) + normal()));
  t.ok(often.findings.length <= 6, `${often.findings.length}`);
  t.match(often.explained.at(-1)?.reason, /^like \d+ others of the last 30 days$/);
});

t.test('several periods of an outage are one finding, whatever the hour of the day', async (t) => {
  const rhythm = (t: number) => 300 * (1.2 + Math.sin((t / 24) * 2 * Math.PI));
  for (const [factor, hours, kind] of [
    [0, 30, 'zero'],
    [0.4, 60, 'drop'],
    [3, 50, 'spike'],
  ] as const) {
    const one = series(HOUR, 3000, (t, { poisson }) =>
      poisson(rhythm(t) * (t >= 2000 && t < 2000 + hours ? factor : 1)),
    );
    const { findings } = judgeSeries(one);
    t.match(findings, [{ kind }]);
    t.equal(findings.length, 1);
    t.equal(periodsOf(findings[0]!, one).from, 2000);
    t.ok(Math.abs(periodsOf(findings[0]!, one).to - (2000 + hours)) <= 1);
  }
});

t.test('silence of a small stream is found once it has lasted', async (t) => {
  const one = series(HOUR, 3000, (t, { poisson }) => (t >= 2000 && t < 2024 ? 0 : poisson(3)));
  const { findings } = judgeSeries(one);
  t.match(findings, [{ kind: 'zero', observed: 0, reason: /periods together/ }]);
  t.equal(findings.length, 1);
  const { from, to } = periodsOf(findings[0]!, one);
  t.ok(from >= 1998 && from <= 2001 && to >= 2023 && to <= 2026, `${from} ${to}`);
});

t.test('a share that jumps is found, unless the difference is not worth it', async (t) => {
  const jump = series(HOUR, 2000, (t, { normal }) => (t === 1500 ? 0.09 : 0.01 + 0.002 * normal()), 5);
  t.match(judgeSeries(jump).findings, [{ kind: 'spike', observed: 0.09 }]);
  t.same(judgeSeries(jump, { least: 0.1 }).findings, []);
});

t.test('measures may be negative and are judged on both sides', async (t) => {
  const one = series(HOUR, 3000, (t, { normal }) => {
    const event = t === 1500 ? -25 : t === 2200 ? 25 : 0;
    return 4 * Math.sin((t / 24) * 2 * Math.PI) - 3 + normal() + event;
  });
  t.match(judgeSeries(one).findings, [{ kind: 'drop' }, { kind: 'spike' }]);
});

t.test('a short history is met with silence, and a note says so', async (t) => {
  for (const [step, days] of [
    [DAY, 5],
    [DAY, 21],
    [DAY, 30],
    [HOUR, 2],
    [HOUR, 6],
    [HOUR, 9],
    [HOUR, 20],
    [5 * MINUTE, 9],
    [5 * MINUTE, 20],
  ] as const) {
    let findings = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const volume = { ...volumeOf(seed, step, 0.1, 20_000), days, weekend: [0.4, 0.3] as [number, number] };
      const judgement = judgeSeries(seed % 2 === 0 ? bursty(volume) : logNormal(volume));
      findings += judgement.findings.length;
      t.ok(judgement.notes.length > 0);
      if (days * DAY < 3 * DAY) t.match(judgement.notes[0], /^Nothing was judged/);
    }
    t.ok(findings <= 1, `${days} days: ${findings}`);
  }
});

t.test('series of nothing, of one value and of unknowns are no error', async (t) => {
  for (const values of [[], [1], [Number.NaN], Array(500).fill(Number.NaN), [...Array(499).fill(Number.NaN), 7]]) {
    t.same(judgeSeries({ start: 0, step: HOUR, values: Float64Array.from(values) }).findings, []);
  }
});

t.test('a long gap is no news, nor is what comes after it', async (t) => {
  const one = logNormal(volumeOf(4, HOUR, 0.1, 10_000));
  one.values.fill(Number.NaN, 3000, 3700);
  t.ok(judgeSeries(one).findings.length <= 1);
});
