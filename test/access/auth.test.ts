// Who comes in: keys and scopes, when they are asked for, and what is said to those who have none.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { parse } from 'yaml';
import { isLoopback } from '../../src/access/access.ts';
import type { Scope } from '../../src/access/client.ts';
import { newKey } from '../../src/access/key.ts';
import { type Answer, get, ndjson, post, userEvent } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { proxyTo } from '../helpers/proxy.ts';
import { raw } from '../helpers/raw.ts';
import { startServer } from '../helpers/server.ts';

const line = ndjson(userEvent());
const ON = { AUTH: 'on' };

/** Asks again until the answer has this status; a notice needs a moment from Postgres to the server. */
async function settled(ask: () => Promise<Answer>, status: number): Promise<Answer> {
  let answer = await ask();
  for (let tries = 0; answer.status !== status && tries < 100; tries++) {
    await sleep(20);
    answer = await ask();
  }
  return answer;
}

t.test('a key that was just made works at once, and one that was revoked no longer', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const key = await makeKey(database, { scopes: ['ingest'] });
  t.equal((await post(server, line, { headers: bearer(key) })).status, 201, 'its first use, right after it was made');
  await database.query('UPDATE sluice.api_keys SET revoked_at = now()');
  const refused = await settled(() => post(server, line, { headers: bearer(key) }), 401);
  t.equal(refused.status, 401);
});

t.test('whatever is wrong with a key, the answer is the same', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const good = await makeKey(database);
  const [, id] = good.key.split('_');
  const revoked = await makeKey(database);
  const expired = await makeKey(database, { expiresAt: new Date(Date.now() - 1_000) });
  await database.query('UPDATE sluice.api_keys SET revoked_at = now() WHERE id = $1', [revoked.id]);
  await settled(() => get(server, '/v1/batches', bearer(revoked)), 401);
  const wrong = [
    `Bearer ${newKey().text}`,
    `Bearer sluice_${id}_${'A'.repeat(43)}`,
    `Bearer ${good.key}x`,
    `Bearer ${good.key.slice(0, -1)}`,
    `Bearer ${good.key.toUpperCase()}`,
    `Bearer ${revoked.key}`,
    `Bearer ${expired.key}`,
    'Bearer',
    'Bearer x',
    `Basic ${Buffer.from(`${good.key}:`).toString('base64')}`,
    good.key,
  ];
  const bodies = new Set<string>();
  for (const authorization of wrong) {
    const answer = await post(server, line, { headers: { authorization } });
    t.equal(answer.status, 401, authorization.slice(0, 12));
    t.equal(answer.headers.get('www-authenticate'), 'Bearer realm="sluice", error="invalid_token"');
    t.equal(answer.headers.get('ratelimit'), null);
    bodies.add(answer.text);
  }
  const none = await post(server, line);
  t.equal(none.headers.get('www-authenticate'), 'Bearer realm="sluice"');
  bodies.add(none.text);
  t.equal(bodies.size, 1);
  t.equal(none.json.code, 'unauthorized');
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    const answer = await get(server, '/v1/batches', { authorization: `${scheme} ${good.key}` });
    t.equal(answer.status, 200, scheme);
  }
  const head = `GET /v1/batches HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${good.key}\r\n`;
  t.match(await (await raw(server, `${head}\r\n`)).until(/\r\n\r\n/), /^HTTP\/1.1 200 /);
  const twice = await raw(server, `${head}Authorization: Bearer ${good.key}\r\n\r\n`);
  t.match(await twice.until(/\r\n\r\n/), /^HTTP\/1.1 401 /, 'two headers');
  t.same(await database.query('SELECT count(*)::int FROM sluice.batches'), [{ count: 0 }]);
});

t.test('a request is refused before anything of its body has come', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const reader = await makeKey(database, { scopes: ['read'] });
  const head =
    'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n';
  t.match(await (await raw(server, `${head}\r\n`)).until(/\}$/), /^HTTP\/1.1 401 .*"code":"unauthorized"/s);
  const forbidden = await raw(server, `${head}Authorization: Bearer ${reader.key}\r\n\r\n`);
  t.match(await forbidden.until(/\}$/), /^HTTP\/1.1 403 .*"code":"forbidden","scope":"ingest"/s);
});

