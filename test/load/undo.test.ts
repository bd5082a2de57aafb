// Promoted batches that are taken back.
import t from 'tap';
import { get, lines, ndjson, ndjsonOf, post, userEvent } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';
import { hold, ORDER, schemaFolder } from './held.ts';
import { promote, sleeping, undo } from './settle.ts';

const UNKNOWN = '019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50';

t.test("exactly the batch's rows go, the record stays, and doing it again is the same", async (t) => {
  const schemaDir = await schemaFolder(t, {
    'order/1.0.0': ORDER,
    'order/2.0.0': ORDER,
    'visit/0.1.0': { type: 'object', properties: { page: { type: 'string' } }, additionalProperties: false },
  });
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, schemaDir });
  const event = (schema: string, rest: object) => ({ $schema: schema, ...rest });
  const before = await post(server, ndjson(event('order/1.0.0', { id: 1 }), event('visit', { page: 'a' })));
  const body = ndjson(
    event('order/1.0.0', { id: 2 }),
    event('order/1.0.0', { id: 1 }),
    event('order/2.0.0', { id: 1 }),
    event('visit', { page: 'b' }),
    '{',
    event('visit', { page: 'c' }),
  );
  const headers = { 'idempotency-key': 'k' };
  const sent = await post(server, body, { headers });
  t.match(sent.json.lines, { accepted: 4, duplicate: 1, rejected: 1 });
  const id = sent.json.batch_id;
  const verdicts = await get(server, sent.json.links.lines);
  // Two rejections of another batch had become lines of this one, and one of the one before.
  await query(`INSERT INTO sluice.replays VALUES ($1, 1, $2, 1), ($1, 2, $2, 4), ($1, 3, $3, 1)`, [
    UNKNOWN,
    id,
    before.json.batch_id,
  ]);

  const undone = await undo(server, id);
  t.equal(undone.status, 200);
  t.match(undone.json, { status: 'undone', lines: sent.json.lines, rejections: sent.json.rejections });
  t.match(undone.json.history, [{ action: 'undone', at: /Z$/, rows: 4 }]);
  const rows = await query(
    `SELECT _batch_id AS id FROM events."order" UNION ALL SELECT _batch_id FROM events.order__v2
     UNION ALL SELECT _batch_id FROM events.visit`,
  );
  t.strictSame(rows, [{ id: before.json.batch_id }, { id: before.json.batch_id }]);
  t.strictSame(await query('SELECT batch_line FROM sluice.replays'), [{ batch_line: 3 }]);
  t.equal((await get(server, undone.json.links.lines)).text, verdicts.text, 'what was said of each line stays');
  t.equal(lines(await get(server, undone.json.links.rejections)).length, 1);

  const again = await undo(server, id);
  t.equal(again.status, 200);
  t.equal(again.text, undone.text, 'to the byte');
  t.equal((await get(server, `/v1/batches/${id}`)).text, undone.text);
  t.match(await get(server, '/v1/batches?status=undone'), { json: { items: [{ batch_id: id, status: 'undone' }] } });
  t.match(await post(server, body, { headers }), { status: 422, json: { status: 'undone', batch_id: id } });
  t.match(await post(server, body), { json: { status: 'promoted', lines: { accepted: 4, duplicate: 1 } } });
});

t.test('a batch that was held is undone like any other, and both stand in its history', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const id = await hold(query, await post(server, ndjson(userEvent(), userEvent())), 'user_event');
  t.match(await undo(server, id), { status: 409, json: { code: 'batch_not_promoted', detail: /discard/ } });
  const promoted = await promote(server, id, 'fine');
  const undone = await undo(server, id);
  t.match(undone.json.history, [promoted.json.history[0], { action: 'undone', rows: 2 }]);
  t.match(await promote(server, id, 'again'), { status: 409, json: { batch_status: 'undone' } });
});

