// Held batches that are promoted or discarded, by one request or by many at once.
import t, { type Test } from 'tap';
import { addsUp, get, lines, ndjson, ndjsonOf, post, userEvent } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { proxyTo } from '../helpers/proxy.ts';
import { startServer } from '../helpers/server.ts';
import { addSchemas, digestOf, hold, ORDER, schemaFolder } from './held.ts';
import { discard, promote, settle, sleeping, undo } from './settle.ts';

const UNKNOWN = '019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50';
const visit = {
  type: 'object',
  additionalProperties: false,
  required: ['page'],
  properties: { page: { type: 'string' } },
};

async function start(t: Test, schemas: Record<string, object> = { 'order/1.0.0': ORDER, 'visit/1.0.0': visit }) {
  const { url: databaseUrl, query } = await testDatabase(t);
  const schemaDir = await schemaFolder(t, schemas);
  const server = await startServer(t, { databaseUrl, schemaDir });
  return { server, query, databaseUrl, schemaDir };
}

const order = (id: number, note?: string) => ({ $schema: 'order/1.0.0', id, ...(note === undefined ? {} : { note }) });
const page = (name: string) => ({ $schema: 'visit/1.0.0', page: name });

t.test('a held batch over two subjects is promoted whole, with the reason on record', async (t) => {
  const { server, query } = await start(t);
  const headers = { 'idempotency-key': 'both' };
  const body = ndjson(order(1), page('a'), '{"$schema":"visit/1.0.0"}', '', order(2), page('b'));
  const first = await post(server, body, { headers });
  const id = await hold(query, first, 'order', 'visit');
  t.match(await get(server, '/v1/batches?status=held'), { json: { items: [{ batch_id: id, status: 'held' }] } });
  t.match(await post(server, body, { headers }), { status: 202, json: { status: 'held' } });

  const promoted = await promote(server, id, '  looked at it: ünüsual, but right 👍');
  t.equal(promoted.status, 200);
  t.match(promoted.json, { batch_id: id, status: 'promoted', lines: first.json.lines, schemas: first.json.schemas });
  t.ok(addsUp(promoted.json));
  const { history } = promoted.json;
  t.match(history, [{ action: 'promoted', at: /Z$/, reason: '  looked at it: ünüsual, but right 👍' }]);
  t.equal(history.length, 1);
  const members = Object.keys(promoted.json);
  t.equal(members[members.indexOf('history') + 1], 'lines', 'it stands where the contract has it');

  t.strictSame(await query('SELECT _line, id::int FROM events."order" ORDER BY 1'), [
    { _line: 1, id: 1 },
    { _line: 5, id: 2 },
  ]);
  t.strictSame(await query('SELECT _line, page FROM events.visit ORDER BY 1'), [
    { _line: 2, page: 'a' },
    { _line: 6, page: 'b' },
  ]);
  const staged = await query('SELECT FROM stage."order" UNION ALL SELECT FROM stage.visit');
  t.equal(staged.length, 0, 'nothing is left in the stage');
  t.strictSame((await get(server, `/v1/batches/${id}`)).json, promoted.json);
  t.strictSame(await query('SELECT status, http_status, accepted::int, duplicate::int, history FROM sluice.batches'), [
    { status: 'promoted', http_status: 207, accepted: 4, duplicate: 0, history },
  ]);
  const again = await post(server, body, { headers });
  t.match(again, { status: 207, json: { status: 'promoted', history } }, 'the key tells what became of it');

  const second = await promote(server, id, 'once more');
  t.match(second, { status: 409, json: { code: 'batch_not_held', batch_id: id, batch_status: 'promoted' } });
  t.match(await discard(server, id), { status: 409, json: { code: 'batch_not_held' } });
  t.equal((await query('SELECT FROM events.visit')).length, 2);
});

