// Single events that arrive together are committed together, and each is answered as if it had come alone.
import { request } from 'node:http';
import t, { type Test } from 'tap';
import type { Report } from '../src/model.ts';
import { type Answer, addsUp, get, lines, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { proxyTo } from './helpers/proxy.ts';
import { schemaFolder, suite } from './helpers/schemas.ts';
import { type Server, startServer } from './helpers/server.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const MANY = 60;

const single = (server: Server, event: object, headers: Record<string, string> = {}): Promise<Answer> =>
  post(server, JSON.stringify(event), { headers: { ...JSON_TYPE, ...headers } });

const THING = {
  type: 'object',
  properties: { id: { type: 'string', maxLength: 50, 'x-id': true }, n: { type: 'integer' } },
  required: ['id'],
  additionalProperties: false,
};

async function things(t: Test, more: Record<string, object> = {}): Promise<string> {
  return schemaFolder(t, { 'thing/1.0.0.json': THING, ...more });
}

t.test('many at once: an answer each, fewer batches than events, all of them proved', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url });
  const events = Array.from({ length: MANY }, (_, index) => userEvent({ event_type: index }));
  const answers = await Promise.all(events.map((event) => single(server, event)));
  for (const [index, { status, json: report }] of answers.entries()) {
    t.equal(status, 201);
    t.ok(addsUp(report));
    t.strictSame(report.lines, { received: 1, accepted: 1, rejected: 0, duplicate: 0, blank: 0 });
    t.equal(report.bytes, JSON.stringify(events[index]).length);
    t.match(report.checks, [{ name: 'row_count_match', status: 'passed', expected: 1, observed: 1 }]);
  }
  const stored = await query<{ event_type: string }>('SELECT event_type FROM events.user_event ORDER BY event_type');
  t.strictSame(
    stored.map(({ event_type }) => Number(event_type)),
    events.map((_, index) => index),
  );
  const ids = new Set(answers.map(({ json }) => json.batch_id as string));
  t.ok(ids.size < MANY, `${ids.size} batches`);
  let received = 0;
  for (const id of ids) {
    const batch: Report = (await get(server, `/v1/batches/${id}`)).json;
    t.ok(addsUp(batch));
    received += batch.lines.received;
    const verdicts = lines(await get(server, `/v1/batches/${id}/lines`));
    t.strictSame(
      verdicts.map(({ line, verdict }) => [line, verdict]),
      verdicts.map((_, index) => [index + 1, 'accepted']),
    );
    t.match(await get(server, `/v1/batches/${id}/reconciliation`), { json: { status: 'matched' } });
  }
  t.equal(received, MANY);
});

t.test('a lone event is a batch of its own, byte for byte as an upload of one line', async (t) => {
  const server = await startServer(t);
  const { status, json, headers } = await single(server, userEvent());
  t.equal(status, 201);
  t.equal(headers.get('location'), `/v1/batches/${json.batch_id}`);
  t.match(await get(server, json.links.batch), { json: { lines: { received: 1, accepted: 1 }, bytes: json.bytes } });
  t.match(await post(server, ` \n${JSON.stringify(userEvent())}\t\r\n`, { headers: JSON_TYPE }), { status: 201 });
});

t.test('a bad event among good ones is rejected alone', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url });
  const bodies = Array.from({ length: MANY }, (_, index) => (index % 10 === 3 ? { bad: index } : userEvent()));
  const answers = await Promise.all(bodies.map((body) => single(server, body)));
  for (const [index, { status, json }] of answers.entries()) {
    t.equal(status, index % 10 === 3 ? 422 : 201);
    if (status === 422) t.match(json, { status: 'rejected', rejections: [{ line: 1, code: 'schema_violation' }] });
  }
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: MANY - 6 }]);
  t.strictSame(await query('SELECT count(*)::int AS n FROM sluice.rejections'), [{ n: 6 }]);
});

