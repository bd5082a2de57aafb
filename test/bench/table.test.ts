import t from 'tap';
import { compare } from '../../bench/compare.ts';
import type { Figure } from '../../bench/figures.ts';
import { GOALS, outcome } from '../../bench/goals.ts';
import { SCENARIOS } from '../../bench/scenarios.ts';
import { goalTable, markdown, plain } from '../../bench/table.ts';

const figure = (id: string, ...values: number[]): Figure => ({ id, work: 'some work', unit: '×', values });

t.test('a goal is met or missed by the median, and says where its stretch is reached', (t) => {
  const [, row, other] = goalTable([
    figure('load.ratio', 0.85, 0.7, 0.9),
    figure('bad.all', 5),
    figure('load.floor', 1),
  ]);
  t.same(row!.slice(1), ['0.85 (0.70–0.90) ×', '≥ 0.80', '≥ 1.00', 'met']);
  t.same(other!.slice(1), ['5.00 ×', '≤ 1.00', '', 'missed']);
  const higher = { figure: '', work: '', better: 'higher', goal: 0.8, stretch: 1 } as const;
  t.same(
    [0.79, 0.8, 1].map((value) => outcome(higher, value)),
    ['missed', 'met', 'stretch'],
  );
  const lower = { figure: '', work: '', better: 'lower', goal: 50, stretch: 20 } as const;
  t.same(
    [51, 50, 20].map((value) => outcome(lower, value)),
    ['missed', 'met', 'stretch'],
  );
  t.end();
});

t.test('every goal is about a figure of a scenario that there is', (t) => {
  for (const { figure } of GOALS) t.ok(figure.split('.')[0]! in SCENARIOS, figure);
  t.equal(new Set(GOALS.map(({ figure }) => figure)).size, GOALS.length);
  t.end();
});

t.test('a table is printed in columns, and as Markdown', (t) => {
  const table = [
    ['work', 'goal'],
    ['a | b', ''],
  ];
  t.equal(plain(table), 'work    goal\na | b');
  t.equal(markdown(table), '| work | goal |\n|---|---|\n| a \\| b |  |');
  t.end();
});

t.test('two runs are compared figure by figure, and overlapping ranges are no difference', (t) => {
  const before = [figure('load.ratio', 0.8, 0.9), figure('gone', 1), figure('wide.ratio', 0.5, 0.6)];
  const after = [figure('load.ratio', 0.85, 0.85), figure('wide.ratio', 1.1, 1.1), figure('new', 1)];
  const [, load, wide, ...more] = compare(before, after);
  t.same(load, ['load.ratio', '0.85 (0.80–0.90) ×', '0.85 (0.85–0.85) ×', '+0.0 %', 'ranges overlap']);
  t.same(wide!.slice(3), ['+100.0 %', '']);
  t.same(more, []);
  t.end();
});
