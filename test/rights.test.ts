// The server without any right to change tables: an owner migrates, another role serves, a third one reads.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { sluice } from './cli/sluice.ts';
import { addsUp, get, lines, ndjsonOf, post } from './helpers/http.ts';
import { type Role, type RoleDatabase, roleDatabase } from './helpers/roles.ts';
import { schemaFolder, suite } from './helpers/schemas.ts';
import { type Server, startServer } from './helpers/server.ts';
import { clientOf } from './registry/registry.ts';

const ORDER = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'n'],
  properties: { id: { type: 'string', 'x-id': true }, n: { type: 'integer' }, note: { type: 'string' } },
};

/** Two subjects: a check holds batches of the one, and rejects lines of the other. */
const FILES = {
  'order/1.0.0.json': ORDER,
  'order/expectations.json': suite(['expect_column_max_to_be_between', { column: 'n', max_value: 1_000_000 }]),
  'sifted/1.0.0.json': ORDER,
  'sifted/expectations.json': suite([
    'expect_column_values_to_be_between',
    { column: 'n', max_value: 1_000_000 },
    'reject_rows',
  ]),
};

/** More rows than are kept in memory: 4 MiB. */
const MANY = 25_000;

const orders = (prefix: string, count: number, last = count): string =>
  ndjsonOf(
    Array.from({ length: count }, (_, at) => {
      return { id: `${prefix}${at}`, n: at === count - 1 ? last : at, note: 'x'.repeat(200) };
    }),
  );

async function migrate(t: Test, database: RoleDatabase, schemaDir: string, ...args: string[]) {
  return sluice(t, ['migrate', ...args], {
    env: { DATABASE_URL: database.urlAs('owner'), SCHEMA_DIR: schemaDir, LOG_LEVEL: 'warn' },
  });
}

async function migrated(t: Test) {
  const database = await roleDatabase(t);
  const schemaDir = await schemaFolder(t, FILES);
  const { app, reader } = database.roles;
  const { code, stderr } = await migrate(t, database, schemaDir, '--app-role', app, '--reader-role', reader);
  t.equal(code, 0, stderr);
  return { database, schemaDir };
}

async function eventually(ask: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await ask()) return;
    await sleep(100);
  }
  throw new Error('it never came to be');
}

const load = (server: Server, subject: string, body: string, query: Record<string, string> = {}) =>
  post(server, body, { query: { schema: subject, ...query } });

