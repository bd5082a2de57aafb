// What is removed after its time, and above all what is not.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t, { type Test } from 'tap';
import { openDatabase } from '../src/db.ts';
import { readVerdicts } from '../src/report/read.ts';
import { sluice } from './cli/sluice.ts';
import { get, lines, ndjson, ndjsonOf, post, userEvent } from './helpers/http.ts';
import { type TestDatabase, testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';
import { hold, recordRows } from './load/held.ts';
import { discard, promote } from './load/settle.ts';

const FOR_EVER = {
  RETAIN_REJECTIONS_DAYS: '0',
  RETAIN_BATCHES_DAYS: '0',
  RETAIN_KEYS_HOURS: '0',
  RETAIN_DISCARDED_DAYS: '0',
};

const event = JSON.stringify(userEvent());

async function start(t: Test) {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: FOR_EVER });
  /** Runs one pass; what is not named in `env` is kept for ever. */
  const retain = async (env: Record<string, string>) => {
    const { code, stdout, stderr } = await sluice(t, ['retention'], {
      env: { DATABASE_URL: databaseUrl, ...FOR_EVER, ...env },
    });
    t.equal(stderr, '');
    t.equal(code, 0);
    return stdout;
  };
  return { databaseUrl, query, server, retain };
}

/** Makes batches older; absent: all. */
async function age(query: TestDatabase['query'], days: number, ...ids: string[]): Promise<void> {
  await query(
    `UPDATE sluice.batches SET received_at = received_at - make_interval(days => $1)
     WHERE $2 = '{}' OR id = ANY ($2::uuid[])`,
    [days, ids],
  );
}

t.test('old rejections go in steps, and each line keeps its verdict', async (t) => {
  const { server, query, retain } = await start(t);
  // Lone ones, runs, and one long run; blank lines between them.
  const sent = Array.from({ length: 9_000 }, (_, at) => {
    if (at % 11 === 5) return '';
    return at % 3 === 0 || (at > 4_000 && at < 7_500) ? '{' : event;
  });
  const old = (await post(server, `${sent.join('\n')}\n`)).json;
  const young = (await post(server, ndjson(event, '{'))).json;
  await age(query, 91, old.batch_id);
  await age(query, 89, young.batch_id);
  const path = `/v1/batches/${old.batch_id}`;
  const before = lines(await get(server, `${path}/lines`));
  t.notOk('rejections_expired' in (await get(server, path)).json);

  const { rejected } = old.lines;
  t.match(await retain({ RETAIN_REJECTIONS_DAYS: '90' }), `removed ${rejected} rejections, 0 idempotency keys`);
  const after = lines(await get(server, `${path}/lines`));
  t.equal(after.length, before.length);
  const expected = before.map(({ code: _, ...verdict }) => verdict);
  t.strictSame(after, expected, 'rejected is rejected, why is no longer known');
  t.equal((await query('SELECT FROM sluice.rejections WHERE batch_id = $1', [old.batch_id])).length, 0);
  const report = (await get(server, path)).json;
  t.equal(report.rejections_expired, true);
  t.strictSame(report.lines, old.lines);
  const runs = await query(`SELECT FROM sluice.line_runs WHERE verdict = 'rejected'`);
  t.ok(runs.length < rejected, 'neighbours are one run');
  t.equal(lines(await get(server, `${young.links.rejections}`)).length, 1, 'younger ones stay');
  t.match(await retain({ RETAIN_REJECTIONS_DAYS: '90' }), 'removed 0 rejections');
});

t.test('verdicts that are being read stay right while rejections become runs', async (t) => {
  const { server, query, databaseUrl, retain } = await start(t);
  // With the blank line, a page of what is read ends in the middle of what a step removes.
  const { json } = await post(server, `\n${'{\n'.repeat(9_000)}${`${event}\n`.repeat(10)}${'{\n'.repeat(5)}`);
  await age(query, 2);
  const db = openDatabase({ url: databaseUrl, poolSize: 2 });
  t.teardown(() => db.destroy());
  const verdicts = (await readVerdicts(db, json.batch_id))!;
  const seen: string[] = [];
  for (let count = 0; count < 10; count++) seen.push((await verdicts.next()).value!.verdict);
  await retain({ RETAIN_REJECTIONS_DAYS: '1' });
  for await (const { verdict } of verdicts) seen.push(verdict);
  t.strictSame(seen, [
    'blank',
    ...Array(9_000).fill('rejected'),
    ...Array(10).fill('accepted'),
    ...Array(5).fill('rejected'),
  ]);
});

