// A server and its batches: what the tests of reconciliation share.
import { createHash } from 'node:crypto';
import pg from 'pg';
import type { Test } from 'tap';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/db.ts';
import { type Reconciliation, reconcileBatch } from '../../src/reconcile/batch.ts';
import { type Reading, withReading } from '../../src/reconcile/connections.ts';
import type { Finding, VerifySummary } from '../../src/reconcile/verify/findings.ts';
import { verifyFiles } from '../../src/reconcile/verify/verify.ts';
import { get, type PostOptions, post } from '../helpers/http.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { type Server, startServer } from '../helpers/server.ts';
import { folderOf } from '../schema/schemas.ts';

export interface Bench extends TestDatabase {
  server: Server;
  schemaDir: string;
  /** Uploads files as one batch; more than one as multipart. */
  load(files: readonly Content[], options?: PostOptions): Promise<Loaded>;
  /** What the API says, after a look at its status. */
  reconcile(id: string): Promise<Reconciliation>;
}

export interface Content {
  text: string;
  /** Absent: NDJSON. */
  format?: 'json';
  /** What is sent, where it is not the text itself. */
  sent?: Buffer;
}

interface Loaded {
  id: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every kind
  report: any;
}

/** A property of each type of column, and room for more. */
export const THING = {
  type: 'object',
  required: ['n'],
  properties: {
    n: { type: 'integer' },
    s: { type: 'string' },
    d: { type: 'number' },
    b: { type: 'boolean' },
    at: { type: 'string', format: 'date-time' },
    day: { type: 'string', format: 'date' },
    u: { type: 'string', format: 'uuid' },
    j: { type: 'array' },
  },
};

export function thing(n: number): Record<string, unknown> {
  return {
    n,
    s: `text ${n} ä`,
    d: n / 8,
    b: n % 2 === 0,
    at: `2026-01-02T03:04:05.${String(n % 1_000).padStart(3, '0')}Z`,
    day: `2026-01-${String((n % 28) + 1).padStart(2, '0')}`,
    u: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    j: [n, { b: 1, aa: [n] }],
    more: { b: n, a: 'x' },
  };
}

export async function bench(
  t: Test,
  schemas: Record<string, unknown> = { 'thing/1.0.0.json': THING },
  env: Record<string, string> = {},
  standing?: TestDatabase,
): Promise<Bench> {
  const database = standing ?? (await testDatabase(t));
  const schemaDir = folderOf(t, schemas);
  const server = await startServer(t, { databaseUrl: database.url, schemaDir, env });
  return {
    ...database,
    server,
    schemaDir,
    async load(files, options = {}) {
      const { json, text } = await post(server, bodyOf(files), withType(files, options));
      if (json?.batch_id === undefined) throw new Error(text);
      return { id: json.batch_id, report: json };
    },
    async reconcile(id) {
      const { status, json, text } = await get(server, `/v1/batches/${id}/reconciliation`);
      t.equal(status, 200, text);
      return json;
    },
  };
}

function bodyOf(files: readonly Content[]): string | Buffer | FormData {
  if (files.length === 1) return files[0]!.sent ?? files[0]!.text;
  const form = new FormData();
  for (const [at, { text, sent }] of files.entries())
    form.append('file', new Blob([sent ?? text]), `part-${at}.ndjson`);
  return form;
}

function withType(files: readonly Content[], options: PostOptions): PostOptions {
  if (files[0]!.format !== 'json') return options;
  return { ...options, headers: { 'content-type': 'application/json', ...options.headers } };
}

/** A copy of the database, which nobody may be using. */
export async function copyOf(t: Test, { name, url }: TestDatabase): Promise<TestDatabase> {
  const client = new pg.Client({ connectionString: url.replace(/[^/]*$/, 'postgres') });
  await client.connect();
  await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
  await client.end();
  return testDatabase(t, name);
}

/** The proof of a batch, without a server. */
export function proofOf(database: TestDatabase, id: string): Promise<Reconciliation> {
  return reading(database, (reading) => reconcileBatch(reading, id));
}

/** What the verifier says of a batch. */
export async function verdictOf(
  database: TestDatabase,
  id: string,
  files: readonly Content[],
): Promise<{ summary: VerifySummary; findings: Finding[] }> {
  const findings: Finding[] = [];
  const given = files.map(({ text, sent }, at) => ({
    name: `given-${at}`,
    chunks: pieces(text),
    received: () => {
      const bytes = sent ?? Buffer.from(text);
      return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    },
  }));
  async function* all() {
    yield* given;
  }
  const { limits } = readConfig({});
  const summary = await reading(database, (reading) =>
    verifyFiles(reading, id, all(), limits, (finding) => findings.push(finding)),
  );
  return { summary, findings };
}

async function reading<T>({ url }: TestDatabase, use: (reading: Reading) => Promise<T>): Promise<T> {
  const db = openDatabase({ url, poolSize: 1 });
  try {
    return await withReading(db, use);
  } finally {
    await db.destroy();
  }
}

async function* pieces(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}