t.test('a row that final refuses costs its event, not those that came with it', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url });
  await query('ALTER TABLE events.user_event ADD CONSTRAINT small CHECK (event_type < 100)');
  const types = Array.from({ length: MANY }, (_, index) => (index % 7 === 0 ? 100 : index));
  const answers = await Promise.all(types.map((event_type) => single(server, userEvent({ event_type }))));
  for (const [index, { status, json }] of answers.entries()) {
    t.equal(status, types[index] === 100 ? 422 : 201);
    t.ok(addsUp(json));
    if (status === 422) t.match(json, { status: 'rejected', rejections: [{ line: 1, code: 'unstorable_value' }] });
  }
  const good = types.filter((type) => type < 100).length;
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: good }]);
});

t.test('of events with the same id one is accepted, and each is told which it was', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, schemaDir: await things(t) });
  const answers = await Promise.all(
    Array.from({ length: MANY }, (_, index) => single(server, { id: `id${index % 20}`, n: index })),
  );
  const verdicts = answers.map(({ status, json }) => {
    t.equal(status, 201);
    t.ok(addsUp(json));
    return json.lines.accepted as number;
  });
  t.equal(
    verdicts.reduce((sum, each) => sum + each, 0),
    20,
  );
  for (const [index, { json }] of answers.entries()) {
    const rows = await query('SELECT FROM events.thing WHERE id = $1 AND n = $2', [`id${index % 20}`, index]);
    t.equal(rows.length, json.lines.accepted, 'who is told to be accepted is the one that is there');
  }
});

t.test('what asks for a batch of its own gets one: a key, checks, an array', async (t) => {
  const { url } = await testDatabase(t);
  const schemaDir = await things(t, {
    'checked/1.0.0.json': THING,
    'checked/expectations.json': suite(['expect_column_values_to_be_in_set', { column: 'n', value_set: [1] }]),
  });
  const server = await startServer(t, { databaseUrl: url, schemaDir });
  const query = (schema: string) => ({ query: { schema } });
  const send = (schema: string, body: unknown, headers = {}) =>
    post(server, JSON.stringify(body), { ...query(schema), headers: { ...JSON_TYPE, ...headers } });
  const keyed = await Promise.all([1, 2, 3].map((n) => send('thing', { id: `k${n}` }, { 'idempotency-key': `k${n}` })));
  t.equal(new Set(keyed.map(({ json }) => json.batch_id)).size, 3);
  const again = await send('thing', { id: 'k1' }, { 'idempotency-key': 'k1' });
  t.equal(again.text, keyed[0]!.text);
  const [held, good] = await Promise.all([send('checked', { id: 'a', n: 2 }), send('checked', { id: 'b', n: 1 })]);
  t.match([held.status, good.status], [202, 201]);
  t.match(await send('thing', [{ id: 'x' }, { id: 'y' }]), { status: 201, json: { lines: { received: 2 } } });
});

t.test('Postgres goes away under them: nobody is told that anything was stored', async (t) => {
  const { url, query } = await testDatabase(t);
  const proxy = await proxyTo(t, url);
  const server = await startServer(t, { databaseUrl: proxy.url });
  t.match(await single(server, userEvent()), { status: 201 });
  const before = Promise.all(Array.from({ length: MANY }, () => single(server, userEvent())));
  proxy.cut();
  const answers = await before;
  const stored = answers.filter(({ status }) => status === 201).length;
  for (const { status, headers } of answers.filter((each) => each.status !== 201)) {
    t.equal(status, 503);
    t.match(headers.get('retry-after'), /^\d+$/);
  }
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: stored + 1 }]);
});

t.test('a body that comes in pieces, or breaks off, is taken as any other', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url });
  const text = JSON.stringify(userEvent());
  const open = (): ReturnType<typeof request> => {
    const headers = { ...JSON_TYPE, 'content-length': String(text.length) };
    const sent = request(`${server.url}/v1/events`, { method: 'POST', headers });
    sent.on('error', () => {});
    sent.write(text.slice(0, 50));
    return sent;
  };
  const whole = open();
  const answered = new Promise<number>((resolve) => {
    whole.on('response', (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
  });
  setTimeout(() => whole.end(text.slice(50)), 200);
  t.equal(await answered, 201);
  const broken = open();
  setTimeout(() => broken.destroy(), 200);
  for (let tries = 0; tries < 200; tries++) {
    if ((await query("SELECT FROM sluice.batches WHERE status = 'aborted'")).length > 0) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.strictSame(await query("SELECT count(*)::int AS n FROM sluice.batches WHERE status = 'aborted'"), [{ n: 1 }]);
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 1 }]);
});

