// Pages in browsers on this machine, where no keys are asked for.
import t from 'tap';
import { get, ndjson, post, userEvent } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { raw } from '../helpers/raw.ts';
import { startServer } from '../helpers/server.ts';

const line = ndjson(userEvent());

/** The first line of the answer to an upload with these headers. */
async function statusOf(
  server: { url: string },
  method: 'GET' | 'POST',
  headers: Record<string, string>,
): Promise<string> {
  const given = { Connection: 'close', 'Content-Type': 'application/x-ndjson', ...headers };
  const fields = Object.entries(given).map(([name, value]) => `${name}: ${value}\r\n`);
  const target = method === 'GET' ? '/v1/batches' : '/v1/events';
  const body = method === 'GET' ? '' : line;
  const answer = await raw(
    server,
    `${method} ${target} HTTP/1.1\r\n${fields.join('')}Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  return /^HTTP\/1.1 (\d+)/.exec(await answer.until(/\r\n\r\n/))?.[1] ?? '';
}

t.test('a page of another site cannot write, nor anything by a name that was pointed here', async (t) => {
  const server = await startServer(t);
  const own = new URL(server.url).host;
  const cases: [method: 'GET' | 'POST', headers: Record<string, string>, status: string][] = [
    ['POST', { Host: own }, '201'],
    ['POST', { Host: own, Origin: `http://${own}` }, '201'],
    ['POST', { Host: 'localhost:3000', Origin: 'http://localhost:3000', 'Sec-Fetch-Site': 'same-origin' }, '201'],
    ['POST', { Host: '[::1]:3000', Origin: 'http://[::1]:3000' }, '201'],
    ['POST', { Host: own, Origin: 'https://evil.example' }, '403'],
    ['POST', { Host: own, Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }, '403'],
    ['POST', { Host: own, Origin: 'null' }, '403'],
    ['POST', { Host: own, Origin: 'http://127.0.0.1:1' }, '403'],
    // A proxy with its own name before us, and programs behind it.
    ['POST', { Host: 'events.example' }, '201'],
    ['GET', { Host: 'events.example' }, '200'],
    // A name that its owner lets point to 127.0.0.1: for the browser it is the page's own server.
    ['POST', { Host: 'evil.example', Origin: 'http://evil.example', 'Sec-Fetch-Site': 'same-origin' }, '403'],
    ['GET', { Host: 'evil.example', 'Sec-Fetch-Site': 'same-origin' }, '403'],
    ['GET', { Host: own, 'Sec-Fetch-Site': 'cross-site' }, '200'],
  ];
  for (const [method, headers, status] of cases) {
    t.equal(await statusOf(server, method, headers), status, `${method} ${JSON.stringify(headers)}`);
  }
  const refused = await post(server, line, { headers: { origin: 'https://evil.example' } });
  t.match(refused.json, { code: 'cross_origin', status: 403 });
  t.equal((await get(server, '/docs')).status, 200);
});

t.test('whoever says AUTH=off may have a proxy with a name before it, for browsers too', async (t) => {
  const server = await startServer(t, { env: { AUTH: 'off' } });
  const Host = 'events.example';
  t.equal(await statusOf(server, 'POST', { Host, Origin: `https://${Host}` }), '201');
  t.equal(await statusOf(server, 'GET', { Host, 'Sec-Fetch-Site': 'same-origin' }), '200');
  const behind = { Host: 'backend:3000', Origin: `https://${Host}`, 'Sec-Fetch-Site': 'same-origin' };
  t.equal(await statusOf(server, 'POST', behind), '201', 'the proxy puts its own name into Host');
  t.equal(await statusOf(server, 'POST', { Host, Origin: 'https://evil.example' }), '403');
});

t.test('with keys the key decides', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'on' } });
  const headers = { ...bearer(await makeKey(database)), origin: 'https://shop.example' };
  t.equal((await post(server, line, { headers })).status, 201);
  t.equal((await post(server, line, { headers: { origin: 'https://shop.example' } })).status, 401);
});
