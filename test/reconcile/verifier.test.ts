// The verifier judges by itself what each line should have become: what it finds beside the rows.
import t from 'tap';
import { ndjson, ndjsonOf } from '../helpers/http.ts';
import { bench, THING, thing, verdictOf } from './batches.ts';

const IDENTIFIED = {
  type: 'object',
  additionalProperties: false,
  required: ['id'],
  properties: { id: { type: 'integer', 'x-id': true }, note: { type: 'string' } },
};

t.test('the record of the rows does not matter to it', async (t) => {
  const base = await bench(t);
  const text = ndjsonOf([thing(1), thing(2)]);
  const { id } = await base.load([{ text }]);
  await base.query('DELETE FROM sluice.row_digests');
  t.match(await verdictOf(base, id, [{ text }]), { summary: { status: 'matched' }, findings: [] });
});

t.test('lines that are not valid, and what is stored of them', async (t) => {
  const base = await bench(t);
  const text = ndjson(thing(1), { n: 'x' }, '{', thing(4), { n: 'y' }, '', { n: 'z' });
  const { id } = await base.load([{ text }]);
  const insert = `INSERT INTO events.thing (n, _batch_id, _line, _schema_version, _received_at)
    SELECT 1, id, 2, '1.0.0', received_at FROM sluice.batches WHERE id = $1`;
  await base.query(insert, [id]);
  await base.query('DELETE FROM sluice.rejections WHERE batch_line = 3');
  await base.query(`UPDATE sluice.rejections SET raw = raw || ' ' WHERE batch_line = 5`);
  await base.query('DELETE FROM sluice.line_runs');
  // Retention has taken this one away.
  await base.query('DELETE FROM sluice.rejections WHERE batch_line = 7');
  await base.query(`INSERT INTO sluice.line_runs VALUES ($1, 7, 7, 'rejected')`, [id]);
  const { findings, summary } = await verdictOf(base, id, [{ text }]);
  t.match(findings, [
    { kind: 'accepted_invalid', line: 2, table: 'events.thing', message: /schema_violation \/n must be integer/ },
    { kind: 'rejection_missing', line: 3, message: /invalid_json/ },
    { kind: 'rejection_changed', line: 5 },
    { kind: 'misrecorded', line: 6, message: 'it is blank, and recorded as accepted' },
  ]);
  t.strictSame(summary.differences, {
    accepted_invalid: 1,
    rejection_missing: 1,
    rejection_changed: 1,
    misrecorded: 1,
  });
});

t.test('valid lines that were rejected, by the database and by nobody', async (t) => {
  const base = await bench(t, undefined, { MAX_LINE_BYTES: '400', MAX_DEPTH: '5' });
  await base.query('ALTER TABLE events.thing ADD CHECK (n <> 13)');
  const long = { n: 5, s: 'x'.repeat(500) };
  const deep = { n: 6, more: [[[[[[]]]]]] };
  const text = ndjson(thing(1), { n: 13 }, thing(3), thing(4), long, deep);
  const { id, report } = await base.load([{ text }]);
  t.strictSame(
    report.rejections.map((each: { line: number; code: string }) => [each.line, each.code]),
    [
      [5, 'line_too_long'],
      [6, 'too_deep'],
      [2, 'unstorable_value'],
    ],
  );
  t.strictSame((await verdictOf(base, id, [{ text }])).findings, []);

  const stored = `INSERT INTO sluice.rejections SELECT $1, $2, $2, NULL, 0, $3, $4, NULL, '[]', $5`;
  const raw = text.split('\n')[2]!;
  await base.query('DELETE FROM events.thing WHERE _line IN (3, 4)');
  await base.query(stored, [id, 3, Buffer.byteLength(raw), 'schema_violation', Buffer.from(raw)]);
  await base.query(stored, [id, 4, 1, 'check_failed', Buffer.from('x')]);
  await base.query(`UPDATE sluice.rejections SET raw = substr(raw, 2) WHERE batch_line IN (2, 5)`);
  t.match((await verdictOf(base, id, [{ text }])).findings, [
    { kind: 'rejection_changed', line: 2 },
    { kind: 'rejected_valid', line: 3, message: 'it was rejected (schema_violation), and it is valid' },
    { kind: 'rejection_changed', line: 4 },
    { kind: 'rejection_changed', line: 5 },
  ]);
});

t.test('a duplicate whose event is gone is missing', async (t) => {
  const base = await bench(t, { 'one/1.0.0.json': IDENTIFIED });
  await base.load([{ text: ndjson({ id: 1 }, { id: 2 }) }]);
  const text = ndjson({ id: 1, note: 'again' }, { id: 3 }, { id: 2 });
  const { id, report } = await base.load([{ text }]);
  t.equal(report.lines.duplicate, 2);
  t.match(await verdictOf(base, id, [{ text }]), { findings: [], summary: { lines: { duplicate: 2, stored: 1 } } });
  await base.query('DELETE FROM events.one WHERE id = 2');
  const { findings } = await verdictOf(base, id, [{ text }]);
  t.match(findings, [{ kind: 'missing', line: 3, message: /no row has its id/ }]);
});

