// A batch that is committed in one trip is the same batch as one that went a statement at a time.
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { ANYBODY } from '../../src/access/client.ts';
import { borrow, openDatabase, transact } from '../../src/db.ts';
import { ingest, type Upload } from '../../src/ingest.ts';
import { claimKey } from '../../src/load/idempotency.ts';
import { commitTogether } from '../../src/load/trip.ts';
import { openSchemas } from '../../src/registry/schemas.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import { eventually } from '../helpers/eventually.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { proxyTo } from '../helpers/proxy.ts';
import { schemaFolder } from '../helpers/schemas.ts';

const PLAIN = {
  type: 'object',
  properties: { n: { type: 'integer' }, at: { type: 'string', format: 'date-time' }, list: { type: 'array' } },
  required: ['n'],
};
const NAMED = { ...PLAIN, properties: { ...PLAIN.properties, id: { type: 'string', 'x-id': true } }, required: ['id'] };
const FOLDER = { 'plain/1.0.0.json': PLAIN, 'plain/1.1.0.json': PLAIN, 'named/1.0.0.json': NAMED };
const PROCESS = '77';
const LIMITS = { lineBytes: 100_000, depth: 64, rejections: 1_000 };
const TABLES = {
  batches: 'sluice.batches',
  digests: 'sluice.row_digests',
  runs: 'sluice.line_runs',
  rejections: 'sluice.rejections',
  keys: 'sluice.idempotency_keys',
  plain: 'events.plain',
  named: 'events.named',
};

type Way = Awaited<ReturnType<typeof openWay>>;

/** A database of its own, and uploads to it: their statements together where nothing forbids it, or never. */
async function openWay(t: Test, isTogether: boolean) {
  const { url, query } = await testDatabase(t);
  const db = openDatabase({ url, poolSize: 3 });
  const folder = await schemaFolder(t, FOLDER);
  const { schemas } = await openSchemas(db, folder, await loadFolder(folder));
  t.teardown(async () => {
    await schemas.close();
    await db.destroy();
  });
  let batches = 0;
  const send = async (events: readonly object[], key?: string): Promise<unknown> => {
    const body = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    const batchId = `00000000-0000-7000-8000-${String(++batches).padStart(12, '0')}`;
    const claim = key === undefined ? null : { key, batchId };
    if (claim !== null) await claimKey(db, claim, PROCESS);
    const upload = {
      batchId,
      client: ANYBODY,
      receivedAt: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
      startedAt: performance.now(),
      parameters: '[]',
      schemaParameter: null,
      schema: null,
      dryRun: false,
      rules: { onError: 'continue', maxRejected: null },
      full: false,
      claim,
      files: files(body),
      // Whatever is to be done alongside is done in the usual way.
      ...(isTogether ? {} : { alongside: async () => {} }),
    } as Upload;
    const context = { db, registry: schemas.current, limits: LIMITS as never, process: PROCESS, onLost: () => {} };
    try {
      const { report, status } = await ingest(upload, context);
      return { status, report: { ...JSON.parse(report), duration_ms: 0 } };
    } catch (error) {
      return { error: (error as Error).message };
    }
  };
  const stored = async (): Promise<unknown> => {
    const rows = Object.entries(TABLES).map(async ([name, table]) => {
      // Times of the two ways' own.
      const row = name === 'batches' ? "jsonb_set(to_jsonb(each), '{report,duration_ms}', '0')" : 'to_jsonb(each)';
      const sql = `SELECT ${row} - 'finished_at' - 'created_at' AS row FROM ${table} AS each ORDER BY 1`;
      return [name, await query(sql)] as const;
    });
    return Object.fromEntries(await Promise.all(rows));
  };
  return { send, stored, query, db };
}

async function* files(bytes: Buffer): Upload['files'] {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  async function* chunks(): AsyncGenerator<Buffer> {
    yield bytes;
  }
  yield { name: null, format: 'ndjson', chunks: chunks(), received: () => ({ bytes: bytes.length, sha256 }) };
}

const plain = (n: number, more: object = {}) => ({ $schema: 'plain/1.0.0', n, ...more });
const named = (id: string, more: object = {}) => ({ $schema: 'named/1.0.0', id, ...more });
const count = <T>(n: number, make: (index: number) => T): T[] => Array.from({ length: n }, (_, index) => make(index));