t.test('every route asks for the scope that its description says, and open ones for no key', async (t) => {
  const { paths } = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const keys = new Map<Scope, { key: string }>();
  for (const scope of ['ingest', 'read', 'admin'] as const)
    keys.set(scope, await makeKey(database, { scopes: [scope] }));
  let seen = 0;
  for (const [path, operations] of Object.entries<Record<string, { security?: { api_key?: Scope[] }[] }>>(paths)) {
    for (const [method, { security }] of Object.entries(operations)) {
      if (security === undefined) continue;
      seen++;
      const ask = async (headers: Record<string, string>): Promise<{ status: number; code?: string }> => {
        const at = `${server.url}${path.replaceAll(/\{\w+\}/g, 'nothing')}`;
        const answer = await fetch(at, { method: method.toUpperCase(), headers });
        const text = await answer.text();
        return { status: answer.status, ...(answer.status >= 400 && { code: JSON.parse(text).code }) };
      };
      const needed = security[0]?.api_key?.[0];
      const bare = await ask({});
      t.equal(bare.status === 401, needed !== undefined, `${method} ${path} without a key: ${bare.status}`);
      for (const [scope, key] of keys) {
        const { status, code } = await ask(bearer(key));
        const isAllowed = needed === undefined || scope === needed || scope === 'admin';
        t.equal(code === 'forbidden', !isAllowed, `${method} ${path} with ${scope}: ${status} ${code}`);
        t.not(status, 401);
      }
    }
  }
  t.ok(seen > 20, `${seen} operations`);
  t.equal((await get(server, '/v1/nothing')).status, 404);
  t.equal((await fetch(`${server.url}/v1/events`, { method: 'DELETE' })).status, 405);
  t.equal((await fetch(`${server.url}/v1/batches`, { method: 'HEAD' })).status, 401);
  t.equal((await get(server, '/docs/static/index.html')).status, 200);
});

t.test('while Postgres is away, keys are judged by what was last read of them', async (t) => {
  const database = await testDatabase(t);
  const proxy = await proxyTo(t, database.url);
  const server = await startServer(t, { databaseUrl: proxy.url, env: ON });
  const good = await makeKey(database);
  const unknown = newKey();
  t.equal((await get(server, '/v1/schemas', bearer(good))).status, 200);
  t.equal((await get(server, '/v1/schemas', { authorization: `Bearer ${unknown.text}` })).status, 401);
  proxy.cut();
  const wrong = { key: `${good.key.slice(0, -4)}AAAA` };
  t.equal((await get(server, '/v1/schemas', bearer(good))).status, 200);
  t.equal((await get(server, '/v1/schemas', bearer(wrong))).status, 401, 'a wrong secret of a known key');
  const again = await get(server, '/v1/schemas', { authorization: `Bearer ${unknown.text}` });
  t.equal(again.status, 401, 'a key that was looked for in vain is not looked for again');
  const other = await get(server, '/v1/schemas', { authorization: `Bearer ${newKey().text}` });
  t.match(other, { status: 503, json: { code: 'database_unavailable' } }, 'one that nobody can look for');
  t.ok(other.headers.get('retry-after'));

  await database.query('UPDATE sluice.api_keys SET revoked_at = now()');
  proxy.mend();
  t.equal((await settled(() => get(server, '/v1/schemas', bearer(good)), 401)).status, 401, 'told when it is back');
});

t.test('keys are asked for everywhere but on a loopback address, unless AUTH says otherwise', async (t) => {
  const database = await testDatabase(t);
  const start = (env: Record<string, string>) => startServer(t, { databaseUrl: database.url, env });
  const listening = (logs: string[]) => JSON.parse(logs.find((each) => each.includes('"msg":"listening"'))!);

  const local = await start({});
  t.equal(listening(local.logs()).auth, 'off');
  t.equal((await post(local, line)).status, 201);
  await local.stop();

  for (const HOST of ['0.0.0.0', '::', 'sluice.example']) {
    await t.rejects(
      start({ HOST }),
      /can be reached by others, and there is no API key: make one with "sluice keys create/,
    );
  }
  // An address that is loopback only by way of IPv4: in doubt a key is asked for.
  const HOST = '::ffff:127.0.0.1';
  const warned = (logs: string[], words: RegExp) =>
    logs.some((each) => each.includes('"level":40') && words.test(each));

  const off = await start({ HOST, AUTH: 'off' });
  t.equal(listening(off.logs()).auth, 'off');
  t.ok(warned(off.logs(), /AUTH=off/));
  t.equal((await post(off, line)).status, 201);
  await off.stop();

  const on = await start({ AUTH: 'on' });
  t.equal(listening(on.logs()).auth, 'on');
  t.ok(warned(on.logs(), /there is no API key/));
  t.equal((await post(on, line)).status, 401);
  await on.stop();

  const key = await makeKey(database, { scopes: ['ingest'] });
  const asking = await start({ HOST });
  t.equal(listening(asking.logs()).auth, 'on');
  t.notOk(asking.logs().some((each) => each.includes('"level":40')));
  t.equal((await post(asking, line)).status, 401);
  t.equal((await post(asking, line, { headers: bearer(key) })).status, 201);

  await database.query('UPDATE sluice.api_keys SET expires_at = now()');
  await t.rejects(start({ HOST: '0.0.0.0' }), /there is no API key/, 'an expired key is none');
  await t.rejects(start({ AUTH: 'yes' }), /AUTH is "yes": allowed is one of on, off/);
});

t.test('loopback addresses', async (t) => {
  for (const host of ['127.0.0.1', '127.8.9.10', '::1', 'localhost', 'LOCALHOST']) t.ok(isLoopback(host), host);
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '127.example',
    '127.0.0.1.example',
    'localhost.example',
  ]) {
    t.notOk(isLoopback(host), host);
  }
});
