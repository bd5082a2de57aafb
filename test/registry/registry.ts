// A schema folder on disk and a server on it, for the tests of src/registry.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import type { Answer } from '../helpers/http.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { type Server, type ServerOptions, startServer } from '../helpers/server.ts';

export interface Folder {
  path: string;
  /** Writes a file; a value that is not a string becomes JSON. */
  write(file: string, content: unknown): void;
  remove(path: string): void;
}

export function folderWith(t: Test, files: Record<string, unknown> = {}): Folder {
  const path = mkdtempSync(join(tmpdir(), 'sluice-schemas-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  const write = (file: string, content: unknown): void => {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), typeof content === 'string' ? content : JSON.stringify(content));
  };
  for (const [file, content] of Object.entries(files)) write(file, content);
  return { path, write, remove: (file) => rmSync(join(path, file), { recursive: true }) };
}

export interface Running extends Folder {
  server: Server;
  database: TestDatabase;
  /** POST of JSON to an address. */
  send(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  register(subject: string, document: unknown, version?: string): Promise<Answer>;
  /** One event, or several, by a schema. */
  ingest(schema: string, ...events: unknown[]): Promise<Answer>;
}

/** A server on a folder of its own. */
export async function running(t: Test, files: Record<string, unknown>, options: ServerOptions = {}): Promise<Running> {
  const folder = folderWith(t, files);
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, schemaDir: folder.path, ...options });
  const { send, register, ingest } = clientOf(server);
  return { ...folder, server, database, send, register, ingest };
}

export function clientOf(server: Server): Pick<Running, 'send' | 'register' | 'ingest'> {
  const send: Running['send'] = async (path, body, headers = {}) => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
  };
  return {
    send,
    register: (subject, document, version) =>
      send(`/v1/schemas/${subject}/versions${version === undefined ? '' : `?version=${version}`}`, document),
    ingest: (schema, ...events) => send(`/v1/events?schema=${schema}`, events),
  };
}

/** A closed object of optional properties, of which some are required. */
export function closed(properties: object, ...required: string[]): object {
  return { type: 'object', properties, required, additionalProperties: false };
}

export const integer = { type: 'integer' };
export const string = { type: 'string' };
