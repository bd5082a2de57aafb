// R7: the disk under Postgres's data, and then the one under its WAL, is full. Nothing acknowledged is lost, the answer is
// 507 or 503, and when there is room again all works. The disks are small tmpfs mounts, for which one has to be root.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { get } from '../helpers/http.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { eventually, openScene, type Scene } from './scene.ts';

const MIB = 1024 * 1024;

/** A small disk, or why there can be none here. */
function smallDisk(t: Test, megabytes: number): string | { reason: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  chmodSync(folder, 0o755);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=755`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    rmSync(folder, { recursive: true });
    return { reason: `no small disk can be mounted here: ${(error as Error).message.split('\n').at(-1)}` };
  }
  // What is torn down last was set up first: the cluster on it is gone by then.
  t.teardown(() => {
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** Leaves so much room on a disk, or gives it back. */
function ballast(disk: string): { leave(megabytes: number): void; drop(): void } {
  const file = join(disk, 'ballast');
  return {
    leave: (megabytes) => {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - megabytes * MIB)));
    },
    drop: () => rmSync(file, { force: true }),
  };
}

t.test('the data disk is full', async (t) => {
  const disk = smallDisk(t, 128);
  if (typeof disk !== 'string') {
    t.pass('skipped', { skip: disk.reason });
    return;
  }
  // The WAL is kept small, or it would fill the disk by itself.
  const settings = { max_wal_size: '32MB', min_wal_size: '32MB' };
  const home = join(disk, 'home');
  mkdirSync(home);
  const cluster = await startCluster(t, { home, settings });
  await fillUp(t, cluster, ballast(disk), 4);
});

t.test('the WAL disk is full', async (t) => {
  const disk = smallDisk(t, 64);
  if (typeof disk !== 'string') {
    t.pass('skipped', { skip: disk.reason });
    return;
  }
  const wal = join(disk, 'wal');
  const cluster = await startCluster(t, {
    settings: { max_wal_size: '32MB', min_wal_size: '32MB' },
    prepare: (at) => {
      renameAcross(join(at.data, 'pg_wal'), wal);
      symlinkSync(wal, join(at.data, 'pg_wal'));
    },
  });
  if (cluster.owner !== undefined) chownSync(wal, cluster.owner.uid, cluster.owner.gid);
  await fillUp(t, cluster, ballast(disk), 0);
});

/** From one disk to another; owners and modes stay. */
function renameAcross(from: string, to: string): void {
  execFileSync('cp', ['-a', from, to]);
  renameSync(from, `${from}.old`);
}

/** Uploads until there is no room, makes room, and goes on. */
async function fillUp(t: Test, cluster: Cluster, room: ReturnType<typeof ballast>, leave: number): Promise<void> {
  const scene = await openScene(t, { database: cluster, seed: 29 });
  const server = await scene.start();
  t.equal((await scene.send(upload(scene))).status, 201, 'there is room');
  room.leave(leave);
  const refusals: (number | null)[] = [];
  const first = upload(scene);
  for (let tries = 0; tries < 30 && refusals.length < 2; tries++) {
    const next = refusals.length === 0 && tries === 0 ? first : upload(scene);
    const { status } = await scene.send(next, { tries: 1 });
    if (status !== 201) refusals.push(status);
  }
  t.ok(refusals.length >= 1, 'there is no room any more');
  for (const status of refusals) t.ok(status === 507 || status === 503, `refused with ${status}`);
  t.equal((await get(server, '/healthz')).status, 200, 'the process lives');
  room.drop();
  // Where the WAL cannot be written Postgres stops, and comes back only when it is started again.
  if (!cluster.isRunning()) await cluster.start();
  await eventually('ready again', async () => {
    if (!cluster.isRunning()) await cluster.start();
    return (await get(server, '/readyz').catch(() => undefined))?.status === 200;
  });
  t.equal((await scene.send(upload(scene))).status, 201, 'there is room again');
  t.strictSame(await scene.judged(), []);
}

const upload = (scene: Scene) => scene.generator.upload({ subject: 'visit', size: 'large', hasKey: true, bad: 0 });
