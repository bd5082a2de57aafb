// Generated values through the whole pure path (text, judge, encoder), held against a real Postgres: what is accepted is
// stored as Postgres itself reads the source text, and what is refused Postgres refuses too, or would change.
// DIFFERENTIAL_SEED repeats a run, DIFFERENTIAL_RUNS makes it longer.
import { finished } from 'node:stream/promises';
import fc from 'fast-check';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Test } from 'tap';
import { Batch } from '../../../src/ingest.ts';
import { stageColumns } from '../../../src/lines/encode.ts';
import { NdjsonFraming } from '../../../src/lines/ndjson.ts';
import { Chunk } from '../../../src/load/chunk.ts';
import type { Destination } from '../../../src/load/destination.ts';
import type { Rejection } from '../../../src/model.ts';
import { Tally } from '../../../src/report/tally.ts';
import { loadFolder } from '../../../src/schema/folder.ts';
import type { Registry } from '../../../src/schema/registry.ts';
import { quote } from '../../../src/sql.ts';
import { testDatabase } from '../../helpers/postgres.ts';
import { schemaFolder } from '../../helpers/schemas.ts';

const RUNS = Number(process.env.DIFFERENTIAL_RUNS ?? 100_000);
const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 20_261_121);
const BATCH = 10_000;
/** Of the values generated some break the schema: these were never meant for the column. */
const MOST_BATCHES = (5 * RUNS) / BATCH + 5;
const LIMITS = { lineBytes: 10_000_000, depth: 200 };

export interface Comparison {
  /** Schema of the property `v`, whose value is generated. */
  schema: object;
  /** JSON texts of `v`. */
  values: fc.Arbitrary<string>;
  /** Whether the event's undeclared property `v` is meant, in `_extra`. */
  undeclared?: boolean;
  /**
   * SQL over `doc`, the event's text: how Postgres reads the value, as text. NULL where it would hold another value; it
   * may fail where Postgres refuses.
   */
  reads: string;
  /** SQL over the stored row: what there is to compare with it. */
  stored: string;
  /** SQL that says whether `read` and `stored` are the same value; their texts by default. */
  isSame?: string;
  /** Where we accept on purpose what `reads` calls another value, each with the reason. */
  wider?: { reason: string; isMeant(text: string, stored: string): boolean }[];
  /** Where we refuse on purpose what Postgres would take, each with the reason. */
  stricter?: { reason: string; isMeant(text: string): boolean }[];
}

/** Compares at least `RUNS` values that pass their schema. */
export async function compare(t: Test, name: string, comparison: Comparison): Promise<void> {
  t.comment(`${name}: DIFFERENTIAL_SEED=${SEED}`);
  const properties = comparison.undeclared ? {} : { v: comparison.schema };
  const registry = await loadFolder(
    await schemaFolder(t, { 'thing/1.0.0.json': { type: 'object', properties, required: Object.keys(properties) } }),
  );
  const client = await connect(t, registry, comparison);
  let compared = 0;
  let refused = 0;
  for (let batch = 0; compared < RUNS && batch < MOST_BATCHES; batch++) {
    const texts = different(fc.sample(comparison.values, { numRuns: BATCH, seed: SEED + batch }));
    const { chunk, rejections } = judged(registry, texts);
    const outcome = await differences(client, chunk, rejections, texts, comparison);
    if (outcome.wrong.length > 0) {
      t.strictSame(outcome.wrong.slice(0, 5), [], `${outcome.wrong.length} values of ${name} differ, seed ${SEED}`);
      return;
    }
    compared += outcome.compared;
    refused += outcome.refused;
  }
  t.ok(compared >= RUNS, `${compared} values of ${name} compared, ${refused} of them refused`);
  t.ok(refused > 0 || comparison.schema === BOOLEAN, `some values of ${name} are refused`);
}

/** One text of each value: ids that come twice would be duplicates. */
function different(texts: readonly string[]): string[] {
  return [...new Map(texts.map((text) => [text.startsWith('"') ? JSON.parse(text) : text, text])).values()];
}

/** The one type of which nothing can be unstorable. */
export const BOOLEAN = { type: 'boolean' };