t.test('the answer to COMMIT is lost: each is told that it was stored, and it was, once', async (t) => {
  const { url, query } = await testDatabase(t);
  const proxy = await proxyTo(t, url);
  const schemaDir = await things(t);
  const server = await startServer(t, { databaseUrl: proxy.url, schemaDir });
  // CommandComplete of a COMMIT, on a connection that has recorded a batch.
  const committed = Buffer.from('C\0\0\0\x0bCOMMIT\0', 'latin1');
  const recording = new Set<object>();
  let lost = 0;
  proxy.inflict({
    watch: (piece, direction, link) => {
      if (direction === 'up' && piece.includes('INSERT INTO sluice.batches AS batches')) recording.add(link);
      if (direction === 'up' || lost > 0 || !recording.has(link) || !piece.includes(committed)) return 'pass';
      lost++;
      return 'reset';
    },
  });
  const answers = await Promise.all(
    Array.from({ length: MANY }, (_, index) => single(server, { id: `id${index % 50}`, n: index })),
  );
  t.equal(lost, 1);
  for (const { status, json } of answers) {
    t.equal(status, 201);
    t.ok(addsUp(json));
  }
  const accepted = answers.filter(({ json }) => json.lines.accepted === 1);
  t.equal(accepted.length, 50);
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.thing'), [{ n: 50 }]);
  for (const id of new Set(answers.map(({ json }) => json.batch_id as string))) {
    t.match(await get(server, `/v1/batches/${id}/reconciliation`), { json: { status: 'matched' } });
  }
});

for (const point of ['after-stage', 'before-commit', 'after-commit']) {
  t.test(`killed ${point}: of a group all is there, or nothing, and nobody was told`, async (t) => {
    const { url, query } = await testDatabase(t);
    const schemaDir = await things(t, { 'other/1.0.0.json': { ...THING, required: ['n'], properties: { n: {} } } });
    const server = await startServer(t, { databaseUrl: url, schemaDir, env: { FAULT_POINT: point } });
    const answers = await Promise.allSettled(
      Array.from({ length: MANY }, (_, n) =>
        single(server, n % 2 === 0 ? { $schema: 'thing/1.0.0', id: `id${n}`, n } : { $schema: 'other/1.0.0', n }),
      ),
    );
    t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 0);
    await server.kill();
    const [{ batches, events, rows }] = (await query(
      `SELECT count(*)::int AS batches, coalesce(sum(accepted), 0)::int AS events,
         (SELECT count(*) FROM events.thing)::int + (SELECT count(*) FROM events.other)::int AS rows FROM sluice.batches`,
    )) as [{ batches: number; events: number; rows: number }];
    // Another group may have come to its end while this one did.
    t.equal(batches > 0, point === 'after-commit');
    t.equal(rows, events);
    const next = await startServer(t, { databaseUrl: url, schemaDir });
    t.match(await single(next, { $schema: 'thing/1.0.0', id: 'next' }), { status: 201 });
  });
}

t.test('the report of an event in a group has what that of the same event alone has', async (t) => {
  const server = await startServer(t, { schemaDir: await things(t) });
  const shape = ({ json, headers }: Answer): unknown => {
    const { batch_id, duration_ms, links, ...rest } = json;
    t.type(duration_ms, 'number');
    t.equal(headers.get('location'), `/v1/batches/${batch_id}`);
    return { keys: Object.keys(json), links: JSON.stringify(links).replaceAll(batch_id, ''), ...rest };
  };
  const alone = shape(await single(server, { id: 'alone', n: 1 }));
  const answers = await Promise.all(
    Array.from({ length: MANY }, (_, n) => single(server, { id: `${n}`.padEnd(5), n: 1 })),
  );
  t.ok(new Set(answers.map(({ json }) => json.batch_id)).size < MANY);
  for (const answer of answers) t.strictSame(shape(answer), alone);
});
