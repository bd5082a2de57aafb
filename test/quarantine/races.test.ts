// Nothing is loaded twice and nothing is lost, whoever replays at the same time and whoever dies.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { get } from '../helpers/http.ts';
import type { TestDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';
import { clientOf } from '../registry/registry.ts';
import { type Quarantine, quarantine, VISIT_MORE } from './replaying.ts';

const LOCK = '125779903637881';
const SECRET = 'x'.repeat(200);

/** NDJSON that version 1.1.0 takes and 1.0.0 does not. */
function many(count: number): string {
  return Array.from({ length: count }, (_, at) => `{"a":${at},"b":"${SECRET}"}\n`).join('');
}

/** Asks until the answer is there, for at most thirty seconds. */
async function eventually(ask: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 6_000; tries++) {
    if (await ask()) return;
    // What is waited for may be over soon.
    await sleep(5);
  }
  throw new Error('it never came to be');
}

/** Every line is in final once, and its rejection is marked once. */
async function assertOnce(t: Test, { database }: Quarantine, count: number): Promise<void> {
  const [found] = await database.query(
    `SELECT count(*)::int AS rows, count(DISTINCT a)::int AS lines, (SELECT count(*)::int FROM sluice.replays) AS marked,
       (SELECT count(*)::int FROM sluice.replays JOIN events.visit ON _batch_id = replayed_by AND _line = line
          AND a = batch_line - 1) AS matching
     FROM events.visit`,
  );
  t.strictSame(found, { rows: count, lines: count, marked: count, matching: count });
}

t.test('twenty thousand rejections at once, and ten replays that race for them on two servers', async (t) => {
  const run = await quarantine(t, { env: { POOL_SIZE: '2' } });
  const { upload, register, database, path, send, server } = run;
  const { json: origin } = await upload(many(20_000), '?schema=visit');
  const env = { POOL_SIZE: '2' };
  const second = clientOf(await startServer(t, { databaseUrl: database.url, schemaDir: path, env }));
  t.match(await register('visit', VISIT_MORE), { status: 201, json: { rescued: 20_000, rejections_checked: 20_000 } });
  t.equal((await second.send('/v1/schemas/reload')).status, 200);
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, at) => (at % 2 === 0 ? send : second.send)('/v1/rejections/replay', { filter: {} })),
  );
  t.strictSame(answers.map(({ status }) => status).sort(), [...Array(9).fill(200), 201]);
  await assertOnce(t, run, 20_000);
  const { replayed } = (await get(server, `/v1/batches/${origin.batch_id}`)).json;
  t.match(replayed, { rescued: 20_000, pending: 0, by: [{ lines: 20_000 }] });
  t.match(await register('visit', { ...VISIT_MORE, description: 'another one' }), {
    json: { rescued: 0, rejections_checked: 0 },
  });
});

t.test('a server killed in the middle of a replay: nothing is marked, and the next replay takes all', async (t) => {
  const run = await quarantine(t);
  const { upload, register, database, path, server, send } = run;
  await upload(many(60_000), '?schema=visit');
  await register('visit', VISIT_MORE);
  const cut = send('/v1/rejections/replay', { filter: {} }).catch((error: Error) => error);
  await eventually(
    async () => (await database.query(`SELECT FROM sluice.batches WHERE status = 'receiving'`)).length === 1,
  );
  await server.kill();
  t.type(await cut, Error);
  t.strictSame(await database.query('SELECT FROM sluice.replays LIMIT 1'), []);
  const next = clientOf(await startServer(t, { databaseUrl: database.url, schemaDir: path }));
  t.match(await next.send('/v1/rejections/replay', { filter: {} }), {
    status: 201,
    json: { lines: { accepted: 60_000 } },
  });
  await assertOnce(t, run, 60_000);
  await eventually(
    async () => (await database.query(`SELECT FROM sluice.batches WHERE status = 'aborted'`)).length === 1,
  );
});

t.test('a client that goes away: the replay that it began comes to its end', async (t) => {
  const run = await quarantine(t);
  const { upload, register, server, database } = run;
  await upload(many(30_000), '?schema=visit');
  await register('visit', VISIT_MORE);
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
  await once(socket, 'connect');
  socket.write(
    'POST /v1/rejections/replay HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"filter":{}}',
  );
  await eventually(
    async () =>
      (await database.query('SELECT FROM sluice.batches WHERE replay_of <> $1 OR status = $2', ['{}', 'receiving']))
        .length === 1,
  );
  socket.resetAndDestroy();
  await eventually(async () => (await database.query('SELECT FROM sluice.replays LIMIT 1')).length === 1);
  await assertOnce(t, run, 30_000);
});