t.test('one trip and one statement at a time leave the same rows, records and reports', async (t) => {
  const [together, apart] = await Promise.all([openWay(t, true), openWay(t, false)]);
  const both = async <T>(use: (way: Way) => Promise<T>): Promise<T> => {
    const [one, other] = await Promise.all([use(together), use(apart)]);
    t.strictSame(one, other);
    return one;
  };
  const cases: Record<string, [events: object[], key?: string]> = {
    one: [[plain(1)]],
    'values of every kind': [
      [
        plain(2, { at: '2026-01-02T03:04:05.678901Z', list: [1, 'ö', null] }),
        plain(9007199254740991, { more: { '"\\': "'" } }),
      ],
    ],
    'several tables and versions': [
      count(60, (n) => (n % 3 === 0 ? named(`a${n}`) : plain(n, n % 2 === 0 ? { $schema: 'plain/1.1.0' } : {}))),
    ],
    'with a key': [[plain(3), named('k')], 'the key'],
    'ids that are there already': [[named('a0'), named('b'), plain(4), named('a3')]],
    'ids twice': [count(50, (n) => named(`c${n % 20}`, { n }))],
    'nothing but duplicates': [[named('b'), named('b')], 'another key'],
    'bad lines and blank ones': [[plain(5), { $schema: 'plain/1.0.0', n: 'five' }, named('d')]],
    'a line that Postgres refuses': [count(20, (n) => plain(n === 7 ? 1_000 : n))],
  };
  await both(({ query }) => query('ALTER TABLE events.plain ADD CONSTRAINT small CHECK (n <> 1000)'));
  for (const [name, [events, key]] of Object.entries(cases)) {
    t.match(await both((way) => way.send(events, key)), { status: Number }, name);
    await both((way) => way.stored());
  }
});

t.test('rows that final makes disappear: nothing is stored, either way', async (t) => {
  const ways = await Promise.all([openWay(t, true), openWay(t, false)]);
  for (const { query, send } of ways) {
    await query(`CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RETURN CASE WHEN NEW.n = 13 THEN NULL ELSE NEW END; END $$`);
    await query('CREATE TRIGGER swallow BEFORE INSERT ON events.plain FOR EACH ROW EXECUTE FUNCTION swallow()');
    t.match(await send(count(20, (n) => plain(n))), { error: /20 rows sent, 19 loaded/ });
    t.strictSame(await query('SELECT FROM events.plain'), []);
    t.strictSame(await query('SELECT FROM sluice.row_digests'), []);
    t.match(await query('SELECT status FROM sluice.batches'), [{ status: 'aborted' }]);
    t.match(await send([plain(1)]), { status: 201 }, 'and the next is stored');
  }
});

t.test('what tells of another number of rows undoes the trip, and the connection goes on', async (t) => {
  const { db, query } = await openWay(t, true);
  await query('CREATE TABLE public.counted (n int)');
  const insert = (rows: number) => ({ text: 'INSERT INTO public.counted VALUES ($1), (2)', values: ['1'], rows });
  let asked = 0;
  const commit = (rows: number) =>
    borrow(db, (connection) => commitTogether(connection, [insert(rows), insert(2)], () => asked++));
  t.strictSame(await commit(3), insert(3));
  t.equal(asked, 0);
  t.strictSame(await query('SELECT FROM public.counted'), []);
  t.equal(await commit(2), undefined);
  t.equal(asked, 1);
  t.equal((await query('SELECT FROM public.counted')).length, 4);
  await t.rejects(
    borrow(db, (connection) =>
      commitTogether(connection, [insert(2), { text: 'SELECT 1 / 0', rows: 1 }, insert(2)], () => asked++),
    ),
    { code: '22012' },
  );
  t.equal(asked, 1);
  t.equal((await query('SELECT FROM public.counted')).length, 4);
});

t.test('more statements than a connection keeps are prepared each time', async (t) => {
  const { db, query } = await openWay(t, true);
  await query('CREATE TABLE public.counted (n int)');
  for (let from = 0; from < 500; from += 50) {
    const steps = count(50, (n) => ({ text: `INSERT INTO public.counted VALUES (${(from + n) % 250})`, rows: 1 }));
    t.equal(await borrow(db, (connection) => commitTogether(connection, steps, () => {})), undefined);
  }
  t.equal((await query('SELECT FROM public.counted')).length, 500);
  const kept = await transact(db, (connection) => connection.query('SELECT FROM pg_prepared_statements'));
  t.ok(kept.rowCount! <= 200, `${kept.rowCount} are kept`);
});

t.test('a connection that is lost on the way leaves nothing, and whoever waits is told', async (t) => {
  const { url, query } = await testDatabase(t);
  await query('CREATE TABLE public.counted (n int)');
  const proxy = await proxyTo(t, url);
  const db = openDatabase({ url: proxy.url, poolSize: 1 });
  t.teardown(() => db.destroy());
  const steps = [
    { text: 'INSERT INTO public.counted VALUES (1)', rows: 1 },
    { text: 'SELECT pg_sleep(60)', rows: 1 },
  ];
  const lost = t.rejects(borrow(db, (connection) => commitTogether(connection, steps, () => {})));
  const running = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(60)'";
  await eventually(async () => (await query(`${running} AND state = 'active' AND pid <> pg_backend_pid()`)).length > 0);
  proxy.cut();
  await lost;
  t.strictSame(await query('SELECT FROM public.counted'), []);
});
