// The audit log: every admin action that was tried has a row, and none is done without one.
import t, { type Test } from 'tap';
import { v7 as uuidv7 } from 'uuid';
import type { AuditRecord } from '../../src/access/audit.ts';
import type { MadeKey } from '../../src/access/stored-keys.ts';
import { sluice } from '../cli/sluice.ts';
import { type Answer, get } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import type { TestDatabase } from '../helpers/postgres.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { closed, integer, type Running, running, string } from '../registry/registry.ts';

const VISIT = closed({ a: integer }, 'a');
const FILES = {
  'visit/1.0.0.json': VISIT,
  'visit/expectations.json': {
    expectations: [{ type: 'expect_column_max_to_be_between', kwargs: { column: 'a', max_value: 100 } }],
  },
};

interface Audited extends Running {
  admin: MadeKey;
  /** As an admin. */
  ask(path: string, body?: unknown, method?: string): Promise<Answer>;
  /** Id of a batch that is held. */
  held(): Promise<string>;
  audit(): Promise<AuditRecord[]>;
}

async function audited(t: Test): Promise<Audited> {
  const run = await running(t, FILES, { env: { AUTH: 'on' } });
  const admin = await makeKey(run.database, { name: 'ops' });
  const ask: Audited['ask'] = async (path, body, method = 'POST') => {
    if (method === 'POST') return run.send(path, body, bearer(admin));
    const response = await fetch(`${run.server.url}${path}`, { method, headers: bearer(admin) });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
  };
  const held = async () => {
    const answer = await ask('/v1/events', [{ a: 101 }]);
    t.equal(answer.status, 202);
    return answer.json.batch_id as string;
  };
  return { ...run, admin, ask, held, audit: () => rowsOf(run.database) };
}

function rowsOf({ query }: TestDatabase): Promise<AuditRecord[]> {
  return query<AuditRecord>('SELECT * FROM sluice.audit_log ORDER BY id');
}

t.test('each action has its row, with who did it, to what, and how it was answered', async (t) => {
  const { server, admin, ask, held, audit } = await audited(t);
  const [first, second] = [await held(), await held()];
  const reason = 'checked\u202eby hand';
  t.equal((await ask(`/v1/batches/${first}/promote`, { reason })).status, 200);
  t.equal((await ask(`/v1/batches/${first}/promote`, { reason })).status, 409);
  t.equal((await ask(`/v1/batches/${second}/discard`)).status, 200);
  t.equal((await ask(`/v1/batches/${first}`, undefined, 'DELETE')).status, 200);
  t.equal((await ask(`/v1/batches/${first}`, undefined, 'DELETE')).status, 200);
  const unknown = uuidv7();
  t.equal((await ask(`/v1/batches/${unknown}`, undefined, 'DELETE')).status, 404);
  await ask('/v1/events', [{ a: 1 }, { a: 'x' }]);
  const filter = { subject: 'visit', keyword: '\0\ud800' };
  const order = { filter: { subject: 'visit' }, patch: [{ op: 'replace', path: '/a', value: 2 }] };
  t.equal((await ask('/v1/rejections/replay', { ...order, dry_run: true })).status, 200);
  t.equal((await ask('/v1/rejections/replay', { filter })).status, 200);
  const replay = await ask('/v1/rejections/replay', order);
  t.equal(replay.status, 201);
  const more = closed({ a: integer, b: string }, 'a');
  t.equal((await ask('/v1/schemas/visit/versions', more)).status, 201);
  t.equal((await ask('/v1/schemas/visit/versions', more)).status, 200);
  t.equal((await ask('/v1/schemas/visit/versions?version=1.2.0', closed({ a: string }, 'a'))).status, 409);
  t.equal((await ask('/v1/schemas/reload')).status, 200);

  const replayed = (details: object) => ({ schema: null, patched: true, dry_run: false, ...details });
  const rows = [
    ['batch.promote', first, 200, { reason }],
    ['batch.promote', first, 409, { reason, code: 'batch_not_held' }],
    ['batch.discard', second, 200, {}],
    ['batch.undo', first, 200, {}],
    ['batch.undo', first, 200, {}],
    ['batch.undo', unknown, 404, { code: 'batch_not_found' }],
    ['rejections.replay', null, 200, replayed({ filter: order.filter, dry_run: true })],
    ['rejections.replay', null, 200, replayed({ filter: { ...filter, keyword: '\ufffd\ufffd' }, patched: false })],
    ['rejections.replay', replay.json.batch_id, 201, replayed({ filter: order.filter })],
    ['schema.register', 'visit/1.1.0', 201, {}],
    ['schema.register', 'visit/1.1.0', 200, {}],
    ['schema.register', 'visit', 409, { code: 'incompatible_schema' }],
    ['schema.reload', null, 200, { added: [] }],
  ];
  const found = await audit();
  t.same(
    found.map(({ action, target, status, details }) => [action, target, status, details]),
    rows,
  );
  for (const { key_id, client, actor, at } of found) {
    t.same({ key_id, client, actor }, { key_id: admin.id, client: admin.client, actor: 'ops' });
    t.ok(Math.abs(at.getTime() - Date.now()) < 600_000);
  }
  const logged = server.logs().filter((line) => line.includes('"msg":"admin action"'));
  t.equal(logged.length, rows.length, 'and a line in the log each');
  const { audit: told } = JSON.parse(logged[0]!);
  t.match(told, { action: 'batch.promote', target: first, status: 200, key_id: admin.id, actor: 'ops' });
});

