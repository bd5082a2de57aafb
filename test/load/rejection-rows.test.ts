// Rejected lines in Postgres: reasons that lines have in common are stored once a batch, and nobody who reads notices.
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import t from 'tap';
import { generate } from '../../bench/generate.ts';
import type { Limits } from '../../src/config.ts';
import { Batch, run, type UploadFile } from '../../src/ingest.ts';
import { RowBuffer } from '../../src/lines/rows.ts';
import { chunkFor } from '../../src/load/chunk.ts';
import type { Destination } from '../../src/load/destination.ts';
import { uuidBytes } from '../../src/load/record.ts';
import type { Cause, Rejection } from '../../src/model.ts';
import { Tally } from '../../src/report/tally.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import { addsUp, get, lines, ndjson, post, userEvent } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';

const SEED = 20_261_121;
const LIMITS = { lineBytes: 5_000, depth: 64 } as Limits;
const OTHER = '019c8a7e-6f0b-7d3a-9a53-c1d7c0d6a001';

/** Lines of all kinds of badness, runs of the same and such of which each has a reason of its own. */
function* badLines(count: number): Generator<Buffer> {
  let index = 0;
  for (const { bytes } of generate({ lines: count, seed: SEED, bad: 0.9, lineLimit: LIMITS.lineBytes })) {
    yield bytes;
    if (index++ % 7 === 0) yield Buffer.from(ndjson(userEvent({ [`surprise_${index}`]: '\0' })));
    if (index % 11 === 0) yield Buffer.from('\n[]\n{"a":1,"a":2}\n{"event_type":"x"}\n');
  }
}

/** The rejections themselves, one by one, as the pipeline hands them on. */
async function rejectionsOf(files: [name: string, body: Buffer][]): Promise<Rejection[]> {
  const registry = await loadFolder('schemas');
  const rejections: Rejection[] = [];
  const chunks = new Map();
  const kept: Destination = {
    abortReason: undefined,
    chunk: (schema) => chunkFor(chunks, schema),
    reject: (rejection) => rejections.push({ ...rejection, raw: Buffer.from(rejection.raw) }),
    blank: () => {},
    isFull: false,
    relieve: async () => {},
    finish: async () => ({ report: '', status: 200 }),
    abandon: async () => {},
  };
  async function* uploaded(): AsyncGenerator<UploadFile> {
    for (const [name, body] of files) {
      yield { name, format: 'ndjson', chunks: Readable.from([body]), received: () => ({ bytes: 0, sha256: '' }) };
    }
  }
  const rules = { parameters: '', schema: null, startedAt: 0 };
  await run(new Batch(rules, { registry, limits: LIMITS }, new Tally(), kept, () => null), uploaded());
  return rejections;
}

