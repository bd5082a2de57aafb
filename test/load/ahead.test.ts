// Promotion that begins while a large batch is still being received: of tables with checks, which need a stage.
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { addsUp, get, ndjson, post, userEvent } from '../helpers/http.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { schemaFolder, suite } from '../helpers/schemas.ts';
import { type Server, startServer } from '../helpers/server.ts';

const line = ndjson(userEvent());
const LARGE = 120_000;

const OPEN = `SELECT pid FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'sluice' AND state LIKE 'idle in transaction%'
    AND query LIKE 'INSERT INTO events.%'`;

const PASSING = suite(['expect_table_row_count_to_be_between', { min_value: 1 }]);

/** A server of which the subject has a check that passes. */
async function checkedServer(t: Test, database: TestDatabase, env: Record<string, string> = {}): Promise<Server> {
  const { default: schema } = await import('../../schemas/user_event/1.0.0.json', { with: { type: 'json' } });
  const schemaDir = await schemaFolder(t, {
    'user_event/1.0.0.json': schema,
    'user_event/expectations.json': PASSING,
  });
  return startServer(t, { databaseUrl: database.url, schemaDir, env });
}

/** Begins an upload and sends most of it. */
function begin(server: Server): ClientRequest {
  const sent = request(`${server.url}/v1/events?schema=user_event`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  sent.write(line.repeat(LARGE));
  return sent;
}

async function end(sent: ClientRequest): Promise<{ status: number; text: string }> {
  sent.end(line);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const piece of response) text += piece;
  return { status: response.statusCode!, text };
}

async function until<T>(ask: () => Promise<T | false>): Promise<T> {
  for (let tries = 0; tries < 400; tries++) {
    const answer = await ask();
    if (answer !== false) return answer;
    await sleep(25);
  }
  throw new Error('it never came to be');
}

const openPids = async ({ query }: TestDatabase): Promise<number[]> =>
  (await query<{ pid: number }>(OPEN)).map(({ pid }) => pid);

t.test('rows go ahead into final while the client still sends, and nobody sees them before the end', async (t) => {
  const database = await testDatabase(t);
  const server = await checkedServer(t, database);
  const sent = begin(server);
  await until(async () => (await openPids(database)).length === 1);
  const written = "SELECT pg_relation_size('events.user_event') > 1000000 AS is_written";
  await until(async () => (await database.query<{ is_written: boolean }>(written))[0]!.is_written);
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 0 }]);
  const { status, text } = await end(sent);
  t.equal(status, 201);
  const report = JSON.parse(text);
  t.ok(addsUp(report));
  t.equal(report.lines.accepted, LARGE + 1);
  const stored =
    'SELECT count(*)::int AS n, count(DISTINCT _line)::int AS lines, max(_line) AS last FROM events.user_event';
  t.strictSame(await database.query(stored), [{ n: LARGE + 1, lines: LARGE + 1, last: LARGE + 1 }]);
  t.match(await get(server, report.links.reconciliation), { json: { status: 'matched' } });
});

t.test('rows that Postgres puts into room left in earlier pages of the stage are not lost', async (t) => {
  const schemaDir = await schemaFolder(t, {
    'thing/1.0.0.json': { type: 'object', properties: { n: { type: 'integer' }, text: { type: 'string' } } },
    'thing/expectations.json': PASSING,
  });
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, schemaDir });
  // Large rows leave room at the end of their pages that later, smaller ones fit into.
  const rows = Array.from({ length: 60_000 }, (_, n) => ({ n, text: 'x'.repeat(150 + ((n * 7_919) % 1_200)) }));
  const { status, json } = await post(server, ndjson(...rows), { query: { report: 'summary' } });
  t.equal(status, 201, JSON.stringify(json.detail));
  t.ok(addsUp(json));
  const stored = 'SELECT count(*)::int AS n, count(DISTINCT _line)::int AS lines, max(_line) AS last FROM events.thing';
  t.strictSame(await database.query(stored), [{ n: 60_000, lines: 60_000, last: 60_000 }]);
  t.match(await get(server, json.links.reconciliation), { json: { status: 'matched' } });
});

