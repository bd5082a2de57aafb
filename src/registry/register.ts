// A new version by HTTP: judged like a file of the folder, then written into it. Runs under the migration lock.
import type { Connection } from '../db.ts';
import { Problem } from '../errors.ts';
import { canonicalForm } from '../schema/canonical.ts';
import { nextNumber, refusalOf, stepBetween, type Weighed } from '../schema/evolution.ts';
import { SchemaFolderError } from '../schema/faults.ts';
import { Registry, type SchemaVersion, type Subject } from '../schema/registry.ts';
import { compareVersions, parseVersion, type VersionNumber } from '../schema/version.ts';
import { adopt, judgeSubjects } from './adopt.ts';
import {
  invalidFolder,
  invalidSchema,
  majorOf,
  type Opened,
  openCandidate,
  openSubject,
  provisionalNumber,
  REQUEST,
  weighCandidate,
} from './candidate.ts';
import { prepareFile } from './file.ts';
import { type RecordedVersion, readRecorded } from './record.ts';
import type { Workbench } from './workbench.ts';

export interface Registration {
  subject: string;
  /** As parsed from the request. */
  document: unknown;
  /** Absent: the smallest honest one. */
  number: VersionNumber | undefined;
}

export interface Surroundings {
  connection: Connection;
  folder: string;
  workbench: Workbench;
}

export interface Registered {
  status: 'registered' | 'existing';
  version: SchemaVersion;
  /** The subject as it is now. */
  subject: Subject;
}

/** The numbers that are no longer free. */
interface Taken {
  name: string;
  /** As it stands in the folder. */
  subject: Subject | null;
  recorded: ReadonlyMap<string, RecordedVersion>;
}

/** The largest number that a version may have. */
const LAST = 999_999_999;

/**
 * Registers a version.
 * @throws {Problem} `invalid_schema`, `invalid_schema_folder`, `incompatible_schema`, `version_conflict`,
 *   `schema_folder_read_only`
 */
export async function register(registration: Registration, around: Surroundings): Promise<Registered> {
  const { subject: name, document } = registration;
  const { connection, folder, workbench } = around;
  const bytes = Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
  const before = await openSubject(folder, name);
  const recorded = await readRecorded(connection, name);
  const wanted = registration.number;
  const taken: Taken = { subject: before, recorded, name };
  const first = await openFirst(wanted, taken, folder, bytes);
  const sha256 = sha256Of(first.candidate);
  const existing = findIdentical(before, sha256, wanted);
  if (existing !== undefined) return settle(existing, before!, around);
  if (wanted !== undefined) checkNumber(wanted.join('.'), taken, sha256);

  const number = wanted ?? lostNumber(recorded, sha256) ?? (await honestNumber(first, taken, workbench));
  if (wanted !== undefined && !recorded.has(`${name}/${number.join('.')}`)) {
    const opened = await openCandidate(folder, name, number, bytes, true);
    await checkHonesty(opened.candidate, opened.subject, workbench);
  }
  const unsafe = await workbench.unsafePatterns(document);
  if (unsafe.length > 0) throw invalidSchema(unsafe.map((fault) => ({ ...fault, file: REQUEST })));
  const { subject, candidate } = await openCandidate(folder, name, number, bytes, false);
  const file = await prepareFile(folder, candidate.file, bytes);
  try {
    await bringIntoUse(subject, around, { candidate, publish: () => file.publish() });
  } finally {
    await file.discard();
  }
  return { status: recorded.has(candidate.id) ? 'existing' : 'registered', version: candidate, subject };
}

/** An identical version is what was asked for; it may have come into the folder since the last reload. */
async function settle(version: SchemaVersion, subject: Subject, around: Surroundings): Promise<Registered> {
  await bringIntoUse(subject, around);
  return { status: 'existing', version, subject };
}

async function bringIntoUse(
  subject: Subject,
  around: Surroundings,
  fresh?: { candidate: SchemaVersion; publish(): Promise<void> },
): Promise<void> {
  try {
    const judged = await judgeSubjects([subject], around, { subject: subject.name, weighed: fresh?.candidate });
    await adopt(judged, [subject], around.connection, fresh?.publish);
  } catch (error) {
    if (!(error instanceof SchemaFolderError)) throw error;
    const { faults } = error;
    if (fresh === undefined || faults.some(({ file }) => file !== fresh.candidate.file))
      throw invalidFolder(faults, error);
    // A number between others: what follows it does not fit.
    const { compatibility: mode } = subject.settings;
    const detail = faults.map(({ reason }) => reason).join('; ');
    throw incompatible(fresh.candidate, detail, { mode, against: [], needed_bump: 'major', differences: [] });
  }
}

function sha256Of({ file, whole }: SchemaVersion): string {
  try {
    return canonicalForm(whole()).sha256;
  } catch (error) {
    const reason = `has no canonical form: ${(error as Error).message}`;
    throw invalidSchema([{ file, place: '', reason }]);
  }
}

