// `sluice migrate` that is cut off in the middle, on a real Postgres.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import t from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import { folderOf } from '../schema/schemas.ts';
import { run, string, V1, V11 } from './tables.ts';

const BIN = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));

t.test('migrate killed at any point: the next one goes on and comes to the end', async (t) => {
  const { url, query } = await testDatabase(t);
  const files: Record<string, unknown> = { 'a/1.0.0.json': V1 };
  t.equal((await run(t, url, folderOf(t, files), 'migrate')).code, 0);
  await query(`INSERT INTO events.a (id, n, _batch_id, _line, _schema_version, _received_at)
    SELECT 'id' || n, n, gen_random_uuid(), n, '1.0.0', now() FROM generate_series(1, 100000) AS n`);
  files['a/1.1.0.json'] = { ...V11, properties: { ...V11.properties, id: { ...string, 'x-id': true } } };
  for (let at = 0; at < 60; at++) files[`s${at}/1.0.0.json`] = V1;
  const folder = folderOf(t, files);
  const { code: needed } = await run(t, url, folder, 'schemas', 'drift');
  t.equal(needed, 1);
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [BIN, 'migrate'], {
      env: { ...process.env, DATABASE_URL: url, SCHEMA_DIR: folder, LOG_LEVEL: 'silent' },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    // Some time after it has begun with Postgres, or when its index is under way.
    for (let tries = 0; tries < 200 && child.exitCode === null; tries++) {
      const busy = await query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database()",
      );
      if (busy.length > 0) break;
      await sleep(10);
    }
    await sleep(round * 50);
    child.kill('SIGKILL');
    await ended;
    if (round % 2 === 0) {
      await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'sluice' AND datname = current_database()`);
    }
  }
  t.equal((await run(t, url, folder, 'migrate')).code, 0);
  t.match(await run(t, url, folder, 'schemas', 'drift'), { code: 0, stdout: /^no drift: 61 tables/ });
  t.same(await query('SELECT count(*)::int AS n FROM events.a'), [{ n: 100_000 }]);
});

t.test('what an index build leaves behind when its connection is cut is cleared away', async (t) => {
  const { url, query } = await testDatabase(t);
  const files: Record<string, unknown> = { 'a/1.0.0.json': V1 };
  t.equal((await run(t, url, folderOf(t, files), 'migrate')).code, 0);
  files['a/1.1.0.json'] = { ...V1, properties: { ...V1.properties, id: { ...string, 'x-id': true } } };
  const folder = folderOf(t, files);
  // A transaction that has written keeps the build waiting until it is cut off.
  const writer = new pg.Client({ connectionString: url });
  await writer.connect();
  t.teardown(() => writer.end());
  await writer.query('BEGIN; LOCK TABLE events.a IN ROW EXCLUSIVE MODE');
  const migrating = run(t, url, folder, 'migrate');
  let cut = 0;
  for (let tries = 0; tries < 200 && cut === 0; tries++) {
    await sleep(50);
    cut = (
      await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE query LIKE 'CREATE UNIQUE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock' AND datname = current_database()`)
    ).length;
  }
  t.equal(cut, 1);
  const { code, stderr } = await migrating;
  t.equal(code, 2);
  t.notMatch(stderr, /^ {4}at /m, 'no stack');
  await writer.query('ROLLBACK');
  t.equal((await query('SELECT FROM pg_index WHERE NOT indisvalid')).length, 1, 'it did leave something');
  t.match(await run(t, url, folder, 'schemas', 'plan'), {
    stdout: /DROP INDEX CONCURRENTLY IF EXISTS events."a_id_idx"/,
  });
  t.equal((await run(t, url, folder, 'migrate')).code, 0);
  t.match(await run(t, url, folder, 'schemas', 'drift'), { code: 0 });
});
