// Runs generated uploads against a real server and a real database. What breaks an invariant is shrunk, printed, and
// saved in found/, where it is tried again in every run of the tests once it is committed.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import type { Test } from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import { schemaFolder } from '../helpers/schemas.ts';
import { startServer } from '../helpers/server.ts';
import { check, type Place } from './invariants.ts';
import { FOLDER, MOST_LINE_BYTES } from './subject.ts';
import { fromJson, toJson, type Upload } from './upload.ts';
import { UPLOADS } from './uploads.ts';

const FOUND = fileURLToPath(new URL('found/', import.meta.url));

export async function startPlace(t: Test): Promise<Place> {
  const { url: databaseUrl, query } = await testDatabase(t);
  const schemaDir = await schemaFolder(t, FOLDER);
  const env = { MAX_LINE_BYTES: String(MOST_LINE_BYTES) };
  const server = await startServer(t, { databaseUrl, schemaDir, env });
  return { server, query };
}

/**
 * Sends `runs` uploads of each kind.
 * @param seed the same seed gives the same uploads
 * @returns what broke, or null
 */
export async function fuzz(place: Place, seed: number, runs: number): Promise<string | null> {
  for (const [kind, uploads] of Object.entries(UPLOADS)) {
    const property = fc.asyncProperty(uploads, (upload) => check(place, upload));
    const { failed, counterexample, errorInstance, numShrinks } = await fc.check(property, { seed, numRuns: runs });
    if (!failed) continue;
    const upload: Upload = counterexample![0];
    const reason = (errorInstance as Error).message;
    const saved = JSON.stringify({ kind, seed, reason, upload: toJson(upload) }, null, 2);
    const file = `${kind}-${createHash('sha256').update(saved).digest('hex').slice(0, 12)}.json`;
    writeFileSync(`${FOUND}${file}`, `${saved}\n`);
    return `${reason}\nfound with seed ${seed}, after ${numShrinks} shrinks, saved as test/fuzz/found/${file}:\n${saved}`;
  }
  return null;
}

/** Uploads that once broke something. */
export function foundUploads(): [file: string, upload: Upload][] {
  return readdirSync(FOUND)
    .filter((file) => file.endsWith('.json'))
    .map((file) => [file, fromJson(JSON.parse(readFileSync(`${FOUND}${file}`, 'utf8')).upload)]);
}