t.test(
  'a discarded batch gets nowhere, its record stays, and what it was to rescue can be replayed again',
  async (t) => {
    const { server, query } = await start(t);
    const headers = { 'idempotency-key': 'k' };
    const body = ndjson(page('a'), page('b'));
    const id = await hold(query, await post(server, body, { headers }), 'visit');
    const other = await hold(query, await post(server, ndjson(page('c'))), 'visit');
    await query(`INSERT INTO sluice.replays VALUES ($1, 1, $2, 1), ($1, 2, $2, 2), ($1, 3, $3, 1)`, [
      UNKNOWN,
      id,
      other,
    ]);

    const discarded = await discard(server, id, JSON.stringify({ reason: 'sent twice' }));
    t.match(discarded, { status: 200, json: { status: 'discarded', lines: { accepted: 2 } } });
    t.match(discarded.json.history, [{ action: 'discarded', reason: 'sent twice' }]);
    t.equal((await query('SELECT FROM events.visit')).length, 0);
    t.equal(
      (await query('SELECT FROM stage.visit WHERE _batch_id = $1', [id])).length,
      2,
      'retention removes its rows',
    );
    t.strictSame(await query('SELECT replayed_by FROM sluice.replays'), [{ replayed_by: other }]);
    t.match(await post(server, body, { headers }), { status: 422, json: { status: 'discarded' } });
    t.match(await get(server, '/v1/batches?status=discarded'), { json: { items: [{ batch_id: id }] } });
    t.match(await promote(server, id, 'after all'), { status: 409, json: { batch_status: 'discarded' } });
    t.match(await undo(server, id), { status: 409, json: { code: 'batch_not_promoted', batch_status: 'discarded' } });

    const without = await discard(server, other);
    t.match(without, { status: 200, json: { status: 'discarded' } }, 'a reason is not needed');
    t.notOk('reason' in without.json.history[0]);
  },
);

t.test('what is not a reason is refused, and nothing happens', async (t) => {
  const { server, query } = await start(t);
  const id = await hold(query, await post(server, ndjson(page('a'))), 'visit');
  const bodies: [body: string | Buffer, detail: RegExp][] = [
    ['', /needs a reason/],
    ['{}', /needs a reason/],
    ['{"reason":""}', /empty/],
    ['{"reason":" \\n\\t "}', /empty/],
    ['{"reason":null}', /not a string/],
    ['{"reason":["x"]}', /not a string/],
    [JSON.stringify({ reason: 'x'.repeat(1_001) }), /1000 characters/],
    ['{"reason":"a\\u0000b"}', /NUL/],
    ['{"reason":"\\ud800"}', /Unicode/],
    ['{"reason":"x","force":true}', /"force"/],
    ['{"__proto__":{"reason":"x"}}', /"__proto__"/],
    ['[{"reason":"x"}]', /not a JSON object/],
    ['"x"', /not a JSON object/],
    ['null', /not a JSON object/],
    ['{"reason":', /JSON/],
    [Buffer.from('{"reason":"\xff"}', 'latin1'), /UTF-8/],
  ];
  for (const [body, detail] of bodies) {
    const said = body.toString().slice(0, 30);
    t.match(await settle(server, `${id}/promote`, body), { status: 400, json: { code: 'invalid_body', detail } }, said);
    if (/needs/.test(detail.source)) continue;
    t.match(await settle(server, `${id}/discard`, body), { status: 400, json: { code: 'invalid_body', detail } }, said);
  }
  const text = { 'content-type': 'text/plain' };
  t.match(await settle(server, `${id}/promote`, 'x', text), { status: 415, json: { code: 'unsupported_media_type' } });
  const query_ = await settle(server, `${id}/discard?reason=x`);
  t.match(query_, { status: 400, json: { code: 'invalid_parameter', parameter: 'reason' } });
  t.match(await get(server, `/v1/batches/${id}`), { json: { status: 'held' } });

  const longest = '👍'.repeat(1_000);
  t.match(await promote(server, id, longest), { status: 200, json: { history: [{ reason: longest }] } });
  const large = JSON.stringify({ reason: 'x'.repeat(6 * 1024 * 1024) });
  t.match(await settle(server, `${id}/promote`, large), { status: 413, json: { code: 'body_too_large' } });
});

