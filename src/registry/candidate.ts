// A document that may become a version: read, held against the versions in use, given a number.
import { Problem } from '../errors.ts';
import type { Mode } from '../schema/compare/difference.ts';
import { parseDocument } from '../schema/document.ts';
import { demandedBy, nextNumber, type Weighed, weigh } from '../schema/evolution.ts';
import { type Fault, SchemaFolderError } from '../schema/faults.ts';
import { loadSubject } from '../schema/folder.ts';
import { isSubjectName, SUITE } from '../schema/listing.ts';
import type { SchemaVersion, Subject } from '../schema/registry.ts';
import { parseVersion, type VersionNumber } from '../schema/version.ts';
import type { Workbench } from './workbench.ts';

/** For all comparisons of a request together, and the least for each of them. */
const BUDGET_MS = 10_000;
const LEAST_BUDGET_MS = 500;

/** Stands for the file that the candidate is not yet. */
export const REQUEST = 'the request';

/** The subject with the candidate among its versions. */
export interface Opened {
  subject: Subject;
  candidate: SchemaVersion;
}

/** @throws {Problem} `invalid_parameter` for a name that no subject can have */
export function checkSubjectName(name: string): void {
  if (isSubjectName(name)) return;
  const allowed = 'a small letter, then at most 47 small letters, digits and underscores, without __';
  throw invalidParameter(
    'subject',
    `No subject can be called ${JSON.stringify(name.slice(0, 100))}: allowed is ${allowed}`,
  );
}

/** @throws {Problem} `invalid_parameter` */
export function readNumber(text: string, parameter: string): VersionNumber {
  const number = parseVersion(text);
  if (number !== null) return number;
  throw invalidParameter(
    parameter,
    `${JSON.stringify(text.slice(0, 100))} is no version: allowed is <major>.<minor>.<patch>, each without leading zeros`,
  );
}

export function invalidParameter(parameter: string, detail: string): Problem {
  return new Problem('invalid_parameter', detail, { members: { parameter } });
}

/** @throws {Problem} `invalid_schema` where the bytes are not JSON */
export function parseCandidate(bytes: Uint8Array): unknown {
  const parsed = parseDocument(bytes);
  if ('value' in parsed) return parsed.value;
  throw invalidSchema([{ file: REQUEST, ...parsed }]);
}

/**
 * Loads the subject as if the candidate stood in its folder under this number.
 * @param provisional whether the candidate is only looked at: the subject's checks need not fit it
 * @throws {Problem} `invalid_schema` where the candidate has faults, `invalid_schema_folder` where the folder has, or
 *   where a check of the subject does not fit its table any more
 */
export async function openCandidate(
  folder: string,
  name: string,
  number: VersionNumber,
  bytes: Uint8Array,
  provisional: boolean,
): Promise<Opened> {
  const version = number.join('.');
  const file = `${name}/${version}.json`;
  try {
    const subject = (await loadSubject(folder, name, { subject: name, number, file, bytes, provisional }))!;
    return { subject, candidate: subject.versions.find((each) => each.file === file)! };
  } catch (error) {
    if (!(error instanceof SchemaFolderError)) throw error;
    await openSubject(folder, name);
    // The candidate is in order: it is a check of the subject that would have to change with it.
    if (error.faults.every((fault) => fault.file === `${name}/${SUITE}`)) throw invalidFolder(error.faults, error);
    throw invalidSchema(error.faults.map((fault) => (fault.file === file ? { ...fault, file: REQUEST } : fault)));
  }
}

/** @throws {Problem} `invalid_schema_folder` */
export async function openSubject(folder: string, name: string): Promise<Subject | null> {
  try {
    return await loadSubject(folder, name);
  } catch (error) {
    throw error instanceof SchemaFolderError ? invalidFolder(error.faults, error) : error;
  }
}

export function invalidSchema(faults: readonly Fault[]): Problem {
  const { place, reason } = faults[0]!;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return new Problem('invalid_schema', `${place === '' ? '' : `${place}: `}${reason}${more}`, { members: { faults } });
}

export function invalidFolder(faults: readonly Fault[], cause?: unknown): Problem {
  const { file, place, reason } = faults[0]!;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  const detail = `${file}${place === '' ? '' : ` ${place}`}: ${reason}${more}`;
  return new Problem('invalid_schema_folder', detail, { members: { faults }, cause });
}

/** The versions of the newest major, or of `major`, that stand in a subject. */
export function majorOf(subject: Subject | null, major = subject?.latest.major): SchemaVersion[] {
  return (subject?.versions ?? []).filter((version) => version.major === major);
}

/** Where a candidate would stand: after the newest version of a major, by a minor step. */
export function provisionalNumber(versions: readonly SchemaVersion[]): VersionNumber {
  const last = versions.at(-1);
  return last === undefined ? [1, 0, 0] : nextNumber(last, 'minor');
}

/** Holds a candidate against versions, in ascending order; by the subject's policy. */
export function weighCandidate(
  candidate: SchemaVersion,
  { settings }: Subject,
  predecessors: readonly SchemaVersion[],
  workbench: Workbench,
  mode: Mode = settings.compatibility,
): Promise<Weighed> {
  const against = demandedBy(mode, predecessors);
  const budgetMs = Math.max(LEAST_BUDGET_MS, BUDGET_MS / Math.max(2, against.length));
  const rules = { ...settings, compatibility: mode };
  return weigh(candidate.whole(), against, rules, workbench.compare, budgetMs);
}
