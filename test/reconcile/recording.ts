// A server, a batch, and what is recorded of it: what the tests of reconciliation share.
import { createHash } from 'node:crypto';
import pg from 'pg';
import type { Test } from 'tap';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/db.ts';
import { Batch, run, type UploadFile } from '../../src/ingest.ts';
import { batchDigest, TableDigest } from '../../src/lines/digest.ts';
import { stageColumns } from '../../src/lines/encode.ts';
import { LineRuns } from '../../src/lines/runs.ts';
import { type Chunk, chunkFor } from '../../src/load/chunk.ts';
import type { Destination } from '../../src/load/destination.ts';
import { type Reconciliation, reconcileBatch } from '../../src/reconcile/batch.ts';
import { type Reading, withReading } from '../../src/reconcile/connections.ts';
import { linesWithoutRow } from '../../src/reconcile/record.ts';
import type { Finding, VerifySummary } from '../../src/reconcile/verify/findings.ts';
import { verifyFiles } from '../../src/reconcile/verify/verify.ts';
import { Tally } from '../../src/report/tally.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import type { SchemaVersion } from '../../src/schema/registry.ts';
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
      await record(database, json.batch_id, files, schemaDir, options.query?.schema);
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

/** Rows of a block, where this file has to record them. */
const BLOCK_BYTES = 256 * 1024;

/**
 * Records what the batch's rows were, from the file's side, where the server has not done so when it accepted them.
 */
async function record(
  { query, url }: TestDatabase,
  id: string,
  files: readonly Content[],
  schemaDir: string,
  schema: string | undefined,
): Promise<void> {
  const [batch] = await query<{ status: string; accepted: string; digest: Buffer | null }>(
    'SELECT status, accepted, digest FROM sluice.batches WHERE id = $1',
    [id],
  );
  if (batch?.status !== 'promoted' || batch.accepted === '0' || batch.digest !== null) return;

  const registry = await loadFolder(schemaDir);
  const blocks: { table: string; columns: string[]; lines: number[]; prints: Buffer }[] = [];
  const chunks = new Map<string, Chunk>();
  const take = (least: number): void => {
    for (const chunk of chunks.values()) {
      if (chunk.rows.rows === 0 || chunk.rows.length < least) continue;
      const lines = Array.from({ length: chunk.rows.rows }, (_, row) => chunk.batchLine(row));
      const prints = Buffer.from(chunk.rows.fingerprints());
      blocks.push({ table: chunk.plan.table, columns: stageColumns(chunk.plan), lines, prints });
      chunk.clear();
    }
  };
  const nowhere: Destination = {
    abortReason: undefined,
    chunk: (version: SchemaVersion) => chunkFor(chunks, version),
    reject() {},
    blank() {},
    isFull: true,
    relieve: async () => take(BLOCK_BYTES),
    finish: async () => ({ report: '{}', status: 200 }),
    abandon: async () => {},
  };
  const rules = { parameters: '', schema: schema === undefined ? null : registry.resolve(schema), startedAt: 0 };
  const pipeline = new Batch(rules, { registry, limits: readConfig({}).limits }, new Tally(), nowhere);
  await run(pipeline, filesOf(files));
  take(0);

  const db = openDatabase({ url, poolSize: 1 });
  const gone = new Set<number>();
  const connection = await db.client.acquireConnection();
  for await (const { first, last } of linesWithoutRow(connection, id)) {
    for (let line = first; line <= last; line++) gone.add(line);
  }
  await db.client.releaseConnection(connection);
  await db.destroy();

  const digests = new Map<string, TableDigest>();
  const counts = new Map<string, number>();
  for (const { table, columns, lines, prints } of blocks) {
    const runs = new LineRuns();
    const digest = digests.get(table) ?? new TableDigest();
    digests.set(table, digest);
    for (const [at, line] of lines.entries()) {
      runs.append(line);
      if (!gone.has(line)) digest.addRow(line, prints, at * 8);
    }
    const block = counts.get(table) ?? 0;
    counts.set(table, block + 1);
    await query('INSERT INTO sluice.row_digests VALUES ($1, $2, $3, $4, $5, $6)', [
      id,
      table,
      block,
      columns,
      runs.encode(),
      prints,
    ]);
  }
  const digest = batchDigest(new Map([...digests].map(([table, each]) => [table, each.digest()])));
  await query('UPDATE sluice.batches SET digest = $2 WHERE id = $1', [id, digest]);
  // As the server records it.
  const versions = [...registry.subjects.values()].flatMap((subject) => subject.versions.map((version) => version.id));
  await query(`UPDATE sluice.batches SET schemas = $2 WHERE id = $1 AND schemas = '{}'`, [id, versions]);
}

async function* filesOf(files: readonly Content[]): AsyncGenerator<UploadFile> {
  for (const { text, format } of files) {
    yield { name: null, format: format ?? 'ndjson', chunks: pieces(text), received: () => ({ bytes: 0, sha256: '' }) };
  }
}
