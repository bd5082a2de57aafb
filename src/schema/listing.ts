// What lies in a schema folder: which file is a version of which subject, and which files others may refer to.
// Reads the disk; understands names only.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Findings } from './faults.ts';
import { compareVersions, parseVersion, type VersionNumber } from './version.ts';

export interface ListedVersion {
  subject: string;
  number: VersionNumber;
  file: string;
}

export interface Listing {
  /** By subject, each subject's ascending; subjects by name. */
  versions: ListedVersion[];
  /** JSON files that are allowed if a schema refers to them, and what it is if none does. */
  others: { file: string; unused: 'fault' | 'warning' | 'fine' }[];
  /** By subject: its `subject.json`, where it has one. */
  settings: Map<string, string>;
  /** By subject: its `expectations.json`, where it has one. */
  suites: Map<string, string>;
  /** Contents of all of them. */
  files: Map<string, Uint8Array>;
}

const SUBJECT = /^[a-z][a-z0-9_]{0,47}$/;
/** A file of a subject that is there for people. */
const README = 'README.md';
const SETTINGS = 'subject.json';
/** A subject's checks. */
export const SUITE = 'expectations.json';
/** Bytes of a suite: as much as a schema that is registered may have. Real ones have some thousands. */
const LARGEST_SUITE = 5 * 1024 * 1024;
const EXAMPLES = 'examples';
const IS_JSON = /\.json$/i;
/** Files read at once. */
const AT_ONCE = 32;
const MOST_LEVELS = 8;

type Entry = { name: string; path: string; isFolder: boolean };

/** Reads the folder. A folder that cannot be read at all is one fault. */
export async function listFolder(folder: string, findings: Findings): Promise<Listing> {
  const lister = new Lister(folder, findings);
  await lister.list();
  const { versions, others, settings, suites } = lister;
  const paths = [...[...versions, ...others].map(({ file }) => file), ...settings.values(), ...suites.values()];
  const files = await readFiles(folder, paths, findings);
  return { versions: versions.filter(({ file }) => files.has(file)), others, settings, suites, files };
}

/** Whether a subject may have this name. */
export function isSubjectName(name: string): boolean {
  return SUBJECT.test(name) && !name.includes('__');
}

class Lister {
  readonly versions: ListedVersion[] = [];
  readonly others: Listing['others'] = [];
  readonly settings: Listing['settings'] = new Map();
  readonly suites: Listing['suites'] = new Map();
  readonly #folder: string;
  readonly #findings: Findings;

  constructor(folder: string, findings: Findings) {
    this.#folder = folder;
    this.#findings = findings;
  }

  async list(): Promise<void> {
    for (const entry of await this.#entries('')) {
      const { name, path, isFolder } = entry;
      if (name.startsWith('_')) await this.#listShared(entry, 'fine', 1);
      else if (!isFolder) {
        if (IS_JSON.test(name)) this.others.push({ file: path, unused: 'warning' });
      } else if (name !== EXAMPLES) await this.#listSubject(name);
    }
  }

  async #listSubject(subject: string): Promise<void> {
    if (!isSubjectName(subject)) {
      const allowed = `a subject's name is ${SUBJECT.source} without __`;
      this.#findings.fault(subject, '', `the folder's name is no subject: ${allowed}`);
      return;
    }
    const versions: ListedVersion[] = [];
    for (const entry of await this.#entries(subject)) {
      const { name, path, isFolder } = entry;
      const number = IS_JSON.test(name) ? parseVersion(name.slice(0, -'.json'.length)) : null;
      if (isFolder) {
        if (number !== null || name === SUITE) this.#findings.fault(path, '', 'is a folder, not a file');
        else if (name !== EXAMPLES) await this.#listShared(entry, 'warning', 2);
      } else if (name === SETTINGS) this.settings.set(subject, path);
      else if (name === SUITE) await this.#addSuite(subject, path);
      else if (name === README) continue;
      else if (number !== null && name.endsWith('.json')) versions.push({ subject, number, file: path });
      else if (IS_JSON.test(name)) this.others.push({ file: path, unused: 'fault' });
      else this.#findings.warn(path, '', 'is no schema, ignored');
    }
    if (versions.length === 0) this.#findings.warn(subject, '', 'has no version: files are named like 1.0.0.json');
    this.versions.push(...versions.sort((a, b) => compareVersions(a.number, b.number)));
  }

  async #addSuite(subject: string, path: string): Promise<void> {
    // Reading it tells whatever is wrong with it besides.
    const { size } = await stat(join(this.#folder, path)).catch(() => ({ size: 0 }));
    if (size <= LARGEST_SUITE) this.suites.set(subject, path);
    else this.#findings.fault(path, '', `has ${size} bytes: a suite has at most ${LARGEST_SUITE}`);
  }

  /** JSON files that are there to be referred to. */
  async #listShared(entry: Entry, unused: 'fine' | 'warning', level: number): Promise<void> {
    if (!entry.isFolder) {
      if (IS_JSON.test(entry.name)) this.others.push({ file: entry.path, unused });
    } else if (level <= MOST_LEVELS) {
      for (const each of await this.#entries(entry.path)) await this.#listShared(each, unused, level + 1);
    }
  }

  /** By name. Hidden ones are left out: they belong to editors, to version control, to mounted volumes. */
  async #entries(path: string): Promise<Entry[]> {
    try {
      const found = await readdir(join(this.#folder, path), { withFileTypes: true });
      const visible = found.filter(({ name }) => !name.startsWith('.'));
      return await Promise.all(
        visible
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map(async (entry) => {
            const inner = path === '' ? entry.name : `${path}/${entry.name}`;
            const isFolder = entry.isSymbolicLink()
              ? (await stat(join(this.#folder, inner))).isDirectory()
              : entry.isDirectory();
            return { name: entry.name, path: inner, isFolder };
          }),
      );
    } catch (error) {
      this.#findings.fault(path === '' ? this.#folder : path, '', `cannot be read: ${(error as Error).message}`);
      return [];
    }
  }
}

async function readFiles(
  folder: string,
  paths: readonly string[],
  findings: Findings,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    const some = paths.slice(start, start + AT_ONCE);
    const contents = await Promise.allSettled(some.map((path) => readFile(join(folder, path))));
    for (const [at, content] of contents.entries()) {
      if (content.status === 'fulfilled') files.set(some[at]!, content.value);
      else findings.fault(some[at]!, '', `cannot be read: ${(content.reason as Error).message}`);
    }
  }
  return files;
}