/** The real pipeline, with memory behind it. */
function judged(registry: Registry, texts: readonly string[]): { chunk: Chunk; rejections: Rejection[] } {
  const chunk = new Chunk(registry.only!.plan);
  const rejections: Rejection[] = [];
  const destination = {
    abortReason: undefined,
    isFull: false,
    chunk: () => chunk,
    reject: (rejection: Rejection) => rejections.push({ ...rejection, raw: Buffer.from(rejection.raw) }),
    blank: () => {},
  } as unknown as Destination;
  const rules = { parameters: '', schema: null, startedAt: 0 };
  const limits = { lineBytes: LIMITS.lineBytes, depth: LIMITS.depth } as ConstructorParameters<
    typeof Batch
  >[1]['limits'];
  const batch = new Batch(rules, { registry, limits }, new Tally(), destination);
  batch.open({
    name: null,
    format: 'ndjson',
    chunks: (async function* () {})(),
    received: () => ({ bytes: 0, sha256: '' }),
  });
  const framing = new NdjsonFraming(LIMITS.lineBytes);
  const body = Buffer.from(texts.map((text) => `${documentOf(text)}\n`).join(''));
  for (const lines of framing.push(body)) for (let from = 0; from < lines.count; ) from = batch.judge(lines, from);
  return { chunk, rejections };
}

const documentOf = (text: string): string => `{"v":${text}}`;

async function connect(t: Test, registry: Registry, { reads }: Comparison): Promise<pg.Client> {
  const { url } = await testDatabase(t);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  t.teardown(() => client.end());
  const { columns } = registry.only!.plan;
  const defined = columns.map(({ name, type }) => `${quote(name)} ${type}`);
  const unique = columns.filter(({ id }) => id).map(({ name }) => `, UNIQUE (${quote(name)})`);
  await client.query(`
    SET timezone = 'UTC'; SET client_min_messages = warning;
    CREATE TABLE stored (${[...defined, '_extra jsonb', '_line int', '_schema_version text'].join(', ')}${unique.join('')});
    CREATE FUNCTION try_read(doc text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
      RETURN ${reads};
    EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN RETURN NULL;
    END $$;`);
  return client;
}

interface Found {
  compared: number;
  refused: number;
  wrong: object[];
}

async function differences(
  client: pg.Client,
  chunk: Chunk,
  rejections: readonly Rejection[],
  texts: readonly string[],
  { stored, isSame = 'read = stored', stricter = [], wider = [] }: Comparison,
): Promise<Found> {
  const names = stageColumns(chunk.plan).map(quote).join(', ');
  await client.query('TRUNCATE stored');
  const stream = client.query(copyFrom(`COPY stored (${names}) FROM STDIN (FORMAT binary)`));
  stream.end(chunk.rows.copyData());
  await finished(stream);
  const unstorable = rejections.filter(({ code }) => code === 'unstorable_value' || code === 'duplicate_key');
  const lines = [
    ...Array.from({ length: chunk.rows.rows }, (_, row) => chunk.batchLine(row)),
    ...unstorable.map(({ line }) => line),
  ];
  const { rows } = await client.query(
    `SELECT sent.line, read, value.stored, _line IS NOT NULL AS is_stored
     FROM unnest($1::int[], $2::text[]) AS sent (line, doc)
     CROSS JOIN LATERAL (SELECT try_read(doc) AS read OFFSET 0) AS reading LEFT JOIN stored ON _line = sent.line
     CROSS JOIN LATERAL (SELECT ${stored} AS stored) AS value
     WHERE CASE WHEN _line IS NULL THEN read IS NOT NULL
       ELSE (${isSame.replace('stored', 'value.stored')}) IS NOT TRUE END`,
    [lines, lines.map((line) => documentOf(texts[line - 1]!))],
  );
  const isOnPurpose = (line: number, given: string | null) =>
    given === null
      ? stricter.some(({ isMeant }) => isMeant(texts[line - 1]!))
      : wider.some(({ isMeant }) => isMeant(texts[line - 1]!, given));
  const wrong = rows.filter(({ line, is_stored, stored }) => !isOnPurpose(line, is_stored ? stored : null));
  return {
    compared: lines.length,
    refused: unstorable.length,
    wrong: wrong.map(({ line, read, stored, is_stored }) => ({
      text: texts[line - 1]!.slice(0, 300),
      ours: is_stored ? stored?.slice(0, 300) : 'refused',
      reason: rejections.find((rejection) => rejection.line === line)?.errors[0]?.message,
      postgres: read?.slice(0, 300) ?? 'refuses or changes it',
    })),
  };
}
