// Rows made into even periods.
import t from 'tap';
import { gridOf } from '../../../src/watch/anomalies/grid.ts';
import { DAY, HOUR } from './simulate.ts';

function rows(...pairs: [time: number, value: number][]) {
  return {
    times: Float64Array.from(pairs, ([time]) => time),
    values: Float64Array.from(pairs, ([, value]) => value),
  };
}

t.test('the period is the most frequent difference, and what is missing is unknown', async (t) => {
  const { series, notes } = gridOf(rows([0, 1], [HOUR, 2], [4 * HOUR, 5], [5 * HOUR, 6]));
  t.equal(series.step, HOUR);
  t.same([...series.values], [1, 2, Number.NaN, Number.NaN, 5, 6]);
  t.match(notes, ['2 of 6 periods of 1 hour are unknown']);
});

t.test('rows out of order are sorted, and of two for a period the last one counts', async (t) => {
  const { series, notes } = gridOf(rows([2 * DAY, 3], [0, 1], [DAY, 2], [DAY, 7], [3 * DAY, 4]));
  t.same([...series.values], [1, 7, 3, 4]);
  t.match(notes, [/sorted/, /^1 rows are for a period that had one already/]);
});

t.test('times a little off their period are taken as meant', async (t) => {
  const { series } = gridOf(rows([0, 1], [HOUR, 2], [2 * HOUR + 9000, 3], [3 * HOUR, 4], [4 * HOUR, 5]));
  t.same([...series.values], [1, 2, 3, 4, 5]);
});

t.test('a time far away from the others is an error and takes no memory', async (t) => {
  t.throws(() => gridOf(rows([0, 1], [1000, 2], [2000, 3], [1e15, 4])), { name: 'GridError' });
});

t.test('no rows and one row make a series too', async (t) => {
  t.equal(gridOf(rows()).series.values.length, 0);
  t.same([...gridOf(rows([5, 6])).series.values], [6]);
});
