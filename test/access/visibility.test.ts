// What of the stored things a key shows: its own client's, and nothing that tells of others.
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { v7 as uuidv7 } from 'uuid';
import { parse } from 'yaml';
import { type MadeKey, rotateKey } from '../../src/access/stored-keys.ts';
import { type Answer, get, lines, ndjson, ndjsonOf, type PostOptions, post, userEvent } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { type Server, startServer } from '../helpers/server.ts';

interface Shared {
  server: Server;
  database: TestDatabase;
  ada: MadeKey;
  bob: MadeKey;
  admin: MadeKey;
}

/** A server that asks for keys, two clients that may send and read, and an admin. */
async function shared(t: Test): Promise<Shared> {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'on' } });
  const [ada, bob] = [
    await makeKey(database, { name: 'ada', scopes: ['ingest', 'read'] }),
    await makeKey(database, { name: 'bob', scopes: ['ingest', 'read'] }),
  ];
  return { server, database, ada, bob, admin: await makeKey(database, { name: 'admin' }) };
}

const GOOD = ndjson(userEvent());
const MIXED = ndjson(userEvent(), userEvent({ event_type: 'x' }), userEvent({ event_time: 'never' }));

/** POST /v1/events by the holder of a key. */
function send(server: Server, key: MadeKey, body: string, { query, headers }: PostOptions = {}): Promise<Answer> {
  return post(server, body, { ...(query && { query }), headers: { ...headers, ...bearer(key) } });
}

/** All items of a list, page by page. */
// biome-ignore lint/suspicious/noExplicitAny: items of any list
async function pages(server: Server, key: MadeKey, path: string, limit: number): Promise<any[]> {
  const items: unknown[] = [];
  let cursor = '';
  for (let page = 0; page < 50; page++) {
    const answer = await get(server, `${path}?limit=${limit}${cursor}`, bearer(key));
    items.push(...answer.json.items);
    if (answer.json.next_cursor === null) return items;
    cursor = `&cursor=${answer.json.next_cursor}`;
  }
  throw new Error('the pages do not end');
}

/** Operations below one batch, as the description has them: another test holds it against the routes. */
const BELOW_BATCH: { method: string; path: string; scope: string }[] = [];
const { paths } = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));
for (const [path, item] of Object.entries<Record<string, { security: { api_key: string[] }[] }>>(paths)) {
  if (!path.startsWith('/v1/batches/')) continue;
  for (const [method, { security }] of Object.entries(item)) {
    BELOW_BATCH.push({ method: method.toUpperCase(), path, scope: security[0]!.api_key[0]! });
  }
}

t.test("at every address of a batch, another client's is what does not exist", async (t) => {
  const { server, database, ada, bob, admin } = await shared(t);
  const { batch_id: id } = (await send(server, ada, MIXED)).json;
  t.same(await database.query('SELECT client FROM sluice.batches'), [{ client: ada.client }]);
  t.ok(BELOW_BATCH.length >= 7, `${BELOW_BATCH.length} operations`);
  const unknown = uuidv7();
  const ask = async (method: string, path: string, batch: string, key: MadeKey) => {
    const answer = await fetch(`${server.url}${path.replace(/\{\w+\}/, batch)}`, { method, headers: bearer(key) });
    const text = (await answer.text()).replaceAll(batch, 'ID');
    return { status: answer.status, type: answer.headers.get('content-type'), text };
  };
  for (const { method, path, scope } of BELOW_BATCH) {
    const foreign = await ask(method, path, id, bob);
    t.same(foreign, await ask(method, path, unknown, bob), `${method} ${path}`);
    if (scope === 'admin') {
      t.equal(foreign.status, 403, `${method} ${path}`);
      continue;
    }
    t.match(foreign, { status: 404, text: '"code":"batch_not_found"' });
    t.same(foreign, await ask(method, path, unknown, admin), 'in the words that an admin is told');
    t.equal((await ask(method, path, id, ada)).status, 200, `${method} ${path} of one's own`);
    t.equal((await ask(method, path, id, admin)).status, 200, `${method} ${path} by an admin`);
    t.equal((await ask('HEAD', path, id, bob)).status, 404, `HEAD ${path}`);
    t.equal((await ask('HEAD', path, id, ada)).status, 200, `HEAD ${path}`);
    t.equal((await ask(method, path, id.toUpperCase(), bob)).status, 404, 'in capitals');
  }
  const gone = await fetch(`${server.url}/v1/batches/${id}`, { method: 'DELETE', headers: bearer(admin) });
  t.equal(gone.status, 200, 'an admin takes back what another one sent');
  const seen = await get(server, `/v1/batches/${id}`, bearer(ada));
  t.equal(seen.json.status, 'undone', 'it is still the one who sent it that sees it');
});

