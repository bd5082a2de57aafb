// plan, migrate and drift as processes, on a real Postgres.
import t from 'tap';
import { assembleEvent } from '../../src/lines/assemble.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import { post } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';
import { folderOf } from '../schema/schemas.ts';
import { closed, run, string, V1, V11 } from './tables.ts';

t.test('plan prints the SQL with its price, migrate runs just that, drift finds nothing', async (t) => {
  const { url, query } = await testDatabase(t);
  const first = folderOf(t, { 'a/1.0.0.json': V1 });
  t.match(await run(t, url, first, 'schemas', 'drift'), { code: 1, stdout: /events\."a" is missing \(migrate\)/ });
  t.equal((await run(t, url, first, 'migrate')).code, 0);
  t.same(await run(t, url, first, 'schemas', 'plan'), {
    code: 0,
    stdout: '-- nothing to do: the tables are what the schemas say\n',
    stderr: '',
  });

  const second = folderOf(t, { 'a/1.0.0.json': V1, 'a/1.1.0.json': V11, 'a/2.0.0.json': closed({ x: string }) });
  const plan = await run(t, url, second, 'schemas', 'plan');
  t.equal(plan.code, 0);
  t.match(plan.stdout, 'CREATE TABLE events."a__v2" (');
  t.match(
    plan.stdout,
    '-- lock: ACCESS EXCLUSIVE (readers and writers wait, for a moment); no rewrite\n' +
      'ALTER TABLE events."a" ADD COLUMN "o_odd""name" text',
  );
  const json = await run(t, url, second, 'schemas', 'plan', '--json');
  const statements = JSON.parse(json.stdout);
  t.match(statements.at(-1), { table: 'stage."a"', lock: 'ACCESS EXCLUSIVE', rewrites: false, apart: false });
  t.equal((await query("SELECT FROM pg_tables WHERE tablename = 'a__v2'")).length, 0, 'nothing was done');

  await query(plan.stdout);
  const { code, stdout } = await run(t, url, second, 'schemas', 'drift', '--json');
  t.same([code, JSON.parse(stdout)], [0, []], 'the printed script is all that migrate would do');
  t.equal((await run(t, url, second, 'migrate')).code, 0);
});

t.test('rows of old and new versions stand in one table and read well together', async (t) => {
  const { url, query } = await testDatabase(t);
  const files: Record<string, unknown> = { 'a/1.0.0.json': V1 };
  const old = { id: 'old', n: 1 };
  const server = await startServer(t, { databaseUrl: url, schemaDir: folderOf(t, files) });
  t.match(await post(server, `${JSON.stringify(old)}\n`), { status: 201 });
  await server.stop();

  files['a/1.1.0.json'] = { ...V11, required: ['id'], additionalProperties: true };
  const folder = folderOf(t, files);
  const events = [
    { id: 'new', n: 2, o: { 'odd"name': 'x' } },
    { id: 'newer', o: {}, more: [1] },
  ];
  const late = { $schema: 'a/1.0.0', id: 'late', n: 3 };
  const next = await startServer(t, { databaseUrl: url, schemaDir: folder });
  t.match(await post(next, [...events, late].map((event) => `${JSON.stringify(event)}\n`).join('')), { status: 201 });
  await next.stop();

  const rows = await query<Record<string, unknown>>(
    'SELECT to_jsonb(a) AS row FROM events.a ORDER BY _received_at, _line',
  );
  const registry = await loadFolder(folder);
  const read = rows.map(({ row }) => {
    const values = row as Record<string, unknown>;
    const version = registry.resolve(`a/${values._schema_version}`)!;
    return assembleEvent(values, version.plan, version.shape);
  });
  const { $schema: _, ...lateEvent } = late;
  t.same(read, [old, ...events, lateEvent]);
  t.match(
    rows.map(({ row }) => row),
    [{ _schema_version: '1.0.0', 'o_odd"name': null, _extra: null }, {}, {}, { _schema_version: '1.0.0' }],
  );
});

t.test('what cannot run says so in a line or two, with exit code 2', async (t) => {
  const { url } = await testDatabase(t);
  const both = folderOf(t, {
    'broken/a/1.0.0.json': '{',
    'broken/b/1.0.0.json': { type: 'strin' },
    'fine/a/1.0.0.json': V1,
  });
  const [broken, fine] = [`${both}/broken`, `${both}/fine`];
  for (const command of ['plan', 'drift']) {
    const faults = await run(t, url, broken, 'schemas', command);
    t.equal(faults.code, 2);
    t.match(faults.stderr, /a\/1\.0\.0\.json 1:2: not JSON/);
    t.match(faults.stderr, /b\/1\.0\.0\.json \/type: /, 'all faults at once');
    const nobody = await run(t, 'postgres://me:secret@127.0.0.1:1/none', fine, 'schemas', command);
    t.equal(nobody.code, 2);
    t.match(nobody.stderr, /^sluice: Postgres cannot be used: .*ECONNREFUSED/);
    const elsewhere = await run(t, url.replace(/\/[^/]*$/, '/no_such_database'), fine, 'schemas', command);
    t.match(elsewhere, { code: 2, stderr: /database "no_such_database" does not exist/ });
  }
});
