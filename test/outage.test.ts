// Postgres goes away and comes back.

import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { proxyTo } from './helpers/proxy.ts';
import { startServer } from './helpers/server.ts';

const line = ndjson(userEvent());

t.test('while Postgres is away: 503 at once, alive but not ready; back when it is back', async (t) => {
  const { url, query } = await testDatabase(t);
  const proxy = await proxyTo(t, url);
  const server = await startServer(t, { databaseUrl: proxy.url });
  const headers = { 'idempotency-key': 'k' };
  t.match(await post(server, line), { status: 201 });
  t.match(await get(server, '/readyz'), { status: 200, json: { status: 'ready' } });

  // An upload with a key is under way, small and large, when Postgres goes.
  const open = await Promise.all(
    [line, line.repeat(60_000)].map(async (body, index) => {
      const sent = request(`${server.url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': `open${index}` },
      });
      sent.write(body);
      await sleep(700);
      return sent;
    }),
  );
  proxy.cut();
  for (const sent of open) {
    sent.end(line);
    const [response] = await once(sent, 'response');
    t.equal(response.statusCode, 503);
    t.equal(response.headers['retry-after'], '2');
    response.resume();
  }
  const refused = await post(server, line, { headers });
  t.match(refused, { status: 503, json: { code: 'database_unavailable', detail: /Nothing was stored/ } });
  t.match(await get(server, '/readyz'), { status: 503 });
  t.match(await get(server, '/healthz'), { status: 200 });
  t.match(await get(server, '/v1/batches'), { status: 503 });

  proxy.mend();
  let ready = await get(server, '/readyz');
  for (let tries = 0; ready.status !== 200 && tries < 100; tries++) {
    await sleep(100);
    ready = await get(server, '/readyz');
  }
  t.equal(ready.status, 200);
  t.match(await post(server, line, { headers }), { status: 201 });
  for (const key of ['open0', 'open1']) {
    let answer = await post(server, line, { headers: { 'idempotency-key': key } });
    for (let tries = 0; answer.status === 409 && tries < 100; tries++) {
      await sleep(100);
      answer = await post(server, line, { headers: { 'idempotency-key': key } });
    }
    t.equal(answer.status, 201, `the key ${key} is free again`);
  }
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 4 }]);
  t.strictSame(await query("SELECT FROM sluice.batches WHERE status = 'receiving'"), []);
  t.strictSame(await query("SELECT FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'"), []);
});
