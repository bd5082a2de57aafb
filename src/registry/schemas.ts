// The registry in use, and the ways in which another one takes its place: start, reload, registration. A batch keeps
// the registry that it began with; a folder that does not load leaves everything as it is.
import type { Database } from '../db.ts';
import { MissingRight, Problem, StartError } from '../errors.ts';
import { migrating } from '../migrate.ts';
import { type Fault, SchemaFolderError } from '../schema/faults.ts';
import { loadFolder } from '../schema/folder.ts';
import type { Registry } from '../schema/registry.ts';
import { adopt, judgeSubjects, missingVersions } from './adopt.ts';
import { invalidFolder } from './candidate.ts';
import { type Registered, type Registration, register, withSubject } from './register.ts';
import { Workbench } from './workbench.ts';

export interface Reloaded {
  /** How many there are now. */
  subjects: number;
  versions: number;
  /** Ids of versions that were not there before. */
  added: string[];
  warnings: readonly Fault[];
}

export class Schemas {
  readonly db: Database;
  readonly folder: string;
  readonly workbench: Workbench;
  #current: Registry;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(db: Database, folder: string, registry: Registry, workbench = new Workbench()) {
    this.db = db;
    this.folder = folder;
    this.workbench = workbench;
    this.#current = registry;
  }

  /** To be read once at the beginning of a request. */
  get current(): Registry {
    return this.#current;
  }

  /**
   * Loads the folder again. Waits for whoever changes schemas at the time, in this process or another one.
   * @throws {Problem} `invalid_schema_folder`: the registry in use stays
   */
  reload(): Promise<Reloaded> {
    return this.#inTurn(async () => {
      const before = this.#current;
      const { registry, warnings } = await bringIntoUse(this).catch((error) => {
        throw asProblem(error);
      });
      this.#current = registry;
      const versions = [...registry.subjects.values()].flatMap((subject) => subject.versions);
      const isKnown = ({ subject, version }: { subject: string; version: string }) =>
        before.subjects.get(subject)?.versions.some((each) => each.version === version) === true;
      return {
        subjects: registry.subjects.size,
        versions: versions.length,
        added: versions.filter((version) => !isKnown(version)).map(({ id }) => id),
        warnings,
      };
    });
  }

  /** Registers a version; see `register`. */
  register(registration: Registration): Promise<Registered> {
    const { db, folder, workbench } = this;
    return this.#inTurn(async () => {
      // A refusal leaves the connection as it was: only what is thrown there closes it.
      const registered = await migrating(db, (connection) =>
        register(registration, { connection, folder, workbench }).catch((error) => {
          if (error instanceof Problem) return error;
          throw error;
        }),
      ).catch((error) => {
        throw asProblem(error);
      });
      if (registered instanceof Problem) throw registered;
      this.#current = withSubject(this.#current, registered.subject);
      return registered;
    });
  }

  async close(): Promise<void> {
    await this.workbench.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

/**
 * The folder's schemas, in use from now on: versions recorded, tables up to date.
 * @param loaded of this very folder
 * @param inUse false: tables are brought up to date, but no version is frozen yet
 * @throws {StartError} the folder, a version in it or a table cannot be used
 */
export async function openSchemas(
  db: Database,
  folder: string,
  loaded: Registry,
  inUse = true,
): Promise<{ schemas: Schemas; warnings: Fault[] }> {
  const workbench = new Workbench();
  try {
    const { registry, warnings } = await bringIntoUse({ db, folder, workbench }, loaded, inUse);
    return { schemas: new Schemas(db, folder, registry, workbench), warnings };
  } catch (error) {
    await workbench.close();
    throw error;
  }
}

function bringIntoUse(
  { db, folder, workbench }: Pick<Schemas, 'db' | 'folder' | 'workbench'>,
  loaded?: Registry,
  inUse = true,
): Promise<{ registry: Registry; warnings: Fault[] }> {
  return migrating(db, async (connection) => {
    // Inside of the lock: another process may be writing a version just now.
    const registry = loaded ?? (await loadFolder(folder));
    const subjects = [...registry.subjects.values()];
    const judged = await judgeSubjects(subjects, { connection, folder, workbench });
    await adopt(inUse ? judged : { ...judged, fresh: [] }, subjects, connection);
    const missing = await missingVersions(judged, registry.subjects, connection);
    return { registry, warnings: [...registry.warnings, ...missing] };
  });
}

/** What stops a start is an answer later on. */
function asProblem(error: unknown): unknown {
  if (error instanceof SchemaFolderError) return invalidFolder(error.faults, error);
  if (!(error instanceof StartError)) return error;
  // A right that is missing does not come by waiting.
  const patience = error instanceof MissingRight ? {} : { retryAfter: 5 };
  return new Problem('schema_tables_not_updated', error.message, { cause: error, ...patience });
}
