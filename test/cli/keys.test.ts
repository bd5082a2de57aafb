// sluice keys, and the commands that send a key.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { get, ndjson, post, userEvent } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';
import { sluice } from './sluice.ts';

const KEY = /^sluice_[a-z0-9]{12}_[A-Za-z0-9_-]{43}$/;

function fileOf(t: Test, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-keys-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'file');
  writeFileSync(file, content);
  return file;
}

t.test('a key is made in an empty database, shown once, listed without its secret, and revoked', async (t) => {
  const database = await testDatabase(t);
  const env = { DATABASE_URL: database.url };
  const empty = await sluice(t, ['keys', 'list'], { env });
  t.match(empty, { code: 0, stdout: /there are no keys/, stderr: '' });

  const made = await sluice(t, ['keys', 'create', '--name', 'shop', '--scope', 'ingest'], { env });
  t.equal(made.code, 0);
  const key = made.stdout.trimEnd();
  t.match(key, KEY);
  t.equal(made.stdout, `${key}\n`, 'alone on its line');
  t.match(made.stderr, /of shop \(ingest\), it does not expire\. Keep it: it is shown only now/);
  t.notOk(made.stderr.includes(key.slice(20)));

  const json = await sluice(
    t,
    [
      ...['keys', 'create', '--json', '--name', 'etl', '--scope', 'ingest,read', '--scope', 'read', '--expires', '90d'],
      ...['--subject', 'user_event', '--subject', 'order,page_view', '--requests-per-s', '5', '--bytes-per-s', '0'],
    ],
    { env },
  );
  const record = JSON.parse(json.stdout);
  t.equal(json.stderr, '');
  t.match(record, { name: 'etl', scopes: ['ingest', 'read'], subjects: ['user_event', 'order', 'page_view'] });
  t.match(record, { state: 'live', requests_per_s: 5, bytes_per_s: 0, uploads: null, key: KEY });
  const days = (Date.parse(record.expires_at) - Date.now()) / 86_400_000;
  t.ok(days > 89.9 && days <= 90);

  const id = key.split('_')[1]!;
  const list = await sluice(t, ['keys', 'list'], { env });
  t.match(list.stdout, new RegExp(`^id .*\n${record.id} +live +etl .*\n${id} +live +shop +ingest +all .* never\n$`));
  const listed = await sluice(t, ['keys', 'list', '--json'], { env });
  t.same(
    listed.stdout
      .trimEnd()
      .split('\n')
      .map((each) => JSON.parse(each).id),
    [record.id, id],
  );
  for (const { stdout } of [list, listed]) {
    t.notMatch(stdout, /hash/);
    t.notOk(stdout.includes(key.slice(20)) || stdout.includes(record.key.slice(20)));
  }

  t.match(await sluice(t, ['keys', 'revoke', id], { env }), { code: 0, stdout: `key ${id} is revoked\n` });
  t.match(await sluice(t, ['keys', 'revoke', id], { env }), { code: 0, stdout: `key ${id} was revoked already\n` });
  t.match((await sluice(t, ['keys', 'list'], { env })).stdout, new RegExp(`${id} +revoked`));
  const audit = await database.query('SELECT actor, action, target FROM sluice.audit_log ORDER BY id');
  t.same(audit, [
    { actor: 'cli', action: 'key.create', target: id },
    { actor: 'cli', action: 'key.create', target: record.id },
    { actor: 'cli', action: 'key.revoke', target: id },
  ]);
});

t.test('a key is replaced without a moment in which none works', async (t) => {
  const database = await testDatabase(t);
  const env = { DATABASE_URL: database.url };
  const server = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'on' } });
  const create = async (...args: string[]) => (await sluice(t, ['keys', 'create', ...args], { env })).stdout.trimEnd();
  const first = await create('--name', 'shop', '--scope', 'read');
  const id = first.split('_')[1]!;
  const second = await create('--rotate', id, '--expires', '2099-01-01');
  for (const key of [first, second]) t.equal((await get(server, '/v1/batches', bearer({ key }))).status, 200);
  const third = await sluice(t, ['keys', 'create', '--rotate', id], { env });
  t.match(third, {
    code: 2,
    stdout: '',
    stderr: new RegExp(`^sluice: .*revoke one first, e\\.g\\. "sluice keys revoke ${id}"\n$`),
  });
  await sluice(t, ['keys', 'revoke', id], { env });
  let old = await get(server, '/v1/batches', bearer({ key: first }));
  for (let tries = 0; old.status !== 401 && tries < 100; tries++)
    old = await get(server, '/v1/batches', bearer({ key: first }));
  t.equal(old.status, 401);
  t.equal((await get(server, '/v1/batches', bearer({ key: second }))).status, 200);
  const rows = await database.query('SELECT client, expires_at FROM sluice.api_keys ORDER BY created_at');
  t.equal(rows[0]!.client, rows[1]!.client);
  t.same(rows[1]!.expires_at, new Date('2099-01-01T00:00:00Z'));
});

