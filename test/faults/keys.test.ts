// R11, R12, R13, R25 and two processes: one key many times at once, the same ids from everywhere, locks that are held, and
// bad lines in every share.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import { post } from './driver.ts';
import type { Upload } from './generate.ts';
import { readLedger } from './ledger.ts';
import { openScene, type Scene } from './scene.ts';

t.test('one key: twenty clients and two processes at once, after a restart, with another payload', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 31 });
  const servers = [await scene.start(), await scene.start()];
  for (const size of ['small', 'large'] as const) {
    const upload = scene.generator.upload({ size, hasKey: true, bad: 0.05, isAborting: false });
    // Each of the twenty is a careful client of its own.
    const answers = await Promise.all(Array.from({ length: 20 }, () => scene.send(upload)));
    t.equal(new Set(answers.map(({ text }) => text)).size, 1, 'all get one report');
    t.equal(new Set(await batchesOf(scene, upload)).size, 1, 'from one load');
  }
  for (const server of servers) await scene.kill(server);
  await scene.start();
  for (const upload of scene.driver.sent) {
    t.ok([201, 207].includes((await scene.driver.again(upload)).status!), 'known after a restart');
    t.equal((await scene.driver.other(upload)).status, 422, 'and bound to its payload');
  }
  t.strictSame(await scene.judged(), []);
});

t.test('a key that has expired is free: the ids still keep their events from being stored twice', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 37 });
  const server = await scene.start();
  const upload = scene.generator.upload({ subject: 'order', size: 'small', lines: 5, bad: 0, hasKey: true });
  const ids = upload.lines.length;
  t.equal((await scene.send(upload)).status, 201);
  await database.query('DELETE FROM sluice.idempotency_keys');
  const again = await post(server.url, upload, upload.body);
  t.match(JSON.parse(again.text), { lines: { accepted: 0, duplicate: ids } });
  t.equal((await batchesOf(scene, upload)).length, 1);
});

t.test('the same ids in a file, across files at once in opposite order, against what is stored', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 41 });
  await scene.start();
  await scene.start();
  for (const [round, count] of [60, 60, 60, 2_300].entries()) {
    const ids = Array.from({ length: count }, (_, index) => 1_000_000 * (round + 1) + index);
    // A tenth of them stands in the file twice.
    const doubled = [...ids, ...ids.slice(0, count / 10)];
    const orders = [doubled, ids.toReversed(), doubled.toReversed(), ids];
    const uploads = orders.map((order) =>
      scene.generator.upload({
        subject: 'order',
        size: count > 1_000 ? 'large' : 'small',
        lines: order.length,
        ids: order,
        bad: 0,
        hasKey: true,
      }),
    );
    const answers = await Promise.all(uploads.map((upload) => scene.send(upload)));
    const accepted = answers.map(({ text }) => JSON.parse(text).lines.accepted as number);
    t.equal(
      accepted.reduce((sum, each) => sum + each, 0),
      count,
      'each id once, whoever was first',
    );
  }
  t.strictSame(await scene.judged(), []);
});

t.test('locks are held: uploads are refused in time or wait, and nothing is lost', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 43 });
  await scene.start();
  const uploads = (['small', 'large'] as const).map((size) =>
    scene.generator.upload({ subject: 'order', size, bad: 0, hasKey: true }),
  );
  // Longer than anybody waits for a lock.
  const holding = database.query(
    'DO $$ BEGIN LOCK TABLE events."order" IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(12); END $$',
  );
  await sleep(200);
  const sending = uploads.map((upload) => scene.send(upload));
  const visit = scene.generator.upload({ subject: 'visit', size: 'small', bad: 0, hasKey: true });
  t.equal((await scene.send(visit)).status, 201, 'other tables are not held up');
  for (const answer of await Promise.all(sending)) t.equal(answer.status, 201, 'stored once the lock is gone');
  await holding;
  const { answers } = readLedger(scene.ledger.path);
  t.ok(
    answers.some(({ status, text }) => status === 503 && text.includes('database_busy')),
    'refused meanwhile',
  );
  t.strictSame(await scene.judged(), []);
});

t.test('bad lines: 5, 50 and 100 %, the first, the last, small and large', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 47 });
  await scene.start();
  for (const size of ['small', 'large'] as const) {
    for (const bad of [0, 0.05, 0.5, 1]) {
      await scene.send(scene.generator.upload({ size, bad, isAborting: false, lines: size === 'small' ? 30 : 2_300 }));
    }
    for (const badAt of ['first', 'last'] as const) {
      const { status } = await scene.send(scene.generator.upload({ size, bad: 0, badAt, isAborting: false }));
      t.ok(status === 207 || status === 422);
      const aborted = await scene.send(scene.generator.upload({ size, bad: 0, badAt, isAborting: true }));
      t.equal(aborted.status, 422, 'on_error=abort keeps nothing');
    }
  }
  t.strictSame(await scene.judged(), []);
});

async function batchesOf({ query }: Scene, upload: Upload): Promise<string[]> {
  const rows = await query<{ batch: string }>(
    `SELECT _batch_id AS batch FROM events."order" WHERE note LIKE $1
     UNION SELECT _batch_id FROM events.visit WHERE note LIKE $1`,
    [`${upload.id}:%`],
  );
  return rows.map(({ batch }) => batch);
}