t.test('a rejection that was replayed stands where the replay put it', async (t) => {
  const base = await bench(t);
  const text = ndjson(thing(1), { n: 'x' }, { n: 'y' });
  const { id } = await base.load([{ text }]);
  const healed = ndjson(thing(2), thing(3));
  const { id: replay } = await base.load([{ text: healed }]);
  await base.query('INSERT INTO sluice.replays VALUES ($1, 2, $2, 1), ($1, 3, $2, 2)', [id, replay]);
  t.strictSame((await verdictOf(base, id, [{ text }])).findings, []);
  await base.query('DELETE FROM events.thing WHERE _batch_id = $1 AND _line = 2', [replay]);
  t.match((await verdictOf(base, id, [{ text }])).findings, [
    { kind: 'replay_missing', line: 3, message: `it was replayed as line 2 of ${replay}, which has no row of it` },
  ]);
  await base.query(`UPDATE sluice.batches SET status = 'held' WHERE id = $1`, [replay]);
  t.strictSame((await verdictOf(base, id, [{ text }])).findings, [], 'it is pending');
});

t.test('another file, a shorter one, a longer one, too few and too many', async (t) => {
  const base = await bench(t);
  const [one, two] = [ndjsonOf([thing(1), thing(2)]), ndjsonOf([thing(3)])];
  const { id } = await base.load([{ text: one }, { text: two }]);
  const kinds = async (...texts: string[]) => {
    const { findings } = await verdictOf(
      base,
      id,
      texts.map((text) => ({ text })),
    );
    return findings.map(({ kind, line }) => `${kind} ${line}`);
  };
  t.strictSame(await kinds(one, two), []);
  t.strictSame(await kinds(one), ['source null', 'unknown 3']);
  t.strictSame(await kinds(one, ndjsonOf([thing(4)])), ['source null', 'changed 3']);
  t.strictSame(await kinds(one, `${two}\n{}\n`), ['source null', 'misrecorded 4', 'rejection_missing 5']);
  t.strictSame(await kinds(one, two, ndjsonOf([thing(9)])), ['source null', 'missing 4']);
  t.strictSame(await kinds('', ''), ['source null', 'source null', 'unknown 1', 'unknown 2', 'unknown 3']);
});

t.test('what differs is shown, of every type', async (t) => {
  const base = await bench(t);
  const text = ndjsonOf([thing(1)]);
  const { id } = await base.load([{ text }]);
  await base.query(
    `UPDATE events.thing SET n = -9223372036854775808, s = NULL, d = 1e300, b = true, at = '1999-12-31 23:59:59.000001Z',
       day = '0001-01-01', u = 'ffffffff-0000-4000-8000-000000000000', j = '[]', _extra = NULL,
       _schema_version = '9.9.9', _received_at = '2020-01-01Z'`,
  );
  const { findings } = await verdictOf(base, id, [{ text }]);
  const columns = [...findings[0]!.columns!].sort((a, b) => (a.column < b.column ? -1 : 1));
  t.match(columns, [
    { column: '_extra', expected: '{"more": {"a": "x", "b": 1}}', found: 'null' },
    { column: '_received_at', expected: /^"20/, found: '"2020-01-01T00:00:00.000000Z"' },
    { column: '_schema_version', expected: '"1.0.0"', found: '"9.9.9"' },
    { column: 'at', expected: '"2026-01-02T03:04:05.001000Z"', found: '"1999-12-31T23:59:59.000001Z"' },
    { column: 'b', expected: 'false', found: 'true' },
    { column: 'd', expected: '0.125', found: '1e+300' },
    { column: 'day', expected: '"2026-01-02"', found: '"0001-01-01"' },
    { column: 'j', expected: '[1, {"b": 1, "aa": [1]}]', found: '[]' },
    { column: 'n', expected: '1', found: '-9223372036854775808' },
    { column: 's', expected: '"text 1 ä"', found: 'null' },
    {
      column: 'u',
      expected: '"00000000-0000-4000-8000-000000000001"',
      found: '"ffffffff-0000-4000-8000-000000000000"',
    },
  ]);
});

t.test('schemas come from the database, with what they refer to, and as they were then', async (t) => {
  const address = { type: 'object', properties: { city: { type: 'string' } }, additionalProperties: false };
  const files = {
    '_shared/address.json': address,
    'visit/1.0.0.json': {
      type: 'object',
      additionalProperties: false,
      required: ['n'],
      properties: { z: { $ref: '../_shared/address.json' }, n: { type: 'integer' }, a: { $ref: '#/definitions/a' } },
      definitions: { a: { type: 'string', format: 'uuid' } },
    },
    'visit/subject.json': { compatibility: 'NONE' },
  };
  const base = await bench(t, files);
  const text = ndjson(
    { n: 1, z: { city: 'Ulm' }, a: '00000000-0000-4000-8000-000000000001' },
    { n: 2, a: 'none' },
    { $schema: 'visit/1', n: 3 },
    { $schema: 'visit/2', n: 4 },
  );
  const { id } = await base.load([{ text }]);
  await base.server.stop();
  const next = { type: 'object', additionalProperties: false, properties: { n: { type: 'integer', minimum: 5 } } };
  const later = await bench(t, { ...files, 'visit/2.0.0.json': next, 'other/1.0.0.json': THING }, {}, base);
  t.strictSame((await verdictOf(later, id, [{ text }])).findings, []);
});

t.test('two properties that would share a column', async (t) => {
  const base = await bench(t, {
    'hook/1.0.0.json': {
      type: 'object',
      additionalProperties: false,
      properties: {
        b_c: { type: 'object', additionalProperties: false, properties: { d: { type: 'string' } } },
        b: { type: 'object', additionalProperties: false, properties: { c_d: { type: 'string' } } },
      },
    },
  });
  const text = ndjson({ b: { c_d: 'one' }, b_c: { d: 'two' } }, { b: { c_d: 'three' } });
  const { id } = await base.load([{ text }]);
  t.strictSame((await verdictOf(base, id, [{ text }])).findings, [], 'whatever the order of members in the record');
});