t.test('what cannot be meant is refused in one line', async (t) => {
  const database = await testDatabase(t);
  const env = { DATABASE_URL: database.url };
  const create = ['keys', 'create', '--name', 'x', '--scope', 'ingest'];
  const cases: [args: string[], words: RegExp][] = [
    [['keys', 'create', '--scope', 'read'], /--name is missing/],
    [['keys', 'create', '--name', 'x'], /--scope is missing/],
    [['keys', 'create', '--name', 'x', '--scope', 'write'], /Allowed are ingest, read, admin/],
    [['keys', 'create', '--name', '', '--scope', 'read'], /printable characters/],
    [['keys', 'create', '--name', 'a\nb', '--scope', 'read'], /printable characters/],
    [['keys', 'create', '--name', 'x'.repeat(101), '--scope', 'read'], /printable characters/],
    [['keys', 'create', '--name', 'x', '--scope', 'read', '--subject', 'user_event'], /--subject narrows the scope/],
    [[...create, '--scope', 'admin', '--subject', 'user_event'], /--subject narrows the scope/],
    [[...create, '--subject', 'No Subject'], /named like user_event/],
    [[...create, '--expires', 'soon'], /Allowed is 90d/],
    [[...create, '--expires', '2020-01-01'], /not in the future/],
    [[...create, '--expires', '0d'], /not in the future/],
    [[...create, '--requests-per-s', '-1'], /whole number from 0/],
    [[...create, '--uploads', '1.5'], /whole number from 0/],
    [['keys', 'create', '--rotate', 'aaaaaaaaaaaa', '--scope', 'read'], /only --expires can be given/],
    [['keys', 'create', '--rotate', 'aaaaaaaaaaaa'], /there is no key aaaaaaaaaaaa/],
    [['keys', 'revoke', 'aaaaaaaaaaaa'], /there is no key aaaaaaaaaaaa/],
    [['keys', 'revoke', 'nonsense'], /12 characters between the underscores/],
  ];
  for (const [args, words] of cases) {
    const { code, stdout, stderr } = await sluice(t, args, { env });
    t.same([code, stdout], [2, ''], args.join(' '));
    t.match(stderr, words);
    t.notMatch(stderr, /^ +at /m, 'no stack');
  }
  const unreachable = await sluice(t, ['keys', 'list'], { env: { DATABASE_URL: 'postgres://127.0.0.1:1/x' } });
  t.match(unreachable, { code: 2, stdout: '', stderr: /^sluice: Postgres cannot be used: .*\n$/ });
});

t.test('load and replay send the key of SLUICE_API_KEY or of a file, and say what to do without one', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'on' } });
  const { key } = await makeKey(database);
  const events = fileOf(t, ndjson(userEvent(), userEvent({ event_time: 'x' })));
  const report = fileOf(t, '');
  const url = { SLUICE_URL: server.url };

  const none = await sluice(t, ['load', events], { env: url });
  t.equal(none.code, 2);
  t.match(
    none.stderr,
    /401 unauthorized: .* \(no key was sent: set SLUICE_API_KEY, or name a file with --key-file\)\n$/,
  );
  const loaded = await sluice(t, ['load', events, '--report', report], { env: { ...url, SLUICE_API_KEY: key } });
  t.match(loaded, { code: 1, stdout: /1 accepted/ }, 'its rejections are read with the key too');
  const replayed = await sluice(t, ['replay', '--dry-run', '--key-file', fileOf(t, `${key}\n`)], { env: url });
  t.match(replayed, { code: 1, stdout: /1 rejected/ });
  const wrong = await sluice(t, ['replay'], { env: { ...url, SLUICE_API_KEY: `${key}x` } });
  t.match(wrong.stderr, /401 unauthorized: .* \(the key that was sent is not known, has expired or was revoked\)\n$/);
  const broken = await sluice(t, ['load', events], { env: { ...url, SLUICE_API_KEY: 'a\nb' } });
  t.match(broken, { code: 2, stderr: /SLUICE_API_KEY has no API key in it/ });
  const missing = await sluice(t, ['load', events, '--key-file', '/nothing'], { env: url });
  t.match(missing, { code: 2, stderr: /there is no such file/ });
  const ingest = await makeKey(database, { scopes: ['ingest'] });
  t.equal((await post(server, ndjson(userEvent()), { headers: bearer(ingest) })).status, 201);
  const forbidden = await sluice(t, ['replay'], { env: { ...url, SLUICE_API_KEY: ingest.key } });
  t.match(forbidden.stderr, /403 forbidden: .*the scope admin/);
});