/** As the version before writes them: each with its reasons, in one COPY to `sluice.rejections`. */
async function copyPlainly(url: string, batchId: string, rejections: Rejection[]): Promise<number> {
  const rows = new RowBuffer();
  for (const { batchLine, line, file, offset, length, code, schema, errors, raw } of rejections) {
    rows.begin(12);
    rows.bytea(uuidBytes(batchId));
    rows.int4(batchLine);
    rows.int4(line);
    if (file === null) rows.null();
    else rows.text(file);
    rows.int8(offset);
    rows.int8(length);
    rows.text(code);
    if (schema === null) rows.null();
    else rows.text(schema);
    rows.jsonbText(JSON.stringify(errors));
    rows.bytea(raw);
    rows.null();
    rows.null();
    rows.end();
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const names = 'batch_id,batch_line,line,file,"offset",length,code,schema,errors,raw,origin_batch_id,origin_line';
  const copy = client.query(copyFrom(`COPY sluice.rejections (${names}) FROM STDIN (FORMAT binary)`));
  copy.end(rows.copyData());
  await finished(copy);
  await client.end();
  return copy.rowCount;
}

/** Counted the plain way: without the 100 kinds beyond which they are counted together. */
function causesOf(rejections: readonly Rejection[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { code, schema, errors } of rejections) {
    const [{ path, keyword, message }] = errors as [Rejection['errors'][0]];
    const key = JSON.stringify([code, schema, path, keyword, code === 'schema_violation' ? message : '']);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

t.test(
  'rejections read the same, whether they were stored with their reasons or with the number of a cause',
  async (t) => {
    const { url: databaseUrl, query } = await testDatabase(t);
    const server = await startServer(t, { databaseUrl, env: { MAX_LINE_BYTES: String(LIMITS.lineBytes) } });
    const one = Buffer.concat([...badLines(20_000)]);
    const two = Buffer.concat([...badLines(3_000)]);
    const form = new FormData();
    form.append('file', new Blob([one], { type: 'application/x-ndjson' }), 'one.ndjson');
    form.append('file', new Blob([two], { type: 'application/x-ndjson' }), 'two.ndjson');
    const { json: report } = await post(server, form);
    t.ok(addsUp(report));

    const rejections = await rejectionsOf([
      ['one.ndjson', one],
      ['two.ndjson', two],
    ]);
    t.equal(report.lines.rejected, rejections.length);
    t.equal(await copyPlainly(databaseUrl, OTHER, rejections), rejections.length, 'the version before still can');

    const columns = 'batch_line, line, file, "offset", length, code, schema, errors, raw, origin_batch_id, origin_line';
    const rowsOf = (batch: string): string => `SELECT ${columns} FROM sluice.rejections WHERE batch_id = '${batch}'`;
    for (const [a, b] of [
      [report.batch_id, OTHER],
      [OTHER, report.batch_id],
    ]) {
      t.strictSame(await query(`${rowsOf(a)} EXCEPT ALL ${rowsOf(b)} LIMIT 3`), []);
    }
    const [stored] = await query(
      `SELECT count(*)::int AS lines, count(errors)::int AS whole FROM sluice.rejected_lines WHERE batch_id = $1`,
      [report.batch_id],
    );
    t.equal(stored!.lines, rejections.length);
    t.ok(stored!.whole < rejections.length / 2, `${stored!.whole} of ${stored!.lines} lines have reasons of their own`);

    const listed = lines(await get(server, report.links.rejections));
    t.strictSame(
      listed.map(({ line, file, code, schema, errors, length }) => [line, file, code, schema, errors, length]),
      rejections.map(({ line, file, code, schema, errors, length }) => [line, file, code, schema, errors, length]),
    );
    const expected = causesOf(rejections);
    const named = (report.causes as Cause[]).filter(({ message }) => message !== 'other causes with this code');
    t.equal(named.length, 100);
    for (const { code, schema, path, keyword, message, count } of named) {
      const key = JSON.stringify([code, schema, path, keyword, code === 'schema_violation' ? message : '']);
      t.equal(expected.get(key), count, key);
    }
  },
);

t.test('people and the version before can change and remove rejections as ever', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const { json: report } = await post(server, '{"event_type":1}\n{"event_type":2}\n{"event_type":3}\n'.repeat(5));
  const causes = 'SELECT count(*)::int AS n FROM sluice.rejection_causes';
  t.strictSame(await query(causes), [{ n: 1 }]);

  await query(`UPDATE sluice.rejections SET raw = raw || ' ' WHERE batch_line = 14`);
  t.strictSame(await query('DELETE FROM sluice.rejections WHERE batch_line = 15 RETURNING line, code, length'), [
    { line: 15, code: 'schema_violation', length: '16' },
  ]);
  t.match(lines(await get(server, report.links.rejections)).slice(12), [
    { line: 13, raw: '{"event_type":1}', length: 16 },
    { line: 14, raw: '{"event_type":2} ', length: 16, errors: [{ keyword: 'required' }] },
  ]);
  const again = `INSERT INTO sluice.rejections SELECT * FROM sluice.rejections WHERE batch_line = 13`;
  await t.rejects(query(again), { code: '23505' }, 'a line is in it once');
  await t.rejects(query(`UPDATE sluice.rejections SET code = NULL`), { code: '23502' });

  await query('DELETE FROM sluice.rejections');
  await query('DELETE FROM sluice.batches');
  t.strictSame(await query(causes), [{ n: 0 }], 'they go with their batch');
});
