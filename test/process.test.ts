// Clients and processes that go away in the middle.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { type Server, startServer } from './helpers/server.ts';

const line = `${JSON.stringify(userEvent())}\n`;

/** Asks until the answer is there, for at most twenty seconds. */
async function eventually<T>(ask: () => Promise<T | undefined | false>): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    await sleep(100);
  }
  throw new Error('it never came to be');
}

/** Sends the head of an upload and some of its body on a socket of its own. */
async function beginUpload(server: Server, body: string, headers: string): Promise<ReturnType<typeof connect>> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const head = `POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n${headers}\r\n`;
  await new Promise<void>((resolve) => socket.write(head + body, () => resolve()));
  return socket;
}

const chunked = (body: string): string => `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n`;

const LEAVINGS: [string, (socket: ReturnType<typeof connect>) => void][] = [
  ['closes the connection', (socket) => socket.destroy()],
  ['resets the connection', (socket) => socket.resetAndDestroy()],
  ['ends its half', (socket) => socket.end()],
];

for (const [how, leave] of LEAVINGS) {
  for (const [size, count] of [
    ['small', 3],
    ['large', 60_000],
  ] as const) {
    t.test(`a client that ${how} in a ${size} upload: an aborted batch, no row, no busy connection`, async (t) => {
      const { url: databaseUrl, query } = await testDatabase(t);
      const server = await startServer(t, { databaseUrl });
      const socket = await beginUpload(server, chunked(line.repeat(count)), 'Transfer-Encoding: chunked\r\n');
      await sleep(300);
      leave(socket);
      const batch = await eventually(async () =>
        (await get(server, '/v1/batches')).json.items.find((each: { status: string }) => each.status === 'aborted'),
      );
      t.equal(batch.lines.accepted, 0);
      t.ok(batch.lines.received > 0);
      t.equal(batch.lines.rejected, batch.lines.received);
      t.match(batch.reason, String);
      await assertNoDebris(t, query);
      t.match(await post(server, line), { status: 201 });
    });
  }
}

async function assertNoDebris(t: Test, query: (sql: string) => Promise<{ n: number }[]>): Promise<void> {
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 0 }], 'no row');
  const tables = "SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'";
  t.strictSame(await query(tables), [{ n: 0 }], 'no stage table');
  const busy = `SELECT count(*)::int AS n FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND (state LIKE 'idle in%' OR query LIKE 'COPY%' AND state = 'active')`;
  t.strictSame(await query(busy), [{ n: 0 }], 'no busy connection');
}

t.test('a client that goes away in the middle of its first line leaves an aborted batch too', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const socket = await beginUpload(server, line.slice(0, 20), 'Content-Length: 1000\r\n');
  await sleep(300);
  socket.destroy();
  const batch = await eventually(async () => (await get(server, '/v1/batches')).json.items[0]);
  t.match(batch, { status: 'aborted', lines: { received: 0, accepted: 0 } });
  await assertNoDebris(t, query);
});

t.test('a body shorter than announced, and one that trickles to a stop', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { IDLE_TIMEOUT_MS: '500' } });
  const short = await beginUpload(server, line, 'Content-Length: 100000\r\n');
  short.end();
  await eventually(async () => (await get(server, '/v1/batches')).json.items.length === 1);

  const slow = await beginUpload(server, line, 'Content-Length: 100000\r\n');
  const [answer] = await once(slow, 'data');
  t.match(String(answer), /^HTTP\/1\.1 408 /);
  t.match(String(answer), /"code":"body_timeout"/);
  slow.destroy();
  await assertNoDebris(t, query);
});

t.test('a body longer than announced, and a chunk that is not as long as it says', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const everything = async (socket: ReturnType<typeof connect>) => {
    let text = '';
    for await (const data of socket) text += data;
    return text;
  };
  const long = await beginUpload(server, line + line, `Content-Length: ${line.length}\r\n`);
  // Node answers what is no request at once, perhaps before the upload in front of it has its own answer.
  t.match(await everything(long), /^HTTP\/1\.1 (201|400) /);
  const lying = await beginUpload(server, `5\r\n${line}\r\n0\r\n\r\n`, 'Transfer-Encoding: chunked\r\n');
  t.match(await everything(lying), /^(HTTP\/1\.1 400 |$)/);
  await eventually(async () => (await query("SELECT FROM sluice.batches WHERE status = 'receiving'")).length === 0);
  const [{ n }] = (await query('SELECT count(*)::int AS n FROM events.user_event')) as [{ n: number }];
  t.ok(n <= 1, 'what was announced, or nothing');
});

t.test('a process killed in the middle of an upload: another one clears it away, the key is free', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const headers = 'Transfer-Encoding: chunked\r\nIdempotency-Key: k\r\n';
  const socket = await beginUpload(server, chunked(line.repeat(100_000)), headers);
  await eventually(async () => (await query("SELECT FROM sluice.batches WHERE status = 'receiving'")).length === 1);
  await server.kill();
  socket.destroy();
  const next = await startServer(t, { databaseUrl });
  const body = ndjson(userEvent());
  t.match(await post(next, body, { headers: { 'idempotency-key': 'k' } }), { status: 201 });
  await eventually(async () => (await query("SELECT FROM sluice.batches WHERE status = 'aborted'")).length === 1);
  await query('DELETE FROM events.user_event');
  await assertNoDebris(t, query);
});

t.test('three processes start at once on an empty database, and again on one that is up to date', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  for (let round = 0; round < 2; round++) {
    const servers = await Promise.all([1, 2, 3].map(() => startServer(t, { databaseUrl })));
    for (const server of servers) t.match(await post(server, line), { status: 201 });
    t.strictSame(await Promise.all(servers.map((server) => server.stop())), [0, 0, 0], 'each ends with 0 on SIGTERM');
  }
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 6 }]);
});

t.test('a process that was killed while it held knex’s migration lock blocks nobody', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  await (await startServer(t, { databaseUrl })).stop();
  await query('UPDATE sluice.knex_migrations_lock SET is_locked = 1');
  await query('DELETE FROM sluice.knex_migrations');
  await query('DROP SCHEMA events CASCADE; DROP SCHEMA stage CASCADE');
  // All that migrations made but what knex keeps.
  await query(`DO $$ DECLARE each regclass; BEGIN
    FOR each IN SELECT oid FROM pg_class WHERE relnamespace = 'sluice'::regnamespace AND relkind = 'r'
      AND relname !~ '^knex' LOOP EXECUTE format('DROP TABLE %s CASCADE', each); END LOOP;
    DROP FUNCTION sluice.tell_of_api_keys, sluice.write_rejection; END $$`);
  t.match(await post(await startServer(t, { databaseUrl }), line), { status: 201 });
});

t.test('SIGTERM while an upload is under way: it is finished, then the process ends with 0', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const socket = await beginUpload(server, chunked(line.repeat(1_000)), 'Transfer-Encoding: chunked\r\n');
  await sleep(200);
  const ended = server.stop();
  await sleep(200);
  socket.write(`${chunked(line)}0\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  t.match(String(answer), /^HTTP\/1\.1 201 /);
  t.equal(await ended, 0);
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 1_001 }]);
});
