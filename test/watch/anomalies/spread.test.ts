// The scale on which distances are measured.
import fc from 'fast-check';
import t from 'tap';
import { distance, fitSpread, place, type Spread, valueAt } from '../../../src/watch/anomalies/spread.ts';
import { randomOf } from './simulate.ts';

const spreads: Spread[] = [
  { a2: 0.375, b: 1, c: 0 },
  { a2: 0.375, b: 1, c: 0.01 },
  { a2: 4, b: 0, c: 0.04 },
  { a2: 4, b: 0, c: 0 },
];

t.test('a place leads back to its value, and order is kept', async (t) => {
  for (const spread of spreads) {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        fc.double({ min: 0.001, max: 10, noNaN: true }),
        (value, more) => {
          const back = valueAt(spread, place(spread, value));
          return (
            Math.abs(back - value) <= 1e-5 * (1 + value) &&
            place(spread, value + more * (1 + value)) > place(spread, value)
          );
        },
      ),
    );
  }
  t.pass();
});

t.test('half and double are about equally far where the scatter is a share', async (t) => {
  const spread = { a2: 0.375, b: 1, c: 0.01 };
  const half = distance(spread, 50_000, 100_000);
  const double = distance(spread, 200_000, 100_000);
  t.ok(Math.abs(half + double) < 0.1, `${half} ${double}`);
  t.ok(Math.abs(double - Math.log(2) / 0.1) < 0.1);
});

t.test('the spread of counts is found, and a tenth of wrong ones changes little', async (t) => {
  const random = randomOf(1);
  const expected = Float64Array.from({ length: 2000 }, (_, i) => 500 * (1 + (i % 7)));
  const residuals = expected.map((mean, i) => {
    const value = i % 10 === 0 ? 0 : random.poisson(mean * Math.exp(0.1 * random.normal()));
    return value - mean;
  });
  const { c } = fitSpread('count', residuals, expected, 2000);
  t.ok(Math.abs(Math.sqrt(c) - 0.1) < 0.02, `${Math.sqrt(c)}`);
});

t.test('amounts that scatter as far below as above are told from those that scatter by ratios', async (t) => {
  const random = randomOf(2);
  const expected = new Float64Array(2000).fill(50);
  const even = expected.map(() => 10 * random.normal());
  t.match(fitSpread('amount', even, expected, 50), { c: 0 });
  const skewed = expected.map((mean) => mean * Math.exp(0.2 * random.normal()) - mean);
  t.ok(fitSpread('amount', skewed, expected, 50).c > 0.03);
});