t.test('a client that falls silent holds no connection, and its upload ends well all the same', async (t) => {
  const database = await testDatabase(t);
  const server = await checkedServer(t, database);
  const sent = begin(server);
  await until(async () => (await openPids(database)).length === 1);
  await until(async () => (await openPids(database)).length === 0);
  t.equal((await end(sent)).status, 201);
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: LARGE + 1 }]);
});

t.test('the transaction is cut off in the middle: the batch is promoted as a whole at its end', async (t) => {
  const database = await testDatabase(t);
  const server = await checkedServer(t, database);
  const sent = begin(server);
  const [pid] = await until(async () => {
    const pids = await openPids(database);
    return pids.length === 1 && pids;
  });
  await database.query('SELECT pg_terminate_backend($1)', [pid]);
  t.equal((await end(sent)).status, 201);
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: LARGE + 1 }]);
});

t.test('a batch that turns out to be held leaves nothing in final', async (t) => {
  const database = await testDatabase(t);
  const { default: schema } = await import('../../schemas/user_event/1.0.0.json', { with: { type: 'json' } });
  const schemaDir = await schemaFolder(t, {
    'user_event/1.0.0.json': schema,
    'user_event/expectations.json': suite(['expect_table_row_count_to_equal', { value: 1 }]),
  });
  const server = await startServer(t, { databaseUrl: database.url, schemaDir });
  const sent = begin(server);
  await until(async () => (await openPids(database)).length === 1);
  const { status, text } = await end(sent);
  t.equal(status, 202);
  t.equal(JSON.parse(text).lines.accepted, LARGE + 1);
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 0 }]);
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM stage.user_event'), [{ n: LARGE + 1 }]);
});

t.test('an upload that is given up or aborted leaves nothing', async (t) => {
  const database = await testDatabase(t);
  const server = await checkedServer(t, database);
  const gone = begin(server);
  gone.on('error', () => {});
  await until(async () => (await openPids(database)).length === 1);
  gone.destroy();
  await until(async () => (await openPids(database)).length === 0);
  const aborted = await post(server, `${line.repeat(LARGE)}{}\n`, { query: { on_error: 'abort' } });
  t.match(aborted, { status: 422, json: { status: 'aborted' } });
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 0 }]);
});

t.test('of a pool of two connections at most one is held, however many upload', async (t) => {
  const database = await testDatabase(t);
  const server = await checkedServer(t, database, { POOL_SIZE: '2' });
  const uploads = [1, 2, 3].map(() => begin(server));
  let most = 0;
  await until(async () => {
    most = Math.max(most, (await openPids(database)).length);
    return most > 0;
  });
  for (const sent of uploads) t.equal((await end(sent)).status, 201);
  t.ok(most <= 1);
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 3 * (LARGE + 1) }]);
});

t.test(
  'a row that final refuses far into a large batch costs its line or the batch, and never half of it',
  async (t) => {
    const database = await testDatabase(t);
    const server = await startServer(t, { databaseUrl: database.url });
    await database.query('ALTER TABLE events.user_event ADD CONSTRAINT small CHECK (event_type < 100)');
    const bad = ndjson(userEvent({ event_type: 100 }));
    const { status, json } = await post(server, `${line.repeat(LARGE)}${bad}${line.repeat(LARGE)}`);
    t.equal(status, 207);
    t.equal(json.lines.accepted, 2 * LARGE);
    t.match(json.rejections, [{ line: LARGE + 1, code: 'unstorable_value' }]);
    t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2 * LARGE }]);
  },
);

t.test('a table with row level security takes no COPY: its rows go by way of a stage', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url });
  await database.query(`
    ALTER TABLE events.user_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY everybody ON events.user_event USING (true) WITH CHECK (true);
    CREATE ROLE ${database.name} LOGIN PASSWORD 'secret';
    GRANT ALL ON SCHEMA sluice, events, stage TO ${database.name};
    GRANT ALL ON ALL TABLES IN SCHEMA sluice, events, stage TO ${database.name};
    GRANT ALL ON DATABASE ${database.name} TO ${database.name}`);
  await server.stop();
  t.teardown(() => database.query(`DROP OWNED BY ${database.name}; DROP ROLE ${database.name}`));
  const url = new URL(database.url);
  url.username = database.name;
  url.password = 'secret';
  const restricted = await startServer(t, { databaseUrl: url.href });
  t.match(await post(restricted, line), { status: 201 });
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 1 }]);
});
