// Figures as tables: for a terminal and as Markdown. Pure.
import { type Figure, median, summary } from './figures.ts';
import { bar, GOALS, outcome } from './goals.ts';

/** Rows of the same length; the first is the head. */
export type Table = readonly (readonly string[])[];

/** Every goal whose figure was measured: work, figure, goal, stretch, and what became of it. */
export function goalTable(figures: readonly Figure[]): Table {
  const rows = GOALS.flatMap((goal) => {
    const figure = figures.find(({ id }) => id === goal.figure);
    if (figure === undefined) return [];
    const became = outcome(goal, median(figure.values));
    return [[goal.work, summary(figure), bar(goal, goal.goal), bar(goal, goal.stretch), became]];
  });
  return [['work', 'median (min–max)', 'goal', 'stretch', ''], ...rows];
}

/** Every figure. */
export function figureTable(figures: readonly Figure[]): Table {
  return [['figure', 'median (min–max)', ''], ...figures.map((figure) => [figure.id, summary(figure), figure.work])];
}

/** Columns side by side, for a terminal. */
export function plain(table: Table): string {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => [...row[column]!].length)));
  const padded = (cell: string, column: number): string => cell + ' '.repeat(widths[column]! - [...cell].length);
  return table.map((row) => row.map(padded).join('   ').trimEnd()).join('\n');
}

/** A table of GitHub's Markdown. */
export function markdown(table: Table): string {
  const line = (row: readonly string[]): string => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const [head, ...rows] = table;
  return [line(head!), `|${'---|'.repeat(head!.length)}`, ...rows.map(line)].join('\n');
}