t.test('a replay waits for another one; without the lock, the mark of each line still keeps them apart', async (t) => {
  const { ingest, register, replay, database, stored, list } = await quarantine(t);
  const { json: origin } = await ingest('visit', { a: 1, b: 'x' }, { a: 2, b: 'y' });
  await register('visit', VISIT_MORE);
  const other = new pg.Client({ connectionString: database.url });
  await other.connect();
  t.teardown(() => other.end());

  await other.query('SELECT pg_advisory_lock($1)', [LOCK]);
  t.match(await replay({ filter: {}, dry_run: true }), { status: 200 }, 'a dry run need not wait');
  const waiting = replay({ filter: { path: '/nowhere' } });
  await sleep(500);
  await other.query('SELECT pg_advisory_unlock($1)', [LOCK]);
  t.match(await waiting, { status: 200 });

  await other.query('BEGIN');
  await other.query('INSERT INTO sluice.replays VALUES ($1, 2, $1, 1)', [origin.batch_id]);
  const racing = replay({ filter: {} });
  await eventually(
    async () =>
      (await database.query(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'COPY%'`))
        .length > 0,
  );
  await other.query('COMMIT');
  const answer = await racing;
  t.match(answer, { status: 409, json: { code: 'replay_running' } });
  t.match(answer.headers.get('retry-after'), /^\d+$/);
  t.strictSame(await stored('visit', 'a'), [], 'nothing of it was loaded');
  t.match(await replay({ filter: {} }), { status: 201, json: { lines: { received: 1, accepted: 1 } } });
  t.strictSame(await stored('visit', 'a'), ['1']);
  t.equal((await list({ state: 'stored' })).json.items.length, 0);
});

/** Cuts whoever is at such a statement; whether there was anybody. */
async function terminated({ query }: TestDatabase, statement: string): Promise<boolean> {
  const cut = await query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE $1 AND state = 'active' AND pid <> pg_backend_pid()`,
    [statement],
  );
  return cut.length > 0;
}

t.test('a replay whose connection is cut that reads the lines fails as a whole, and the server lives', async (t) => {
  const run = await quarantine(t);
  const { upload, register, database, replay } = run;
  await upload(many(60_000), '?schema=visit');
  await register('visit', VISIT_MORE);
  const cut = replay({ filter: {} });
  await eventually(() => terminated(database, 'COPY%TO STDOUT%'));
  t.match(await cut, { status: 503, json: { code: 'database_unavailable' } });
  t.strictSame(await database.query('SELECT FROM events.visit LIMIT 1'), []);
  t.match(await replay({ filter: {} }), { status: 201, json: { lines: { accepted: 60_000 } } });
  await assertOnce(t, run, 60_000);
});

t.test('a replay whose connections are cut that load them fails as a whole, and the server lives', async (t) => {
  const run = await quarantine(t);
  const { upload, register, database, replay } = run;
  await upload(many(60_000), '?schema=visit');
  await register('visit', VISIT_MORE);
  // One connection that is lost before it has brought anything is made up for by another one.
  let isOver = false;
  const cut = replay({ filter: {} }).finally(() => {
    isOver = true;
  });
  for (let tries = 0; tries < 5_000 && !isOver; tries++) await terminated(database, 'COPY%FROM STDIN%');
  t.match(await cut, { status: 503, json: { code: 'database_unavailable' } });
  t.strictSame(await database.query('SELECT FROM events.visit LIMIT 1'), []);
  t.match(await replay({ filter: {} }), { status: 201, json: { lines: { accepted: 60_000 } } });
  await assertOnce(t, run, 60_000);
});

t.test('replays count among the batches that may be under way', async (t) => {
  const { ingest, replay, database } = await quarantine(t, { env: { MAX_BATCHES: '1' } });
  await ingest('visit', { a: 'x' });
  const other = new pg.Client({ connectionString: database.url });
  await other.connect();
  await other.query('SELECT pg_advisory_lock($1)', [LOCK]);
  const waiting = replay({ filter: {} });
  await eventually(
    async () =>
      (await database.query(`SELECT FROM pg_stat_activity WHERE query LIKE '%pg_try_advisory_lock%'`)).length > 1,
  );
  t.match(await ingest('visit', { a: 1 }), { status: 429, json: { code: 'too_many_batches' } });
  await other.end();
  t.match(await waiting, { status: 422 });
  t.match(await ingest('visit', { a: 1 }), { status: 201 });
});
