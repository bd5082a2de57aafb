// R15: SIGTERM with work in flight. What can be finished within the grace time is, everything else fails unacknowledged,
// and the process ends with 0.
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import type { Server } from '../helpers/server.ts';
import { post } from './driver.ts';
import type { Upload } from './generate.ts';
import { openScene } from './scene.ts';

/** An upload whose end is still to come. */
function begin(server: Server, upload: Upload): { end(): void; status: Promise<number | null> } {
  const sent = request(`${server.url}/v1/events?${new URLSearchParams(upload.query)}`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': upload.key! },
  });
  const half = upload.body.length >> 1;
  sent.write(upload.body.subarray(0, half));
  const status = new Promise<number | null>((resolve) => {
    sent.on('error', () => resolve(null));
    sent.on('response', (response) => {
      response.resume().on('error', () => {});
      resolve(response.statusCode!);
    });
  });
  return { end: () => sent.end(upload.body.subarray(half)), status };
}

for (const size of ['small', 'large'] as const) {
  t.test(`SIGTERM during ${size} uploads: one ends in time, one never ends, one waits for a lock`, async (t) => {
    const database = await testDatabase(t);
    const scene = await openScene(t, { database, seed: 73 });
    const server = await scene.start({ DRAIN_MS: '6000' });
    scene.excuse(server);
    const next = () => {
      const upload = scene.generator.upload({
        subject: 'visit',
        size,
        hasKey: true,
        bad: 0,
        lines: size === 'small' ? 10 : 2_300,
      });
      scene.driver.announce(upload);
      return upload;
    };
    const [timely, endless] = [next(), next()];
    const locked = scene.generator.upload({ subject: 'order', size, hasKey: true, bad: 0 });
    scene.driver.announce(locked);
    const [first, second, third] = [timely, endless, locked].map((upload) => begin(server, upload));
    await sleep(500);
    const holding = database.query(
      'DO $$ BEGIN LOCK TABLE events."order" IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(8); END $$',
    );
    await sleep(200);
    third!.end();
    const ended = server.stop();
    await sleep(300);
    const late = await post(
      server.url,
      { key: null, query: { schema: 'visit' } },
      Buffer.from('{"note":"late","amount":1}\n'),
    );
    t.ok(late.status === 503 || late.status === null, 'nothing new is taken');
    first!.end();
    t.equal(await first!.status, 201, 'finished');
    const failed = await Promise.all([second!.status, third!.status]);
    for (const status of failed)
      t.ok(status === 503 || status === null, `failed without an acknowledgement: ${status}`);
    t.equal(await ended, 0, 'it ends with 0');
    await holding;
    const heir = await scene.start();
    t.ok(heir.pid !== server.pid);
    for (const upload of [timely, endless, locked])
      t.equal((await scene.send(upload)).status, 201, 'the next process goes on');
    t.strictSame(await scene.judged(), []);
  });
}

t.test('a second SIGTERM ends what is in flight at once, with 0', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 79 });
  const server = await scene.start({ DRAIN_MS: '60000' });
  scene.excuse(server);
  const upload = scene.generator.upload({ size: 'small', hasKey: true, bad: 0, lines: 10 });
  scene.driver.announce(upload);
  const endless = begin(server, upload);
  await sleep(300);
  const closed = once(server.child, 'close');
  server.child.kill('SIGTERM');
  await sleep(500);
  server.child.kill('SIGTERM');
  const code = await Promise.race([closed.then(([each]) => each), sleep(20_000, 'still there', { ref: false })]);
  t.equal(code, 0);
  const status = await Promise.race([endless.status, sleep(1_000, 'nothing', { ref: false })]);
  t.ok(status === 503 || status === null, `failed: ${status}`);
  await scene.start();
  t.equal((await scene.send(upload)).status, 201);
  t.strictSame(await scene.judged(), []);
});
