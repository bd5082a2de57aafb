// Loads a schema folder: list, parse, lint, follow references, plan columns, bind checks. Validators are compiled later,
// when the first event needs them. Either everything is right, or one error tells everything that is wrong.
import { bindSuite, NO_CHECKS, type RawSuite, readSuite } from '../expectations/suite.ts';
import { type Bundle, bundle } from './bundle.ts';
import { planTable } from './columns.ts';
import { Validator, ValidatorCache } from './compile.ts';
import { Findings, SchemaFolderError } from './faults.ts';
import { Kinds, OBJECT } from './kinds.ts';
import { Library } from './library.ts';
import { Links } from './links.ts';
import { type ListedVersion, type Listing, listFolder } from './listing.ts';
import { tableName } from './names.ts';
import { endlessSchema, type Reach, reachOf } from './reach.ts';
import { Registry, type SchemaVersion, type Subject } from './registry.ts';
import type { SchemaDocument } from './resources.ts';
import { DEFAULT_SETTINGS, readSettings } from './subject.ts';
import { compareVersions } from './version.ts';
import { wholeDocument } from './whole.ts';

/** Schemas above this may be too deep for ajv's recursion: they are compiled at once, to know it now. */
const SAFE_WEIGHT = 250;

/** One for the process: a folder that is loaded again must not double what is kept compiled. */
const CACHE = new ValidatorCache();

/** A version whose own files are in order. */
interface Sound extends ListedVersion {
  document: SchemaDocument;
  reach: Reach;
  validator: Validator;
  makeBundle(): Bundle;
}

/** A version that does not stand in the folder yet. */
export interface AddedVersion extends ListedVersion {
  bytes: Uint8Array;
  /** Whether it is only looked at, under a number that need not become its own: no suite is held against it. */
  provisional: boolean;
}

/**
 * Reads `<folder>/<subject>/<major>.<minor>.<patch>.json`.
 * @throws {SchemaFolderError} with every fault of the folder
 */
export async function loadFolder(folder: string): Promise<Registry> {
  const findings = new Findings();
  const subjects = new Loader(findings).load(await listFolder(folder, findings));
  if (findings.faults.length > 0) throw new SchemaFolderError(folder, findings.faults);
  if (subjects.length === 0) findings.warn(folder, '', 'has no schema in it');
  return new Registry(subjects, findings.warnings);
}

/**
 * Reads one subject of the folder, as if `added` stood in it.
 * @returns null where the subject has no version
 * @throws {SchemaFolderError} with every fault of the subject and of what it refers to
 */
export async function loadSubject(folder: string, name: string, added?: AddedVersion): Promise<Subject | null> {
  const findings = new Findings();
  const { versions, files, settings, suites } = await listFolder(folder, findings);
  // The other subjects are in use as they are, and do not matter here.
  const own = findings.faults.filter(({ file }) => file === folder || file === name || file.startsWith(`${name}/`));
  if (own.length > 0) throw new SchemaFolderError(folder, own);
  const wanted = versions.filter(({ subject, file }) => subject === name && file !== added?.file);
  if (added !== undefined) {
    wanted.push(added);
    files.set(added.file, added.bytes);
  }
  wanted.sort((a, b) => compareVersions(a.number, b.number));
  const loaded = new Findings();
  const held = added?.provisional === true ? new Map<string, string>() : suites;
  const [subject] = new Loader(loaded).load({ versions: wanted, others: [], settings, suites: held, files });
  if (loaded.faults.length > 0) throw new SchemaFolderError(folder, loaded.faults);
  return subject ?? null;
}

class Loader {
  readonly #findings: Findings;
  readonly #links = new Links();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  load({ versions, others, settings, suites, files }: Listing): Subject[] {
    const library = new Library(files, this.#links, this.#findings);
    const documents = new Map(versions.map((version) => [version, library.open(version.file)]));
    library.settle();
    for (const { file, unused } of others) {
      if (library.isOpen(file)) continue;
      if (unused === 'warning') this.#findings.warn(file, '', 'no schema refers to it');
      if (unused === 'fault') this.#fault(file, 'is neither named like 1.0.0.json nor referred to by a schema');
    }

    const sound = new Map<ListedVersion, Sound>();
    for (const [version, document] of documents) {
      const judged = document === null ? null : this.#judge(version, document);
      if (judged !== null) sound.set(version, judged);
    }
    return [...groupBy(versions, (version) => version.subject)].map(([name, listed]) => {
      const tables = [...groupBy(listed, ({ number }) => tableName(name, number[0]))];
      const suite = this.#suiteOf(suites.get(name), files);
      const planned = tables.flatMap(([table, each], at) => {
        const members = each.map((version) => sound.get(version));
        return this.#plan(table, members, suite, at === tables.length - 1);
      });
      return {
        name,
        settings: this.#settingsOf(settings.get(name), files),
        versions: planned,
        latest: planned.at(-1)!,
      };
    });
  }