t.test('lists have only what one has sent, page by page, and all for an admin', async (t) => {
  const { server, database, ada, bob, admin } = await shared(t);
  const sent = new Map<MadeKey, string[]>([
    [ada, []],
    [bob, []],
    [admin, []],
  ]);
  for (let round = 0; round < 5; round++) {
    for (const [key, ids] of sent) ids.unshift((await send(server, key, MIXED)).json.batch_id);
  }
  const all = [0, 1, 2, 3, 4].flatMap((round) => [admin, bob, ada].map((key) => sent.get(key)![round]!));
  for (const [key, ids] of [[ada, sent.get(ada)!] as const, [bob, sent.get(bob)!] as const, [admin, all] as const]) {
    for (const limit of [1, 2, 1_000]) {
      const batches = await pages(server, key, '/v1/batches', limit);
      t.same(
        batches.map(({ batch_id }) => batch_id),
        ids,
        `${key.name}, ${limit} a page`,
      );
      const rejections = await pages(server, key, '/v1/rejections', limit);
      t.same(
        rejections.map(({ batch_id, line }) => [batch_id, line]),
        ids.flatMap((id) => [3, 2].map((line) => [id, line])),
      );
    }
  }
  const cursors = await Promise.all(
    ['batches', 'rejections'].map(async (list) => {
      const { json } = await get(server, `/v1/${list}?limit=1`, bearer(admin));
      return get(server, `/v1/${list}?cursor=${json.next_cursor}`, bearer(bob));
    }),
  );
  for (const { json } of cursors) {
    const ids = new Set(json.items.map(({ batch_id }: { batch_id: string }) => batch_id));
    t.same([...ids], sent.get(bob), "by somebody else's cursor");
  }
  const foreign = sent.get(ada)![0];
  const filters = [`batch_id=${foreign}`, `batch_id=${uuidv7()}`];
  const answers = await Promise.all(filters.map((each) => get(server, `/v1/rejections?${each}`, bearer(bob))));
  t.same(answers[0]!.json, { items: [], next_cursor: null });
  t.same(answers[1]!.json, answers[0]!.json);
  t.equal((await get(server, `/v1/rejections?${filters[0]}`, bearer(admin))).json.items.length, 2);
  for (const filter of ['status=promoted', 'subject=user_event', 'from=2020-01-01', 'to=2100-01-01']) {
    const { json } = await get(server, `/v1/batches?${filter}`, bearer(bob));
    t.equal(json.items.length, 5, filter);
  }
  t.same(await database.query('SELECT count(DISTINCT client)::int FROM sluice.batches'), [{ count: 3 }]);
});

t.test('a batch belongs to whoever sent it, however it ends', async (t) => {
  const { server, database, ada, bob } = await shared(t);
  const ids = new Set<string>();
  const note = ({ json }: Answer) => ids.add(json.batch_id);
  note(await send(server, ada, GOOD));
  note(await send(server, ada, GOOD, { query: { report: 'full' } }));
  note(await send(server, ada, MIXED, { query: { on_error: 'abort' } }));
  note(await send(server, ada, ndjson('{')));
  // Large enough to be recorded while it is being received.
  const wide = userEvent({}, { phone_number: '1'.repeat(2_000) });
  const large = ndjsonOf(Array.from({ length: 12_000 }, () => wide));
  note(await send(server, ada, large));
  t.equal((await send(server, ada, `${large}{`, { headers: { 'content-encoding': 'gzip' } })).status, 400);
  const listed = await pages(server, ada, '/v1/batches', 100);
  for (const id of ids) t.ok(listed.some(({ batch_id }) => batch_id === id));
  t.same(await database.query('SELECT DISTINCT client FROM sluice.batches'), [{ client: ada.client }]);
  t.same(await pages(server, bob, '/v1/batches', 100), []);
  const before = listed.length;
  t.equal((await send(server, ada, GOOD, { query: { dry_run: 'true' } })).status, 200);
  t.equal((await pages(server, ada, '/v1/batches', 100)).length, before);
});

t.test('what came in while no keys were asked for is for admins', async (t) => {
  const { server, database, ada, admin } = await shared(t);
  const { batch_id: hers } = (await send(server, ada, GOOD)).json;
  const open = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'off' } });
  const { batch_id: nobodys } = (await post(open, GOOD)).json;
  t.same(
    (await get(open, '/v1/batches')).json.items.map(({ batch_id }: { batch_id: string }) => batch_id),
    [nobodys, hers],
    'without keys all are seen',
  );
  t.equal((await get(open, `/v1/batches/${hers}`)).status, 200);
  t.equal((await get(server, `/v1/batches/${nobodys}`, bearer(ada))).status, 404);
  t.equal((await get(server, `/v1/batches/${nobodys}`, bearer(admin))).status, 200);
  t.equal((await pages(server, ada, '/v1/batches', 10)).length, 1);
  t.equal((await pages(server, admin, '/v1/batches', 10)).length, 2);
});