t.test('a role that may not change tables serves all there is to serve', async (t) => {
  const { database, schemaDir } = await migrated(t);
  const { query } = database;
  // What is old is for the command below to remove, and not for the server's own pass.
  const env = { RETAIN_DISCARDED_DAYS: '0', RETAIN_BATCHES_DAYS: '0', RETAIN_REJECTIONS_DAYS: '0' };
  const server = await startServer(t, { databaseUrl: database.urlAs('app'), schemaDir, env });
  const { send } = clientOf(server);
  const stages = "SELECT tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'";
  const count = async (table: string) => (await query(`SELECT count(*)::int AS n FROM ${table}`))[0]!.n;

  await t.test('small and large uploads, with duplicates', async (t) => {
    t.match(await load(server, 'order', orders('small', 3)), { status: 201 });
    const large = await load(server, 'order', orders('large', MANY) + orders('small', 3));
    t.match(large, { status: 201, json: { lines: { accepted: MANY, duplicate: 3 } } });
    t.ok(addsUp(large.json));
    const { json } = await get(server, `/v1/batches/${large.json.batch_id}/reconciliation`);
    t.equal(json.status, 'matched');
    t.equal(await count('events."order"'), MANY + 3);
  });

  await t.test('a large dry run leaves nothing', async (t) => {
    t.match(await load(server, 'order', orders('dry', MANY), { dry_run: 'true' }), { status: 200 });
    t.equal(await count('events."order"'), MANY + 3);
  });

  await t.test('large batches are held, promoted, undone and discarded', async (t) => {
    const held = await load(server, 'order', orders('held', MANY, 2_000_000));
    t.match(held, { status: 202, json: { status: 'held' } });
    const promoted = await send(`/v1/batches/${held.json.batch_id}/promote`, { reason: 'fine' });
    t.match(promoted, { status: 200, json: { status: 'promoted', lines: { accepted: MANY } } });
    t.match((await get(server, `/v1/batches/${held.json.batch_id}/reconciliation`)).json, { status: 'matched' });
    const undone = await fetch(`${server.url}/v1/batches/${held.json.batch_id}`, { method: 'DELETE' });
    t.match(await undone.json(), { status: 'undone' });
    const other = await load(server, 'order', orders('other', 3, 2_000_000));
    t.match(await send(`/v1/batches/${other.json.batch_id}/discard`, { reason: 'no' }), { status: 200 });
  });

  await t.test('a check takes lines out of a large batch, with their bytes, and they are replayed', async (t) => {
    const body = orders('sifted', MANY, 2_000_000) + orders('tail', MANY, 3_000_000);
    const sifted = await load(server, 'sifted', body);
    t.match(sifted, { status: 207, json: { lines: { accepted: 2 * MANY - 2, rejected: 2 } } });
    const stored = lines(await get(server, `/v1/batches/${sifted.json.batch_id}/rejections`));
    t.match(stored, [{ code: 'check_failed', raw: /"sifted24999"/ }, { code: 'check_failed' }]);
    const patch = [{ op: 'replace', path: '/n', value: 1 }];
    const replayed = await send('/v1/rejections/replay', { filter: { batch_id: sifted.json.batch_id }, patch });
    t.match(replayed, { status: 201, json: { lines: { accepted: 2 } } });
  });

  t.strictSame(await query(stages), [], 'no stage is left');

  await t.test('retention removes what is old', async (t) => {
    await query("UPDATE sluice.batches SET received_at = received_at - interval '900 days'");
    await query(`UPDATE sluice.batches SET history = '[]' WHERE status = 'discarded'`);
    const env = { DATABASE_URL: database.urlAs('app'), RETAIN_KEYS_HOURS: '1' };
    const { code, stdout, stderr } = await sluice(t, ['retention'], { env });
    t.equal(code, 0, stderr);
    t.match(stdout, /3 rows of discarded batches/);
    t.equal(await count('stage."order"'), 0);
  });

  await t.test('what a killed process left behind is swept away', async (t) => {
    const sent = request(`${server.url}/v1/events?schema=order`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
    });
    sent.on('error', () => {});
    sent.write(orders('killed', MANY));
    await eventually(async () => (await query(stages)).length === 1);
    await server.kill();
    await startServer(t, { databaseUrl: database.urlAs('app'), schemaDir });
    await eventually(async () => (await query(stages)).length === 0);
    t.strictSame(await query('SELECT FROM events."order" WHERE id = \'killed0\''), []);
  });
});

