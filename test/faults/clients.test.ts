// R9, R10, R14: clients that vanish, lie about their length, trickle or do not read; uploads so slow and so many that
// connections would run out, if one were held while waiting for a client.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { get } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { proxyTo } from '../helpers/proxy.ts';
import type { Server } from '../helpers/server.ts';
import { Driver } from './driver.ts';
import type { Upload } from './generate.ts';
import { eventually, IS_LONG, openScene } from './scene.ts';

/** A socket of its own to the server, with what it has answered so far. */
async function open(server: Pick<Server, 'url'>): Promise<{ socket: Socket; heard(): string; isOver(): boolean }> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  let heard = '';
  let isOver = false;
  socket.on('data', (piece) => {
    heard += piece;
  });
  socket.on('error', () => {});
  for (const name of ['end', 'close']) {
    socket.on(name, () => {
      isOver = true;
    });
  }
  await once(socket, 'connect');
  return { socket, heard: () => heard, isOver: () => isOver };
}

function head({ query, key }: Upload, lengthLine: string): string {
  const keyLine = key === null ? '' : `Idempotency-Key: ${key}\r\n`;
  return `POST /v1/events?${new URLSearchParams(query)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n${keyLine}${lengthLine}\r\n\r\n`;
}

const LIES: [string, (upload: Upload) => [lengthLine: string, body: Buffer]][] = [
  ['announces more than it sends', ({ body }) => [`Content-Length: ${body.length + 100}`, body]],
  ['sends no terminator', ({ body }) => ['Transfer-Encoding: chunked', chunk(body)]],
  ['breaks off in a chunk', ({ body }) => ['Transfer-Encoding: chunked', chunk(body).subarray(0, -10)]],
];

const chunk = (body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);

const LEAVINGS: [string, (socket: Socket) => void][] = [
  ['closes', (socket) => socket.destroy()],
  ['resets', (socket) => socket.resetAndDestroy()],
  ['ends its half', (socket) => socket.end()],
];

t.test('a client that lies about its length and leaves: nothing is stored, and its key is free', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 53 });
  const server = await scene.start();
  for (const size of ['small', 'large'] as const) {
    for (const [lie, make] of LIES) {
      for (const [how, leave] of LEAVINGS) {
        if (size === 'large' && how !== 'resets' && !IS_LONG) continue;
        const upload = scene.generator.upload({ size, hasKey: true, bad: 0 });
        scene.driver.announce(upload);
        const { socket } = await open(server);
        const [lengthLine, body] = make(upload);
        socket.write(head(upload, lengthLine));
        await new Promise((written) => socket.write(body, written));
        await sleep(100);
        const before = await loads(database, upload);
        leave(socket);
        const { status } = await scene.send(upload);
        t.equal(status, 201, `${size}, ${lie}, ${how}`);
        t.equal(before, 0);
        socket.destroy();
      }
    }
  }
  t.strictSame(await scene.judged(), []);
});

t.test('a body longer than announced is read to its announced end, the rest is no upload', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 59 });
  const server = await scene.start();
  const upload = scene.generator.upload({ size: 'small', hasKey: true, bad: 0, lines: 3 });
  scene.driver.announce(upload);
  const { socket, heard, isOver } = await open(server);
  socket.write(head(upload, `Content-Length: ${upload.body.length}`));
  socket.write(Buffer.concat([upload.body, Buffer.from('{"note":"stowaway","amount":1}\n')]));
  // Whether the upload's own answer is out before the stowaway ends the connection is a matter of luck.
  await eventually('answered', isOver);
  t.match(heard(), /HTTP\/1.1 400/, 'what follows is no request');
  t.strictSame(await database.query(`SELECT FROM events.visit WHERE note = 'stowaway'`), []);
  t.equal((await scene.send(upload)).status, 201);
  t.strictSame(await scene.judged(), []);
});

