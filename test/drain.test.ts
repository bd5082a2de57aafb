// SIGTERM with work under way: it is finished, or failed in time; the process ends with 0.
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { type Server, startServer } from './helpers/server.ts';

const line = ndjson(userEvent());

/** Begins an upload and does not end it. */
async function begin(server: Server, key: string, body = line): Promise<ClientRequest> {
  const sent = request(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': key },
  });
  sent.on('error', () => {});
  await new Promise<void>((resolve) => sent.write(body, () => resolve()));
  await sleep(500);
  return sent;
}

async function answerOf(
  sent: ClientRequest,
): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode!, headers: response.headers, text };
}

t.test('uploads that never end are failed before the time is over, recorded, and their keys are free', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { DRAIN_MS: '6000' } });
  const sent = [await begin(server, 'small'), await begin(server, 'large', line.repeat(60_000))];
  const answers = sent.map(answerOf);
  const ended = server.stop();
  for (const answer of await Promise.all(answers)) {
    t.match(answer, { status: 503, text: /"code":"shutting_down"/ });
    t.match(answer.headers, { 'retry-after': '1', connection: 'close' });
  }
  t.equal(await ended, 0);
  const batches = await query('SELECT status, reason FROM sluice.batches');
  t.match(batches, [{ status: 'aborted' }, { status: 'aborted' }]);
  t.strictSame(await query('SELECT FROM sluice.idempotency_keys'), []);
  t.strictSame(await query("SELECT FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'"), []);
});

t.test('an upload that ends in time is finished; whoever else comes is sent away', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url });
  const { hostname, port } = new URL(server.url);
  // Two requests on one connection, the second one while the process is draining already.
  const kept = connect({ host: hostname, port: Number(port) });
  const head = 'POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n';
  const body = line.repeat(2);
  kept.write(`${head}Content-Length: ${body.length}\r\n\r\n${line}`);
  await sleep(500);
  const ended = server.stop();
  await sleep(500);
  await t.rejects(post(server, line), 'no new connection');
  let text = '';
  kept.on('data', (data) => {
    text += data;
  });
  kept.write(`${line}GET /v1/batches HTTP/1.1\r\nHost: x\r\n\r\n`);
  await once(kept, 'close');
  t.match(text, /^HTTP\/1\.1 201 [\s\S]*connection: close/i);
  t.equal(await ended, 0);
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2 }]);
});

t.test('an upload that waits for a lock is failed, and nothing of it is stored', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { DRAIN_MS: '4000', LOCK_TIMEOUT_MS: '0' } });
  t.match(await post(server, line), { status: 201 });
  const holder = query('BEGIN; LOCK TABLE events.user_event; SELECT pg_sleep(12); COMMIT');
  await sleep(500);
  const waiting = post(server, line, { headers: { 'idempotency-key': 'k' } });
  await sleep(500);
  const ended = server.stop();
  t.match(await waiting, { status: 503 });
  t.equal(await ended, 0);
  await holder;
  const next = await startServer(t, { databaseUrl: url });
  t.match(await post(next, line, { headers: { 'idempotency-key': 'k' } }), { status: 201 });
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2 }]);
});

t.test('a second signal fails everything at once', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { DRAIN_MS: '600000' } });
  const answer = answerOf(await begin(server, 'k'));
  const ended = server.stop();
  // npm passes on a ctrl-C that has reached everybody already.
  server.child.kill('SIGINT');
  await sleep(1_500);
  t.equal(server.child.exitCode, null);
  t.notOk(server.logs().some((text) => text.includes('given up')));
  server.child.kill('SIGINT');
  t.match(await answer, { status: 503, text: /"code":"shutting_down"/ });
  t.equal(await ended, 0);
  t.match(await query('SELECT status FROM sluice.batches'), [{ status: 'aborted' }]);
});

t.test('connections kept alive hold nobody up, nor does a Postgres that hangs', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { DRAIN_MS: '600000' } });
  t.match(await get(server, '/healthz'), { status: 200 }, 'fetch keeps its connection');
  t.equal(await server.stop(), 0);

  const hanging = await startServer(t, { databaseUrl: url, env: { DRAIN_MS: '6000' } });
  const pids = await query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'sluice%'",
  );
  for (const { pid } of pids) process.kill(pid, 'SIGSTOP');
  t.equal(await hanging.stop(), 0);
  for (const { pid } of pids) process.kill(pid, 'SIGCONT');
});
