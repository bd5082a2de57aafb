// R1, R2, R3: the process dies at each named place, with small and large uploads, with and without a key. What was not
// acknowledged is there whole or not at all, and a key resolves the doubt.
import t, { type Test } from 'tap';
import { FAULT_POINTS, type FaultPoint } from '../../src/fault-point.ts';
import { testDatabase } from '../helpers/postgres.ts';
import type { Wish } from './generate.ts';
import { openScene, type Scene } from './scene.ts';

for (const size of ['small', 'large'] as const) {
  t.test(`killed at each place, ${size} uploads, with and without a key`, async (t) => {
    const database = await testDatabase(t);
    const scene = await openScene(t, { database, seed: 11 });
    // A small upload is tried again at a process that starts afterwards, a large one at a process that is there already.
    if (size === 'large') await scene.start();
    for (const point of FAULT_POINTS) {
      // A small upload has no chunk on the way.
      if (point === 'mid-upload' && size === 'small') continue;
      for (const hasKey of [true, false]) {
        if (point === 'after-claim' && !hasKey) continue;
        await killedAt(t, scene, point, { size, hasKey });
      }
    }
    for (const server of scene.running()) await scene.kill(server);
    await scene.start();
    t.strictSame(await scene.judged(), []);
  });
}

async function killedAt(t: Test, scene: Scene, point: FaultPoint, wish: Wish): Promise<void> {
  const { hasKey } = wish;
  const doomed = await scene.start({ FAULT_POINT: point });
  scene.excuse(doomed);
  const upload = scene.generator.upload({ ...wish, bad: 0.05, isAborting: false });
  // The careful client goes on asking until a server is there again.
  const sending = scene.send(upload, { first: doomed });
  // This signal ends nothing: it dies of itself.
  await doomed.stop('SIGCONT');
  t.equal(doomed.child.signalCode, 'SIGKILL', `it died ${point}`);
  const next = hasKey && scene.running().length === 0 ? await scene.start() : undefined;
  const answer = await sending;
  if (hasKey) t.ok([201, 207].includes(answer.status!), 'the next process gives the report');
  else t.equal(answer.status, null, 'whether it was stored, nobody told');
  const loads = await loadsOf(scene, upload.id);
  t.equal(loads, hasKey || point === 'after-commit' ? 1 : 0, 'once, or not at all');
  if (next !== undefined) await scene.kill(next);
}

/** In how many batches rows of an upload are. */
async function loadsOf({ query }: Scene, upload: string): Promise<number> {
  const rows = await query(
    `SELECT _batch_id FROM events."order" WHERE note LIKE $1
     UNION SELECT _batch_id FROM events.visit WHERE note LIKE $1`,
    [`${upload}:%`],
  );
  return rows.length;
}