t.test('only a promoted batch is undone', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const { json } = await post(server, '{}\n');
  const members = { batch_id: json.batch_id, batch_status: 'rejected' };
  t.match(await undo(server, json.batch_id), { status: 409, json: { code: 'batch_not_promoted', ...members } });
  await query(
    `INSERT INTO sluice.batches (id, status, received_at, process) SELECT $1, 'receiving', now(), process FROM sluice.batches`,
    [UNKNOWN],
  );
  const unfinished = await undo(server, UNKNOWN);
  t.match(unfinished, { status: 409, json: { code: 'batch_unfinished', batch_status: 'receiving' } });
  t.equal(unfinished.headers.get('retry-after'), '1');
  t.match(await undo(server, `${UNKNOWN}?force=true`), { status: 400, json: { code: 'invalid_parameter' } });
});

t.test(
  'rows that somebody deleted or added: it is undone all the same, and says how many rows there were',
  async (t) => {
    const { url: databaseUrl, query } = await testDatabase(t);
    const server = await startServer(t, { databaseUrl });
    const { json: fewer } = await post(server, ndjson(userEvent(), userEvent(), userEvent()));
    await query('DELETE FROM events.user_event WHERE _line = 2');
    t.match((await undo(server, fewer.batch_id)).json, { lines: { accepted: 3 }, history: [{ rows: 2 }] });
    const { json: more } = await post(server, ndjson(userEvent()));
    await query('INSERT INTO events.user_event SELECT * FROM events.user_event');
    t.match((await undo(server, more.batch_id)).json, { lines: { accepted: 1 }, history: [{ rows: 2 }] });
    t.equal((await query('SELECT FROM events.user_event')).length, 0);
  },
);

t.test('a table that does not let its rows go leaves the batch promoted', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const { json } = await post(server, ndjson(userEvent()));
  await query(`CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'written in stone'; END $$;
    CREATE TRIGGER no BEFORE DELETE ON events.user_event FOR EACH ROW EXECUTE FUNCTION no()`);
  t.match(await undo(server, json.batch_id), {
    status: 409,
    json: { code: 'row_refused', detail: /written in stone/ },
  });
  t.match(await get(server, `/v1/batches/${json.batch_id}`), { json: { status: 'promoted' } });
  await query('DROP TRIGGER no ON events.user_event');
  t.match(await undo(server, json.batch_id), { status: 200 });
});

t.test('many undo it at once while others read: all get the same answer, and nobody sees half of it', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const count = 30_000;
  const { json } = await post(server, ndjsonOf(Array.from({ length: count }, () => userEvent())));
  const undoing = Promise.all(Array.from({ length: 20 }, () => undo(server, json.batch_id)));
  const seen = new Set<number>();
  for (let reads = 0; reads < 1_000 && !seen.has(0); reads++) {
    const [{ rows }] = (await query('SELECT count(*)::int AS rows FROM events.user_event')) as [{ rows: number }];
    seen.add(rows);
  }
  t.strictSame(
    [...seen].filter((rows) => rows !== count),
    [0],
  );
  const answers = await undoing;
  for (const { status } of answers) t.equal(status, 200);
  t.equal(new Set(answers.map(({ text }) => text)).size, 1);
  t.match(answers[0]!.json.history, [{ action: 'undone', rows: count }]);
});

t.test('a table that is locked for too long: 503, and nothing has happened', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const { json } = await post(server, ndjson(userEvent()));
  const locking = query('BEGIN; LOCK TABLE events.user_event; SELECT pg_sleep(12); COMMIT');
  await sleeping(query);
  const busy = await undo(server, json.batch_id);
  t.match(busy, { status: 503, json: { code: 'database_busy', detail: /^Nothing was changed/ } });
  t.equal(busy.headers.get('retry-after'), '5');
  await locking;
  t.match(await get(server, `/v1/batches/${json.batch_id}`), { json: { status: 'promoted' } });
  t.match(await undo(server, json.batch_id), { status: 200 });
});
