// Bounds on clients: how many, how slow, and how slow to read.
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { get, ndjson, post, userEvent } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { type Server, startServer } from '../helpers/server.ts';

const line = ndjson(userEvent());
const HEAD = 'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n';

async function socketTo(server: Server): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Everything that comes until the connection ends, while `write` is called every 100 ms, for at most a minute. */
async function trickle(socket: Socket, write: (turn: number) => void): Promise<string> {
  let text = '';
  let isOver = false;
  socket.on('data', (data) => {
    text += data;
    isOver = true;
  });
  socket.on('close', () => {
    isOver = true;
  });
  for (let turn = 0; turn < 600 && !isOver; turn++) {
    write(turn);
    await sleep(100);
  }
  return text;
}

t.test('requests under way at once: one more is sent away, but for the questions after our health', async (t) => {
  const { url } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { MAX_REQUESTS: '3' } });
  const open = await Promise.all(
    [1, 2, 3].map(async () => {
      const sent = request(`${server.url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
      });
      sent.write(line);
      await sleep(300);
      return sent;
    }),
  );
  for (const answer of [await get(server, '/v1/batches'), await post(server, line)]) {
    t.match(answer, { status: 503, json: { code: 'overloaded' } });
    t.equal(answer.headers.get('retry-after'), '1');
  }
  t.match(await get(server, '/healthz'), { status: 200 });
  t.match(await get(server, '/readyz'), { status: 200 });
  for (const sent of open) {
    sent.end();
    const [response] = await once(sent, 'response');
    t.equal(response.statusCode, 201);
    response.resume();
  }
  t.match(await get(server, '/v1/batches'), { status: 200 });
});

t.test('headers and bodies that trickle are cut; one that is slow but honest is taken', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { IDLE_TIMEOUT_MS: '1500', MIN_BYTES_PER_S: '100' } });
  const headers = await socketTo(server);
  headers.write(HEAD);
  t.match(await trickle(headers, () => headers.write('X-A: b\r\n')), /^HTTP\/1\.1 408 [\s\S]*body_timeout/);

  const body = await socketTo(server);
  body.write(`${HEAD}Content-Length: 100000\r\n\r\n`);
  t.match(await trickle(body, () => body.write(' ')), /^HTTP\/1\.1 408 [\s\S]*less than 100 a second/);

  const form = await socketTo(server);
  form.write(
    'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n',
  );
  const parts = trickle(
    form,
    (turn) => turn % 10 === 0 && form.write('--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n\r\n'),
  );
  t.match(await parts, /^HTTP\/1\.1 408 /, 'parts without a file are bytes too, and too few of them');

  const honest = await socketTo(server);
  honest.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = `${line.length.toString(16)}\r\n${line}\r\n`;
  t.match(
    await trickle(honest, (turn) => turn <= 40 && honest.write(turn < 40 ? chunk : '0\r\n\r\n')),
    /^HTTP\/1\.1 201 /,
  );
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 40 }]);
  t.strictSame(await query("SELECT FROM sluice.batches WHERE status = 'receiving'"), []);
});

t.test('waiting for Postgres is not held against the client', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { IDLE_TIMEOUT_MS: '500', MIN_BYTES_PER_S: '1000' } });
  const lock = query('BEGIN; LOCK TABLE sluice.row_digests; SELECT pg_sleep(3); COMMIT');
  await sleep(200);
  t.match(await post(server, line.repeat(100_000)), { status: 201, json: { lines: { accepted: 100_000 } } });
  await lock;
});

t.test('a client that does not read a long answer is cut, and holds no connection to Postgres', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { IDLE_TIMEOUT_MS: '1500' } });
  const { json } = await post(server, line.repeat(300_000), { query: { report: 'summary' } });
  const socket = await socketTo(server);
  socket.pause();
  socket.write(`GET ${json.links.lines} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await sleep(1_000);
  const busy = await query(`SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'sluice' AND state <> 'idle'`);
  t.strictSame(busy, []);
  await sleep(2_500);
  socket.resume();
  let size = 0;
  socket.on('data', (data) => {
    size += data.length;
  });
  if (!socket.closed) await once(socket, 'close');
  t.ok(size < 9_000_000, `it was cut after ${size} bytes`);
  const answer = await get(server, json.links.lines);
  t.equal(answer.text.split('\n').length, 300_001, 'who reads gets all of it');
});
