// R3: the COMMIT arrives at Postgres, and its answer does not arrive at the server. Postgres has the batch; the client gets
// its report, now or with its next try, and no second load.
import t from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import { type Link, proxyTo } from '../helpers/proxy.ts';
import { openScene } from './scene.ts';

/** The statement after which the next COMMIT on the same connection is the promoting one. */
const RECORD = 'INSERT INTO sluice.batches AS batches';

/** CommandComplete of a COMMIT: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const COMMITTED = Buffer.from('C\0\0\0\x0bCOMMIT\0', 'latin1');

for (const size of ['small', 'large'] as const) {
  for (const isBack of [true, false]) {
    t.test(
      `the answer to COMMIT is lost, ${size}, Postgres ${isBack ? 'at once back' : 'away for a while'}`,
      async (t) => {
        const database = await testDatabase(t);
        const proxy = await proxyTo(t, database.url);
        const scene = await openScene(t, { database, serversConnectTo: proxy.url, seed: 13 });
        await scene.start();
        let lost = 0;
        const promoting = new Set<Link>();
        proxy.inflict({
          watch: (piece, direction, link) => {
            if (direction === 'up' && piece.includes(RECORD)) promoting.add(link);
            if (direction === 'up' || !promoting.has(link) || !piece.includes(COMMITTED) || lost > 0) return 'pass';
            lost++;
            if (!isBack) {
              proxy.cut();
              setTimeout(() => proxy.mend(), 1_500);
            }
            return 'reset';
          },
        });
        const upload = scene.generator.upload({ size, hasKey: true, bad: 0.05, isAborting: false });
        const answer = await scene.send(upload);
        t.equal(lost, 1, 'it was kept back');
        t.ok([201, 207].includes(answer.status!), 'the report came in the end');
        t.equal((await database.query('SELECT FROM sluice.batches WHERE accepted > 0')).length, 1, 'one load');
        t.strictSame(await scene.judged(), []);
      },
    );
  }
}

t.test('the answer to the claim of a key is lost: the key is free again soon', async (t) => {
  const database = await testDatabase(t);
  const proxy = await proxyTo(t, database.url);
  const scene = await openScene(t, { database, serversConnectTo: proxy.url, seed: 14 });
  await scene.start();
  const claiming = new Set<Link>();
  let lost = 0;
  proxy.inflict({
    watch: (piece, direction, link) => {
      if (direction === 'up' && piece.includes('INSERT INTO sluice.idempotency_keys')) claiming.add(link);
      if (direction === 'up' || !claiming.has(link) || lost > 0) return 'pass';
      lost++;
      return 'reset';
    },
  });
  const upload = scene.generator.upload({ size: 'small', hasKey: true, bad: 0 });
  t.equal((await scene.send(upload)).status, 201);
  t.equal(lost, 1, 'it was kept back');
  t.strictSame(await scene.judged(), []);
});
