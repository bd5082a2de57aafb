// A checked schema folder for people at a terminal.

import type { Colors } from 'picocolors/types.js';
import type { CheckedSubject, CheckedVersion, CheckResult, Finding } from '../check/result.ts';
import type { WeighedDifference } from '../schema/evolution.ts';
import { visible } from '../visible.ts';
import { priceText } from './ddl-text.ts';

/** Differences and statements told of one version. */
const MOST_TOLD = 30;
const MOST_WITNESS = 300;

export function checkText(result: CheckResult, folder: string, colors: Colors): string {
  const { totals, base, subjects, findings, verdict } = result;
  const told = subjects.filter(({ findings: own, versions }) => own.length > 0 || versions.length > 0 || base !== null);
  const of = base === null ? '' : ` (${subjects.length} of them changed)`;
  const word = verdict === 'fine' ? colors.green('fine') : colors.red('problems');
  const counts = `${count(totals.errors, 'error')}, ${count(totals.warnings, 'warning')}`;
  return `${[
    ...told.map((subject) => `${subjectText(subject, colors)}\n`),
    ...(findings.length > 0 ? [`${findings.map((each) => findingText(each, '', colors)).join('\n')}\n`] : []),
    `${visible(folder)}: ${word}; ${count(totals.subjects, 'subject')}${of}, ${count(totals.versions, 'version')}, ${counts}`,
  ].join('\n')}\n`;
}

function subjectText(subject: CheckedSubject, colors: Colors): string {
  const { subject: name, verdict, compatibility, policy, versions, examples, findings } = subject;
  const word = verdict === 'fine' ? colors.green('fine') : colors.red('problems');
  const told = examples.map(({ file, lines, wrong }) => {
    return `  ${file.split('/').at(-1)}: ${count(lines, 'line')}${wrong > 0 ? `, ${colors.red(`${wrong} wrong`)}` : ''}`;
  });
  return [
    `${colors.bold(name)}: ${word} (${compatibility}${policy === 'lenient' ? ', lenient' : ''})`,
    ...versions.map((version) => versionText(version, colors)),
    ...told,
    ...findings.map((each) => findingText(each, '  ', colors)),
  ].join('\n');
}

function versionText({ version, after, differences, ddl, ...rest }: CheckedVersion, colors: Colors): string {
  const { promised, needed_bump: needed, compatible } = rest;
  if (after === null) return `  ${version}: the first version, ${count(ddl.length, 'statement')} for its tables`;
  const verdict = compatible ? colors.green('honest') : colors.red('promises too little');
  const head =
    promised === 'major'
      ? `a new major version, ${needed === 'major' ? 'for a breaking change' : `where a ${needed} one would do`}`
      : `${verdict}: promises a ${promised} change, needs a ${needed} one`;
  return [
    `  ${version} after ${after}: ${head}`,
    ...limited(differences.map((each) => differenceText(each, compatible === false, colors))),
    ...limited(
      ddl.map((statement) => `    ${colors.dim(`-- ${priceText(statement)}`)}\n    ${visible(statement.sql)};`),
    ),
  ].join('\n');
}

/** What breaks readers that nobody promised anything is only told. */
function differenceText(
  { breaks, old_path, new_path, message, ...rest }: WeighedDifference,
  matters: boolean,
  colors: Colors,
): string {
  const place = visible(new_path || old_path || '(root)');
  const sign = breaks !== 'none' && matters ? colors.red('!') : '~';
  const text = `    ${sign} ${place}: ${visible(message)}${breaks === 'none' ? '' : ` [breaks ${readers(breaks)}]`}`;
  if (rest.witness === undefined) return text;
  return `${text}\n      only the ${rest.witness_valid_under} version accepts ${visible(witnessText(rest.witness))}`;
}

/** Which direction of compatibility a difference breaks, in words. */
export function readers(breaks: Exclude<WeighedDifference['breaks'], 'none'>): string {
  return breaks === 'both' ? 'backward and forward' : breaks;
}

export function witnessText(witness: unknown): string {
  const text = JSON.stringify(witness);
  return text.length > MOST_WITNESS ? `${text.slice(0, MOST_WITNESS)}…` : text;
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function findingText({ severity, file, place, message, rule }: Finding, indent: string, colors: Colors): string {
  const word = severity === 'error' ? colors.red('error') : colors.yellow('warning');
  return `${indent}${word} ${visible(file)}${place === '' ? '' : ` ${visible(place)}`}: ${visible(message)} [${rule}]`;
}

function limited(texts: readonly string[]): string[] {
  if (texts.length <= MOST_TOLD) return [...texts];
  return [...texts.slice(0, MOST_TOLD), `    and ${texts.length - MOST_TOLD} more`];
}