t.test('large rejections go too, a few at a time', async (t) => {
  const { server, query, retain } = await start(t);
  const line = `{"x":"${'y'.repeat(900_000)}"\n`;
  const { json } = await post(server, line.repeat(30));
  await age(query, 2, json.batch_id);
  t.match(await retain({ RETAIN_REJECTIONS_DAYS: '1' }), 'removed 30 rejections');
  t.same(
    lines(await get(server, json.links.lines)).map(({ verdict }) => verdict),
    Array(30).fill('rejected'),
  );
});

t.test('nothing of a held batch goes, nor what a held replay has taken', async (t) => {
  const { server, query, retain } = await start(t);
  const headers = { 'idempotency-key': 'held' };
  const held = await hold(query, await post(server, ndjson(event, '{', '', '{'), { headers }), 'user_event');
  const original = (await post(server, ndjson('{', '{', '{'))).json.batch_id;
  const replay = await hold(query, await post(server, ndjson(event, event)), 'user_event');
  const receiving = randomUUID();
  await query(
    `INSERT INTO sluice.batches (id, status, received_at, process) SELECT $1, 'receiving', now(), process
     FROM sluice.batches LIMIT 1`,
    [receiving],
  );
  await query(
    `INSERT INTO sluice.rejections (batch_id, batch_line, line, "offset", length, code, errors, raw)
     VALUES ($1, 1, 1, 0, 1, 'invalid_json', '[]', '{')`,
    [receiving],
  );
  await query('INSERT INTO sluice.replays VALUES ($1, 2, $2, 1), ($1, 3, $2, 2)', [original, replay]);
  await age(query, 1_000);
  await query(`UPDATE sluice.idempotency_keys SET created_at = '2000-01-01'`);
  const all = {
    RETAIN_REJECTIONS_DAYS: '1',
    RETAIN_BATCHES_DAYS: '1',
    RETAIN_KEYS_HOURS: '1',
    RETAIN_DISCARDED_DAYS: '1',
  };
  const report = (await get(server, `/v1/batches/${held}`)).text;

  const removed = await retain(all);
  t.equal(removed, 'removed 1 rejections, 0 idempotency keys, 0 rows of discarded batches, 0 batch records\n');
  t.equal((await get(server, `/v1/batches/${held}`)).text, report);
  t.equal(lines(await get(server, `/v1/batches/${held}/rejections`)).length, 2);
  const pending = await query('SELECT batch_line FROM sluice.rejections WHERE batch_id = $1 ORDER BY 1', [original]);
  t.strictSame(pending, [{ batch_line: 2 }, { batch_line: 3 }]);
  t.equal((await query('SELECT FROM stage.user_event')).length, 3);
  t.match(await post(server, ndjson(event, '{', '', '{'), { headers }), { status: 202 });

  // As soon as they are settled, they go as everything does; what rescued something goes after that.
  t.match(await promote(server, held, 'fine'), { status: 200, json: { lines: { accepted: 1 } } });
  t.match(await promote(server, replay, 'fine'), { status: 200 });
  const next = await retain({ RETAIN_BATCHES_DAYS: '1' });
  t.match(next, ' 0 batch records', 'one has rejections and a key, one has rescued some, one has rejections');
  const last = await retain(all);
  t.equal(last, 'removed 4 rejections, 1 idempotency keys, 0 rows of discarded batches, 3 batch records\n');
  for (const table of ['replays', 'line_runs', 'row_digests']) {
    t.strictSame(await query(`SELECT * FROM sluice.${table}`), [], table);
  }
  t.strictSame(await query('SELECT status FROM sluice.batches'), [{ status: 'receiving' }]);
  t.equal((await query('SELECT FROM sluice.rejections')).length, 1);
});

t.test('an old key is free again, one of a request under way is not', async (t) => {
  const { server, query, retain } = await start(t);
  const send = (key: string) => post(server, event, { headers: { 'idempotency-key': key } });
  const old = await send('old');
  const young = await send('young');
  await query(`UPDATE sluice.idempotency_keys SET created_at = now() - interval '73 hours' WHERE key = 'old'`);
  await query(
    `INSERT INTO sluice.idempotency_keys (key, batch_id, process, created_at)
     SELECT 'running', $1, process, '2000-01-01' FROM sluice.batches LIMIT 1`,
    [randomUUID()],
  );
  t.match(await retain({ RETAIN_KEYS_HOURS: '72' }), ' 1 idempotency keys');
  t.equal((await send('young')).json.batch_id, young.json.batch_id);
  t.not((await send('old')).json.batch_id, old.json.batch_id);
  t.match(await send('running'), { status: 409 });
});

