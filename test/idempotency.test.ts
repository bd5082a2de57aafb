// The same request twice: one load, one report.
import t from 'tap';
import { get, lines, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';

t.test('the same key and payload get the same bytes, and nothing is loaded twice', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const body = ndjson(userEvent(), '{');
  const send = (text: string, query: Record<string, string> = {}) =>
    post(server, text, { headers: { 'idempotency-key': 'k1' }, query });

  const first = await send(body);
  const second = await send(body);
  t.equal(first.status, 207);
  t.equal(second.status, 207);
  t.equal(second.text, first.text);
  t.equal(first.headers.get('idempotent-replayed'), null);
  t.equal(second.headers.get('idempotent-replayed'), 'true');
  t.match(await send(`${body}\n`), { status: 422, json: { code: 'idempotency_key_reused' } });
  t.match(await send(body, { on_error: 'abort' }), { status: 422, json: { code: 'idempotency_key_reused' } });
  t.equal(
    (await send(body, { report: 'full' })).json.verdicts.length,
    2,
    'how much is shown is no part of the request',
  );
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 1 }]);

  const other = await startServer(t, { databaseUrl });
  const elsewhere = await post(other, body, { headers: { 'idempotency-key': 'k1' } });
  t.equal(elsewhere.text, first.text, 'another process gives the same answer');
});

t.test('a failed request leaves its key free, a rejected one keeps it', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const headers = { 'idempotency-key': 'k2' };
  t.match(await post(server, '', { headers }), { status: 400 });
  t.match(await post(server, 'x', { headers: { ...headers, 'content-encoding': 'gzip' } }), { status: 400 });
  t.match(await post(server, ndjson(userEvent()), { headers, query: { dry_run: '1' } }), { status: 200 });
  const rejected = await post(server, ndjson('{'), { headers });
  t.equal(rejected.status, 422);
  t.equal((await post(server, ndjson('{'), { headers })).text, rejected.text);
  t.match(await post(server, ndjson(userEvent()), { headers }), {
    status: 422,
    json: { code: 'idempotency_key_reused' },
  });
  t.strictSame(await query('SELECT count(*)::int AS n FROM sluice.idempotency_keys'), [{ n: 1 }]);
});

t.test('twenty clients and two processes at once with one key: one load', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const servers = [await startServer(t, { databaseUrl }), await startServer(t, { databaseUrl })];
  const body = ndjson(...Array.from({ length: 2_000 }, () => userEvent()));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => post(servers[index % 2]!, body, { headers: { 'idempotency-key': 'k3' } })),
  );
  const created = answers.filter(({ status }) => status === 201);
  t.ok(created.length >= 1);
  t.equal(new Set(created.map(({ text }) => text)).size, 1, 'one report');
  for (const { status, json, headers } of answers.filter(({ status }) => status !== 201)) {
    t.match({ status, code: json.code }, { status: 409, code: 'idempotency_key_in_use' });
    t.ok(Number(headers.get('retry-after')) >= 1);
  }
  t.equal((await post(servers[1]!, body, { headers: { 'idempotency-key': 'k3' } })).text, created[0]!.text);
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2_000 }]);
  t.equal((await get(servers[0]!, '/v1/batches')).json.items.length, 1);
  t.equal(lines(await get(servers[0]!, `${created[0]!.json.links.lines}`)).length, 2_000);
});
