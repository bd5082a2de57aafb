// What the network can do to `sluice load`, played by small servers of these tests; the real server is in load.test.ts.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { sluice } from './sluice.ts';

const MIB = 1024 * 1024;
const LINES = '{"event_type":1}\n'.repeat(1_000_000);

async function listen(t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function serving(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  t.teardown(() => server.closeAllConnections());
  return listen(t, server);
}

function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/problem+json', connection: 'close', ...headers });
  response.end(
    JSON.stringify({ type: `urn:sluice:problem:${code}`, title: code, status, detail: `said ${code}`, code }),
  );
}

/** Resolves when so many bytes of the body have come. */
async function taken(request: IncomingMessage, bytes: number): Promise<void> {
  let seen = 0;
  request.on('error', () => {});
  await new Promise<void>((resolve) => {
    request.on('data', (chunk: Buffer) => {
      seen += chunk.length;
      if (seen >= bytes) resolve();
    });
  });
}

const RESETS = 'and resets the connection';
const manners: Record<string, (request: IncomingMessage) => void> = {
  'and reads on': () => {},
  'and reads no more': (request) => request.pause(),
  'and closes the connection': (request) => request.socket.destroy(),
  [RESETS]: (request) => request.socket.resetAndDestroy(),
};

for (const [manner, then] of Object.entries(manners)) {
  t.test(`an answer in the middle of the upload is shown when the server answers ${manner}`, async (t) => {
    const url = await serving(t, async (request, response) => {
      await taken(request, MIB);
      response.once('finish', () => then(request));
      // A connection that is shutting down cannot be reset: Node would leak its handle and never end (libuv: EINVAL).
      refuse(response, 413, 'body_too_large', then === manners[RESETS] ? { connection: 'keep-alive' } : {});
    });
    for (let round = 0; round < 5; round++) {
      const { code, stdout, stderr } = await sluice(t, ['load', '-', '--url', url], { stdin: LINES });
      t.same([code, stdout], [2, '']);
      t.equal(stderr, 'sluice: standard input: 413 body_too_large: said body_too_large\n');
    }
  });
}

t.test('an answer is shown at once although standard input stays open and silent', async (t) => {
  const url = await serving(t, (request, response) => {
    request.resume();
    refuse(response, 429, 'too_many_batches', { 'retry-after': '7' });
  });
  const { code, stderr } = await sluice(t, ['load', '-', '--url', url], { stdin: '{}\n', staysOpen: true });
  t.equal(code, 2);
  t.equal(stderr, 'sluice: standard input: 429 too_many_batches: said too_many_batches (try again in 7 s)\n');
});

t.test('a connection that breaks before the answer is told as such', async (t) => {
  const url = await serving(t, async (request) => {
    await taken(request, MIB);
    request.socket.resetAndDestroy();
  });
  const { code, stderr } = await sluice(t, ['load', '-', '--url', url], { stdin: LINES });
  t.equal(code, 2);
  t.match(stderr, /broke before the answer \((ECONNRESET|EPIPE)\)/);
  t.equal(stderr.trim().split('\n').length, 1);
});

t.test('an answer that breaks off is told as such', async (t) => {
  const url = await serving(t, (request, response) => {
    request.resume().on('end', () => {
      response.writeHead(201, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"batch_id":', () => request.socket.destroy());
    });
  });
  const { code, stderr } = await sluice(t, ['load', '-', '--url', url], { stdin: '{}\n' });
  t.equal(code, 2);
  t.match(stderr, 'broke before the answer');
});

t.test('where nothing listens, the message names the URL and how to start a server', async (t) => {
  const server = createTcpServer();
  const url = await listen(t, server);
  server.close();
  await once(server, 'close');
  const dir = t.testdir({ 'a.ndjson': '{}\n' });
  const { code, stdout, stderr } = await sluice(t, ['load', 'a.ndjson', '--url', url], { cwd: dir });
  t.same([code, stdout], [2, '']);
  t.equal(
    stderr,
    `sluice: a.ndjson: no server listens at ${url}: start one with "sluice serve", or name another with --url or SLUICE_URL\n`,
  );
});

t.test('an answer of something else is not taken for a report', async (t) => {
  const answers: [type: string, body: string][] = [
    ['text/html', '<h1>It works!</h1>'],
    ['application/json', '{"ok":true}'],
    ['application/json', '{"batch_id":'],
    ['application/problem+json', 'null'],
  ];
  for (const [type, body] of answers) {
    const url = await serving(t, (request, response) => {
      request.resume().on('end', () => response.setHeader('content-type', type).end(body));
    });
    const { code, stderr } = await sluice(t, ['load', '-'], { stdin: '{}\n', env: { SLUICE_URL: url } });
    t.equal(code, 2);
    t.match(stderr, `${url} answers, but not as Sluice does (status 200, content type ${type})`);
  }
});

t.test('a server that takes its time is waited for', async (t) => {
  const url = await serving(t, async (request, response) => {
    await setTimeout(300);
    request.resume();
    await once(request, 'end');
    await setTimeout(300);
    refuse(response, 503, 'database_unavailable');
  });
  const { code, stderr } = await sluice(t, ['load', '-', '--url', url], { stdin: LINES });
  t.equal(code, 2);
  t.match(stderr, '503 database_unavailable');
});

t.test('what is sent is what was read, and a URL may have a path', async (t) => {
  const seen: [
    url: string | undefined,
    type: string | undefined,
    encoding: string | undefined,
    key: string | undefined,
    bytes: number,
  ][] = [];
  const url = await serving(t, async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += chunk.length;
    const { headers } = request;
    seen.push([
      request.url,
      headers['content-type'],
      headers['content-encoding'],
      headers['idempotency-key'] as string,
      bytes,
    ]);
    refuse(response, 400, 'bad_request');
  });
  const options = [
    '--schema',
    'user_event/1',
    '--on-error',
    'abort',
    '--max-rejected',
    '2.5%',
    '--dry-run',
    '--idempotency-key',
    'k1',
  ];
  await sluice(t, ['load', '-', '--url', `${url}/behind/proxy`, ...options], { stdin: LINES });
  const query = 'schema=user_event%2F1&on_error=abort&max_rejected=2.5%25&dry_run=true';
  t.same(seen, [[`/behind/proxy/v1/events?${query}`, 'application/x-ndjson', undefined, 'k1', LINES.length]]);
});
