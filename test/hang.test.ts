// Postgres does not go away, it hangs: it accepts, or has accepted, and never answers. Nothing ends by itself then.
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { eventually } from './helpers/eventually.ts';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { type Server, startServer } from './helpers/server.ts';

const line = ndjson(userEvent());

const readiness = async (server: Server): Promise<number> => (await get(server, '/readyz')).status;

/** A network that can begin to swallow everything, while its connections stay open and new ones are accepted. */
async function swallowing(t: Test, databaseUrl: string): Promise<{ url: string; swallow(): void; mend(): void }> {
  const target = new URL(databaseUrl);
  const pairs = new Set<[Socket, Socket]>();
  let swallows = false;
  const proxy = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) });
    const pair: [Socket, Socket] = [client, upstream];
    pairs.add(pair);
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('error', () => {});
      from.on('data', (data) => {
        if (!swallows) to.write(data);
      });
      from.on('close', () => {
        pairs.delete(pair);
        if (!swallows) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
    proxy.close();
  });
  const url = new URL(databaseUrl);
  url.port = String((proxy.address() as { port: number }).port);
  return {
    url: url.href,
    swallow: () => {
      swallows = true;
    },
    mend: () => {
      swallows = false;
    },
  };
}

/** An upload that is under way, in the middle of a COPY or waiting for its end. */
function open(server: Server, key: string, body: string): { answer: Promise<number>; end(): void } {
  const sent = request(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': key },
  });
  const answer = new Promise<number>((resolve, reject) => {
    sent.on('error', reject);
    sent.on('response', (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
  });
  answer.catch(() => {});
  sent.write(body);
  return { answer, end: () => sent.end(line) };
}

t.test('a network that swallows everything: 503 for all, and all is well again when it does not', async (t) => {
  const { url, query } = await testDatabase(t);
  const network = await swallowing(t, url);
  const server = await startServer(t, { databaseUrl: network.url });
  t.match(await post(server, line), { status: 201 });
  const uploads = [open(server, 'a', line), open(server, 'b', line.repeat(100_000))];
  await eventually(async () => (await query("SELECT FROM sluice.batches WHERE status = 'receiving'")).length === 1);
  network.swallow();
  for (const upload of uploads) upload.end();
  const reading = get(server, '/v1/batches');
  t.strictSame(await Promise.all(uploads.map(({ answer }) => answer)), [503, 503], 'what was under way');
  t.match(await reading, { status: 503, json: { code: 'database_unavailable' } });
  const refused = await post(server, line);
  t.match(refused, { status: 503, json: { code: 'database_unavailable' } }, 'what comes now');
  t.equal(refused.headers.get('retry-after'), '2');
  t.equal(await readiness(server), 503);
  t.match(await get(server, '/healthz'), { status: 200 });

  network.mend();
  const from = performance.now();
  await eventually(async () => (await readiness(server)) === 200);
  t.comment(`ready again after ${Math.round(performance.now() - from)} ms`);
  t.match(await post(server, line), { status: 201 });
  for (const key of ['a', 'b']) {
    await eventually(async () => (await post(server, line, { headers: { 'idempotency-key': key } })).status === 201);
  }
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 4 }]);
});

t.test('a Postgres that is frozen and goes on', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url });
  t.match(await post(server, line), { status: 201 });
  const backends = async () =>
    (
      await query<{ pid: number }>(
        'SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      )
    ).map(({ pid }) => pid);
  const pids = (await backends()).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres'));
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  const wake = () => {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It has ended already.
      }
    }
  };
  t.teardown(wake);
  t.match(await post(server, line), { status: 503 }, 'told within seconds');
  wake();
  const from = performance.now();
  await eventually(async () => (await readiness(server)) === 200);
  t.comment(`ready again after ${Math.round(performance.now() - from)} ms`);
  t.match(await post(server, line), { status: 201 });
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2 }]);
});

t.test(
  'a statement that takes longer than a silence may is none, and neither is a process that was frozen',
  async (t) => {
    const { url, query } = await testDatabase(t);
    const server = await startServer(t, { databaseUrl: url });
    await query(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(5); RETURN NEW; END $$;
    CREATE TRIGGER wait BEFORE INSERT ON events.user_event FOR EACH ROW EXECUTE FUNCTION wait()`);
    const slow = post(server, line);
    await sleep(500);
    process.kill(server.pid, 'SIGSTOP');
    await sleep(4_000);
    process.kill(server.pid, 'SIGCONT');
    t.match(await slow, { status: 201 });
    t.notOk(server.logs().some((text) => text.includes('has not answered')));
  },
);

t.test('a process that is frozen, taken for dead, and comes back stores nothing twice', async (t) => {
  const { url, query } = await testDatabase(t);
  const frozen = await startServer(t, { databaseUrl: url });
  const uploads = [open(frozen, 'small', line), open(frozen, 'large', line.repeat(60_000))];
  const received = "SELECT FROM sluice.batches WHERE status = 'receiving'";
  await eventually(async () => (await query(received)).length === 1);
  await sleep(500);
  process.kill(frozen.pid, 'SIGSTOP');
  t.teardown(() => process.kill(frozen.pid, 'SIGCONT'));
  await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'sluice presence'`);
  const other = await startServer(t, { databaseUrl: url });
  await eventually(async () => (await query(received)).length === 0);
  for (const key of ['small', 'large']) {
    t.match(await post(other, line, { headers: { 'idempotency-key': key } }), { status: 201 });
  }
  process.kill(frozen.pid, 'SIGCONT');
  for (const { answer, end } of uploads) {
    end();
    t.equal(await answer, 503);
  }
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2 }]);
  await eventually(async () => (await readiness(frozen)) === 200);
  t.match(await post(frozen, line), { status: 201 });
  await eventually(
    async () => (await query("SELECT FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'")).length === 0,
  );
  t.strictSame(
    await query("SELECT FROM sluice.row_digests JOIN sluice.batches ON id = batch_id WHERE status = 'aborted'"),
    [],
  );
});
