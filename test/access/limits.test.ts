// What a key may use up, and what it is told of it.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { type Answer, get, ndjson, post, userEvent } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { raw } from '../helpers/raw.ts';
import { startServer } from '../helpers/server.ts';

const line = ndjson(userEvent());
const ON = { AUTH: 'on' };

/** Asks until the answer is of this status. */
async function until(status: number, ask: () => Promise<Answer>): Promise<Answer> {
  let answer = await ask();
  for (let tries = 0; answer.status !== status && tries < 100; tries++) {
    await sleep(100);
    answer = await ask();
  }
  return answer;
}

t.test('requests a second: one more is a 429 that says when to come again', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const key = await makeKey(database, { requestsPerS: 2 });
  const other = await makeKey(database, { requestsPerS: 1_000 });
  const ask = () => get(server, '/v1/schemas', bearer(key));
  const answers = await Promise.all(Array.from({ length: 12 }, ask));
  const refused = answers.filter((each) => each.status === 429);
  t.ok(refused.length >= 6, `${refused.length} of 12 at once`);
  t.ok(answers.some((each) => each.status === 200));
  for (const { json, headers } of refused) {
    t.match(json, { code: 'rate_limited', limit: 'requests', detail: /2 requests a second/ });
    t.equal(headers.get('retry-after'), '1');
    t.equal(headers.get('ratelimit-policy'), '"requests";q=2;w=1');
    t.equal(headers.get('ratelimit'), '"requests";r=0;t=1');
    t.equal(headers.get('ratelimit-limit'), '2');
    t.equal(headers.get('ratelimit-remaining'), '0');
    t.equal(headers.get('ratelimit-reset'), '1');
  }
  const free = await get(server, '/v1/batches', bearer(other));
  t.equal(free.status, 200, 'another key has its own count');
  t.equal(free.headers.get('ratelimit-remaining'), '999');
  t.equal((await until(200, ask)).status, 200, 'and so it goes on');
  const notFound = await get(server, '/v1/batches/nothing', bearer(other));
  t.equal(notFound.status, 404);
  t.match(notFound.headers.get('ratelimit'), /^"requests";r=99\d;t=1$/, 'the headers are on errors too');
});

t.test('bytes a second: an upload is not cut off, and what it took too much is waited for', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const key = await makeKey(database, { bytesPerS: 50_000 });
  const body = line.repeat(1_000);
  t.ok(body.length >= 150_000 && body.length < 250_000, `${body.length} bytes`);
  const sent = await post(server, body, { headers: bearer(key) });
  t.equal(sent.status, 201);
  t.equal(sent.headers.get('ratelimit-policy'), '"bytes";q=50000;w=1;qu="content-bytes"');
  t.equal(sent.headers.get('ratelimit'), '"bytes";r=50000;t=1');
  const refused = await post(server, line, { headers: bearer(key) });
  t.match(refused, { status: 429, json: { code: 'rate_limited', limit: 'bytes' } });
  const wait = Number(refused.headers.get('retry-after'));
  t.ok(wait >= 2 && wait <= 5, `${wait} s`);
  t.equal(refused.headers.get('ratelimit-remaining'), '0');
  t.equal(refused.headers.get('ratelimit-limit'), '50000');
  t.equal((await until(201, () => post(server, line, { headers: bearer(key) }))).status, 201);
});

t.test('the bytes of an upload that is still under way count', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const key = await makeKey(database, { bytesPerS: 50_000 });
  const body = line.repeat(1_000);
  const head =
    'POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n' +
    `Content-Length: ${body.length + line.length}\r\nAuthorization: Bearer ${key.key}\r\n\r\n`;
  const open = await raw(server, head + body);
  const refused = await until(429, () => get(server, '/v1/batches', bearer(key)));
  t.match(refused, { status: 429, json: { limit: 'bytes' } });
  open.socket.write(line);
  t.match(await open.until(/"links"/), /^HTTP\/1.1 201 /, 'it ends as if nothing were');
});

t.test('uploads at once: counted for each key', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const key = await makeKey(database, { uploads: 1 });
  const other = await makeKey(database, { uploads: 1 });
  const head =
    'POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\n' +
    `Content-Length: ${2 * line.length}\r\nAuthorization: Bearer ${key.key}\r\n\r\n`;
  const open = await raw(server, head + line);
  const ask = () => post(server, line, { headers: bearer(key) });
  const refused = await until(429, ask);
  t.match(refused, { status: 429, json: { code: 'too_many_batches', detail: /The key has 1 uploads/ } });
  t.equal(refused.headers.get('retry-after'), '1');
  t.equal((await post(server, line, { headers: bearer(other) })).status, 201);
  t.equal((await get(server, '/v1/batches', bearer(key))).status, 200, 'it may ask meanwhile');
  open.socket.write(line);
  t.match(await open.until(/"links"/), /^HTTP\/1.1 201 /);
  t.equal((await until(201, ask)).status, 201);
});

t.test('a key without figures of its own has those of the settings; 0 is no limit', async (t) => {
  const database = await testDatabase(t);
  const env = { ...ON, KEY_REQUESTS_PER_S: '7', KEY_BYTES_PER_S: '1000000', KEY_UPLOADS: '1' };
  const server = await startServer(t, { databaseUrl: database.url, env });
  const none = { requestsPerS: null, bytesPerS: null, uploads: null };
  const usual = await get(server, '/v1/schemas', bearer(await makeKey(database, none)));
  t.equal(usual.headers.get('ratelimit-policy'), '"requests";q=7;w=1, "bytes";q=1000000;w=1;qu="content-bytes"');
  t.equal(usual.headers.get('ratelimit'), '"requests";r=6;t=1, "bytes";r=1000000;t=1');
  const free = await get(server, '/v1/schemas', bearer(await makeKey(database)));
  t.equal(free.headers.get('ratelimit-policy'), null);
  t.equal((await get(server, '/healthz')).headers.get('ratelimit-policy'), null);
  await t.rejects(startServer(t, { databaseUrl: database.url, env: { KEY_UPLOADS: '-1' } }), /KEY_UPLOADS is "-1"/);
});

t.test('nothing that a client says of its address changes what its key may', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: ON });
  const key = await makeKey(database, { requestsPerS: 1 });
  const ask = (index: number) =>
    get(server, '/v1/schemas', {
      ...bearer(key),
      'x-forwarded-for': `10.0.0.${index}`,
      forwarded: `for=10.0.1.${index}`,
    });
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => ask(index)));
  t.ok(answers.filter((each) => each.status === 429).length >= 5);
});
