// Expect: 100-continue. What can be refused is refused before the client sends its body.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { ndjson, userEvent } from '../helpers/http.ts';
import { makeKey } from '../helpers/keys.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { raw } from '../helpers/raw.ts';
import { startServer } from '../helpers/server.ts';

const run = promisify(execFile);
const line = ndjson(userEvent());
const NDJSON = 'Content-Type: application/x-ndjson\r\n';
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

function head(target: string, headers: string, length = line.length): string {
  return `POST ${target} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n${headers}\r\n`;
}

t.test('a request is refused without a word that its body may come', async (t) => {
  const database = await testDatabase(t);
  const server = await startServer(t, { databaseUrl: database.url, env: { AUTH: 'on', MAX_BODY_BYTES: '1000000' } });
  const { key } = await makeKey(database);
  const limited = await makeKey(database, { requestsPerS: 1 });
  const reader = await makeKey(database, { scopes: ['read'] });
  const by = (each: string) => `Authorization: Bearer ${each}\r\n`;
  const refused: [name: string, request: string, status: number][] = [
    ['no key', head('/v1/events', NDJSON), 401],
    ['a key without the scope', head('/v1/events', NDJSON + by(reader.key)), 403],
    ['another type', head('/v1/events', `Content-Type: text/csv\r\n${by(key)}`), 415],
    ['another encoding', head('/v1/events', `${NDJSON}Content-Encoding: br\r\n${by(key)}`), 415],
    ['too many bytes', head('/v1/events', NDJSON + by(key), 1_000_001), 413],
    ['a parameter', head('/v1/events?dry_run=maybe', NDJSON + by(key)), 400],
    ['no such schema', head('/v1/events?schema=nothing', NDJSON + by(key)), 400],
    ['no such address', head('/v1/nothing', NDJSON + by(key)), 404],
    ['no JSON', head('/v1/rejections/replay', NDJSON + by(key)), 415],
  ];
  for (const [name, request, status] of refused) {
    const connection = await raw(server, request);
    t.ok(await connection.closed(), `${name}: the connection ends, for nobody knows whether the body comes`);
    t.match(connection.text(), new RegExp(`^HTTP/1.1 ${status} `), name);
    t.match(connection.text(), /^connection: close/im, name);
  }
  const answers = await Promise.all(
    Array.from({ length: 5 }, async () =>
      (await raw(server, head('/v1/events', NDJSON + by(limited.key)))).until(/\r\n\r\n/),
    ),
  );
  t.ok(
    answers.some((each) => each.startsWith('HTTP/1.1 429 ')),
    'over its limit',
  );
  t.same(await database.query('SELECT count(*)::int FROM sluice.batches WHERE status <> $1', ['receiving']), [
    { count: 0 },
  ]);
});

t.test('a request that is taken is told to go on, once, and the connection is good for another', async (t) => {
  const server = await startServer(t);
  const connection = await raw(server, head('/v1/events', NDJSON));
  t.equal(await connection.until(/\r\n\r\n/), CONTINUE);
  connection.socket.write(line);
  t.match(await connection.until(/"links"/), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 201 /);
  connection.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  t.match(await connection.until(/"ok"/), /"ok"/);
  connection.socket.destroy();

  const form = `--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n${line}\r\n--b--\r\n`;
  const multipart = await raw(
    server,
    head('/v1/events', 'Content-Type: multipart/form-data; boundary=b\r\n', form.length),
  );
  t.equal(await multipart.until(/\r\n\r\n/), CONTINUE);
  multipart.socket.write(form);
  t.match(await multipart.until(/"links"/), /HTTP\/1.1 201 /);
  multipart.socket.destroy();

  const json = '{"filter":{}}';
  const replay = await raw(server, head('/v1/rejections/replay', 'Content-Type: application/json\r\n', json.length));
  t.equal(await replay.until(/\r\n\r\n/), CONTINUE);
  replay.socket.write(json);
  t.match(await replay.until(/"replay_of"/), /HTTP\/1.1 200 /);
  replay.socket.destroy();
});

t.test('curl, which waits for the word with more than a mebibyte, uploads as ever', async (t) => {
  const server = await startServer(t);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-expect-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'events.ndjson');
  writeFileSync(file, line.repeat(10_000));
  const args = ['-sS', '-i', '-H', 'Content-Type: application/x-ndjson', '-H', 'Expect: 100-continue'];
  const { stdout } = await run('curl', [
    ...args,
    '--data-binary',
    `@${file}`,
    `${server.url}/v1/events?report=summary`,
  ]);
  t.match(stdout, /^HTTP\/1.1 100 Continue\r\n/);
  t.match(stdout, /"accepted":10000/);
});
