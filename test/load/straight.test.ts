// Large uploads whose rows go straight into final, in a transaction that is open while they are being received.
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { eventually } from '../helpers/eventually.ts';
import { addsUp, get, ndjson, post, userEvent } from '../helpers/http.ts';
import { type TestDatabase, testDatabase } from '../helpers/postgres.ts';
import { schemaFolder, suite } from '../helpers/schemas.ts';
import { type Server, startServer } from '../helpers/server.ts';

const line = ndjson(userEvent());
const LARGE = 120_000;

/** Begins an upload and sends most of it. */
function begin(server: Server, body = line.repeat(LARGE), query = 'schema=user_event'): ClientRequest {
  const sent = request(`${server.url}/v1/events?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  sent.write(body);
  return sent;
}

async function end(sent: ClientRequest, rest = line): Promise<{ status: number; text: string }> {
  sent.end(rest);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const piece of response) text += piece;
  return { status: response.statusCode!, text };
}

/** Transactions that have rows of final and are open. */
async function openPids({ query }: TestDatabase, table = 'events.user_event'): Promise<number[]> {
  const rows = await query<{ pid: number }>(
    `SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
     WHERE relation = $1::regclass AND mode = 'RowExclusiveLock' AND application_name = 'sluice'`,
    [table],
  );
  return rows.map(({ pid }) => pid);
}

/** Waits until a first chunk is in final and the next one is being waited for. */
const isOpen = (database: TestDatabase) =>
  eventually(async () => {
    const [row] = await database.query<{ is_waiting: boolean }>(
      "SELECT count(*) > 0 AS is_waiting FROM pg_stat_activity WHERE pid = ANY ($1) AND state = 'idle in transaction'",
      [await openPids(database)],
    );
    return row!.is_waiting;
  });
const hasEnded = (database: TestDatabase) => eventually(async () => (await openPids(database)).length === 0);

const stages = ({ query }: TestDatabase) =>
  query(
    "SELECT relname FROM pg_class WHERE relnamespace = 'stage'::regnamespace AND relname LIKE '0%' AND relkind = 'r'",
  );

async function stored({ query }: TestDatabase, table = 'user_event'): Promise<object> {
  const [row] = await query(
    `SELECT count(*)::int AS rows, count(DISTINCT _line)::int AS lines, max(_line) AS last FROM events.${table}`,
  );
  return row!;
}

const ALL = { rows: LARGE + 1, lines: LARGE + 1, last: LARGE + 1 };

t.test('rows are in final before the upload has ended, and nobody sees them', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url });
  const sent = begin(server);
  await isOpen(database);
  await eventually(async () => {
    const [row] = await database.query("SELECT pg_relation_size('events.user_event') > 1000000 AS is_written");
    return row!.is_written;
  });
  t.strictSame(await stored(database), { rows: 0, lines: 0, last: null });
  t.strictSame(await stages(database), [], 'there is no stage');
  const { status, text } = await end(sent);
  t.equal(status, 201);
  const report = JSON.parse(text);
  t.ok(addsUp(report));
  t.equal(report.lines.accepted, LARGE + 1);
  t.strictSame(await stored(database), ALL);
  t.match(await get(server, report.links.reconciliation), { json: { status: 'matched' } });
});

t.test('a client that falls silent holds no connection, and its upload ends well all the same', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url });
  // Room that others have left in final takes some of the rows.
  await post(server, line.repeat(20_000));
  await database.query('DELETE FROM events.user_event WHERE _line > 100 AND _line < 15000');
  await database.query('VACUUM events.user_event');
  await database.query('UPDATE sluice.batches SET accepted = 5101');
  const before = await stored(database);
  const sent = begin(server);
  await isOpen(database);
  await hasEnded(database);
  t.strictSame(await stored(database), before);
  t.equal((await stages(database)).length, 1);
  const { status, text } = await end(sent);
  t.equal(status, 201, text);
  const report = JSON.parse(text);
  t.ok(addsUp(report));
  t.equal(report.lines.accepted, LARGE + 1);
  t.strictSame(
    await database.query(`SELECT count(*)::int AS rows, count(DISTINCT _line)::int AS lines, max(_line) AS last
      FROM events.user_event WHERE _batch_id = '${report.batch_id}'`),
    [ALL],
  );
  t.match(await get(server, report.links.reconciliation), { json: { status: 'matched' } });
  t.strictSame(await stages(database), []);
});

t.test('a client that is slow after it was quick', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url });
  const sent = begin(server, line.repeat(60_000));
  await isOpen(database);
  await hasEnded(database);
  sent.write(line.repeat(60_000));
  await sleep(1_500);
  t.equal((await end(sent)).status, 201);
  t.strictSame(await stored(database), ALL);
});

t.test(
  'the transaction is cut off in the middle: nothing is stored, and the client is told to send again',
  async (t) => {
    const database = await testDatabase(t);
    const server = await startServer(t, { databaseUrl: database.url });
    const sent = begin(server);
    await isOpen(database);
    const [pid] = await openPids(database);
    await database.query('SELECT pg_terminate_backend($1)', [pid]);
    const { status, text } = await end(sent, line.repeat(LARGE));
    t.equal(status, 503);
    t.match(JSON.parse(text), { code: 'database_unavailable' });
    t.strictSame(await stored(database), { rows: 0, lines: 0, last: null });
    t.match(await database.query('SELECT status FROM sluice.batches'), [{ status: 'aborted' }]);
    t.strictSame(await database.query('SELECT FROM sluice.row_digests'), []);
    const again = await post(server, line.repeat(LARGE + 1));
    t.equal(again.status, 201);
    t.strictSame(await stored(database), ALL);
  },
);

t.test('an upload that is aborted in the middle leaves nothing', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url });
  const sent = begin(server, line.repeat(LARGE), 'schema=user_event&on_error=abort');
  await isOpen(database);
  const { status, text } = await end(sent, `{\n${line.repeat(LARGE)}`);
  t.equal(status, 422);
  t.match(JSON.parse(text), { status: 'aborted', lines: { received: 2 * LARGE + 1, accepted: 0 } });
  t.strictSame(await stored(database), { rows: 0, lines: 0, last: null });
  t.strictSame(await database.query('SELECT FROM sluice.row_digests'), []);
  await hasEnded(database);
});

t.test('a client that goes away leaves nothing, and no transaction', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url });
  const sent = begin(server);
  sent.on('error', () => {});
  await isOpen(database);
  sent.destroy();
  await hasEnded(database);
  t.strictSame(await stored(database), { rows: 0, lines: 0, last: null });
  await eventually(async () => {
    const [row] = await database.query('SELECT status FROM sluice.batches');
    return row!.status === 'aborted';
  });
});

t.test('a rule that somebody gave final costs the lines that break it, and not the batch', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url });
  await database.query("ALTER TABLE events.user_event ADD CHECK (phone_number <> '13')");
  const bad = ndjson(userEvent({}, { phone_number: '13' }));
  const { status, json } = await post(server, `${line.repeat(LARGE)}${bad}${line}`, { query: { report: 'summary' } });
  t.equal(status, 207);
  t.match(json.lines, { accepted: LARGE + 1, rejected: 1 });
  t.match(json.causes, [{ code: 'unstorable_value', example_line: LARGE + 1 }]);
});

t.test('what only Postgres knew of costs the upload once: the next one goes by way of a stage', async (t) => {
  const good = ndjson(userEvent({}, { phone_number: '1' }));
  const bad = ndjson(userEvent({}, { phone_number: 'two' }));
  // The row is refused at the end, and in the middle.
  for (const rest of [bad, `${bad}${good.repeat(LARGE)}`]) {
    const database = await testDatabase(t);
    const server = await startServer(t, { databaseUrl: database.url });
    // Of this type Postgres takes one byte.
    await database.query(`ALTER TABLE events.user_event ALTER COLUMN phone_number TYPE "char"`);
    const body = `${good.repeat(LARGE)}${rest}`;
    const first = await post(server, body, { query: { report: 'summary' } });
    t.equal(first.status, 503);
    t.match(await stored(database), { rows: 0 });
    const second = await post(server, body, { query: { report: 'summary' } });
    // No row can be said to fit what the column has become: that is told in a report, and of all lines.
    t.equal(second.status, 422);
    t.equal(second.json.lines.rejected, body.split('\n').length - 1);
    t.ok(addsUp(second.json));
    t.match(await stored(database), { rows: 0 });
  }
});

t.test('a batch of which one table has checks waits in stages as a whole, and is held as a whole', async (t) => {
  const database = await testDatabase(t);
  const thing = {
    type: 'object',
    properties: { n: { type: 'integer' } },
    required: ['n'],
    additionalProperties: false,
  };
  const schemaDir = await schemaFolder(t, {
    'checked/1.0.0.json': thing,
    'checked/expectations.json': suite(['expect_table_row_count_to_equal', { value: 1 }]),
    'plain/1.0.0.json': thing,
  });
  const server = await startServer(t, { databaseUrl: database.url, schemaDir });
  const plain = ndjson({ $schema: 'plain/1.0.0', n: 1 });
  const checked = ndjson({ $schema: 'checked/1.0.0', n: 1 });
  const sent = begin(server, plain.repeat(3 * LARGE), '');
  await eventually(async () => (await openPids(database, 'events.plain')).length === 1);
  // By then most rows of the one table are in final.
  const { status, text } = await end(sent, checked.repeat(2));
  t.equal(status, 202, text);
  t.match(JSON.parse(text), { status: 'held', lines: { received: 3 * LARGE + 2, accepted: 3 * LARGE + 2 } });
  t.match(await stored(database, 'plain'), { rows: 0 });
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM stage.plain'), [{ n: 3 * LARGE }]);
  const promoted = await fetch(`${server.url}${JSON.parse(text).links.batch}/promote`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"reason":"it is all right"}',
  });
  t.equal(promoted.status, 200);
  t.match(await stored(database, 'plain'), { rows: 3 * LARGE, lines: 3 * LARGE });
  t.match(await get(server, JSON.parse(text).links.reconciliation), { json: { status: 'matched' } });
});

t.test('more uploads at once than connections may be kept', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: { POOL_SIZE: '4' } });
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => post(server, line.repeat(50_000), { query: { report: 'summary' } })),
  );
  t.strictSame(
    answers.map(({ status }) => status),
    [201, 201, 201, 201, 201, 201],
  );
  t.match(await stored(database), { rows: 300_000, lines: 50_000 });
  for (const { json } of answers)
    t.match(await get(server, json.links.reconciliation), { json: { status: 'matched' } });
});
