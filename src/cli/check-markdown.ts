// A checked schema folder as a comment on a pull request. What comes from schemas is quoted as code, so that nothing in
// it is taken for markup.
import type { CheckedSubject, CheckedVersion, CheckResult, Finding } from '../check/result.ts';
import type { WeighedDifference } from '../schema/evolution.ts';
import { count, readers, witnessText } from './check-text.ts';
import { priceText } from './ddl-text.ts';

/** GitHub takes comments of up to 65,536 characters. */
const MOST = 60_000;
const MOST_ROWS = 50;

export function checkMarkdown(result: CheckResult): string {
  const { verdict, totals, base, subjects, findings } = result;
  const word = verdict === 'fine' ? '✅ fine' : '❌ problems';
  const what = base === null ? count(totals.subjects, 'subject') : `${count(subjects.length, 'changed subject')}`;
  const counts = `${what}, ${count(totals.errors, 'error')}, ${count(totals.warnings, 'warning')}`;
  const shown = subjects.filter((each) => base !== null || each.versions.length > 0 || each.findings.length > 0);
  const parts = [
    `## Schemas: ${word}\n\n${counts}`,
    ...(base !== null && shown.length === 0 && findings.length === 0 ? ['Nothing changed.'] : []),
    ...(findings.length > 0 ? [findingList(findings)] : []),
    ...shown.map(subjectPart),
  ];
  return `${cut(parts)}\n`;
}

/** Whole parts only: half a code block would swallow what comes after it. */
function cut(parts: readonly string[]): string {
  let text = parts[0]!;
  for (const [at, part] of parts.entries()) {
    if (at === 0) continue;
    if (text.length + part.length > MOST)
      return `${text}\n\n…and ${count(parts.length - at, 'more part')}, see the check's output.`;
    text += `\n\n${part}`;
  }
  return text;
}

function subjectPart({
  subject,
  verdict,
  compatibility,
  policy,
  versions,
  examples,
  findings,
}: CheckedSubject): string {
  const mode = `${compatibility}${policy === 'lenient' ? ', lenient' : ''}`;
  const told = examples.map(({ file, lines, wrong }) => {
    return `${code(file)}: ${count(lines, 'line')}${wrong > 0 ? `, **${wrong} wrong**` : ''}`;
  });
  return [
    `### ${verdict === 'fine' ? '✅' : '❌'} ${code(subject)} (${mode})`,
    ...versions.map(versionPart),
    ...(told.length > 0 ? [`Examples: ${told.join('; ')}`] : []),
    ...(findings.length > 0 ? [findingList(findings)] : []),
  ].join('\n\n');
}

function versionPart({ version, after, differences, ddl, ...rest }: CheckedVersion): string {
  const parts = [`**${version}**${headOf(after, rest)}`];
  if (differences.length > 0) {
    const rows = differences.slice(0, MOST_ROWS).map(row);
    const more = differences.length > MOST_ROWS ? `\n\n…and ${differences.length - MOST_ROWS} more` : '';
    parts.push(`| place | difference | breaks | witness |\n|---|---|---|---|\n${rows.join('\n')}${more}`);
  }
  if (ddl.length > 0) {
    const sql = ddl.slice(0, MOST_ROWS).map((statement) => `-- ${priceText(statement)}\n${statement.sql};`);
    if (ddl.length > MOST_ROWS) sql.push(`-- and ${ddl.length - MOST_ROWS} more`);
    parts.push(
      `<details><summary>SQL: ${count(ddl.length, 'statement')}</summary>\n\n${block(sql.join('\n'), 'sql')}\n\n</details>`,
    );
  } else parts.push('The tables stay as they are.');
  return parts.join('\n\n');
}

function headOf(
  after: string | null,
  { promised, needed_bump: needed, compatible }: Pick<CheckedVersion, 'promised' | 'needed_bump' | 'compatible'>,
): string {
  if (after === null) return ': the first version';
  if (promised === 'major') {
    return ` after ${after}: a new major version, ${needed === 'major' ? 'for a breaking change' : `where a ${needed} one would do`}`;
  }
  const verdict = compatible ? '✅ honest' : '❌ promises too little';
  return ` after ${after}: ${verdict}, promises a ${promised} change and needs a ${needed} one`;
}

function row({ old_path, new_path, message, breaks, witness, witness_valid_under: under }: WeighedDifference): string {
  const cells = [
    code(new_path || old_path || '(root)'),
    escaped(message),
    breaks === 'none' ? '' : `**${readers(breaks)}**`,
    witness === undefined ? '' : `${code(witnessText(witness))} (${under} only)`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function findingList(findings: readonly Finding[]): string {
  const lines = findings.slice(0, MOST_ROWS).map(({ severity, file, place, message, rule }) => {
    const where = code(place === '' ? file : `${file} ${place}`);
    return `- ${severity === 'error' ? '❌' : '⚠️'} ${where}: ${escaped(message)} (${rule})`;
  });
  if (findings.length > MOST_ROWS) lines.push(`- …and ${findings.length - MOST_ROWS} more`);
  return lines.join('\n');
}

/** Inline code around any text: https://spec.commonmark.org/0.31.2/#code-spans */
function code(text: string): string {
  const line = oneLine(text);
  const ticks = '`'.repeat(longestRun(line) + 1);
  return ticks.length > 1 || line === '' ? `${ticks} ${line} ${ticks}` : `\`${line}\``;
}

function block(text: string, language: string): string {
  const ticks = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${ticks}${language}\n${text}\n${ticks}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}

function escaped(text: string): string {
  return oneLine(text).replaceAll(/[\\`*_{}[\]<>#@!~]/g, '\\$&');
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
