// Checks between stage and final, as a client sees them: a batch that fails one is held, a line that fails one is
// rejected, and nothing of either is lost.
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Report } from '../src/model.ts';
import { addsUp, get, lines, ndjsonOf, post } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { schemaFolder, suite } from './helpers/schemas.ts';
import { type Server, startServer } from './helpers/server.ts';

const ORDER = {
  type: 'object',
  additionalProperties: false,
  required: ['n'],
  properties: {
    n: { type: 'integer' },
    price: { type: 'number' },
    country: { type: 'string' },
    note: { type: 'string' },
  },
};

async function service(t: Test, files: Record<string, object>) {
  const schemaDir = await schemaFolder(t, files);
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, schemaDir });
  const count = async (sql: string): Promise<number> => Number((await query(`SELECT count(*) AS n FROM ${sql}`))[0]!.n);
  return { server, query, count, databaseUrl, schemaDir };
}

const settle = async (server: Server, id: string, action: string, reason?: string) => {
  const response = await fetch(`${server.url}/v1/batches/${id}/${action}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(reason === undefined ? {} : { reason }),
  });
  return { status: response.status, json: await response.json() };
};

/** `count` orders, each a line. */
const orders = (count: number, of: (n: number) => object = () => ({})): object[] =>
  Array.from({ length: count }, (_, index) => ({ n: index + 1, ...of(index + 1) }));

t.test('a batch that fails a check waits in stage until somebody promotes it', async (t) => {
  const { server, count } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(['expect_column_values_to_be_between', { column: 'price', max_value: 10 }]),
  });
  const held = await post(server, ndjsonOf(orders(25, (n) => ({ price: n > 3 ? n * 10 : n }))));
  t.equal(held.status, 202);
  t.equal(held.json.status, 'held');
  t.ok(addsUp(held.json));
  t.match(held.json.lines, { received: 25, accepted: 25, rejected: 0 });
  const [rows, check] = held.json.checks;
  t.strictSame(rows, { name: 'row_count_match', status: 'passed', expected: 25, observed: 25 });
  t.match(check, {
    name: 'expect_column_values_to_be_between',
    status: 'failed',
    success: false,
    severity: 'hold',
    kwargs: { column: 'price', max_value: 10 },
    element_count: 25,
    unexpected_count: 22,
    unexpected_percent: 88,
  });
  t.strictSame(
    check.partial_unexpected_lines,
    [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23],
  );
  t.equal(check.partial_unexpected_list[0], 40);
  const id = held.json.batch_id;
  t.equal(await count(`stage."order" WHERE _batch_id = '${id}'`), 25);
  t.equal(await count('events."order"'), 0);
  const listed = await get(server, '/v1/batches?status=held');
  t.strictSame(
    listed.json.items.map((item: { batch_id: string }) => item.batch_id),
    [id],
  );

  t.equal((await settle(server, id, 'promote')).status, 400, 'not without a reason');
  const promoted = await settle(server, id, 'promote', 'the prices are right');
  t.equal(promoted.status, 200);
  t.match(promoted.json, {
    status: 'promoted',
    lines: { accepted: 25 },
    history: [{ reason: 'the prices are right' }],
  });
  t.equal(await count('stage."order"'), 0);
  t.equal(await count(`events."order" WHERE _batch_id = '${id}'`), 25);
  t.equal((await settle(server, id, 'promote', 'again')).status, 409);
  const proof = await get(server, `/v1/batches/${id}/reconciliation`);
  t.match(proof.json, { status: 'matched', rows: { expected: 25, found: 25 } });
});

t.test('one failed check holds the whole batch, over all its subjects, and what was rejected is kept', async (t) => {
  const { server, count } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(['expect_column_values_to_not_be_null', { column: 'price' }]),
    'refund/1.0.0.json': ORDER,
  });
  const held = await post(
    server,
    ndjsonOf([
      { $schema: 'order/1.0.0', n: 1 },
      { $schema: 'refund/1.0.0', n: 2 },
      { $schema: 'refund/1.0.0', n: 'three' },
      { $schema: 'order/1.0.0', n: 4, price: 1 },
    ]),
  );
  t.equal(held.status, 202);
  t.match(held.json.lines, { received: 4, accepted: 3, rejected: 1 });
  t.equal(await count('stage."order"'), 2);
  t.equal(await count('stage.refund'), 1);
  t.equal(await count('events."order"'), 0);
  t.equal(await count('events.refund'), 0);
  t.equal(lines(await get(server, held.json.links.rejections)).length, 1);
  const proof = await get(server, `/v1/batches/${held.json.batch_id}/reconciliation`);
  t.match(proof.json, { status: 'matched', rows: { expected: 3, found: 3 } }, 'it is proved in stage');
  const discarded = await settle(server, held.json.batch_id, 'discard', 'wrong file');
  t.match(discarded, { status: 200, json: { status: 'discarded' } });
  t.equal(await count('events."order"'), 0);
  t.match((await get(server, `/v1/batches/${held.json.batch_id}/reconciliation`)).json, {
    status: 'matched',
    rows: { expected: 0, found: 0 },
  });
});

t.test('a check of severity warn is only reported', async (t) => {
  const { server, count } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(['expect_column_values_to_be_unique', { column: 'country' }, 'warn']),
  });
  const answer = await post(server, ndjsonOf(orders(3, () => ({ country: 'NZ' }))));
  t.equal(answer.status, 201);
  t.match(answer.json.checks[1], { status: 'warned', success: false, severity: 'warn', unexpected_count: 3 });
  t.equal(await count('events."order"'), 3);
});

t.test('a check of severity reject_rows sifts the offending lines out, with their bytes', async (t) => {
  const { server, count } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(
      ['expect_column_values_to_be_in_set', { column: 'country', value_set: ['NZ', 'FJ'] }, 'reject_rows'],
      ['expect_column_max_to_be_between', { column: 'price', max_value: 5 }],
    ),
  });
  // The check that holds sees only what the others have left: the price of 100 is gone by then.
  const bodies = [
    '{"n":1, "country":"NZ"}',
    '{"n":2, "country":"XX", "price":100}',
    '{"n":3}',
    '',
    '{"n":5,"country" : "YY"}',
    '{"n":6,"country":"FJ","price":5}',
  ];
  const answer = await post(server, bodies.join('\n'));
  t.equal(answer.status, 207);
  t.ok(addsUp(answer.json));
  t.match(answer.json.lines, { received: 6, accepted: 3, rejected: 2, blank: 1 });
  t.match(answer.json.checks[0], { expected: 3, observed: 3 });
  t.match(answer.json.checks[1], {
    status: 'rejected_rows',
    success: false,
    unexpected_count: 2,
    partial_unexpected_list: ['XX', 'YY'],
    partial_unexpected_lines: [2, 5],
  });
  t.match(answer.json.checks[2], { status: 'passed', observed_value: 5 });
  t.match(answer.json.rejections, [
    { line: 2, code: 'check_failed', schema: 'order/1.0.0', errors: [{ path: '/country' }] },
    { line: 5, code: 'check_failed' },
  ]);
  t.strictSame(
    lines(await get(server, answer.json.links.rejections)).map(({ line, raw, offset }) => [line, raw, offset]),
    [
      [2, bodies[1], bodies[0]!.length + 1],
      [5, bodies[4], bodies.slice(0, 4).join('\n').length + 1],
    ],
  );
  t.strictSame(
    lines(await get(server, answer.json.links.lines)).map(({ verdict }) => verdict),
    ['accepted', 'rejected', 'accepted', 'blank', 'rejected', 'accepted'],
  );
  t.equal(await count('events."order"'), 3);
  t.match((await get(server, answer.json.links.reconciliation)).json, { status: 'matched', rows: { found: 3 } });

  const aborted = await post(server, bodies.join('\n'), { query: { on_error: 'abort' } });
  t.equal(aborted.status, 422, 'a sifted line is a rejected line');
  t.equal(aborted.json.status, 'aborted');
  t.ok(addsUp(aborted.json));
  t.equal(await count('events."order"'), 3);
  const dry = await post(server, bodies.join('\n'), { query: { dry_run: 'true' } });
  t.equal(dry.status, 200);
  t.match(dry.json.lines, { accepted: 3, rejected: 2 });
  t.equal(await count('events."order"'), 3);
  const none = await post(server, bodies[1]!);
  t.equal(none.status, 422);
  t.match(none.json, { status: 'rejected', lines: { rejected: 1 } });
});

t.test('lines of a large batch are sifted out with their bytes too', async (t) => {
  const { server, count, query } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(
      ['expect_column_values_to_not_match_regex', { column: 'note', regex: '^bad' }, 'reject_rows'],
      ['expect_column_values_to_not_match_regex', { column: 'note', regex: 'worse' }, 'reject_rows'],
    ),
  });
  const all = orders(60_000, (n) => {
    return { note: n % 1_000 === 0 ? `bad ${n}${n % 5_000 === 0 ? ' worse' : ''}` : 'x'.repeat(150) };
  });
  const answer = await post(server, ndjsonOf(all), { query: { report: 'summary' } });
  t.equal(answer.status, 207);
  t.ok(addsUp(answer.json));
  t.match(answer.json.lines, { received: 60_000, accepted: 59_940, rejected: 60 });
  const rejected = lines(await get(server, answer.json.links.rejections));
  t.strictSame(
    rejected.map(({ line, raw }) => [line, JSON.parse(raw)]),
    all.map((order, index) => [index + 1, order]).filter(([line]) => (line as number) % 1_000 === 0),
  );
  t.equal(rejected[4].errors.length, 2, 'each check that a line fails is named');
  t.equal(await count('events."order"'), 59_940);
  t.match((await get(server, answer.json.links.reconciliation)).json, { status: 'matched', rows: { found: 59_940 } });
  t.strictSame(await query(`SELECT tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename LIKE '0%'`), []);
});

t.test('a large batch is held whole, and survives a restart of the server', async (t) => {
  const made = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(['expect_column_max_to_be_between', { column: 'n', max_value: 10 }]),
  });
  const { count, databaseUrl, schemaDir } = made;
  const held = await post(made.server, ndjsonOf(orders(60_000, () => ({ note: 'x'.repeat(150) }))));
  t.equal(held.status, 202);
  t.match(held.json.checks[1], { status: 'failed', observed_value: 60_000 });
  t.equal(await count('stage."order"'), 60_000);
  await made.server.kill();
  const server = await startServer(t, { databaseUrl, schemaDir });
  const proof = await get(server, held.json.links.reconciliation);
  t.match(proof.json, { status: 'matched', rows: { expected: 60_000, found: 60_000 } });
  const promoted = await settle(server, held.json.batch_id, 'promote', 'fine');
  t.equal(promoted.status, 200);
  t.equal(await count('events."order"'), 60_000);
  t.equal(await count('stage."order"'), 0);
});

t.test('checks run on a subject of which no line was good, and hold nothing', async (t) => {
  const { server } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(
      ['expect_column_values_to_not_be_null', { column: 'price' }],
      ['expect_column_min_to_be_between', { column: 'price', min_value: 0 }],
    ),
  });
  const answer = await post(server, ndjsonOf([{ n: 'one' }]));
  t.equal(answer.status, 422);
  t.equal(answer.json.status, 'rejected');
  t.match(answer.json.checks, [
    { name: 'row_count_match', expected: 0, observed: 0 },
    { success: true, element_count: 0 },
    { success: false, observed_value: null },
  ]);
});

t.test('an Idempotency-Key gives the report of a held batch as it now is', async (t) => {
  const { server, count } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(['expect_column_max_to_be_between', { column: 'n', max_value: 1 }]),
  });
  const send = () => post(server, ndjsonOf(orders(2)), { headers: { 'idempotency-key': 'monday' } });
  const first = await send();
  const again = await send();
  t.equal(again.status, 202);
  t.equal(again.text, first.text);
  await settle(server, first.json.batch_id, 'promote', 'fine');
  const later = await send();
  t.equal(later.status, 201);
  t.equal(later.json.status, 'promoted');
  t.equal(await count('events."order"'), 2);
});

t.test('held rows survive a crash of Postgres', async (t) => {
  const schemaDir = await schemaFolder(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(['expect_column_max_to_be_between', { column: 'n', max_value: 10 }]),
  });
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-'));
  t.teardown(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const env = { SLUICE_DATA_DIR: dataDir };
  const first = await startServer(t, { env, schemaDir });
  const held = await post(first, ndjsonOf(orders(60_000, () => ({ note: 'x'.repeat(150) }))));
  t.equal(held.status, 202);
  const pidFile = join(dataDir, 'postgres', 'data', 'postmaster.pid');
  t.ok(existsSync(pidFile));
  process.kill(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), 'SIGKILL');
  await first.kill();
  // Postgres's children end by themselves once they see that it is gone.
  await sleep(1_000);
  const server = await startServer(t, { env, schemaDir });
  const proof = await get(server, held.json.links.reconciliation);
  t.match(proof.json, { status: 'matched', rows: { expected: 60_000, found: 60_000 } });
  t.equal((await settle(server, held.json.batch_id, 'promote', 'still there')).status, 200);
  t.match((await get(server, held.json.links.reconciliation)).json, { status: 'matched', rows: { found: 60_000 } });
});

t.test('a replay that is held keeps its rejections pending, and gives them back when it is discarded', async (t) => {
  const { server, count } = await service(t, {
    'order/1.0.0.json': ORDER,
    'order/expectations.json': suite(['expect_column_max_to_be_between', { column: 'n', max_value: 10 }]),
  });
  const first = await post(server, ndjsonOf([{ n: 1 }, { n: '20' }, { n: 3 }]));
  t.equal(first.status, 207);
  const replay = async () => {
    const patch = [{ op: 'replace', path: '/n', value: 20 }];
    const response = await fetch(`${server.url}/v1/rejections/replay`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ filter: { batch_id: first.json.batch_id }, patch }),
    });
    return { status: response.status, json: (await response.json()) as Report };
  };
  const became = async () => (await get(server, first.json.links.batch)).json.replayed;
  const held = await replay();
  t.match(held, { status: 202, json: { status: 'held', replay_of: [first.json.batch_id], lines: { accepted: 1 } } });
  t.match(await became(), { rescued: 0, pending: 1, by: [{ batch_id: held.json.batch_id, lines: 1 }] });
  t.match(await replay(), { json: { lines: { received: 0 } } }, 'what is pending is not replayed again');
  t.equal((await settle(server, held.json.batch_id, 'discard', 'not like this')).status, 200);
  t.equal(await became(), undefined);

  const again = await replay();
  t.equal(again.status, 202);
  t.equal((await settle(server, again.json.batch_id, 'promote', 'like this')).status, 200);
  t.match(await became(), { rescued: 1, pending: 0 });
  t.equal(await count('events."order"'), 3);
  const undone = await fetch(`${server.url}/v1/batches/${again.json.batch_id}`, { method: 'DELETE' });
  t.match(await undone.json(), { status: 'undone', lines: { accepted: 1 } });
  t.equal(await became(), undefined);
  t.equal(await count('events."order"'), 2);
  const rescued = await replay();
  t.equal(rescued.json.lines.accepted, 1, 'undone, it can be replayed again');
});
