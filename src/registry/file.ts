// Writes a version's file into the folder: whole or not at all, and there after a crash once it is said to be.
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Problem } from '../errors.ts';

/** Errors of a folder that nobody may write to, or that is none. */
const READ_ONLY = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'EEXIST']);

export interface PreparedFile {
  /** Puts the file in its place. */
  publish(): Promise<void>;
  /** Takes back what was prepared; does nothing after `publish`. */
  discard(): Promise<void>;
}

/**
 * Writes the bytes beside their place.
 * @param file relative to the folder, `<subject>/<version>.json`
 * @throws {Problem} `schema_folder_read_only`
 */
export async function prepareFile(folder: string, file: string, bytes: Uint8Array): Promise<PreparedFile> {
  const place = join(folder, file);
  const directory = dirname(place);
  // Hidden, so that nobody who lists the folder takes it for a schema.
  const draft = join(directory, `.${randomBytes(8).toString('hex')}.tmp`);
  const discard = async (): Promise<void> => {
    await rm(draft, { force: true }).catch(() => {});
    if (made !== undefined) await rmdir(directory).catch(() => {});
  };
  let made: string | undefined;
  try {
    made = await mkdir(directory, { recursive: true });
    await writeThrough(draft, bytes);
  } catch (error) {
    await discard();
    throw readOnly(error, folder);
  }
  return {
    async publish() {
      await rename(draft, place).catch((error) => {
        throw readOnly(error, folder);
      });
      made = undefined;
      await syncDirectory(directory);
    },
    discard,
  };
}

async function writeThrough(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A rename is durable once the directory is. Not every system can do that. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

function readOnly(error: unknown, folder: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined || !READ_ONLY.has(code)) return error;
  return new Problem('schema_folder_read_only', `The schema folder ${folder} cannot be written to: ${message}`, {
    cause: error,
  });
}