t.test('rows of a discarded batch go some days after it was discarded', async (t) => {
  const { server, query, retain } = await start(t);
  const batch = async (count: number) => {
    const sent = await post(server, ndjsonOf(Array.from({ length: count }, () => userEvent())));
    return hold(query, sent, 'user_event');
  };
  const [held, old, young] = [await batch(2), await batch(20_000), await batch(3)];
  for (const id of [old, young]) t.match(await discard(server, id), { status: 200 });
  await age(query, 1_000);
  await query(
    `UPDATE sluice.batches
     SET history = jsonb_set(history, '{0,at}', to_jsonb((now() - make_interval(days => $2))::text)) WHERE id = $1`,
    [old, 8],
  );
  const settings = { RETAIN_DISCARDED_DAYS: '7', RETAIN_BATCHES_DAYS: '365' };
  const removed = await retain(settings);
  t.match(removed, ' 20000 rows of discarded batches, 1 batch records', 'the record goes when its rows have gone');
  const left = await query('SELECT _batch_id AS id, count(*)::int FROM stage.user_event GROUP BY 1 ORDER BY 2');
  t.strictSame(left, [
    { id: held, count: 2 },
    { id: young, count: 3 },
  ]);
  t.match(await get(server, `/v1/batches/${old}`), { status: 404 });
  t.match(await get(server, `/v1/batches/${young}`), { status: 200, json: { status: 'discarded' } });
  t.match(await promote(server, held, 'x'), { status: 200 });
});

t.test('the record of an old batch goes with all that hangs on it, its rows in final stay', async (t) => {
  const { server, query, retain } = await start(t);
  const old = (await post(server, `${event}\n\n`.repeat(6_000))).json;
  const rejected = (await post(server, ndjson(event, '{'))).json;
  const keyed = (await post(server, event, { headers: { 'idempotency-key': 'k' } })).json;
  const young = (await post(server, ndjson(event, ''))).json;
  await query('DELETE FROM sluice.row_digests');
  const blocks = Array.from({ length: 6_000 }, (_, index) => 2 * index + 1);
  await recordRows(query, old.batch_id, 'user_event', blocks, 1_000);
  await recordRows(query, young.batch_id, 'user_event', [1]);
  await age(query, 366, old.batch_id, rejected.batch_id, keyed.batch_id);

  t.match(await retain({ RETAIN_BATCHES_DAYS: '365' }), ' 1 batch records');
  t.match(await get(server, `/v1/batches/${old.batch_id}`), { status: 404 });
  for (const { batch_id } of [rejected, keyed, young]) {
    t.match(await get(server, `/v1/batches/${batch_id}`), { status: 200 });
  }
  t.strictSame(await query('SELECT DISTINCT batch_id AS id FROM sluice.line_runs'), [{ id: young.batch_id }]);
  t.strictSame(await query('SELECT batch_id AS id FROM sluice.row_digests'), [{ id: young.batch_id }]);
  t.equal((await query('SELECT FROM events.user_event')).length, 6_003);
});

t.test('what a pass left behind that ended in the middle is found by the next one', async (t) => {
  const { query, retain } = await start(t);
  const orphan = '01890000-0000-7000-8000-000000000001';
  await query(`INSERT INTO sluice.line_runs VALUES ($1, 1, 9, 'blank')`, [orphan]);
  await recordRows(query, orphan, 'user_event', [10, 11]);
  // Its record comes with the first transaction that commits: this one may still be on its way.
  const young = `${(Date.now() - 1_000)
    .toString(16)
    .padStart(12, '0')
    .replace(/^(.{8})/, '$1-')}-7000-8000-000000000001`;
  await query(`INSERT INTO sluice.line_runs VALUES ($1, 1, 9, 'blank')`, [young]);
  await retain({ RETAIN_BATCHES_DAYS: '365' });
  t.strictSame(await query('SELECT batch_id AS id FROM sluice.line_runs'), [{ id: young }]);
  t.equal((await query('SELECT FROM sluice.row_digests')).length, 0);
});

