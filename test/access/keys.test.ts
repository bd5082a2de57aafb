// Keys as texts, in the table and in memory.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import t from 'tap';
import { hashOf, isKeyId, keyIdOf, newKey } from '../../src/access/key.ts';
import { KeyRing } from '../../src/access/ring.ts';
import { listKeys, revokeKey, rotateKey, stateOf } from '../../src/access/stored-keys.ts';
import { borrow, openDatabase } from '../../src/db.ts';
import { migrating } from '../../src/migrate.ts';
import { get, ndjson, post, userEvent } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';

const FREE = { requestsPerS: 0, bytesPerS: 0, uploads: 0 };

async function withTables(t: Parameters<typeof testDatabase>[0]) {
  const database = await testDatabase(t);
  const db = openDatabase({ url: database.url, poolSize: 4 });
  t.teardown(() => db.destroy());
  await migrating(db, async () => {});
  return { database, db };
}

t.test('a key is 32 random bytes behind a name, and no two are the same', async (t) => {
  const keys = Array.from({ length: 1_000 }, newKey);
  for (const { id, text, hash } of keys) {
    const [prefix, name, ...secret] = text.split('_');
    if (prefix !== 'sluice' || name !== id || !isKeyId(id)) t.fail(text);
    if (Buffer.from(secret.join('_'), 'base64url').length !== 32) t.fail(text);
    if (keyIdOf(text) !== id || !hash.equals(createHash('sha256').update(text).digest())) t.fail(text);
  }
  t.equal(new Set(keys.map(({ id }) => id)).size, 1_000);
  t.equal(new Set(keys.map(({ text }) => text.slice(20))).size, 1_000);
  const { text } = keys[0]!;
  for (const other of [
    '',
    'x',
    text.slice(1),
    `${text}A`,
    text.slice(0, -1),
    ` ${text}`,
    `${text}\n`,
    text.replace('_', '-'),
  ]) {
    t.equal(keyIdOf(other), undefined, JSON.stringify(other.slice(0, 24)));
  }
});

t.test('of a key its hash is stored and nothing that it could be made from', async (t) => {
  const { database } = await withTables(t);
  const made = await makeKey(database);
  const [row] = await database.query('SELECT api_keys::text AS row, hash FROM sluice.api_keys');
  t.same(row!.hash, hashOf(made.key));
  t.notMatch(row!.row, made.key.split('_').slice(2).join('_'));
  const [listed] = await listKeys({ query: async (text, values) => ({ rows: await database.query(text, values) }) });
  t.notOk(JSON.stringify(listed).includes(made.key.slice(20)));
});

t.test('a client may have two live keys, also where many ask at once', async (t) => {
  const { database, db } = await withTables(t);
  const first = await makeKey(database, { scopes: ['ingest'], subjects: ['user_event'], requestsPerS: 5 });
  const inTransaction = async <T>(work: Parameters<typeof borrow<T>>[1]): Promise<T> =>
    borrow(db, async (connection) => {
      await connection.query('BEGIN');
      const result = await work(connection);
      await connection.query('COMMIT');
      return result;
    });
  const rotate = () => inTransaction((connection) => rotateKey(connection, first.id, null));
  const rotated = await Promise.allSettled(Array.from({ length: 8 }, rotate));
  const made = rotated.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  t.equal(made.length, 1);
  const refused = rotated.flatMap((each) => (each.status === 'rejected' ? [each.reason.message] : []));
  t.match(refused[0], /has 2 live keys already: revoke one first, e\.g\. "sluice keys revoke [a-z0-9]{12}"/);
  t.match(made[0], {
    client: first.client,
    scopes: ['ingest'],
    subjects: ['user_event'],
    requestsPerS: 5,
    expiresAt: null,
  });
  t.not(made[0]!.key, first.key);

  t.equal(await inTransaction((connection) => revokeKey(connection, first.id)), true);
  t.equal(await inTransaction((connection) => revokeKey(connection, first.id)), false, 'a second time');
  const third = await rotate();
  t.equal(third.client, first.client);
  const states = (await inTransaction(listKeys)).map((key) => stateOf(key)).sort();
  t.same(states, ['live', 'live', 'revoked']);
  await t.rejects(
    inTransaction((connection) => rotateKey(connection, 'aaaaaaaaaaaa', null)),
    /there is no key/,
  );
  await t.rejects(
    inTransaction((connection) => revokeKey(connection, 'aaaaaaaaaaaa')),
    /there is no key/,
  );
});

