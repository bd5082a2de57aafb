// The proxy does to a connection what it says, and nothing else.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { proxyTo } from '../helpers/proxy.ts';

interface Pair {
  proxy: Awaited<ReturnType<typeof proxyTo>>;
  /** Opens a connection through the proxy. */
  open(): Promise<Talker>;
  /** Everything that arrived behind the proxy, over all connections. */
  received(): Buffer;
  ends: string[];
}

interface Talker {
  socket: Socket;
  received(): Buffer;
  ends: string[];
}

function listenTo(socket: Socket, pieces: Buffer[], ends: string[]): void {
  socket.on('data', (piece) => pieces.push(piece));
  socket.on('end', () => ends.push('end'));
  socket.on('error', (error: NodeJS.ErrnoException) => ends.push(error.code ?? error.message));
}

/** An echo server with the proxy before it. */
async function echo(t: Test): Promise<Pair> {
  const pieces: Buffer[] = [];
  const ends: string[] = [];
  const server = createServer((socket) => {
    listenTo(socket, pieces, ends);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const proxy = await proxyTo(t, `tcp://127.0.0.1:${port}`);
  const open = async (): Promise<Talker> => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(proxy.url).port) });
    t.teardown(() => socket.destroy());
    const own: Buffer[] = [];
    const ownEnds: string[] = [];
    listenTo(socket, own, ownEnds);
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {});
    return { socket, received: () => Buffer.concat(own), ends: ownEnds };
  };
  return { proxy, open, received: () => Buffer.concat(pieces), ends };
}

async function eventually(t: Test, what: string, ask: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !ask(); tries++) await sleep(20);
  t.ok(ask(), what);
}

t.test('bytes pass both ways, and a half-close stays one', async (t) => {
  const { open } = await echo(t);
  const { socket, received, ends } = await open();
  const sent = Buffer.alloc(3_000_000, 'x');
  socket.write(sent);
  socket.end('last');
  await eventually(t, 'all of it came back', () => received().length === sent.length + 4);
  await eventually(t, 'and the end', () => ends[0] === 'end');
});

t.test('latency holds every piece back', async (t) => {
  const { proxy, open, received } = await echo(t);
  const { socket } = await open();
  proxy.inflict({ latencyMs: 400 });
  socket.write('late');
  await sleep(150);
  t.equal(received().length, 0);
  await eventually(t, 'it arrives', () => received().length === 4);
});

t.test('a reset reaches both ends, and new connections are let through', async (t) => {
  const { proxy, open, ends } = await echo(t);
  const talker = await open();
  talker.socket.write('a');
  await eventually(t, 'it works', () => talker.received().length === 1);
  proxy.reset();
  await eventually(t, 'the client', () => talker.ends.includes('ECONNRESET'));
  await eventually(t, 'what is behind', () => ends.includes('ECONNRESET'));
  const next = await open();
  next.socket.write('b');
  await eventually(t, 'the next one works', () => next.received().toString() === 'b');
});

t.test('a deaf proxy reads nothing, and forgets nothing', async (t) => {
  const { proxy, open, received } = await echo(t);
  const { socket } = await open();
  proxy.inflict({ blackhole: 'deaf' });
  const sent = Buffer.alloc(64 * 1024 * 1024, 'x');
  socket.write(sent);
  await sleep(300);
  t.equal(received().length, 0);
  t.ok(socket.writableLength > 0, 'the buffers between are full');
  const next = await open();
  next.socket.write('y');
  await sleep(100);
  t.equal(received().length, 0, 'a new connection is taken and not answered either');
  proxy.heal();
  await eventually(t, 'all arrives', () => received().length === sent.length + 1);
});

t.test('a mute proxy reads and throws away, also what the other end is told of the close', async (t) => {
  const { proxy, open, received, ends } = await echo(t);
  const { socket } = await open();
  proxy.inflict({ blackhole: 'mute' });
  socket.write('lost');
  await eventually(t, 'it was read', () => socket.writableLength === 0);
  await sleep(100);
  proxy.heal();
  socket.write('kept');
  await eventually(t, 'what follows arrives', () => received().toString() === 'kept');
  proxy.inflict({ blackhole: 'mute' });
  socket.destroy();
  await sleep(100);
  t.strictSame(ends, []);
});

for (const [how, seen] of [
  ['end', 'end'],
  ['reset', 'ECONNRESET'],
] as const) {
  t.test(`a cut by ${how} after so many bytes, in either direction`, async (t) => {
    const { proxy, open, received, ends } = await echo(t);
    const up = await open();
    proxy.inflict({ cutAfter: { direction: 'up', bytes: 5, how } });
    up.socket.write('0123456789');
    await eventually(t, 'the client is told', () => up.ends.includes(seen));
    await eventually(t, 'so is what is behind', () => ends.includes(seen));
    if (how === 'end') t.equal(received().toString(), '01234');
    else t.ok(received().length <= 5);

    proxy.heal();
    const down = await open();
    proxy.inflict({ cutAfter: { direction: 'down', bytes: 3, how } });
    down.socket.write('abcdef');
    await eventually(t, 'again', () => down.ends.includes(seen));
    t.ok(received().toString().endsWith('abcdef'));
    t.ok(down.received().length <= 3);
  });
}

t.test('a trickle lets a few bytes through at a time', async (t) => {
  const { proxy, open, received } = await echo(t);
  const { socket } = await open();
  proxy.inflict({ trickle: { bytes: 2, everyMs: 60 } });
  socket.write('0123456789');
  await sleep(90);
  t.ok(received().length > 0 && received().length < 10, 'some of it');
  await eventually(t, 'then all', () => received().toString() === '0123456789');
});

t.test('one connection can suffer alone, and be watched', async (t) => {
  const { proxy, open } = await echo(t);
  const [one, other] = [await open(), await open()];
  await eventually(t, 'both are there', () => proxy.links().length === 2);
  const seen: string[] = [];
  proxy.links()[0]!.inflict({
    watch: (piece, direction) => {
      seen.push(`${direction} ${piece}`);
      return direction === 'down' ? 'reset' : 'pass';
    },
  });
  one.socket.write('question');
  other.socket.write('other');
  await eventually(t, 'its answer is kept back', () => one.ends.includes('ECONNRESET'));
  await eventually(t, 'the other one works', () => other.received().toString() === 'other');
  t.strictSame(seen, ['up question', 'down question']);
  t.equal(one.received().length, 0);
});

t.test('while cut, nothing is let through', async (t) => {
  const { proxy, open } = await echo(t);
  const talker = await open();
  proxy.cut();
  await eventually(t, 'the open one ends', () => talker.ends.length > 0);
  const refused = await open();
  await eventually(t, 'a new one is reset', () => refused.ends.includes('ECONNRESET'));
  proxy.mend();
  const next = await open();
  next.socket.write('x');
  await eventually(t, 'then it works again', () => next.received().length === 1);
});