t.test('for ever is for ever', async (t) => {
  const { server, query, retain } = await start(t);
  await post(server, ndjson(event, '{'), { headers: { 'idempotency-key': 'k' } });
  t.match(await discard(server, await hold(query, await post(server, event), 'user_event')), { status: 200 });
  await age(query, 30_000);
  await query(`UPDATE sluice.idempotency_keys SET created_at = '1950-01-01'`);
  const removed = await retain({});
  t.equal(removed, 'removed 0 rejections, 0 idempotency keys, 0 rows of discarded batches, 0 batch records\n');
  await retain({ RETAIN_BATCHES_DAYS: '1' });
  t.equal((await query('SELECT FROM sluice.batches')).length, 2, 'what is kept for ever keeps its record');
});

t.test('one process at a time is at it, and every rejection is removed once', async (t) => {
  const { server, query, databaseUrl, retain } = await start(t);
  const count = 30_000;
  await post(server, '{\n'.repeat(count));
  await age(query, 2);
  const outputs = await Promise.all([1, 2, 3].map(() => retain({ RETAIN_REJECTIONS_DAYS: '1' })));
  const counts = outputs.map((output) => Number(/removed (\d+) rejections/.exec(output)?.[1] ?? 0));
  t.equal(
    counts.reduce((sum, each) => sum + each, 0),
    count,
  );
  const [{ lines: total }] = (await query(
    'SELECT sum(last_line - first_line + 1)::int AS lines FROM sluice.line_runs',
  )) as [{ lines: number }];
  t.equal(total, count);

  const other = new pg.Client({ connectionString: databaseUrl, application_name: 'sluice retention' });
  await other.connect();
  t.teardown(() => other.end());
  await other.query('SELECT pg_advisory_lock($1)', ['125780069804398']);
  t.match(await retain({ RETAIN_REJECTIONS_DAYS: '1' }), 'another process is at it');
});

t.test('the server does it by itself, and stops at once when told to', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const env = { ...FOR_EVER, RETAIN_REJECTIONS_DAYS: '1', RETENTION_INTERVAL_S: '1' };
  const server = await startServer(t, { databaseUrl, env });
  const other = await startServer(t, { databaseUrl, env });
  const { json } = await post(server, '{\n'.repeat(60_000));
  const left = async () => {
    const [{ n }] = (await query('SELECT count(*)::int AS n FROM sluice.rejections')) as [{ n: number }];
    return n;
  };
  await age(query, 2);
  for (let tries = 0; tries < 200 && (await left()) === 60_000; tries++) await sleep(50);
  t.equal(await server.stop(), 0);
  for (let tries = 0; tries < 200 && (await left()) > 0; tries++) await sleep(100);
  t.equal(await left(), 0, 'whoever is left goes on');
  const verdicts = lines(await get(other, json.links.lines)).filter(({ verdict }) => verdict === 'rejected');
  t.equal(verdicts.length, 60_000);
  t.equal(await other.stop(), 0);
  t.ok([...server.logs(), ...other.logs()].some((line) => line.includes('"msg":"retention"')));
});

t.test('a pass that fails is told of and tried again', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { RETENTION_INTERVAL_S: '1' } });
  await query('ALTER TABLE sluice.rejections RENAME TO away');
  for (let tries = 0; tries < 200 && !server.logs().some((line) => line.includes('retention failed')); tries++)
    await sleep(50);
  t.ok(server.logs().some((line) => line.includes('retention failed, it is tried again')));
  await query('ALTER TABLE sluice.away RENAME TO rejections');
  await post(server, '{\n');
  await age(query, 91);
  for (let tries = 0; tries < 200 && (await query('SELECT FROM sluice.rejections')).length > 0; tries++)
    await sleep(50);
  t.equal((await query('SELECT FROM sluice.rejections')).length, 0);
  t.equal(await server.stop(), 0);
});

t.test('the command says what keeps it from working', async (t) => {
  const { url: databaseUrl } = await testDatabase(t);
  const run = (env: Record<string, string>) => sluice(t, ['retention'], { env });
  t.match(await run({}), { code: 2, stdout: '', stderr: /DATABASE_URL is not set/ });
  t.match(await run({ DATABASE_URL: databaseUrl }), { code: 2, stderr: /sluice\.rejections.*does not exist/ });
  t.match(await run({ DATABASE_URL: 'postgres://x@127.0.0.1:1/x' }), { code: 2, stderr: /cannot be used/ });
  const bad = await run({ DATABASE_URL: databaseUrl, RETAIN_BATCHES_DAYS: '-1' });
  t.match(bad, { code: 2, stderr: /RETAIN_BATCHES_DAYS is "-1": allowed is a whole number from 0 to 36500/ });
});