/** Reads the document where it can stand beside what is there; its number may become another one. */
async function openFirst(
  wanted: VersionNumber | undefined,
  taken: Taken,
  folder: string,
  bytes: Uint8Array,
): Promise<Opened> {
  const { subject, name } = taken;
  // Under a number that is taken the document is read as another one, which is enough to compare it.
  const last: VersionNumber | undefined = wanted && [wanted[0], LAST, LAST];
  const provisional = last ?? freeNumber(provisionalNumber(majorOf(subject)), taken);
  try {
    return await openCandidate(folder, name, provisional, bytes, true);
  } catch (error) {
    // What cannot share a table with the versions before (another `x-id`) may still begin a new major.
    if (wanted !== undefined || subject === null || !isInvalidSchema(error)) throw error;
    const next = freeNumber(nextNumber(subject.latest, 'major'), taken);
    return openCandidate(folder, name, next, bytes, true);
  }
}

function isInvalidSchema(error: unknown): boolean {
  return error instanceof Problem && error.code === 'invalid_schema';
}

/** The version under the wanted number first: one document may stand under several. */
function findIdentical(subject: Subject | null, sha256: string, wanted?: VersionNumber): SchemaVersion | undefined {
  const same = (subject?.versions ?? []).filter((version) => sha256Of(version) === sha256);
  return same.find(({ version }) => version === wanted?.join('.')) ?? same.at(-1);
}

function checkNumber(version: string, taken: Taken, sha256: string): void {
  const known = taken.recorded.get(`${taken.name}/${version}`);
  const isInFolder = taken.subject?.versions.some((each) => each.version === version);
  if (!isInFolder && (known === undefined || known.sha256 === sha256)) return;
  throw new Problem('version_conflict', `There is a version ${version} already, and it is not the same`);
}

async function honestNumber(
  { subject, candidate }: Opened,
  taken: Taken,
  workbench: Workbench,
): Promise<VersionNumber> {
  const predecessors = majorOf(taken.subject);
  const last = predecessors.at(-1);
  if (last === undefined || candidate.major !== last.major) return [candidate.major, candidate.minor, candidate.patch];
  const weighed = await weighCandidate(candidate, subject, predecessors, workbench);
  return freeNumber(nextNumber(last, weighed.needed_bump), taken);
}

/** A version that is recorded and missing from the folder comes back under its own number. */
function lostNumber(recorded: ReadonlyMap<string, RecordedVersion>, sha256: string): VersionNumber | undefined {
  const lost = [...recorded.values()].find((each) => each.sha256 === sha256);
  return lost === undefined ? undefined : parseVersion(lost.version)!;
}

/** The next number that nobody has used: a version that is recorded and missing keeps its own. */
function freeNumber(number: VersionNumber, { subject, recorded, name }: Taken): VersionNumber {
  const [major, minor, patch] = number;
  const isUsed = (each: VersionNumber) =>
    recorded.has(`${name}/${each.join('.')}`) || subject?.versions.some(({ version }) => version === each.join('.'));
  for (let more = 0; ; more++) {
    const next: VersionNumber =
      patch > 0 ? [major, minor, patch + more] : minor > 0 ? [major, minor + more, 0] : [major + more, 0, 0];
    if (!isUsed(next)) return next;
  }
}

/** @throws {Problem} `incompatible_schema` where the number promises less than the candidate breaks */
async function checkHonesty(candidate: SchemaVersion, subject: Subject, workbench: Workbench): Promise<void> {
  const isEarlier = (each: SchemaVersion) =>
    compareVersions([each.major, each.minor, each.patch], [candidate.major, candidate.minor, candidate.patch]) < 0;
  const predecessors = majorOf(subject, candidate.major).filter(isEarlier);
  const last = predecessors.at(-1);
  if (last === undefined) return;
  const weighed = await weighCandidate(candidate, subject, predecessors, workbench);
  const refusal = refusalOf(weighed, stepBetween(last, candidate));
  if (refusal !== undefined) throw incompatible(candidate, refusal, weighed);
}

function incompatible({ id }: SchemaVersion, refusal: string, weighed: Omit<Weighed, 'compatible'>): Problem {
  const { mode, against, needed_bump, differences } = weighed;
  return new Problem('incompatible_schema', `${id} is refused: ${refusal}`, {
    members: { mode, against: oneOrAll(against), needed_bump, differences },
  });
}

/** One version stands for itself, several are a list. */
export function oneOrAll(versions: readonly string[]): string | readonly string[] {
  return versions.length === 1 ? versions[0]! : versions;
}

/** The registry with a subject as it is now. */
export function withSubject(registry: Registry, subject: Subject): Registry {
  const subjects = [...registry.subjects.values()].filter(({ name }) => name !== subject.name);
  const sorted = [...subjects, subject].sort((a, b) => (a.name < b.name ? -1 : 1));
  return new Registry(sorted, registry.warnings);
}
