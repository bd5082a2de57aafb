// Every line is accounted for, whatever became of it: the proof and the verifier find nothing where nothing is wrong.
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { get, ndjson, ndjsonOf } from '../helpers/http.ts';
import { type Bench, bench, type Content, proofOf, THING, thing, verdictOf } from './batches.ts';

const ORDER = {
  type: 'object',
  additionalProperties: false,
  required: ['id'],
  properties: { id: { type: 'string', 'x-id': true }, at: { type: 'string', format: 'date-time' } },
};

/** Both proofs of an untouched batch; returns the API's. */
async function isProved(t: Test, base: Bench, id: string, files: readonly Content[], rows: number) {
  const proof = await base.reconcile(id);
  const lists = { missing: [], changed: [], doubled: [], unknown: [], truncated: false };
  t.match(proof, { status: 'matched', batch_id: id, rows: { expected: rows, found: rows }, ...lists });
  const { summary, findings } = await verdictOf(base, id, files);
  t.strictSame(findings, []);
  t.equal(summary.status, 'matched');
  return { proof, summary };
}

t.test('rejected and blank lines, duplicates, several subjects in one batch', async (t) => {
  const base = await bench(t, { 'thing/1.0.0.json': THING, 'order/1.0.0.json': ORDER });
  const first = ndjson({ $schema: 'order/1.0.0', id: 'a' }, { $schema: 'order', id: 'b' });
  const earlier = await base.load([{ text: first }]);
  await isProved(t, base, earlier.id, [{ text: first }], 2);

  const text = [
    ndjson({ $schema: 'thing', ...thing(1) }, { $schema: 'order/1', id: 'a' }, '', { $schema: 'order', id: 'c' }),
    ndjson('{', { $schema: 'nobody', n: 1 }, { n: 2 }, { $schema: 'order', id: 'c' }, '  ', {
      $schema: 'thing',
      n: 'x',
    }),
    ndjson({ $schema: '/thing/1.0.0', ...thing(2) }, '[]', { $schema: 'order', id: 'd', at: '2026-01-01T00:00:00Z' }),
  ].join('');
  const { id, report } = await base.load([{ text }]);
  t.strictSame(report.lines, { received: 13, accepted: 4, rejected: 5, duplicate: 2, blank: 2 });
  const { summary } = await isProved(t, base, id, [{ text }], 4);
  t.strictSame(summary.lines, { received: 13, stored: 4, rejected: 5, duplicate: 2, blank: 2 });
});

t.test('several files, compressed or not, are one batch and have one source each', async (t) => {
  const base = await bench(t);
  const texts = [[1, 2, 3], [4], [5, 6]].map((numbers) => ndjsonOf(numbers.map(thing)));
  const files = texts.map((text, at) => (at === 1 ? { text, sent: gzipSync(text) } : { text }));
  const { id } = await base.load(files);
  const { proof } = await isProved(t, base, id, files, 6);
  t.match(proof.source, { sha256: null, files: [{ name: 'part-0.ndjson' }, { bytes: files[1]!.sent!.length }, {}] });
  t.equal(
    proof.source.bytes,
    proof.source.files!.reduce((sum, { bytes }) => sum + bytes, 0),
  );

  await base.query('DELETE FROM events.thing WHERE _line = 5');
  t.match(await base.reconcile(id), { status: 'mismatched', missing: [5] });
  const { findings } = await verdictOf(base, id, files);
  t.match(findings, [{ kind: 'missing', line: 5, file: 'part-2.ndjson', file_line: 1 }]);
});