t.test('what goes through one transaction is committed with its row', async (t) => {
  const { ask, held, database } = await audited(t);
  const ids = [await held(), await held()];
  await ask(`/v1/batches/${ids[0]}/promote`, { reason: 'fine' });
  await ask(`/v1/batches/${ids[1]}/discard`);
  await ask('/v1/events', [{ a: 'x' }]);
  const order = { filter: {}, patch: [{ op: 'replace', path: '/a', value: 2 }] };
  const replay = await ask('/v1/rejections/replay', order);
  await ask(`/v1/batches/${replay.json.batch_id}`, undefined, 'DELETE');
  const rows = await database.query<{ action: string; same: boolean }>(
    `SELECT action, audit_log.xmin = batches.xmin AS same FROM sluice.audit_log
     JOIN sluice.batches ON batches.id::text = target ORDER BY audit_log.id`,
  );
  t.same(rows, [
    { action: 'batch.promote', same: true },
    { action: 'batch.discard', same: true },
    // The undo came after it.
    { action: 'rejections.replay', same: false },
    { action: 'batch.undo', same: true },
  ]);
});

t.test('what cannot be noted is not done, or not told to be done', async (t) => {
  const { ask, held, audit, database, server, admin } = await audited(t);
  const id = await held();
  const promoted = await held();
  await ask(`/v1/batches/${promoted}/promote`, { reason: 'fine' });
  await ask('/v1/events', [{ a: 'x' }]);
  const before = await audit();
  await database.query(
    `CREATE FUNCTION full_up() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE 'no room' USING ERRCODE = '53100'; END $$`,
  );
  await database.query('CREATE TRIGGER full_up BEFORE INSERT ON sluice.audit_log EXECUTE FUNCTION full_up()');
  const order = { filter: {}, patch: [{ op: 'replace', path: '/a', value: 2 }] };
  const status = async (batch: string) => (await get(server, `/v1/batches/${batch}`, bearer(admin))).json.status;
  t.equal((await ask(`/v1/batches/${id}/promote`, { reason: 'fine' })).status, 507);
  t.equal((await ask(`/v1/batches/${id}/discard`)).status, 507);
  t.equal(await status(id), 'held');
  t.equal((await ask(`/v1/batches/${promoted}`, undefined, 'DELETE')).status, 507);
  t.equal(await status(promoted), 'promoted');
  t.equal((await ask('/v1/rejections/replay', order)).status, 507);
  t.same(await database.query('SELECT a FROM events.visit'), [{ a: '101' }]);
  t.equal((await get(server, '/v1/rejections?state=stored', bearer(admin))).json.items.length, 1);
  const more = closed({ a: integer, b: string }, 'a');
  const registered = await ask('/v1/schemas/visit/versions', more);
  t.match(registered, { status: 503, json: { code: 'database_unavailable' } });
  t.ok(registered.headers.get('retry-after'));
  t.equal((await ask('/v1/schemas/reload')).status, 503);
  t.equal((await ask(`/v1/batches/${uuidv7()}/discard`)).status, 404, 'a refusal is told all the same');
  t.equal((await audit()).length, before.length);

  await database.query('DROP TRIGGER full_up ON sluice.audit_log');
  t.match(await ask('/v1/schemas/visit/versions', more), { status: 200, json: { status: 'existing' } });
  t.equal((await ask(`/v1/batches/${id}/promote`, { reason: 'fine' })).status, 200);
  t.equal((await ask('/v1/rejections/replay', order)).status, 201);
  t.same(
    (await audit()).slice(before.length).map(({ action }) => action),
    ['schema.register', 'batch.promote', 'rejections.replay'],
  );
});