t.test('two keys of one client are one client', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'on' } });
  const first = await makeKey(database, { scopes: ['ingest', 'read'] });
  const connection = {
    query: async (text: string, values?: unknown[]) => ({ rows: await database.query(text, values) }),
  };
  const sent = await post(server, ndjson(userEvent()), { headers: bearer(first) });
  t.equal(sent.status, 201);
  const second = await rotateKey(connection, first.id, null);
  await database.query('UPDATE sluice.api_keys SET revoked_at = now() WHERE id = $1', [first.id]);
  t.equal((await get(server, sent.json.links.batch, bearer(second))).status, 200);
});

t.test('a ring gives a key in until it expires', async (t) => {
  const { database, db } = await withTables(t);
  const ring = new KeyRing(db, FREE, pino({ level: 'silent' }));
  await ring.start();
  t.teardown(() => ring.stop());
  t.equal(ring.size, 0);
  const key = await makeKey(database, { expiresAt: new Date(Date.now() + 1_500) });
  t.match(await ring.identify(key.key), { client: { id: key.client, keyId: key.id } });
  t.equal(ring.size, 1);
  for (let tries = 0; (await ring.identify(key.key)) !== undefined && tries < 100; tries++) await sleep(50);
  t.equal(await ring.identify(key.key), undefined, 'without having been read anew');
});

t.test('bad keys cost Postgres next to nothing', async (t) => {
  const { database, db } = await withTables(t);
  const good = await makeKey(database);
  const ring = new KeyRing(db, FREE, pino({ level: 'silent' }));
  await ring.start();
  // No clock: every statement from now on is one that a key has asked for.
  ring.stop();
  let statements = 0;
  db.on('query', () => statements++);
  const unknown = newKey().text;
  await Promise.all(Array.from({ length: 200 }, () => ring.identify(unknown)));
  t.equal(statements, 1, 'one for all that wait for it');
  for (let index = 0; index < 2_000; index++) {
    for (const bad of [unknown, `${good.key.slice(0, -4)}AAAA`, 'nonsense']) {
      if ((await ring.identify(bad)) !== undefined) t.fail(bad);
    }
  }
  t.equal(statements, 1, 'none for one that was looked for in vain, nor for a wrong secret, nor for what is no key');
  await Promise.all(Array.from({ length: 900 }, () => ring.identify(newKey().text)));
  t.equal(statements, 2, 'one for 900 different ones at once');
  t.match(await ring.identify(good.key), { client: { keyId: good.id } });
  const fresh = await makeKey(database);
  t.match(await ring.identify(fresh.key), { client: { keyId: fresh.id } }, 'a fresh one is found all the same');
});

t.test('what was read later is never replaced by what was read before', async (t) => {
  const { database, db } = await withTables(t);
  const ring = new KeyRing(db, FREE, pino({ level: 'silent' }));
  await ring.start();
  t.teardown(() => ring.stop());
  for (let round = 0; round < 20; round++) {
    const key = await makeKey(database);
    const looks = [ring.identify(key.key), ring.refresh(), ring.identify(key.key)];
    await Promise.all(looks);
    await database.query('UPDATE sluice.api_keys SET revoked_at = now() WHERE id = $1', [key.id]);
    ring.refresh();
    for (let tries = 0; (await ring.identify(key.key)) !== undefined && tries < 100; tries++) await sleep(10);
    t.equal((await ring.identify(key.key)) ?? null, null);
  }
});