t.test('a JSON array, a single event, a compressed body', async (t) => {
  const base = await bench(t);
  const array: Content = {
    text: `[${[1, 2].map((n) => JSON.stringify(thing(n))).join(' , ')}, {"n": "x"}]`,
    format: 'json',
  };
  await isProved(t, base, (await base.load([array])).id, [array], 2);
  const single: Content = { text: JSON.stringify(thing(3)), format: 'json' };
  const { proof } = await isProved(t, base, (await base.load([single])).id, [single], 1);
  t.match(proof.source, { sha256: /^[0-9a-f]{64}$/, bytes: Buffer.byteLength(single.text) });
  const text = ndjsonOf([thing(4), thing(5)]);
  const packed = { text, sent: gzipSync(text) };
  const { id } = await base.load([packed], { headers: { 'content-encoding': 'gzip' } });
  t.equal((await isProved(t, base, id, [packed], 2)).proof.source.bytes, packed.sent.length);
});

t.test('a large batch, in blocks', async (t) => {
  const base = await bench(t);
  const count = 60_000;
  const text = ndjsonOf(Array.from({ length: count }, (_, index) => (index % 1_000 === 7 ? { n: 'x' } : thing(index))));
  const { id } = await base.load([{ text }]);
  t.ok(text.length > 8 * 1024 * 1024);
  const [{ blocks }] = (await base.query('SELECT count(*)::int AS blocks FROM sluice.row_digests WHERE batch_id = $1', [
    id,
  ])) as [{ blocks: number }];
  t.ok(blocks > 1);
  await isProved(t, base, id, [{ text }], count - 60);

  await base.query('DELETE FROM events.thing WHERE _line % 20 = 1');
  const proof = await base.reconcile(id);
  t.match(proof, { status: 'mismatched', truncated: true, rows: { expected: count - 60, found: count - 60 - 3_000 } });
  t.strictSame(
    proof.missing,
    Array.from({ length: 1_000 }, (_, index) => index * 20 + 1),
  );
  const { summary } = await verdictOf(base, id, [{ text }]);
  t.strictSame(summary.differences, { missing: 3_000 });

  await base.query('UPDATE events.thing SET _line = _line + 1000000');
  const moved = await base.reconcile(id);
  t.match(moved, { truncated: true, rows: { found: count - 60 - 3_000 } });
  t.strictSame([moved.missing.length, moved.unknown.length], [1_000, 1_000]);
  t.match(moved.unknown[0], { table: 'events.thing', line: 1_000_002, row: { n: 1, _batch_id: id } });
});

t.test('batches of which no row is to be found anywhere', async (t) => {
  const base = await bench(t);
  const bad = ndjson({ n: 'x' }, '', '{');
  const rejected = await base.load([{ text: bad }]);
  t.equal(rejected.report.status, 'rejected');
  await isProved(t, base, rejected.id, [{ text: bad }], 0);
  const text = ndjson(thing(1), { n: 'x' }, thing(2));
  const aborted = await base.load([{ text }], { query: { on_error: 'abort' } });
  t.equal(aborted.report.status, 'aborted');
  await isProved(t, base, aborted.id, [{ text }], 0);

  const loaded = await base.load([{ text }]);
  for (const status of ['undone', 'discarded']) {
    await base.query('UPDATE sluice.batches SET status = $2 WHERE id = $1', [loaded.id, status]);
    const left = await base.reconcile(loaded.id);
    t.match(left, { status: 'mismatched', rows: { expected: 0, found: 2 }, digest: { computed: null } });
    t.strictSame(
      left.unknown.map(({ line }) => line),
      [1, 3],
    );
    const { findings } = await verdictOf(base, loaded.id, [{ text }]);
    t.match(findings, [
      { kind: 'unknown', line: 1 },
      { kind: 'unknown', line: 3 },
    ]);
  }
  await base.query('DELETE FROM events.thing');
  await isProved(t, base, loaded.id, [{ text }], 0);
});