t.test('only a held batch can be promoted or discarded', async (t) => {
  const { server, query } = await start(t);
  const promoted = (await post(server, ndjson(page('a')))).json.batch_id;
  const rejected = (await post(server, '{}\n')).json.batch_id;
  await query(`INSERT INTO sluice.batches (id, status, received_at, process) VALUES ($1, 'receiving', now(), $2)`, [
    UNKNOWN,
    (await query<{ process: string }>('SELECT process FROM sluice.batches LIMIT 1'))[0]!.process,
  ]);
  for (const [id, status] of [
    [promoted, 'promoted'],
    [rejected, 'rejected'],
    [UNKNOWN, 'receiving'],
  ]) {
    for (const answer of [await promote(server, id, 'x'), await discard(server, id)]) {
      t.match(answer, { status: 409, json: { code: 'batch_not_held', batch_id: id, batch_status: status } });
    }
  }
  for (const id of ['019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a51', 'nonsense']) {
    for (const answer of [await promote(server, id, 'x'), await discard(server, id), await undo(server, id)]) {
      t.match(answer, { status: 404, json: { code: 'batch_not_found' } });
    }
  }
  t.equal((await query('SELECT FROM events.visit')).length, 1);
});

t.test('of twenty promotes and twenty discards, or promotes, at once exactly one has its way', async (t) => {
  const { server, query } = await start(t);
  let promotions = 0;
  for (let round = 0; round < 6; round++) {
    const sent = await post(server, ndjsonOf(Array.from({ length: 300 }, (_, index) => order(round * 1_000 + index))));
    const id = await hold(query, sent, 'order');
    const promotes = () => Array.from({ length: 20 }, (_, index) => promote(server, id, `try ${index}`));
    const discards = () => Array.from({ length: 20 }, () => discard(server, id));
    const requests =
      round % 3 < 2 ? [...promotes(), ...(round % 3 === 0 ? promotes() : discards())] : [...discards(), ...promotes()];
    const answers = await Promise.all(requests);
    const winners = answers.filter(({ status }) => status === 200);
    t.equal(winners.length, 1);
    t.ok(answers.every(({ status, json }) => status === 200 || json.code === 'batch_not_held'));
    const { status, history } = winners[0]!.json;
    t.equal(history.length, 1);
    t.match((await get(server, `/v1/batches/${id}`)).json, { status, history });
    const [counts] = await query(
      `SELECT (SELECT count(*)::int FROM events."order" WHERE _batch_id = $1) AS final,
              (SELECT count(*)::int FROM stage."order" WHERE _batch_id = $1) AS stage`,
      [id],
    );
    t.strictSame(counts, status === 'promoted' ? { final: 300, stage: 0 } : { final: 0, stage: 300 });
    if (status === 'promoted') promotions++;
  }
  t.ok(promotions >= 2, 'at least where nobody discarded it');
});

t.test('ids that came into final meanwhile, and ids twice in the stage, become duplicates', async (t) => {
  const { server, query } = await start(t);
  const sent = await post(server, ndjson(order(1), order(2), order(3), page('x'), order(4), order(5), order(6)));
  const id = await hold(query, sent, 'order', 'visit');
  t.match(await post(server, ndjson(order(2, 'other'), order(3, 'other'), order(9))), { status: 201 });
  await query(`UPDATE stage."order" SET id = 5 WHERE id = 6`);

  const { status, json } = await promote(server, id, 'x');
  t.equal(status, 200);
  t.strictSame(json.lines, { received: 7, accepted: 4, rejected: 0, duplicate: 3, blank: 0 });
  t.strictSame(json.schemas, { 'order/1.0.0': 3, 'visit/1.0.0': 1 });
  t.ok(addsUp(json));
  const verdicts = lines(await get(server, json.links.lines)).map(({ verdict }) => verdict);
  t.strictSame(verdicts, ['accepted', 'duplicate', 'duplicate', 'accepted', 'accepted', 'accepted', 'duplicate']);
  t.strictSame(await query('SELECT id::int, note, _line FROM events."order" ORDER BY id'), [
    { id: 1, note: null, _line: 1 },
    { id: 2, note: 'other', _line: 1 },
    { id: 3, note: 'other', _line: 2 },
    { id: 4, note: null, _line: 5 },
    { id: 5, note: null, _line: 6 },
    { id: 9, note: null, _line: 3 },
  ]);
  t.equal((await query('SELECT FROM stage."order"')).length, 0);
  const [record] = await query(
    'SELECT accepted::int, duplicate::int, http_status, digest FROM sluice.batches WHERE id = $1',
    [id],
  );
  const digest = digestOf({ order: [1, 5, 6], visit: [4] });
  t.strictSame(
    record,
    { accepted: 4, duplicate: 3, http_status: 201, digest },
    'the digest is that of the accepted rows',
  );
});

