// Two versions of a subject, and the command line on a database: what the tests of tables share.
import type { Test } from 'tap';
import { sluice } from './sluice.ts';

export const string = { type: 'string' };
export const closed = (properties: object, required: string[] = []) => {
  return { type: 'object', properties, required, additionalProperties: false };
};
export const V1 = closed({ id: string, n: { type: 'integer' } }, ['id', 'n']);
export const V11 = closed({ id: string, n: { type: 'integer' }, o: closed({ 'odd"name': string }) }, ['id', 'n']);

export async function run(t: Test, url: string, schemaDir: string, ...args: string[]) {
  return sluice(t, args, { env: { DATABASE_URL: url, SCHEMA_DIR: schemaDir, LOG_LEVEL: 'silent' } });
}