t.test('the roles can do what they are for, and nothing else', async (t) => {
  const { database, schemaDir } = await migrated(t);
  const REFUSED = '42501';
  const refused: [Role, string][] = [
    ...['events', 'stage', 'sluice', 'public'].map((each): [Role, string] => ['app', `CREATE TABLE ${each}.x (n int)`]),
    ['app', 'CREATE SCHEMA x'],
    ['app', 'CREATE EXTENSION pg_trgm'],
    ['app', 'CREATE FUNCTION sluice.f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$'],
    ['app', 'DROP TABLE events."order"'],
    ['app', 'TRUNCATE events."order"'],
    ['app', 'ALTER TABLE events."order" ADD COLUMN x int'],
    ['app', 'ALTER TABLE sluice.batches DROP COLUMN report'],
    ['app', 'CREATE INDEX ON events."order" (n)'],
    ['app', 'CREATE TRIGGER x BEFORE INSERT ON events."order" EXECUTE FUNCTION sluice.tell_of_api_keys()'],
    ['app', 'UPDATE events."order" SET n = 0'],
    ['app', 'DELETE FROM sluice.schema_versions'],
    ['app', 'DELETE FROM sluice.knex_migrations'],
    ['app', 'UPDATE sluice.api_keys SET revoked_at = null'],
    ['app', "INSERT INTO sluice.api_keys (id) VALUES ('x')"],
    ['app', 'DELETE FROM sluice.audit_log'],
    ['app', "SELECT sluice.lend_stage('order')"],
    ['reader', 'SELECT FROM sluice.api_keys'],
    ['reader', 'SELECT FROM sluice.idempotency_keys'],
    ['reader', 'INSERT INTO events."order" SELECT * FROM events."order"'],
    ['reader', 'DELETE FROM stage."order"'],
    ['reader', 'UPDATE sluice.batches SET status = status'],
    ['reader', 'CREATE TABLE events.x (n int)'],
    ['reader', "SELECT sluice.create_stage('019c8a7e-6f0b-7d3a-9a53-c1d7c0d6a001', 0, 'order')"],
    ['reader', "SELECT sluice.drop_stages('019c8a7e-6f0b-7d3a-9a53-c1d7c0d6a001')"],
  ];
  for (const [role, sql] of refused) t.equal(await database.as(role, sql), REFUSED, `${role}: ${sql}`);

  await t.test('the functions make no other tables than stages', async (t) => {
    const id = '019c8a7e-6f0b-7d3a-9a53-c1d7c0d6a001';
    const create = (part: string, table: string) =>
      database.as('app', `SELECT sluice.create_stage('${id}', ${part}, ${table})`);
    t.equal(await create('0', "'order; drop table events.order'"), '42P01');
    t.equal(await create('0', `'pg_class'`), '42P01');
    t.equal(await create('0', 'null'), '42P01');
    t.equal(await create('-1', `'order'`), '22023');
    t.equal(await create('null', `'order'`), '22023');
    t.same(await create('7', `'order'`), [{ create_stage: '' }]);
    const name = `stage."0${id.replaceAll('-', '')}_7"`;
    t.same(await database.as('app', `SELECT count(*)::int AS n FROM ${name}`), [{ n: 0 }]);
    t.equal(await database.as('app', `DROP TABLE ${name}`), REFUSED);
    t.same(await database.as('app', 'SELECT sluice.drop_orphaned_stages()'), [{ drop_orphaned_stages: '' }]);
    t.equal(await database.as('app', `SELECT FROM ${name}`), '42P01', 'it is gone');
    t.same(await database.query('SELECT FROM stage."order"'), [], 'and nothing else');
  });

  await t.test('whoever reads can reconcile, from the record and from the file', async (t) => {
    const server = await startServer(t, { databaseUrl: database.urlAs('app'), schemaDir });
    const body = orders('r', 3);
    const { json } = await load(server, 'order', body);
    const env = { DATABASE_URL: database.urlAs('reader') };
    const all = await sluice(t, ['reconcile', '--since', '24h'], { env });
    t.match(all, { code: 0, stdout: /1 batches since .*: 1 matched/ }, all.stderr);
    const one = await sluice(t, ['reconcile', '--batch', json.batch_id, '--file', '-'], { env, stdin: body });
    t.match(one, { code: 0, stdout: /matched/ }, one.stderr);
  });
});

