// Statements for people: SQL that can be run as it is, each with a comment on what it costs.
import type { Statement } from '../schema/ddl.ts';

/** The whole plan as one SQL script, or that there is nothing to do. */
export function planText(statements: readonly Statement[]): string {
  if (statements.length === 0) return '-- nothing to do: the tables are what the schemas say\n';
  const count = statements.length === 1 ? '1 statement' : `${statements.length} statements`;
  const parts: string[] = [`-- ${count}; "sluice migrate" runs them`];
  let table: string | null = null;
  for (const statement of statements) {
    if (statement.table !== table) parts.push(`\n-- ${oneLine(statement.table ?? '')}`);
    table = statement.table;
    parts.push(`-- ${priceText(statement)}`, `${statement.sql};`);
  }
  return `${parts.join('\n')}\n`;
}

/** What a statement costs, in one line. */
export function priceText({ table, lock, rewrites, scans, apart }: Statement): string {
  const parts = [
    table === null
      ? 'locks no table'
      : lock === null
        ? 'a new table: locks nobody out'
        : `lock: ${lock} (${MEANS[lock]})`,
    rewrites ? 'rewrites the table' : 'no rewrite',
    ...(scans ? ['reads every row'] : []),
    ...(apart ? ['outside of a transaction'] : []),
  ];
  return parts.join('; ');
}

const MEANS: Readonly<Record<NonNullable<Statement['lock']>, string>> = {
  'ACCESS EXCLUSIVE': 'readers and writers wait, for a moment',
  SHARE: 'writers wait until it is done',
  'SHARE UPDATE EXCLUSIVE': 'readers and writers go on',
};

/** A table's name may hold anything, and a comment ends with its line. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, ' ');
}
