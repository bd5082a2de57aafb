// R17, R24, and on demand R18: several processes start on one empty database, some are killed in the middle of it; the
// schema folder changes while uploads run; an old process works beside a new one.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import { schemaFolder } from '../helpers/schemas.ts';
import { SCHEMAS } from './generate.ts';
import { seeded } from './random.ts';
import { IS_LONG, openScene } from './scene.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const SHAPE = `SELECT table_schema, table_name, column_name, data_type, is_nullable FROM information_schema.columns
  WHERE table_schema IN ('sluice', 'events', 'stage') ORDER BY 1, 2, 3`;

t.test('processes are killed in the middle of the migrations: those that start next need no help', async (t) => {
  const whole = await testDatabase(t);
  const reference = await openScene(t, { database: whole });
  await reference.start();
  const expected = await whole.query(SHAPE);
  const random = seeded(Number(process.env.FAULTS_SEED ?? 83));
  const rounds = IS_LONG ? 8 : 1;
  for (let round = 0; round < rounds; round++) {
    const database = await testDatabase(t);
    const schemaDir = await schemaFolder(t, SCHEMAS);
    // Killed at whatever table they were at, each at its own moment.
    const killed = [0, 1].map(async (index) => {
      const child = spawn(process.execPath, ['bin/sluice.js', 'migrate'], {
        cwd: ROOT,
        env: { PATH: process.env.PATH, DATABASE_URL: database.url, SCHEMA_DIR: schemaDir },
        stdio: 'ignore',
      });
      const ended = once(child, 'exit');
      const tables = random.int(0, 8) + index;
      for (let tries = 0; tries < 500 && child.exitCode === null; tries++) {
        const rows = await database.query(`SELECT FROM pg_class WHERE relnamespace = to_regnamespace('sluice')`);
        if (rows.length > tables) break;
        await sleep(5);
      }
      child.kill('SIGKILL');
      await ended;
    });
    await Promise.all(killed);
    const scene = await openScene(t, { database, seed: 83 + round });
    await Promise.all([1, 2, 3].map(() => scene.start()));
    t.strictSame(await database.query(SHAPE), expected, 'the same tables');
    for (let count = 0; count < 3; count++) {
      t.equal((await scene.send(scene.generator.upload({ size: 'small', bad: 0 }))).status, 201, 'each process works');
    }
    t.strictSame(await scene.judged(), []);
  }
});

t.test('schemas are added, broken and deleted while uploads run: a batch keeps those that it began with', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 89 });
  const server = await scene.start();
  const reload = () => fetch(`${server.url}/v1/schemas/reload`, { method: 'POST' }).then(({ status }) => status);
  let isOver = false;
  const loading = (async () => {
    for (; !isOver; await sleep(20)) {
      const upload = scene.generator.upload({
        size: 'large',
        subject: 'visit',
        hasKey: true,
        bad: 0.05,
        isAborting: false,
      });
      t.equal((await scene.send(upload)).status, 207, 'judged by the version that it began with');
    }
  })();
  const newer = structuredClone(SCHEMAS['visit/1.0.0.json']) as { properties: Record<string, object> };
  newer.properties.colour = { type: 'string' };
  const file = (version: string) => join(scene.schemaDir, 'visit', `${version}.json`);
  for (let round = 1; round <= 3; round++) {
    await writeFile(file(`1.${round}.0`), JSON.stringify(newer));
    newer.properties[`more_${round}`] = { type: 'integer' };
    await sleep(50);
    t.equal(await reload(), 200, 'a version is added');
    await writeFile(file('9.0.0'), '{"type": "obj');
    t.equal(await reload(), 422, 'a broken one changes nothing');
    await rm(file('9.0.0'));
    await sleep(100);
  }
  // The version that the uploads are judged by goes, and comes back.
  await rm(file('1.3.0'));
  t.equal(await reload(), 200, 'one is deleted');
  isOver = true;
  await loading;
  t.strictSame(await scene.judged(), []);
});

const old = process.env.FAULTS_OLD;
const onDemand = old === undefined ? { skip: 'npm run faults -- --old REF names the older revision' } : {};

t.test(`an older revision works beside this one${old === undefined ? '' : `: ${old}`}`, onDemand, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-old-'));
  t.teardown(() => {
    execFileSync('git', ['worktree', 'remove', '--force', folder], { cwd: ROOT });
    rmSync(folder, { recursive: true, force: true });
  });
  execFileSync('git', ['worktree', 'add', '--detach', folder, old!], { cwd: ROOT, stdio: 'pipe' });
  if (!existsSync(join(folder, 'node_modules'))) symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: folder,
  });
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 97 });
  const olds = { program: [join(folder, 'bin/sluice.js'), 'serve'] };
  const mixed = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const upload = scene.generator.upload({ hasKey: true, bad: 0.05, isAborting: false });
      t.ok([201, 207, 422].includes((await scene.send(upload)).status!));
      await scene.driver.again(upload);
    }
  };
  const first = await scene.start({}, olds);
  await mixed(6);
  // The new one migrates the tables under the old one, which goes on; then back again.
  await scene.start();
  await mixed(20);
  await scene.kill(first);
  await mixed(6);
  t.strictSame(await scene.judged(), []);
  await t.test('and back: it starts on the newer tables', async (t) => {
    await scene.start({}, olds);
    await mixed(20);
    t.strictSame(await scene.judged(), []);
  });
});