  #settingsOf(file: string | undefined, files: ReadonlyMap<string, Uint8Array>): Subject['settings'] {
    const bytes = file === undefined ? undefined : files.get(file);
    return bytes === undefined ? DEFAULT_SETTINGS : readSettings(file!, bytes, this.#findings);
  }

  #suiteOf(file: string | undefined, files: ReadonlyMap<string, Uint8Array>): RawSuite | null {
    const bytes = file === undefined ? undefined : files.get(file);
    return bytes === undefined ? null : readSuite(file!, bytes, this.#findings);
  }

  #fault(file: string, reason: string, place = ''): null {
    this.#findings.fault(file, place, reason);
    return null;
  }

  /** What can be wrong with a version although each of its subschemas is right. */
  #judge(version: ListedVersion, document: SchemaDocument): Sound | null {
    const { file } = version;
    const { root, draft } = document;
    const reach = reachOf(root, draft, this.#links);
    if ([file, ...reach.files].some((each) => this.#findings.isFaulty(each))) return null;
    const endless = endlessSchema(reach, draft, this.#links);
    if (endless !== undefined) {
      const spot = this.#links.spotOf(endless)!;
      return this.#fault(spot.file, 'refers to itself without going any deeper into the event', spot.place);
    }
    if ((new Kinds(this.#links).of(root) & OBJECT) === 0)
      return this.#fault(file, 'no event can be valid: it can never be an object');
    const ambiguous = ambiguousAnchor(reach, this.#links);
    if (ambiguous !== undefined) return this.#fault(file, `several files have the $dynamicAnchor ${ambiguous}`);

    const makeBundle = () => bundle(root, draft, this.#links);
    const validator = new Validator(file, makeBundle, CACHE);
    if (reach.weight > SAFE_WEIGHT && !this.#compiles(validator)) return null;
    return { ...version, document, reach, validator, makeBundle };
  }

  #compiles(validator: Validator): boolean {
    try {
      validator.accepts({});
      return true;
    } catch (error) {
      if (!(error instanceof SchemaFolderError)) throw error;
      for (const { file, place, reason } of error.faults) this.#fault(file, reason, place);
      return false;
    }
  }

  /** The versions of one table; none if one of them has a fault, for the plan depends on all. */
  #plan(
    table: string,
    versions: readonly (Sound | undefined)[],
    raw: RawSuite | null,
    isNewest: boolean,
  ): SchemaVersion[] {
    const sound = versions.filter((version) => version !== undefined);
    if (sound.length < versions.length) return [];
    const inputs = sound.map(({ file, document, reach }) => ({ file, root: document.root, schemas: reach.schemas }));
    const { plan, shapes } = planTable(table, inputs, this.#links, this.#findings);
    const suite = raw === null ? NO_CHECKS : bindSuite(raw, plan, isNewest, this.#findings);
    return sound.map(({ subject, number, file, document, reach, validator, makeBundle }, at) => {
      const [major, minor, patch] = number;
      const version = number.join('.');
      const names = { subject, version, major, minor, patch, id: `${subject}/${version}`, file };
      const { accepts, explain } = validator;
      const { root, draft } = document;
      const whole = () => wholeDocument(file, root, reach, this.#links);
      const planUntil = () => planTable(table, inputs.slice(0, at + 1), this.#links, new Findings()).plan;
      const made = { whole, bundle: makeBundle, planUntil };
      return { ...names, draft, document: root, plan, suite, shape: shapes[at]!, accepts, explain, ...made };
    });
  }
}

/** A `$dynamicRef` that could mean more than one place, depending on the way there. */
function ambiguousAnchor({ schemas }: Reach, links: Links): string | undefined {
  const wanted = new Set(
    [...schemas].map((schema) => links.dynamicAnchorOf(schema)).filter((name) => name !== undefined),
  );
  if (wanted.size === 0) return undefined;
  const carried = [...schemas].map((schema) => schema.$dynamicAnchor);
  return [...wanted].find((name) => carried.indexOf(name) !== carried.lastIndexOf(name));
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