t.test('connections between client and server break anywhere, delay and trickle', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 61 });
  const server = await scene.start();
  const proxy = await proxyTo(t, server.url);
  const target = new URL(proxy.url).origin;
  const away = new Driver(scene.ledger, () => target);
  for (const how of ['end', 'reset'] as const) {
    for (const [direction, bytes] of [
      ['up', 100],
      ['up', 2_000_000],
      ['down', 0],
      ['down', 200],
    ] as const) {
      const upload = scene.generator.upload({
        size: bytes > 1_000 ? 'large' : 'small',
        hasKey: true,
        bad: 0.05,
        lines: bytes > 1_000 ? 2_300 : 20,
        isAborting: false,
      });
      proxy.inflict({ cutAfter: { direction, bytes: Math.max(1, bytes), how } });
      t.equal(
        (await away.send(upload, { tries: 1 })).status,
        null,
        `${how} after ${bytes} bytes ${direction}: no answer`,
      );
      proxy.heal();
      t.ok([201, 207].includes((await scene.send(upload)).status!), 'the next try gives the report');
    }
  }
  proxy.inflict({ trickle: { bytes: 200, everyMs: 2 }, latencyMs: 5 });
  const slow = scene.generator.upload({ size: 'small', hasKey: true, bad: 0 });
  t.equal((await away.send(slow)).status, 201, 'slow and honest is well');
  t.strictSame(await scene.judged(), []);
});

t.test(
  'slow headers, a body that trickles, a client that does not read: each is cut, the others notice nothing',
  async (t) => {
    const database = await testDatabase(t);
    const scene = await openScene(t, { database, seed: 67 });
    const server = await scene.start({ IDLE_TIMEOUT_MS: '1500' });
    const upload = scene.generator.upload({ size: 'small', hasKey: true, bad: 0 });
    const headers = await open(server);
    const body = await open(server);
    body.socket.write(head(upload, 'Content-Length: 100000'));
    const reader = await open(server);
    const many = scene.generator.upload({ size: 'large', hasKey: false, bad: 1, lines: 20_000, isAborting: false });
    const report = new URLSearchParams({ ...many.query, report: 'full' });
    reader.socket.pause();
    reader.socket.write(
      `POST /v1/events?${report} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${many.body.length}\r\n\r\n`,
    );
    reader.socket.write(many.body);
    const trickling = setInterval(() => {
      if (!headers.socket.destroyed) headers.socket.write('X');
      if (!body.socket.destroyed) body.socket.write(' ');
    }, 300);
    t.teardown(() => clearInterval(trickling));
    for (let tries = 0; tries < 10; tries++) {
      t.equal((await scene.send(scene.generator.upload({ size: 'small', bad: 0 }))).status, 201, 'others are served');
    }
    await eventually('the trickling body is cut', () => body.isOver(), 60_000);
    t.match(body.heard(), /^(HTTP\/1.1 408 |$)/);
    await eventually('slow headers are cut', () => headers.isOver(), 90_000);
    clearInterval(trickling);
    await eventually(
      'nobody waits for the reader',
      async () => {
        const busy = await database.query(
          `SELECT FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database() AND state <> 'idle'`,
        );
        return busy.length === 0;
      },
      60_000,
    );
    for (const { socket } of [headers, body, reader]) socket.destroy();
  },
);

t.test('fifty slow uploads and two connections: single events are stored all the while', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 71 });
  const server = await scene.start({ POOL_SIZE: '2' });
  const slow = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const upload = scene.generator.upload({ size: index < 5 ? 'large' : 'small', hasKey: true, bad: 0 });
      scene.driver.announce(upload);
      const talker = await open(server);
      talker.socket.write(head(upload, 'Transfer-Encoding: chunked'));
      talker.socket.write(chunk(upload.body));
      return { upload, ...talker };
    }),
  );
  await sleep(500);
  for (let count = 0; count < 20; count++) {
    const upload = scene.generator.upload({ size: 'small', lines: 1, bad: 0 });
    t.equal((await scene.send(upload, { tries: 1 })).status, 201, 'a single event goes through');
    t.equal((await get(server, '/healthz')).status, 200);
  }
  for (const { socket } of slow) socket.write('0\r\n\r\n');
  await eventually('all are answered', () => slow.every(({ heard }) => heard().includes('HTTP/1.1 201')), 60_000);
  for (const { socket } of slow) socket.destroy();
  // The ledger learns of their reports by their keys.
  for (const { upload } of slow) t.equal((await scene.send(upload)).status, 201);
  t.strictSame(await scene.judged(), []);
});

async function loads({ query }: Awaited<ReturnType<typeof testDatabase>>, upload: Upload): Promise<number> {
  const table = upload.subject === 'order' ? 'events."order"' : 'events.visit';
  return (await query(`SELECT FROM ${table} WHERE note LIKE $1 LIMIT 1`, [`${upload.id}:%`])).length;
}