t.test('an Idempotency-Key is the own of each client', async (t) => {
  const { server, database, ada, bob } = await shared(t);
  const once = { headers: { 'idempotency-key': 'the-same' } };
  const hers = await send(server, ada, GOOD, once);
  const his = await send(server, bob, GOOD, once);
  t.equal(his.status, 201);
  t.not(his.json.batch_id, hers.json.batch_id);
  t.equal(his.headers.get('idempotent-replayed'), null);
  const other = { headers: { 'idempotency-key': 'another' } };
  t.equal((await send(server, ada, GOOD, other)).status, 201);
  t.equal((await send(server, bob, MIXED, other)).status, 207, 'with another payload');
  t.equal((await send(server, ada, MIXED, other)).status, 422);

  for (const [key, first] of [[ada, hers] as const, [bob, his] as const]) {
    const again = await send(server, key, GOOD, once);
    t.equal(again.headers.get('idempotent-replayed'), 'true');
    t.equal(again.text, first.text);
  }
  const connection = {
    query: async (text: string, values?: unknown[]) => ({ rows: await database.query(text, values) }),
  };
  const fresh = await rotateKey(connection, ada.id, null);
  t.equal((await send(server, fresh, GOOD, once)).text, hers.text, 'the same client with its new key');
  t.equal((await get(server, `/v1/batches/${hers.json.batch_id}`, bearer(fresh))).status, 200);
  await database.query('UPDATE sluice.api_keys SET revoked_at = now() WHERE id = $1', [ada.id]);
  t.equal((await send(server, fresh, GOOD, once)).text, hers.text, 'and when the old one is gone');

  const open = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'off' } });
  const nobodys = await post(open, GOOD, once);
  t.equal(nobodys.headers.get('idempotent-replayed'), null);
  t.equal((await post(open, GOOD, once)).text, nobodys.text);
  const forged = await post(open, GOOD, { headers: { 'idempotency-key': `${ada.client} the-same` } });
  t.match(forged, { status: 400, json: { code: 'invalid_idempotency_key' } });
  t.equal((await database.query('SELECT FROM events.user_event')).length, 5);
});

t.test('a replay is the batch of the admin who asked for it', async (t) => {
  const { server, ada, bob, admin } = await shared(t);
  const hers = (await send(server, ada, MIXED)).json.batch_id;
  const his = (await send(server, bob, MIXED)).json.batch_id;
  const order = { filter: {}, patch: [{ op: 'replace', path: '/event_type', value: 2 }] };
  const asked = await fetch(`${server.url}/v1/rejections/replay`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(admin) },
    body: JSON.stringify(order),
  });
  const replay = (await asked.json()) as { batch_id: string; replay_of: string[] };
  t.same(replay.replay_of, [hers, his]);
  for (const [key, id] of [[ada, hers] as const, [bob, his] as const]) {
    const { replayed } = (await get(server, `/v1/batches/${id}`, bearer(key))).json;
    t.same(replayed, { rescued: 1, pending: 0, by: [{ batch_id: replay.batch_id, lines: 1 }] }, 'her own lines');
    t.equal((await get(server, `/v1/batches/${replay.batch_id}`, bearer(key))).status, 404);
    t.equal(lines(await get(server, `/v1/batches/${id}/lines`, bearer(key))).length, 3);
    t.equal((await pages(server, key, '/v1/batches', 10)).length, 1);
  }
  t.equal((await get(server, `/v1/batches/${replay.batch_id}`, bearer(admin))).status, 200);
});

t.test('a candidate is held against the events that the key may see', async (t) => {
  const { server, ada, bob, admin } = await shared(t);
  await send(server, ada, MIXED);
  await send(server, ada, GOOD);
  await send(server, bob, MIXED);
  const document = JSON.parse(readFileSync(new URL('../../schemas/user_event/1.0.0.json', import.meta.url), 'utf8'));
  // What would tell of a value that somebody else has stored.
  document.properties.data.properties.user_email.pattern = '^b';
  const ask = async (key: MadeKey) => {
    const answer = await fetch(`${server.url}/v1/schemas/user_event/compatibility`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...bearer(key) },
      body: JSON.stringify(document),
    });
    return ((await answer.json()) as { stored: object }).stored;
  };
  t.match(await ask(ada), { rows_checked: 2, rows_failing: 2, rejections_checked: 2 });
  t.match(await ask(bob), { rows_checked: 1, rows_failing: 1, rejections_checked: 2 });
  t.match(await ask(admin), { rows_checked: 3, rows_failing: 3, rejections_checked: 4 });
});
