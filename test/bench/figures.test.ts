import t from 'tap';
import { growthExponent, median, percentile, ratios, readable, summary } from '../../bench/figures.ts';

t.test('the median is the middle value, or the mean of the middle two', (t) => {
  t.equal(median([3]), 3);
  t.equal(median([9, 1, 5]), 5);
  t.equal(median([4, 1, 3, 2]), 2.5);
  t.throws(() => median([]), RangeError);
  t.end();
});

t.test('a percentile is the smallest value that its share of all does not exceed', (t) => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  t.equal(percentile(hundred, 0.99), 99);
  t.equal(percentile(hundred, 1), 100);
  t.equal(percentile(hundred, 0), 1);
  t.equal(percentile([1, 2, 3], 0.5), 2);
  t.equal(percentile([7], 0.5), 7);
  t.throws(() => percentile([], 0.5), RangeError);
  t.end();
});

t.test(
  'the growth exponent is 1 where cost is linear, 2 where it is quadratic, less where a part is paid once',
  (t) => {
    const points = (cost: (size: number) => number) =>
      [1e5, 3e5, 1e6, 1e7].map((size) => ({ size, seconds: cost(size) }));
    t.match(growthExponent(points((size) => size * 2e-6)).toFixed(6), '1.000000');
    t.match(growthExponent(points((size) => size ** 2)).toFixed(6), '2.000000');
    t.ok(growthExponent(points((size) => 1 + size * 2e-6)) < 1);
    t.throws(() => growthExponent([{ size: 1, seconds: 1 }]), RangeError);
    t.end();
  },
);

t.test('rounds are compared with each other', (t) => {
  t.same(ratios([1, 4], [2, 2]), [0.5, 2]);
  t.end();
});

t.test('numbers are printed with the digits that count', (t) => {
  t.equal(readable(0.943), '0.94');
  t.equal(readable(43.21), '43.2');
  t.equal(readable(461_234.5), '461,235');
  t.equal(summary({ values: [0.9, 1, 0.8], unit: '×' }), '0.90 (0.80–1.00) ×');
  t.equal(summary({ values: [1.05], unit: '' }), '1.05');
  t.end();
});
