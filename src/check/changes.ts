// What is different in a subject between two states of a folder. Without another state everything is to be judged.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalForm, firstDifferences } from '../schema/canonical.ts';
import { SUITE } from '../schema/listing.ts';
import type { SchemaVersion, Subject } from '../schema/registry.ts';
import { EXAMPLE_FILES } from './examples.ts';
import type { Finding } from './result.ts';

export interface Change {
  /** Versions that are the same in both states: in use, and not to be judged again. */
  frozen: ReadonlySet<string>;
  /** Versions to be shown; undefined: the newest. */
  added: ReadonlySet<string> | undefined;
  findings: Finding[];
}

/** @returns undefined where nothing of the subject changed */
export async function changeOf(
  subject: Subject,
  before: Subject | undefined,
  { folder, base }: { folder: string; base: string | undefined },
): Promise<Change | undefined> {
  const { versions } = subject;
  if (base === undefined) return { frozen: new Set(), added: undefined, findings: [] };
  const all = new Set(versions.map(({ version }) => version));
  if (before === undefined) return { frozen: new Set(), added: all, findings: [] };

  const olds = new Map(before.versions.map((version) => [version.version, version]));
  const known = versions.filter(({ version }) => olds.has(version));
  const findings = known.flatMap((version) => changedContent(olds.get(version.version)!, version));
  for (const { version, file } of before.versions) {
    if (all.has(version)) continue;
    const message = 'the version is gone: events that name it are rejected from now on';
    findings.push({ rule: 'removed_version', severity: 'warning', file, place: '', message });
  }
  findings.push(...changedSettings(before, subject));
  const added = new Set([...all].filter((version) => !olds.has(version)));
  const isSame = findings.length === 0 && added.size === 0 && (await hasSameFiles(subject.name, folder, base));
  const changed = new Set(findings.map(({ file }) => file));
  const frozen = known.filter(({ file }) => !changed.has(file)).map(({ version }) => version);
  return isSame ? undefined : { frozen: new Set(frozen), added, findings };
}

function changedContent(before: SchemaVersion, after: SchemaVersion): Finding[] {
  const [old, current] = [before.whole(), after.whole()];
  if (canonicalForm(old).text === canonicalForm(current).text) return [];
  const what = firstDifferences(old, current).join(', ');
  const message = `a version does not change once it is in use: ${what}. Give the new content a number of its own`;
  return [{ rule: 'changed_version', severity: 'error', file: after.file, place: '', message }];
}

function changedSettings({ settings: before }: Subject, { name, settings: after }: Subject): Finding[] {
  return (['compatibility', 'policy'] as const)
    .filter((each) => before[each] !== after[each])
    .map((each) => {
      const message = `${each} changes from ${before[each]} to ${after[each]}; versions in use are not judged anew`;
      const file = `${name}/subject.json`;
      return { rule: 'changed_mode', severity: 'warning', file, place: `/${each}`, message };
    });
}

/** Whether examples and checks, which are free to change, are as they were. */
async function hasSameFiles(subject: string, folder: string, base: string): Promise<boolean> {
  for (const file of [...EXAMPLE_FILES.map((name) => join('examples', name)), SUITE]) {
    const path = join(subject, file);
    const [old, current] = await Promise.all(
      [base, folder].map((each) => readFile(join(each, path)).catch(() => null)),
    );
    if ((old === null) !== (current === null) || (old && current && Buffer.compare(old, current) !== 0)) return false;
  }
  return true;
}
