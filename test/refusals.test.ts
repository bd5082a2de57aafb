// What Postgres, or the operating system, may refuse while the server runs: always a 503, never a 500, never the end.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { eventually } from './helpers/eventually.ts';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';

const line = ndjson(userEvent());

t.test('backends terminated at any time cost what is under way on them, and never the process', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { POOL_SIZE: '4', RETENTION_INTERVAL_S: '1' } });
  const kept = await post(server, ndjson(userEvent(), '{'));
  t.equal(kept.status, 207);
  const accepted = new Map<number, number>();
  let isOver = false;
  const client = async (index: number) => {
    for (let turn = 0; !isOver && turn < 1_000; turn++) {
      const count = index % 2 === 0 ? 1 : 40_000;
      const headers = { 'idempotency-key': `${index}-${turn}` };
      const answers = [
        await post(server, line.repeat(count), { headers }),
        await get(server, kept.json.links.reconciliation),
        await get(server, kept.json.links.lines).catch(() => undefined),
        await fetch(`${server.url}/v1/rejections/replay`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ filter: {}, dry_run: true }),
        }),
      ];
      for (const answer of answers) {
        if (answer !== undefined) accepted.set(answer.status, (accepted.get(answer.status) ?? 0) + 1);
      }
    }
  };
  const clients = [0, 1, 2, 3].map(client);
  for (let round = 0; round < 40; round++) {
    await sleep(Math.random() * 300);
    await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'sluice%' AND random() < 0.7`);
  }
  isOver = true;
  await Promise.all(clients);
  t.comment([...accepted].map(([status, count]) => `${status}: ${count}`).join(', '));
  t.notOk(accepted.has(500));
  t.ok(accepted.has(503), 'some of them were hit');
  await eventually(async () => (await get(server, '/readyz')).status === 200);
  t.match(await post(server, line), { status: 201 });
  const doubled = `SELECT FROM sluice.batches
    WHERE status = 'promoted' AND accepted <> (SELECT count(*) FROM events.user_event WHERE _batch_id = id)`;
  t.strictSame(await query(doubled), []);
  await eventually(async () => (await query("SELECT FROM sluice.batches WHERE status = 'receiving'")).length === 0);
});

t.test('a statement or a lock that takes longer than it may', async (t) => {
  const { url, query } = await testDatabase(t);
  const env = { LOCK_TIMEOUT_MS: '300', STATEMENT_TIMEOUT_MS: '1500' };
  const server = await startServer(t, { databaseUrl: url, env });
  const lock = query('BEGIN; LOCK TABLE events.user_event; SELECT pg_sleep(2); COMMIT');
  await sleep(300);
  t.match(await post(server, line), { status: 503, json: { code: 'database_busy', detail: /a lock/ } });
  await lock;
  await query(`CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;
    CREATE TRIGGER wait BEFORE INSERT ON events.user_event FOR EACH ROW EXECUTE FUNCTION wait()`);
  const late = await post(server, line);
  t.match(late, { status: 503, json: { code: 'database_busy', detail: /took too long/ } });
  t.equal(late.headers.get('retry-after'), '5');
  await query('DROP TRIGGER wait ON events.user_event');
  t.match(await post(server, line), { status: 201 });
});

t.test('all connections of the pool in use for longer than anybody waits', async (t) => {
  const { url, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url, env: { POOL_SIZE: '2', LOCK_TIMEOUT_MS: '0' } });
  const lock = query('BEGIN; LOCK TABLE events.user_event; SELECT pg_sleep(13); COMMIT');
  await sleep(300);
  const answers = await Promise.all([1, 2, 3, 4].map(() => post(server, line)));
  t.strictSame(answers.map(({ status }) => status).sort(), [201, 201, 503, 503]);
  t.match(answers.find(({ status }) => status === 503)?.json, { code: 'database_busy', detail: /no connection/ });
  await lock;
});

t.test('a standby, a password that is no longer right, a database that is gone', async (t) => {
  const { url, name, query } = await testDatabase(t);
  const user = `sluice_${name.slice(-12)}`;
  await query(`CREATE ROLE ${user} LOGIN SUPERUSER PASSWORD 'first'`);
  t.teardown(async () => {
    const client = new pg.Client({ connectionString: Object.assign(new URL(url), { pathname: '/postgres' }).href });
    await client.connect();
    await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await client.query(`DROP ROLE ${user}`);
    await client.end();
  });
  const databaseUrl = Object.assign(new URL(url), { username: user, password: 'first' }).href;
  const server = await startServer(t, { databaseUrl });
  t.match(await post(server, line), { status: 201 });
  const terminate = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${user}'`;

  await query(`ALTER ROLE ${user} SET default_transaction_read_only = on`);
  await query(terminate);
  await eventually(async () => (await get(server, '/readyz')).status === 503);
  for (const answer of [await post(server, line), await post(server, line, { headers: { 'idempotency-key': 'k' } })]) {
    t.match(answer, { status: 503, json: { code: 'database_unavailable' } }, 'read only');
  }
  await query(`ALTER ROLE ${user} RESET default_transaction_read_only; ALTER ROLE ${user} PASSWORD 'second'`);
  await query(terminate);
  const refused = await post(server, line);
  t.match(refused, { status: 503, json: { code: 'database_unavailable' } }, 'another password');
  t.ok(refused.headers.get('retry-after'));
  await query(`ALTER ROLE ${user} PASSWORD 'first'`);
  await eventually(async () => (await get(server, '/readyz')).status === 200);
  t.match(await post(server, line), { status: 201 });

  await query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
  await query(`ALTER ROLE ${user} NOSUPERUSER`);
  await query(terminate);
  t.match(await post(server, line), { status: 503 }, 'no right to connect');
  t.match(await get(server, '/v1/batches'), { status: 503 });
  t.match(await get(server, '/healthz'), { status: 200 });
});

t.test('more clients than there are file descriptors: refusals, no end, and all is well afterwards', async (t) => {
  const { url } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: url });
  const limit = (soft: string) => execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${soft}:`]);
  const [{ length: open }] = [
    execFileSync('ls', [`/proc/${server.pid}/fd`])
      .toString()
      .trim()
      .split('\n'),
  ];
  limit(String(open + 20));
  const { hostname, port } = new URL(server.url);
  const statuses = new Set<number | string>();
  const idle = Array.from({ length: 200 }, () => connect({ host: hostname, port: Number(port) }).on('error', () => {}));
  await sleep(500);
  const answers = await Promise.all(
    Array.from({ length: 50 }, () =>
      post(server, line).then(
        ({ status }) => status,
        () => 'refused',
      ),
    ),
  );
  for (const answer of answers) statuses.add(answer);
  t.comment([...statuses].join(', '));
  t.notOk(statuses.has(500));
  for (const socket of idle) socket.destroy();
  limit('1024');
  await eventually(async () => (await post(server, line).catch(() => undefined))?.status === 201);
  server.child.kill('SIGTERM');
  if (server.child.exitCode === null) await once(server.child, 'exit');
  t.equal(server.child.exitCode, 0);
});