t.test('a batch all of whose ids are there already is promoted, and has no rows', async (t) => {
  const { server, query } = await start(t);
  const id = await hold(query, await post(server, ndjson(order(1), order(2))), 'order');
  await post(server, ndjson(order(2), order(1)));
  const { status, json } = await promote(server, id, 'x');
  t.match({ status, json }, { status: 200, json: { status: 'promoted', lines: { accepted: 0, duplicate: 2 } } });
  t.strictSame(json.schemas, {});
  t.strictSame(await query('SELECT digest FROM sluice.batches WHERE id = $1', [id]), [{ digest: null }]);
  t.match(await undo(server, id), { status: 200, json: { history: [{}, { action: 'undone', rows: 0 }] } });
  t.equal((await query('SELECT FROM events."order"')).length, 2);
});

t.test('two held batches with the same ids in opposite order are promoted at once', async (t) => {
  const { server, query } = await start(t);
  const ids = Array.from({ length: 4_000 }, (_, index) => order(index));
  const one = await hold(query, await post(server, ndjsonOf(ids)), 'order');
  const other = await hold(query, await post(server, ndjsonOf(ids.toReversed())), 'order');
  const answers = await Promise.all([
    promote(server, one, 'x'),
    promote(server, other, 'x'),
    post(server, ndjsonOf(ids)),
  ]);
  let accepted = 0;
  for (const { status, json } of answers) {
    t.ok(status === 200 || status === 201);
    t.ok(addsUp(json));
    t.equal(json.lines.accepted + json.lines.duplicate, 4_000);
    accepted += json.lines.accepted;
  }
  t.equal(accepted, 4_000);
});

t.test('the table may have got columns meanwhile, the server may be another, the subject may be gone', async (t) => {
  const { server, query, databaseUrl, schemaDir } = await start(t);
  const first = await hold(query, await post(server, ndjson(order(1, 'one'), page('a'))), 'order', 'visit');
  const second = await hold(query, await post(server, ndjson(order(2, 'two'), order(3), page('b'))), 'order', 'visit');
  await server.stop();

  const wider = { ...ORDER, properties: { at: { type: 'string', format: 'date-time' }, ...ORDER.properties } };
  await addSchemas(schemaDir, { 'order/1.1.0': wider });
  const later = await startServer(t, { databaseUrl, schemaDir });
  t.match(await post(later, ndjson({ $schema: 'order', id: 9, at: '2026-01-01T00:00:00Z' })), { status: 201 });
  t.match(await promote(later, first, 'x'), { status: 200, json: { lines: { accepted: 2 } } });
  await later.stop();

  const elsewhere = await startServer(t, { databaseUrl });
  await query(`UPDATE stage."order" SET id = 9 WHERE id = 3`);
  const { status, json } = await promote(elsewhere, second, 'x');
  t.match({ status, json }, { status: 200, json: { lines: { accepted: 2, duplicate: 1 } } }, 'the index tells the id');
  t.strictSame(await query('SELECT id::int, note FROM events."order" ORDER BY id'), [
    { id: 1, note: 'one' },
    { id: 2, note: 'two' },
    { id: 9, note: null },
  ]);
  t.match(await undo(elsewhere, first), { status: 200, json: { history: [{}, { rows: 2 }] } });
  t.equal((await query('SELECT FROM events."order"')).length, 2);
});

