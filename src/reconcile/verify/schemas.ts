// The schemas by which a batch's lines were judged, from what is recorded of them: no schema folder is needed, and one
// that has changed since does not matter.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Connection } from '../../db.ts';
import { loadFolder } from '../../schema/folder.ts';
import { Registry, type SchemaVersion, type Subject } from '../../schema/registry.ts';
import type { RecordedBatch } from '../record.ts';

interface Document {
  subject: string;
  version: string;
  document: string;
}

/** The registry as it was when the batch came, as far as the batch used it. */
export class RegistryThen extends Registry {
  readonly #used: Registry;
  override readonly only: SchemaVersion | null;

  /**
   * @param all subjects as they were
   * @param used the versions of them that lines were judged by
   * @param isOnly whether an event that names no schema was taken for one of the only subject
   */
  constructor(all: readonly Subject[], used: readonly Subject[], isOnly: boolean) {
    super(all, []);
    this.#used = new Registry(used, []);
    const [subject] = all;
    this.only = isOnly && subject !== undefined ? this.resolve(subject.name) : null;
  }

  /** What a reference meant then: a line that named it was judged by a version that is recorded with the batch. */
  override resolve(reference: string): SchemaVersion | null {
    return this.#used.resolve(reference) ?? super.resolve(reference);
  }
}

/** @throws {SchemaFolderError} what is recorded is no schema any more */
export async function registryThen(connection: Connection, batch: RecordedBatch): Promise<RegistryThen> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-schemas-'));
  try {
    for (const { subject, version, document } of await readDocuments(connection, batch)) {
      const file = join(folder, subject, `${version}.json`);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, document);
    }
    const all = [...(await loadFolder(folder)).subjects.values()];
    const isUsed = new Set(batch.schemas);
    const used = all.flatMap((subject) => {
      const versions = subject.versions.filter(({ id }) => isUsed.has(id));
      return versions.length === 0 ? [] : [{ ...subject, versions, latest: versions.at(-1)! }];
    });
    const isOnly = all.length === 1 && !(await refusedNameless(connection, batch.id));
    return new RegistryThen(all, used, isOnly);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Versions of the batch's subjects that were registered by then. `document`, which old records lack, holds the text
 * with its members in the order of the file: which of two properties gives its name to a column can depend on it.
 */
async function readDocuments(connection: Connection, batch: RecordedBatch): Promise<Document[]> {
  const { schemas, subjects, schema, id } = batch;
  const named = [...schemas, ...(schema === null ? [] : [schema.replace(/^\//, '')])].map(
    (each) => each.split('/')[0]!,
  );
  const { rows } = await connection.query<Document>(
    `SELECT subject, version, coalesce(document, canonical) AS document
     FROM sluice.schema_versions AS versions
     WHERE subject = ANY ($1) AND (
       subject || '/' || version = ANY ($2)
       OR registered_at <= (SELECT received_at FROM sluice.batches WHERE id = $3))`,
    [[...new Set([...named, ...subjects])], schemas, id],
  );
  return rows;
}

/** Whether an event that named no schema was refused for it: then there was more than one subject. */
async function refusedNameless(connection: Connection, batchId: string): Promise<boolean> {
  const { rows } = await connection.query<{ found: boolean }>(
    `SELECT EXISTS (
       SELECT FROM sluice.rejections
       WHERE batch_id = $1 AND code = 'unknown_schema' AND errors -> 0 ->> 'path' = '') AS found`,
    [batchId],
  );
  return rows[0]!.found;
}
