// R4, R5, R6: sessions cut off in every state; Postgres crashed, stopped, refusing, hanging, frozen, in a black hole. The
// process lives, says 503 within seconds, and is back when Postgres is.
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { get } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { proxyTo } from '../helpers/proxy.ts';
import type { Server } from '../helpers/server.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { post } from './driver.ts';
import { eventually, openScene, type Scene } from './scene.ts';

/** An answer has to come far sooner than a client's own patience ends. */
const SOON_MS = 20_000;

/** An upload that reaches this state in Postgres is begun again until it was met there once. */
const STATES: [state: string, where: string][] = [
  ['in a COPY', `state = 'active' AND query LIKE 'COPY%'`],
  ['idle in a transaction', `state LIKE 'idle in transaction%'`],
  ['promoting', `state = 'active' AND query LIKE 'INSERT INTO%events%'`],
  ['in its COMMIT', `query LIKE 'COMMIT%' AND state = 'active'`],
  ['idle in the pool', `state = 'idle' AND application_name = 'sluice'`],
  ['that marks the process as alive', `application_name = 'sluice presence'`],
];

t.test(
  'sessions are cut off in every state: the process lives, and the upload succeeds with its next try',
  async (t) => {
    const database = await testDatabase(t);
    const scene = await openScene(t, { database, seed: 17 });
    await scene.start();
    const cut = async (where: string): Promise<number> => {
      const rows = await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'sluice%' AND (${where})`,
      );
      return rows.length;
    };
    for (const [state, where] of STATES) {
      let met = 0;
      for (let tries = 0; tries < 15 && met === 0; tries++) {
        const upload = scene.generator.upload({ size: 'large', hasKey: true, bad: 0 });
        let isSent = false;
        const sending = scene.send(upload).finally(() => {
          isSent = true;
        });
        while (!isSent && met === 0) met += await cut(where);
        t.equal((await sending).status, 201, `${state}: stored in the end`);
      }
      t.comment(`${state}: ${met} cut off`);
    }
    t.equal(scene.running().length, 1);
    t.strictSame(await scene.judged(), []);
  },
);

interface Outage {
  what: string;
  begin(cluster: Cluster): unknown;
  end(cluster: Cluster): unknown;
}

const OUTAGES: Outage[] = [
  { what: 'kill -9 of Postgres', begin: (cluster) => cluster.kill(), end: (cluster) => cluster.start() },
  { what: 'an immediate stop', begin: (cluster) => cluster.stopImmediately(), end: (cluster) => cluster.start() },
  { what: 'a frozen Postgres', begin: (cluster) => cluster.freeze(), end: (cluster) => cluster.thaw() },
];

t.test('Postgres crashes, stops and freezes under load', async (t) => {
  const cluster = await startCluster(t);
  const scene = await openScene(t, { database: cluster, seed: 19 });
  const server = await scene.start();
  for (const { what, begin, end } of OUTAGES) {
    await t.test(what, async (t) => {
      await throughOutage(
        t,
        scene,
        server,
        () => begin(cluster),
        () => end(cluster),
      );
    });
  }
  t.strictSame(await scene.judged(), []);
});

t.test('Postgres refuses, hangs after the connect, and falls into a black hole', async (t) => {
  const database = await testDatabase(t);
  const proxy = await proxyTo(t, database.url);
  const scene = await openScene(t, { database, serversConnectTo: proxy.url, seed: 23 });
  const server = await scene.start();
  const heal = (): void => {
    proxy.heal();
    proxy.mend();
    // Who waits in the dark for an answer that was thrown away would wait for ever.
    proxy.reset();
  };
  const begins: [string, () => void][] = [
    ['connections are refused', () => proxy.cut()],
    ['it takes connections and never answers', () => proxy.inflict({ blackhole: 'deaf' })],
    ['everything is lost on the way', () => proxy.inflict({ blackhole: 'mute' })],
  ];
  for (const [what, begin] of begins) {
    await t.test(what, async (t) => throughOutage(t, scene, server, begin, heal));
  }
  await t.test('a slow network', async (t) => {
    proxy.inflict({ latencyMs: 20 });
    t.equal((await scene.send(scene.generator.upload({ size: 'large', bad: 0, hasKey: true }))).status, 201);
    proxy.heal();
  });
  t.strictSame(await scene.judged(), []);
});

/** Uploads are under way when it begins and are sent while it lasts; all of them are stored in the end. */
async function throughOutage(
  t: Test,
  scene: Scene,
  server: Server,
  begin: () => unknown,
  end: () => unknown,
): Promise<void> {
  const wishes = [{ size: 'large' }, { size: 'large' }, { size: 'small' }] as const;
  const sending = wishes.map((wish) => scene.send(scene.generator.upload({ ...wish, hasKey: true, bad: 0 })));
  await sleep(150);
  await begin();
  const began = performance.now();
  const line = scene.generator.upload({ size: 'small', bad: 0, hasKey: false });
  const refused = await Promise.race([post(server.url, line, Buffer.from('{}\n')), sleep(SOON_MS, undefined)]);
  t.equal(refused?.status, 503, 'an upload is refused soon');
  t.ok(Number(refused?.retryAfter) >= 1, 'and told when to come back');
  t.comment(`503 after ${Math.round(performance.now() - began)} ms`);
  const ask = (path: string): Promise<number | undefined> =>
    Promise.race([
      get(server, path).then(
        ({ status }) => status,
        () => undefined,
      ),
      sleep(SOON_MS, undefined),
    ]);
  t.equal(await ask('/healthz'), 200, 'alive');
  t.equal(await ask('/readyz'), 503, 'not ready');
  await end();
  const ended = performance.now();
  await eventually('ready again', async () => (await ask('/readyz')) === 200);
  t.comment(`ready again after ${Math.round(performance.now() - ended)} ms`);
  for (const answer of await Promise.all(sending)) t.equal(answer.status, 201, 'stored in the end');
}
