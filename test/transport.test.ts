// Requests as bytes on a socket: what HTTP itself can get wrong.
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { eventually } from './helpers/eventually.ts';
import { exchange } from './helpers/exchange.ts';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { raw } from './helpers/raw.ts';
import { startServer } from './helpers/server.ts';

const line = `${JSON.stringify(userEvent())}\n`;
const type = 'Content-Type: application/x-ndjson\r\n';
const length = `Content-Length: ${line.length}\r\n`;
const chunk = `${line.length.toString(16)}\r\n${line}\r\n`;

const post11 = (headers: string, body: string): string =>
  `POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${type}${headers}\r\n${body}`;

const REQUESTS: [name: string, parts: (string | Buffer)[], status: number, code?: string][] = [
  ['a length', [post11(length, line)], 201],
  ['chunks', [post11('Transfer-Encoding: chunked\r\n', `${chunk}0\r\n\r\n`)], 201],
  ['chunks with a trailer', [post11('Transfer-Encoding: chunked\r\n', `${chunk}0\r\nX: y\r\n\r\n`)], 201],
  ['a length and chunks', [post11(`${length}Transfer-Encoding: chunked\r\n`, `${chunk}0\r\n\r\n`)], 400, 'bad_request'],
  ['two lengths', [post11(`${length}Content-Length: 1\r\n`, line)], 400, 'bad_request'],
  ['an unknown transfer coding', [post11('Transfer-Encoding: xchunked\r\n', chunk)], 400, 'bad_request'],
  ['a broken chunk size', [post11('Transfer-Encoding: chunked\r\n', `zz\r\n${line}\r\n`)], 400],
  ['NUL in a header', [post11(`X: a\0b\r\n${length}`, line)], 400, 'bad_request'],
  ['a header of 20 kB', [post11(`X: ${'x'.repeat(20_000)}\r\n${length}`, line)], 431, 'headers_too_large'],
  ['no HTTP at all', ['hello\r\n\r\n'], 400, 'bad_request'],
  ['HTTP/1.0 without a length', [`POST /v1/events HTTP/1.0\r\n${type}\r\n`], 400, 'empty_body'],
  ['HTTP/1.0 with a length', [`POST /v1/events HTTP/1.0\r\n${type}${length}\r\n${line}`], 201],
  ['no Host', [`POST /v1/events HTTP/1.1\r\nConnection: close\r\n${type}${length}\r\n${line}`], 400],
  [
    'a key in latin-1 bytes',
    [Buffer.from(post11(`Idempotency-Key: sch\xf6n\r\n${length}`, line), 'latin1')],
    400,
    'invalid_idempotency_key',
  ],
  [
    'a path out of the tree',
    ['GET /v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    404,
    'not_found',
  ],
  [
    'a path with half an escape',
    ['GET /v1/batches/% HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    400,
    'bad_request',
  ],
  [
    'a parameter of 10 kB',
    [`GET /v1/batches/${'x'.repeat(10_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`],
    400,
  ],
];

const answers = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status!);

t.test('every request gets an answer, and none of them a 500', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  for (const [name, parts, status, code] of REQUESTS) {
    const answer = await exchange(server, ...parts);
    t.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), name);
    if (code !== undefined) {
      t.match(answer, `"code":"${code}"`, name);
      t.match(answer, /content-type: application\/problem\+json/i, name);
    }
  }
  const stored = REQUESTS.filter(([, , status]) => status === 201).length;
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: stored }]);
});

t.test('pipelined requests are answered in order, and a client may ask before it sends', async (t) => {
  const server = await startServer(t);
  const keepAlive = `POST /v1/events HTTP/1.1\r\nHost: x\r\n${type}${length}\r\n${line}`;
  const piped = await exchange(
    server,
    keepAlive,
    keepAlive,
    'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  t.strictSame(answers(piped), ['201', '201', '200']);
  const asked = await exchange(server, post11(`Expect: 100-continue\r\n${length}`, line));
  t.match(asked, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});

t.test(
  'a stream cut into single bytes, in the middle of characters and line endings, is the same stream',
  async (t) => {
    const { url: databaseUrl, query } = await testDatabase(t);
    const server = await startServer(t, { databaseUrl });
    const body = Buffer.from(`\ufeff${ndjson(userEvent({}, { phone_number: 'ä€😀' })).replace('\n', '\r\n')}{\n`);
    const head = `POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${type}Transfer-Encoding: chunked\r\n\r\n`;
    const bytes = [...body].flatMap((byte) => [Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]);
    const answer = await exchange(server, head, ...bytes, '0\r\n\r\n');
    t.match(answer, /^HTTP\/1\.1 207 /);
    t.strictSame(await query('SELECT phone_number FROM events.user_event'), [{ phone_number: 'ä€😀' }]);
    const whole = await post(server, body);
    t.strictSame(whole.json.rejections, JSON.parse(/"rejections":(\[.*?\]),"rejections_trunc/.exec(answer)![1]!));
    t.equal((await get(server, '/v1/batches')).json.items.length, 2);
  },
);

t.test('a connection on which body after body is refused answers each request, and goes on', async (t) => {
  const server = await startServer(t, { env: { MAX_BODY_BYTES: '100000' } });
  const large = 'x'.repeat(300_000);
  const sized = (type: string, body: string) =>
    `POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const chunked = `POST /v1/events HTTP/1.1\r\nHost: x\r\n${type}Transfer-Encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`;
  const requests: [request: string, status: string][] = [
    [sized('text/plain', large), '415'],
    [chunked, '413'],
    [sized('application/json', '{'), '422'],
    [sized('application/json', large), '413'],
    [sized('text/plain', 'x'), '415'],
    [sized('application/x-ndjson', line), '201'],
  ];
  const connection = await raw(server, '');
  const expected: string[] = [];
  for (let turn = 0; turn < 60; turn++) {
    const [request, status] = requests[turn % requests.length]!;
    // The rest of a body comes before or after the answer, as it happens.
    const cut = (turn * 7919) % request.length;
    connection.socket.write(request.slice(0, cut));
    if (turn % 3 === 0) await sleep(5);
    connection.socket.write(request.slice(cut));
    expected.push(status);
    await eventually(async () => answers(connection.text()).length > turn);
  }
  t.strictSame(answers(connection.text()), expected);
  t.notMatch(server.logs().join('\n'), /MaxListeners/, 'and nothing of them stays with it');
  connection.socket.destroy();
});