t.test('a held batch has its rows in stage', async (t) => {
  const base = await bench(t);
  const text = ndjson(thing(1), { n: 'x' }, thing(2));
  const { id } = await base.load([{ text }]);
  await base.query(`INSERT INTO stage.thing SELECT * FROM events.thing`);
  await base.query(`UPDATE sluice.batches SET status = 'held' WHERE id = $1`, [id]);
  t.match(await base.reconcile(id), {
    status: 'mismatched',
    missing: [],
    unknown: [{ line: 1, table: 'events.thing' }, {}],
  });
  t.match((await verdictOf(base, id, [{ text }])).summary.differences, { unknown: 2 });
  await base.query('DELETE FROM events.thing');
  await isProved(t, base, id, [{ text }], 2);
  await base.query('UPDATE stage.thing SET b = NOT b WHERE _line = 3');
  t.match(await base.reconcile(id), { status: 'mismatched', changed: [3] });
  t.match((await verdictOf(base, id, [{ text }])).findings, [{ kind: 'changed', line: 3, table: 'stage.thing' }]);
});

t.test('a version that came later does not matter', async (t) => {
  const files = { 'thing/1.0.0.json': THING, 'thing/subject.json': { policy: 'lenient' } };
  const base = await bench(t, files);
  const text = ndjsonOf([thing(1), thing(2)]);
  const { id } = await base.load([{ text }]);
  await base.server.stop();
  const wider = { ...THING, properties: { a: { type: 'string' }, ...THING.properties, z: { type: 'integer' } } };
  const later = await bench(t, { ...files, 'thing/1.1.0.json': wider }, {}, base);
  await isProved(t, later, id, [{ text }], 2);
  const second = ndjson({ ...thing(3), a: 'x', z: 7 }, { $schema: 'thing/1.0.0', ...thing(4), z: 8 });
  const { id: next } = await later.load([{ text: second }]);
  await isProved(t, later, next, [{ text: second }], 2);
  await later.query('UPDATE events.thing SET z = 9 WHERE z = 7');
  t.match(await later.reconcile(next), { changed: [1] });
  t.match((await verdictOf(later, next, [{ text: second }])).findings, [
    { kind: 'changed', line: 1, columns: [{ column: 'z', expected: '7', found: '9' }] },
  ]);
});

t.test('what cannot be proved is said', async (t) => {
  const base = await bench(t);
  const { id } = await base.load([{ text: ndjsonOf([thing(1)]) }]);
  const ask = (batch: string) => get(base.server, `/v1/batches/${batch}/reconciliation`);
  t.match(await ask('nobody'), { status: 404, json: { code: 'batch_not_found' } });
  t.match(await ask('019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50'), { status: 404, json: { code: 'batch_not_found' } });
  await base.query(`UPDATE sluice.batches SET status = 'receiving', process = 1 WHERE id = $1`, [id]);
  t.match(await ask(id), { status: 409, json: { code: 'batch_unfinished' } });
  await base.query(`UPDATE sluice.batches SET status = 'promoted' WHERE id = $1`, [id]);
  await base.query(`UPDATE sluice.row_digests SET lines = '\\x00'`);
  t.match(await ask(id), { status: 409, json: { code: 'batch_not_provable' } });
  await base.query('DELETE FROM sluice.row_digests');
  t.match(await ask(id), { status: 409, json: { code: 'batch_not_provable' } });
});

t.test('what is recorded cannot be changed along with the row', async (t) => {
  const base = await bench(t);
  const text = ndjsonOf([thing(1), thing(2)]);
  const { id } = await base.load([{ text }]);
  const { id: other } = await base.load([{ text: ndjsonOf([thing(1), thing(3)]) }]);
  await base.query('DELETE FROM events.thing WHERE _batch_id = $1', [id]);
  await base.query(
    `INSERT INTO events.thing SELECT (jsonb_populate_record(thing, jsonb_build_object('_batch_id', $1::text,
       '_received_at', (SELECT received_at FROM sluice.batches WHERE id = $1::uuid)))).* FROM events.thing`,
    [id],
  );
  await base.query('DELETE FROM sluice.row_digests WHERE batch_id = $1', [id]);
  await base.query('UPDATE sluice.row_digests SET batch_id = $1', [id]);
  t.match(await proofOf(base, id), { status: 'mismatched', missing: [], changed: [], doubled: [], unknown: [] });
  t.match((await verdictOf(base, id, [{ text }])).findings, [{ kind: 'changed', line: 2 }]);
  t.not(id, other);
});