t.test('what final does not take leaves the batch held, all of it, and says why', async (t) => {
  const { server, query } = await start(t);
  const id = await hold(query, await post(server, ndjson(page('a'), order(1), order(2))), 'order', 'visit');
  const isHeld = async (name: string) => {
    t.match(await get(server, `/v1/batches/${id}`), { json: { status: 'held', lines: { accepted: 3 } } }, name);
    const final = await query('SELECT FROM events."order" UNION ALL SELECT FROM events.visit');
    t.equal(final.length, 0, `${name}: nothing is in final`);
    const staged = await query('SELECT FROM stage."order" UNION ALL SELECT FROM stage.visit');
    t.equal(staged.length, 3, `${name}: everything is in the stage`);
  };
  const refused = async (detail: RegExp, code = 'row_refused') => {
    const answer = await promote(server, id, 'x');
    t.match(answer, { status: 409, json: { code, detail, batch_id: id } });
    await isHeld(String(detail));
  };

  await query('ALTER TABLE events.visit ADD CONSTRAINT short CHECK (length(page) < 1)');
  await refused(/visit.*violates check constraint "short"/);
  await query('ALTER TABLE events.visit DROP CONSTRAINT short');

  await query(`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$;
    CREATE TRIGGER no BEFORE INSERT ON events.visit FOR EACH ROW EXECUTE FUNCTION no()`);
  await refused(/not today/);
  await query(`CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`);
  await refused(/visit.*1 of 1 rows did not get into it/);
  await query('DROP TRIGGER no ON events.visit');
  await query('CREATE TRIGGER no BEFORE INSERT ON events."order" FOR EACH ROW EXECUTE FUNCTION no()');
  await refused(/order.*2 of 2 rows/);
  await query('DROP TRIGGER no ON events."order"');

  await query('ALTER TABLE events.visit RENAME page TO address');
  await refused(/does not take values of "page"/);
  await query('ALTER TABLE events.visit RENAME address TO page');
  await query('ALTER TABLE events.visit RENAME TO gone');
  t.match(await promote(server, id, 'x'), { status: 409, json: { code: 'row_refused', detail: /visit/ } });
  await query('ALTER TABLE events.gone RENAME TO visit');

  const [saved] = await query<{ line: number }>('DELETE FROM stage."order" WHERE id = 2 RETURNING _line AS line');
  const incomplete = await promote(server, id, 'x');
  t.match(incomplete, { status: 409, json: { code: 'batch_incomplete', detail: /2 rows of the batch.*3/ } });
  await query(
    `INSERT INTO stage."order" (id, _batch_id, _line, _schema_version, _received_at) VALUES (2, $1, $2, '1.0.0', now())`,
    [id, saved!.line],
  );
  await isHeld('after all');
  t.match(await promote(server, id, 'x'), { status: 200 });
});

t.test('requests that wait for a batch keep no connection from others', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { POOL_SIZE: '2' } });
  const event = ndjson(userEvent());
  const id = await hold(query, await post(server, event), 'user_event');
  await query(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON events.user_event FOR EACH ROW EXECUTE FUNCTION slow()`);
  const first = promote(server, id, 'x');
  await sleeping(query);
  let waiting = 8;
  const others = Array.from({ length: waiting }, async () => {
    const answer = await discard(server, id);
    waiting--;
    return answer;
  });
  for (let count = 0; count < 5; count++) t.match(await get(server, '/v1/batches'), { status: 200 });
  t.equal(waiting, 8, 'they waited all the while');
  t.match(await first, { status: 200 });
  for (const { status } of await Promise.all(others)) t.equal(status, 409);
});

t.test('Postgres cut off at the very end of a promotion: the answer is what became of it', async (t) => {
  const { url, query } = await testDatabase(t);
  const proxy = await proxyTo(t, url);
  const server = await startServer(t, { databaseUrl: proxy.url });
  await query(
    `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$`,
  );
  const id = await hold(query, await post(server, ndjson(userEvent())), 'user_event');
  // A deferred trigger runs inside COMMIT.
  await query(`CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON events.user_event DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()`);
  const promoting = promote(server, id, 'x');
  await sleeping(query);
  proxy.cut();
  proxy.mend();
  const { status, json } = await promoting;
  const rows = (await query('SELECT FROM events.user_event')).length;
  // A backend that notices in time that its client is gone rolls back.
  if (status === 503) t.equal(rows, 0);
  else {
    t.match({ status, json }, { status: 200, json: { status: 'promoted', history: [{ action: 'promoted' }] } });
    t.equal(rows, 1);
  }
});
