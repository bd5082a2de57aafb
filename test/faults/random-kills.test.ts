// R1–R5 at random: a mixed load of several clients, and kills from a seed. FAULTS_SEED and FAULTS_KILLS ask for others
// than those of the tests; the seed is printed, and the same one gives the same uploads and the same order of faults.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startCluster } from './cluster.ts';
import { killAtRandom } from './kills.ts';
import { seeded } from './random.ts';
import { openScene, record, type Scene } from './scene.ts';

const seed = Number(process.env.FAULTS_SEED ?? 20_261_121);
const kills = Number(process.env.FAULTS_KILLS ?? 20);

const CLIENTS = 4;

/** Sends uploads, single events and repeated keys until told to stop. */
async function load(scene: Scene, client: number, isOver: () => boolean): Promise<void> {
  const random = seeded(seed * 100 + client);
  for (; !isOver(); await sleep(random.int(0, 100))) {
    const isSingle = random.chance(0.3);
    const upload = scene.generator.upload(isSingle ? { size: 'small', lines: 1, bad: 0 } : {});
    if (upload.key !== null && random.chance(0.1)) {
      // The same request twice at once, as impatient clients do: one of them loads.
      const [first] = await Promise.all([scene.send(upload), sleep(5).then(() => scene.driver.again(upload))]);
      if (first.status === null) continue;
      await scene.driver.again(upload);
    } else await scene.send(upload);
  }
}

t.test(`${kills} kills at random, seed ${seed}`, { timeout: kills * 30_000 }, async (t) => {
  t.comment(`npm run faults -- --seed ${seed} --kills ${kills}`);
  const cluster = await startCluster(t);
  const scene = await openScene(t, { database: cluster, seed });
  await scene.start();
  await scene.start();
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, (_, client) => load(scene, client, () => isOver));
  // Nobody waits for them while the faults strike.
  const loading = Promise.all(clients);
  loading.catch(() => {});
  const done = await killAtRandom(scene, cluster, { seed, kills });
  isOver = true;
  await loading;
  t.comment(JSON.stringify(done));
  record(t.name, { seed, kills: done });
  t.strictSame(await scene.judged(), []);
});
