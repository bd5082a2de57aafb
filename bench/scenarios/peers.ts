// What people do today with the same file: a validated INSERT per row, multi-row INSERTs by knex, and the usual script in
// Python. Slow ones get fewer lines; only rates are compared.
import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import knex from 'knex';
import type pg from 'pg';
import { clear, withClient } from '../database.ts';
import { type Figure, ratios } from '../figures.ts';
import { generateFile } from '../generate.ts';
import { insertInto, valuesOf } from '../peers/inserts.ts';
import type { Bench } from '../scenario.ts';
import { startServer } from '../server.ts';
import { load } from '../upload.ts';

const SCHEMA = 'schemas/user_event/1.0.0.json';
const KNEX_ROWS = 1_000;
const run = promisify(execFile);

export async function benchPeers(bench: Bench): Promise<Figure[]> {
  const { url } = bench;
  const file = async (name: string, usual: number) => {
    const lines = bench.lines(usual);
    const path = join(bench.directory, `${name}.ndjson`);
    await generateFile(path, { lines, seed: bench.seed, bad: 0 });
    return { lines, path };
  };
  const [large, middle] = [await file('large', 1_000_000), await file('middle', 200_000)];
  const [small, tiny] = [await file('small', 20_000), await file('tiny', 2_000)];
  const missing = await missingOfPython();
  if (missing !== null) bench.note(`peers: the Python script is skipped; Python says: ${missing}`);
  // Not as an argument: it holds a password, and errors repeat arguments.
  const env = { ...process.env, DATABASE_URL: url };
  const server = await startServer({ databaseUrl: url });
  const isValid = await validator();
  const rates = { product: [] as number[], rows: [] as number[], knex: [] as number[], python: [] as number[] };
  try {
    await withClient(url, async (client) => {
      for (const peer of ['rows', 'knex', 'python']) {
        await client.query(`CREATE TABLE public.${peer} (LIKE events.user_event INCLUDING ALL)`);
      }
      for (let round = 0; round < bench.rounds; round++) {
        await clear(client);
        rates.product.push(large.lines / (await load(server, { path: large.path })).seconds);
        await client.query('CHECKPOINT');
        rates.knex.push(middle.lines / (await timed(() => insertByKnex(url, middle.path, isValid))));
        await client.query('CHECKPOINT');
        rates.rows.push(small.lines / (await timed(() => insertByRow(client, small.path, isValid))));
        await client.query('CHECKPOINT');
        if (missing !== null) continue;
        const { stdout } = await run('python3', ['bench/peers/rows.py', SCHEMA, tiny.path], { env });
        rates.python.push(tiny.lines / Number(stdout));
      }
    });
  } finally {
    await server.stop();
  }
  const peer = (name: 'rows' | 'knex' | 'python', work: string): Figure[] => [
    { id: `peers.${name}`, work, unit: '/s', values: rates[name] },
    { id: `peers.than_${name}`, work: 'the product against it', unit: '×', values: ratios(rates.product, rates[name]) },
  ];
  return [
    { id: 'peers.product', work: 'rows over HTTP to the end of the report', unit: '/s', values: rates.product },
    ...peer('knex', `rows by ajv and knex, ${KNEX_ROWS} to an INSERT`),
    ...peer('rows', 'rows by ajv and pg, one INSERT each'),
    ...(missing === null ? peer('python', 'rows by jsonschema and SQLAlchemy, one INSERT each') : []),
  ];
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

async function validator(): Promise<ValidateFunction> {
  const ajv = new Ajv({ strict: false });
  // It comes as CommonJS, whose default export TypeScript takes for the module.
  (addFormats as unknown as (ajv: Ajv) => void)(ajv);
  return ajv.compile(JSON.parse(await readFile(SCHEMA, 'utf8')));
}

/** Good lines, each parsed and validated. */
async function* events(path: string, isValid: ValidateFunction): AsyncGenerator<string> {
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (!isValid(JSON.parse(line))) throw new Error(`not valid: ${line}`);
    yield line;
  }
}

async function insertByRow(client: pg.Client, path: string, isValid: ValidateFunction): Promise<void> {
  const text = insertInto('public.rows');
  let number = 0;
  for await (const line of events(path, isValid)) {
    number++;
    await client.query({ name: 'rows', text, values: valuesOf(line, number) });
  }
}

async function insertByKnex(url: string, path: string, isValid: ValidateFunction): Promise<void> {
  const db = knex({ client: 'pg', connection: url });
  const batch = (await db.raw('SELECT gen_random_uuid() AS id')).rows[0].id;
  let rows: object[] = [];
  let number = 0;
  const insert = async (): Promise<void> => {
    if (rows.length > 0) await db('public.knex').insert(rows);
    rows = [];
  };
  for await (const line of events(path, isValid)) {
    const { event_type, event_time, data, processing_date } = JSON.parse(line);
    const provenance = { _batch_id: batch, _line: ++number, _schema_version: '1.0.0', _received_at: new Date() };
    rows.push({ event_type, event_time, ...data, processing_date, ...provenance });
    if (rows.length === KNEX_ROWS) await insert();
  }
  await insert();
  await db.destroy();
}

/** What Python lacks for the script; null if it lacks nothing. */
function missingOfPython(): Promise<string | null> {
  return run('python3', ['-c', 'import jsonschema, sqlalchemy, psycopg2']).then(
    () => null,
    (error: { stderr?: string; message: string }) => {
      return /No module named '(.*)'/.exec(error.stderr ?? '')?.[0].toLowerCase() ?? error.message;
    },
  );
}
