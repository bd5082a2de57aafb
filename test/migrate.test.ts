// Migrations with everything that can come between: other processes, SIGKILL at any time, newer and older versions.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { sluice } from './cli/sluice.ts';
import { ndjson, post, userEvent } from './helpers/http.ts';
import { type TestDatabase, testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const event = ndjson(userEvent());

/** All that migrations make, as text: tables with their columns, indexes, functions, and what knex noted. */
async function shapeOf({ query }: TestDatabase): Promise<unknown> {
  return {
    columns: await query(
      `SELECT attrelid::regclass::text AS table, attname, format_type(atttypid, atttypmod), attnotnull
       FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
       WHERE relnamespace::regnamespace::text IN ('sluice', 'events', 'stage') AND relkind = 'r' AND attnum > 0
       ORDER BY 1, attnum`,
    ),
    indexes: await query(
      `SELECT indexdef FROM pg_indexes WHERE schemaname IN ('sluice', 'events', 'stage') ORDER BY indexdef`,
    ),
    functions: await query(
      `SELECT oid::regprocedure::text, prosecdef FROM pg_proc WHERE pronamespace = 'sluice'::regnamespace ORDER BY 1`,
    ),
    noted: await query('SELECT name FROM sluice.knex_migrations ORDER BY id'),
    locked: await query('SELECT is_locked FROM sluice.knex_migrations_lock'),
  };
}

async function undisturbed(t: Test): Promise<unknown> {
  const database = await testDatabase(t);
  t.match(await migrate(t, database.url), { code: 0 });
  return shapeOf(database);
}

function migrate(t: Test, url: string) {
  return sluice(t, ['migrate'], { cwd: ROOT, env: { DATABASE_URL: url, LOG_LEVEL: 'warn' } });
}

t.test('five processes migrate an empty database at once', async (t) => {
  const expected = await undisturbed(t);
  const database = await testDatabase(t);
  const runs = await Promise.all(Array.from({ length: 5 }, () => migrate(t, database.url)));
  for (const { code, stderr } of runs) t.equal(code, 0, stderr);
  t.same(await shapeOf(database), expected);
  t.match(await post(await startServer(t, { databaseUrl: database.url }), event), { status: 201 });
});

/** A number from 0 to 1 that follows from the seed. https://en.wikipedia.org/wiki/Linear_congruential_generator */
function randomFrom(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    return Number(state >> 11n) / 2 ** 53;
  };
}

/** Whether the process has begun to talk to the database within twenty seconds. */
async function connected({ query }: TestDatabase, child: ChildProcess): Promise<boolean> {
  const look = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'sluice'`;
  for (let tries = 0; tries < 10_000 && child.exitCode === null; tries++) {
    if ((await query(look)).length > 0) return true;
    await sleep(2);
  }
  return false;
}

t.test('a process killed at any time of a first start is gone on from, ten times', async (t) => {
  const seed = Number(process.env.SEED ?? 20_261_121);
  t.comment(`SEED=${seed}`);
  const random = randomFrom(seed);
  const expected = await undisturbed(t);
  /** How long a first start is at the database; learned from those that end before they are killed. */
  let span = 300;
  let killed = 0;
  for (let round = 0; round < 10; round++) {
    const database = await testDatabase(t);
    const child = spawn(process.execPath, ['bin/sluice.js', 'migrate'], {
      cwd: ROOT,
      env: { ...process.env, DATABASE_URL: database.url, LOG_LEVEL: 'silent' },
      stdio: 'ignore',
    });
    t.teardown(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    t.ok(await connected(database, child));
    const wait = random() * span;
    await sleep(wait);
    child.kill('SIGKILL');
    await closed;
    if (child.signalCode === 'SIGKILL') killed++;
    else span = Math.min(span, wait);
    // Postgres notices a client that is gone when it next talks to it.
    const { code, stderr } = await migrate(t, database.url);
    t.equal(code, 0, stderr);
    t.same(await shapeOf(database), expected, `killed after ${Math.round(wait)} ms`);
  }
  t.ok(killed > 0, `${killed} were killed`);
});

t.test('an older version starts on a database that a newer one has migrated', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const first = await startServer(t, { databaseUrl });
  t.match(await post(first, event), { status: 201 });
  await query(`INSERT INTO sluice.knex_migrations (name, batch, migration_time)
    VALUES ('20991231000000_of_a_later_version.js', 99, now())`);
  await query('ALTER TABLE sluice.batches ADD COLUMN later text');
  await query('ALTER TABLE events.user_event ADD COLUMN later text');
  await query('ALTER TABLE stage.user_event ADD COLUMN later text');
  t.match(await post(first, event), { status: 201 }, 'while it runs');
  await first.stop();
  const again = await startServer(t, { databaseUrl });
  const answer = await post(again, event);
  t.match(answer, { status: 201 }, 'and from its start');
  t.match(await post(again, event.repeat(60_000)), { status: 201, json: { lines: { accepted: 60_000 } } });

  await t.test('also where one of its own is still to be run', async (t) => {
    await again.stop();
    await query("DELETE FROM sluice.knex_migrations WHERE name LIKE '%_stage_functions.js'");
    t.match(await post(await startServer(t, { databaseUrl }), event), { status: 201 });
  });
});