t.test('what is missing is for the owner to make', async (t) => {
  const database = await roleDatabase(t);
  const schemaDir = await schemaFolder(t, FILES);
  const serve = () => {
    const env = { DATABASE_URL: database.urlAs('app'), SCHEMA_DIR: schemaDir, PORT: '0', LOG_LEVEL: 'silent' };
    return sluice(t, ['serve'], { env });
  };
  const oneLine = /^sluice: [^\n]*run "sluice migrate" as the role that owns the tables\n$/;

  await t.test('a start on a database without tables, or without rights, ends with one line', async (t) => {
    t.match(await serve(), { code: 2, stderr: oneLine });
    t.match(await migrate(t, database, schemaDir), { code: 0 });
    t.match(await serve(), { code: 2, stderr: oneLine });
  });

  await t.test('rights can be given again and again; a role that does not exist is named', async (t) => {
    for (let round = 0; round < 2; round++) {
      t.match(await migrate(t, database, schemaDir, '--app-role', database.roles.app), { code: 0 });
    }
    const { code, stderr } = await migrate(t, database, schemaDir, '--reader-role', 'nobody here');
    t.equal(code, 2);
    t.match(stderr, /^sluice: The rights cannot be given, and none was: role "nobody here" does not exist\n$/);
  });

  const server = await startServer(t, { databaseUrl: database.urlAs('app'), schemaDir });
  const { register, send } = clientOf(server);
  const document = { type: 'object', properties: { page: { type: 'string' } } };

  await t.test('a version that needs a table is not registered, and its file not written', async (t) => {
    const answer = await register('visit', document);
    t.match(answer, { status: 503, json: { code: 'schema_tables_not_updated', detail: /run "sluice migrate"/ } });
    t.equal(answer.headers.get('retry-after'), null, 'waiting does not help');
    t.notOk(readdirSync(schemaDir).includes('visit'));
    const wider = { ...ORDER, properties: { ...ORDER.properties, more: { type: 'string' } } };
    t.match(await register('order', wider), { status: 503, json: { code: 'schema_tables_not_updated' } });
    t.strictSame(readdirSync(join(schemaDir, 'order')).sort(), ['1.0.0.json', 'expectations.json']);
    t.strictSame(await database.query("SELECT FROM sluice.schema_versions WHERE version <> '1.0.0'"), []);
    t.match(await load(server, 'order', orders('a', 1)), { status: 201 }, 'the old ones work');
  });

  await t.test('one that needs none is', async (t) => {
    const { note, ...rest } = ORDER.properties;
    const patch = { ...ORDER, properties: { ...rest, note: { ...note, title: 'Note' } } };
    t.match(await register('order', patch), { status: 201, json: { version: '1.0.1' } });
  });

  await t.test('a reload says the same, and works once the owner has migrated', async (t) => {
    mkdirSync(join(schemaDir, 'visit'));
    writeFileSync(join(schemaDir, 'visit/1.0.0.json'), JSON.stringify(document));
    t.match(await send('/v1/schemas/reload'), { status: 503, json: { code: 'schema_tables_not_updated' } });
    t.match(await serve(), { code: 2, stderr: oneLine });
    server.child.kill('SIGHUP');
    await eventually(async () => server.logs().some((line) => /not reloaded.*|run .*sluice migrate/.test(line)));
    t.match(await migrate(t, database, schemaDir), { code: 0 }, 'without naming the role again');
    t.match(await send('/v1/schemas/reload'), { status: 200, json: { added: ['visit/1.0.0'] } });
    t.match(await load(server, 'visit', '{"page":"/"}'), { status: 201 });
  });

  await t.test('a migration that is missing stops the start with one line too', async (t) => {
    await database.query("DELETE FROM sluice.knex_migrations WHERE name LIKE '%_stage_functions.js'");
    const { code, stderr } = await serve();
    t.equal(code, 2);
    t.match(stderr, oneLine);
    t.match(stderr, 'lacks 1 migrations');
  });
});

t.test('an owner without superpowers needs no grants for itself', async (t) => {
  const database = await roleDatabase(t);
  const schemaDir = await schemaFolder(t, FILES);
  const server = await startServer(t, { databaseUrl: database.urlAs('owner'), schemaDir });
  t.match(await load(server, 'sifted', orders('a', MANY, 2_000_000)), { status: 207 });
});

t.test('stages of processes of the version before, which made them themselves, are swept away too', async (t) => {
  const { database, schemaDir } = await migrated(t);
  const stages = [1, 2].map((n) => `stage."0019c8a7e6f0b7d3a9a53c1d7c0d6a00${n}_0"`);
  t.same(await database.as('owner', `CREATE UNLOGGED TABLE ${stages[0]} (LIKE events."order")`), []);
  // By a superuser.
  await database.query(`CREATE UNLOGGED TABLE ${stages[1]} (LIKE events."order")`);
  await startServer(t, { databaseUrl: database.urlAs('app'), schemaDir });
  for (const each of stages) {
    await eventually(async () => (await database.query('SELECT to_regclass($1) AS it', [each]))[0]!.it === null);
  }
});
