// What `sluice reconcile` prints for people. Strings out of results: nothing is read or written here.

import type { Reconciliation } from '../reconcile/batch.ts';
import type { Finding, VerifySummary } from '../reconcile/verify/findings.ts';
import { visible } from '../visible.ts';

/** Lines named of one list. */
const MOST_LINES = 20;
const MOST_CELL = 120;
const number = new Intl.NumberFormat('en');

/** The proof of one batch. */
export function proofText(proof: Reconciliation): string {
  const { batch_id, rows, source, truncated } = proof;
  const [what, lists] = [proof.status === 'matched' ? 'matched' : 'NOT as it was accepted', listsOf(proof)];
  const received = `${number.format(source.bytes)} bytes received${source.sha256 === null ? '' : `, SHA-256 ${source.sha256}`}`;
  return [
    `${batch_id}: ${what}`,
    `  ${number.format(rows.expected)} rows expected, ${number.format(rows.found)} found; ${received}`,
    ...lists.map((each) => `  ${each}`),
    ...(truncated ? ['  (there are more: each list has at most 1,000)'] : []),
    ...(lists.length === 0 && proof.status === 'mismatched' ? [`  ${DIGESTS}`] : []),
    '',
  ].join('\n');
}

const DIGESTS = 'the digest is another one than was recorded: what is recorded of the rows was changed too';

/** A batch that differs, in one line. */
export function differenceText(proof: Reconciliation): string {
  const lists = listsOf(proof);
  return `${proof.batch_id}: ${lists.length === 0 ? DIGESTS : lists.join('; ')}\n`;
}

function listsOf({ missing, changed, doubled, unknown }: Reconciliation): string[] {
  const strangers = unknown.map(({ line, table }) => `${line ?? 'no line'} in ${visible(table)}`);
  return [
    ...listed('missing', missing.map(String)),
    ...listed('changed', changed.map(String)),
    ...listed('doubled', doubled.map(String)),
    ...listed('unknown', strangers),
  ];
}

function listed(name: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const more = items.length > MOST_LINES ? ` and ${number.format(items.length - MOST_LINES)} more` : '';
  return [`${name}: ${items.slice(0, MOST_LINES).join(', ')}${more}`];
}

interface SinceCounts {
  batches: number;
  matched: number;
  mismatched: number;
  not_provable: number;
}

export function sinceText(since: Date, { batches, matched, mismatched, not_provable }: SinceCounts): string {
  const old = not_provable === 0 ? '' : `, ${number.format(not_provable)} without a record to be held against`;
  const counts = `${number.format(matched)} matched, ${number.format(mismatched)} differ${old}`;
  return `${number.format(batches)} batches since ${since.toISOString()}: ${counts}\n`;
}

/** One difference that the verifier found. */
export function findingText({ kind, line, file, file_line, message, columns = [] }: Finding): string {
  const place = file === undefined ? '' : ` (${visible(file)}, line ${file_line})`;
  const where = line === null ? '' : ` ${line}${place}`;
  const cells = columns.map(({ column, expected, found }) => {
    return `    ${visible(column)}: ${cell(expected)} in the file, ${cell(found)} in the table`;
  });
  return [`${kind}${where}: ${visible(message)}`, ...cells, ''].join('\n');
}

function cell(text: string): string {
  const shown = visible(text);
  return shown.length > MOST_CELL ? `${shown.slice(0, MOST_CELL)}…` : shown;
}

/** @param hidden differences that were not shown */
export function verdictText(summary: VerifySummary, hidden: number): string {
  const { batch_id, batch_status, status, lines, differences } = summary;
  const kinds = Object.entries(differences).map(([kind, count]) => `${number.format(count)} ${kind}`);
  const counts = (['stored', 'rejected', 'duplicate', 'blank'] as const).map((each) => {
    return `${number.format(lines[each])} ${each}`;
  });
  return [
    ...(hidden === 0 ? [] : [`… and ${number.format(hidden)} more (--json lists all)`]),
    `${batch_id} (${batch_status}): ${status === 'matched' ? 'matched' : `NOT as the file says: ${kinds.join(', ')}`}`,
    `  ${number.format(lines.received)} lines: ${counts.join(', ')}`,
    '',
  ].join('\n');
}
