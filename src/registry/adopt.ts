// A loaded folder comes into use: versions in use must not have changed, new ones must be honest, tables must fit.
// Runs under the migration lock; nothing is changed before all of it is found to be right.
import type { Connection } from '../db.ts';
import { canonicalForm, firstDifferences } from '../schema/canonical.ts';
import type { Schema } from '../schema/dialect.ts';
import { judgeVersions } from '../schema/evolution.ts';
import { type Fault, SchemaFolderError } from '../schema/faults.ts';
import { tableName } from '../schema/names.ts';
import type { SchemaVersion, Subject } from '../schema/registry.ts';
import { ensureTables } from '../schema/tables.ts';
import { patternFaults } from './patterns.ts';
import {
  type FreshVersion,
  hasRows,
  type RecordedVersion,
  readDocument,
  readRecorded,
  recordVersions,
} from './record.ts';
import type { Workbench } from './workbench.ts';

/** For one comparison, at a start or a reload. */
const BUDGET_MS = 2_000;

export interface Adopting {
  connection: Connection;
  folder: string;
  workbench: Workbench;
}

/** What is new about subjects whose versions have all been found to be right. */
export interface Judged {
  fresh: FreshVersion[];
  recorded: Map<string, RecordedVersion>;
}

/** Where only one subject is looked at. */
export interface Only {
  subject: string;
  /** A version that was held against its predecessors already. */
  weighed: SchemaVersion | undefined;
}

/**
 * Holds subjects against what is recorded.
 * @throws {SchemaFolderError} for changed versions, for new ones whose number promises too much, and for checks that
 *   Postgres cannot run
 */
export async function judgeSubjects(subjects: readonly Subject[], adopting: Adopting, only?: Only): Promise<Judged> {
  const { connection, folder, workbench } = adopting;
  const recorded = await readRecorded(connection, only?.subject);
  const faults = await patternFaults(connection, subjects);
  const fresh: FreshVersion[] = [];
  for (const subject of subjects) {
    const before = fresh.length;
    for (const version of subject.versions) {
      const canonical = canonicalOf(version, faults);
      const known = recorded.get(version.id);
      if (canonical === undefined) continue;
      if (known === undefined)
        fresh.push({
          subject: subject.name,
          version: version.version,
          canonical,
          document: JSON.stringify(version.whole()),
        });
      else if (known.sha256 !== canonical.sha256) {
        faults.push(changedFault(version, await readDocument(connection, known)));
      }
    }
    if (fresh.length === before) continue;
    const isFrozen = ({ version }: { version: string }) => recorded.has(`${subject.name}/${version}`);
    const isWeighed = (version: unknown) => version === only?.weighed;
    faults.push(...(await judgeVersions(subject, { isFrozen, isWeighed }, workbench.compare, BUDGET_MS)));
  }
  if (faults.length > 0) throw new SchemaFolderError(folder, faults);
  return { fresh, recorded };
}

function canonicalOf(version: SchemaVersion, faults: Fault[]): FreshVersion['canonical'] | undefined {
  try {
    return canonicalForm(version.whole());
  } catch (error) {
    const reason = `has no canonical form: ${(error as Error).message} (a number beyond the range of a double?)`;
    faults.push({ file: version.file, place: '', reason });
    return undefined;
  }
}

function changedFault({ file, whole }: SchemaVersion, before: unknown): Fault {
  const differences = firstDifferences(before, whole() as Schema).map(readable);
  const what = `was changed after it came into use: ${differences.join(', ')}`;
  return { file, place: '', reason: `${what}. Put it back, and make the change a new version` };
}

/** Says of what came from another file where it stands there. */
function readable(difference: string): string {
  return difference.replace(/^\/\$defs\/([^/]*\.json)#((?:~1[^/ ]*)?)/, (_, file: string, place: string) => {
    return `${file.replaceAll('~1', '/')}#${place.replaceAll('~1', '/').replaceAll('~0', '~')}`;
  });
}

/**
 * Makes the tables fit and records what is new.
 * @param publish runs between the two: where the file of a new version is put in its place
 */
export async function adopt(
  { fresh }: Judged,
  subjects: readonly Subject[],
  connection: Connection,
  publish: () => Promise<void> = async () => {},
): Promise<void> {
  const tables = new Set(subjects.flatMap(({ versions }) => versions.map(({ plan }) => plan)));
  await ensureTables(connection, { tables: [...tables] });
  await publish();
  if (fresh.length > 0) await recordVersions(connection, fresh);
}

/** Versions that are recorded, have rows, and stand in the folder no more. */
export async function missingVersions(
  { recorded }: Judged,
  subjects: ReadonlyMap<string, Subject>,
  connection: Connection,
): Promise<Fault[]> {
  const warnings: Fault[] = [];
  for (const [id, of] of recorded) {
    const { subject, version } = of;
    if (subjects.get(subject)?.versions.some((each) => each.version === version)) continue;
    const found = await hasRows(connection, of);
    if (found === false) continue;
    const table = `events.${tableName(subject, Number.parseInt(version, 10))}`;
    const rows = found === true ? `has rows in ${table}` : `may have rows in ${table}`;
    const reason = `is missing, but ${id} ${rows}; they stay, and no new event is taken by it`;
    warnings.push({ file: `${subject}/${version}.json`, place: '', reason });
  }
  return warnings;
}
