// A subject's versions held against their predecessors: whether each number is honest, what it changes, and what that
// means for the tables.
import { undecided } from '../registry/tasks.ts';
import { compare } from '../schema/compare/compare.ts';
import type { Comparison } from '../schema/compare/difference.ts';
import { SchemaFault } from '../schema/compare/fault.ts';
import { stepFrom, TableConflict } from '../schema/ddl.ts';
import { type Compare, type Judged, judgeVersions, refusalOf, stepBetween, weigh } from '../schema/evolution.ts';
import type { SchemaVersion, Subject } from '../schema/registry.ts';
import type { Change } from './changes.ts';
import type { CheckedVersion, Finding } from './result.ts';

export async function checkHistory(
  subject: Subject,
  { frozen, added }: Change,
  budgetMs: number,
): Promise<{ versions: CheckedVersion[]; findings: Finding[] }> {
  const compareOnce = remembering();
  // `whole` makes its document anew at each call; one each is what comparisons are remembered by.
  const versions = subject.versions.map((version) => ({ ...version, whole: once(() => version.whole()) }));
  const judged = { versions, settings: subject.settings };
  const isFrozen = ({ version }: Judged) => frozen.has(version);
  const faults = await judgeVersions(judged, { isFrozen }, compareOnce, budgetMs);
  const findings = faults.map(({ file, place, reason }): Finding => {
    return { rule: 'incompatible_version', severity: 'error', file, place, message: reason };
  });
  const isShown = ({ version }: SchemaVersion, at: number) =>
    added === undefined ? at > 0 && at === versions.length - 1 : added.has(version);
  const shown: CheckedVersion[] = [];
  for (const [at, version] of versions.entries()) {
    if (isShown(version, at))
      shown.push(await describe(version, versions.slice(0, at), subject, compareOnce, budgetMs));
  }
  return { versions: shown, findings };
}

async function describe(
  version: SchemaVersion,
  predecessors: readonly SchemaVersion[],
  { settings }: Subject,
  compareOnce: Compare,
  budgetMs: number,
): Promise<CheckedVersion> {
  const last = predecessors.at(-1);
  const same = predecessors.findLast(({ plan }) => plan === version.plan);
  const ddl = stepOf(same, version);
  if (last === undefined) {
    const nothing = { after: null, promised: null, needed_bump: null, compatible: null, differences: [] };
    return { version: version.version, ...nothing, ddl };
  }
  const weighed = await weigh(version.whole(), [last], settings, compareOnce, budgetMs);
  const promised = stepBetween(last, version);
  const { needed_bump, differences } = weighed;
  const compatible = promised === 'major' ? weighed.compatible : refusalOf(weighed, promised) === undefined;
  return { version: version.version, after: last.version, promised, needed_bump, compatible, differences, ddl };
}

function stepOf(before: SchemaVersion | undefined, after: SchemaVersion): CheckedVersion['ddl'] {
  try {
    return stepFrom(before?.planUntil(), after.planUntil());
  } catch (error) {
    // Plans of one table never take a column's type away, so this cannot be; but no DDL is better than no check.
    if (error instanceof TableConflict) return [];
    throw error;
  }
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Judging and describing ask for the same comparisons. */
function remembering(): Compare {
  const known = new Map<unknown, Map<unknown, Comparison>>();
  return (before, after, options) => {
    const earlier = known.get(before)?.get(after);
    if (earlier !== undefined) return earlier;
    let comparison: Comparison;
    try {
      comparison = compare(before, after, options);
    } catch (error) {
      if (!(error instanceof SchemaFault)) throw error;
      comparison = undecided(options, error.message);
    }
    known.set(before, (known.get(before) ?? new Map()).set(after, comparison));
    return comparison;
  };
}