t.test('whoever has not the scope does not get as far; where no keys are asked for it was anybody', async (t) => {
  const { server, held, audit, database } = await audited(t);
  const id = await held();
  const reader = await makeKey(database, { scopes: ['read', 'ingest'] });
  const url = `${server.url}/v1/batches/${id}/discard`;
  t.equal((await fetch(url, { method: 'POST', headers: bearer(reader) })).status, 403);
  t.equal((await fetch(url, { method: 'POST' })).status, 401);
  t.same(await audit(), []);
  const open = await running(t, FILES);
  t.equal((await open.send(`/v1/batches/${uuidv7()}/discard`)).status, 404);
  const nobody = { action: 'batch.discard', status: 404, actor: 'anybody', key_id: null, client: null };
  t.match(await rowsOf(open.database), [nobody]);
});

t.test('sluice audit lists it, with the keys that were made and revoked', async (t) => {
  const database = await testDatabase(t);
  const env = { DATABASE_URL: database.url };
  const none = await sluice(t, ['audit'], { env });
  t.match(none, { code: 2, stdout: '', stderr: /^sluice: .*There is no audit log: [^\n]+\n$/ });

  const create = ['keys', 'create', '--json', '--name', 'shop', '--scope', 'ingest', '--subject', 'visit'];
  const made = JSON.parse((await sluice(t, create, { env })).stdout);
  const second = JSON.parse((await sluice(t, ['keys', 'create', '--json', '--rotate', made.id], { env })).stdout);
  for (let times = 0; times < 2; times++) t.equal((await sluice(t, ['keys', 'revoke', made.id], { env })).code, 0);
  t.equal((await sluice(t, ['keys', 'revoke', 'zzzzzzzzzzzz'], { env })).code, 2);
  await database.query(
    `INSERT INTO sluice.audit_log (at, key_id, actor, action, target, status)
     VALUES (now() - interval '8 days', 'k3v9x2m4p7qa', E'a\\nb', 'batch.undo', 'old', 200)`,
  );

  const json = await sluice(t, ['audit', '--json'], { env });
  t.equal(json.code, 0, json.stderr);
  const details = { name: 'shop', scopes: ['ingest'], subjects: ['visit'] };
  t.match(
    json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [
      { action: 'key.create', target: made.id, actor: 'cli', key_id: null, status: null, details },
      { action: 'key.create', target: second.id, details: { ...details, rotates: made.id } },
      { action: 'key.revoke', target: made.id, actor: 'cli' },
      { action: 'batch.undo', target: 'old', key_id: 'k3v9x2m4p7qa', status: 200 },
    ],
  );
  for (const { key } of [made, second]) t.notMatch(json.stdout, key.slice(-43));

  const text = await sluice(t, ['audit'], { env });
  t.equal(text.stdout.trim().split('\n').length, 4);
  t.match(text.stdout, / {2}cli {2}key\.revoke {2}/);
  t.match(text.stdout, / {2}a\\u000ab \(key k3v9x2m4p7qa\) {2}batch\.undo {2}old {2}200\n/);
  t.equal((await sluice(t, ['audit', '--since', '7d'], { env })).stdout.trim().split('\n').length, 3);
  t.equal((await sluice(t, ['audit', '--since', 'soon'], { env })).code, 2);
});
