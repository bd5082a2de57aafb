// What the log says, and what nobody can make it say.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { maskedConfig, readConfig } from '../src/config.ts';
import { sluice } from './cli/sluice.ts';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { schemaFolder } from './helpers/schemas.ts';
import { type Server, startServer } from './helpers/server.ts';
import { clientOf } from './registry/registry.ts';

const FORGED = '{"level":30,"msg":"forged"}';
/** What ends a line, for one reader of logs or another. */
const BREAKS = ['\n', '\r\n', '\u0085', '\u2028', '\u2029', '\u001b[1A\u001b[2K', '\u0000'];

/** Sends bytes as they are, and reads until the server has nothing more to say. */
async function raw(server: Server, text: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  let answer = '';
  socket.setEncoding('latin1').on('data', (data) => {
    answer += data;
  });
  socket.setTimeout(5_000, () => socket.destroy());
  socket.end(Buffer.from(text, 'utf8'));
  await once(socket, 'close');
  return answer;
}

/** Everything the process wrote, once `what` is in it. */
async function written(server: Server, what: RegExp): Promise<string[]> {
  for (let tries = 0; tries < 100 && !server.logs().some((line) => what.test(line)); tries++) await sleep(50);
  return server.logs();
}

t.test('the settings are logged at the start, in one line and without secrets', async (t) => {
  const { url } = await testDatabase(t);
  const secret = new URL(url);
  secret.searchParams.set('sslpassword', 'hush%26hush');
  const server = await startServer(t, { databaseUrl: secret.href });
  const [line, ...more] = server.logs().filter((each) => each.includes('"msg":"settings"'));
  t.strictSame(more, []);
  const { settings } = JSON.parse(line!);
  t.match(settings, { host: '127.0.0.1', port: 0, limits: { files: 100 }, retention: { keysHours: 72 } });
  t.match(settings.databaseUrl, /^postgres:\/\/[^:]+:\*\*\*@/);
  const password = new URL(url).password;
  for (const each of server.logs()) {
    t.notMatch(each, 'hush');
    if (password !== '') t.notOk(each.includes(`:${password}@`), 'the password is nowhere');
  }
});

t.test('whatever has the name of a secret is masked', async (t) => {
  const config = readConfig({ DATABASE_URL: 'postgres://me:p%40ss@db.example/x?password=other&sslmode=require' });
  const future = {
    ...config,
    telemetry: { apiKey: 'k', authToken: 't', clientSecret: 's', proxyPassword: 'p', keys: 3 },
  };
  const masked = maskedConfig(future as typeof config);
  t.equal(masked.databaseUrl, 'postgres://me:***@db.example/x?password=***&sslmode=require');
  t.same(masked.telemetry, { apiKey: '***', authToken: '***', clientSecret: '***', proxyPassword: '***', keys: 3 });
  t.match(masked, { retention: { keysHours: 72 }, port: 3000 }, 'the rest is told');
  t.equal(
    config.databaseUrl,
    'postgres://me:p%40ss@db.example/x?password=other&sslmode=require',
    'and nothing changed',
  );
});

/** Everything in which a client can say something. */
async function say(server: Server, text: string): Promise<void> {
  const { send } = clientOf(server);
  const encoded = encodeURIComponent(text);
  await get(server, `/v1/${encoded}`);
  await get(server, `/v1/batches/${encoded}?x=${encoded}`);
  await post(server, ndjson(userEvent({ event_type: text }), text), { query: { schema: text } }).catch(() => {});
  await post(server, ndjson(userEvent({ event_type: text }), text));
  const form = new FormData();
  form.append('file', new Blob([ndjson(userEvent())]), text);
  form.append(text, text);
  await post(server, form);
  await send(`/v1/schemas/${encoded}/versions`, { title: text, type: text });
  await send('/v1/schemas/visit/versions', { title: text, properties: { [text]: { type: 'string', pattern: text } } });
  await send('/v1/schemas/user_event/compatibility', text);
  await send('/v1/rejections/replay', { filter: { code: text }, patch: text });
  const bytes = text.replaceAll(/[\r\n\0]/g, ' ');
  await raw(server, `POST /${bytes} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: ${bytes}\r\n\r\n`);
  await raw(server, `POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: ${text}\r\nX-A: ${text}\r\n\r\n`);
}

t.test('no client can forge a line of the log', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const schemaDir = await schemaFolder(t, { 'user_event/1.0.0.json': { type: 'object' } });
  const server = await startServer(t, { databaseUrl, schemaDir, env: { LOG_LEVEL: 'trace' } });
  for (const mark of BREAKS) await say(server, `x${mark}${FORGED}${mark}`);
  // What is logged of an error is what Postgres says, and that a client can have a part in.
  await query(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'odd: %', NEW._extra USING ERRCODE = 'XX000'; END $$`);
  await query('CREATE TRIGGER fail BEFORE INSERT ON events.user_event FOR EACH ROW EXECUTE FUNCTION fail()');
  for (const mark of BREAKS.slice(0, -1)) {
    const line = ndjson({ a: `x${mark}${FORGED}${mark}` });
    t.match(await post(server, line, { query: { schema: 'user_event' } }), { status: 500 });
  }
  const logs = await written(server, /odd: .*forged/);
  for (const line of logs) {
    t.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    t.not(JSON.parse(line).msg, 'forged');
  }
  t.ok(
    logs.some((line) => /odd: .*forged/.test(line)),
    'it was logged, inside of its line',
  );
});

t.test('no Authorization header is ever logged', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { LOG_LEVEL: 'trace' } });
  const key = 'sluice_abcdefgh_0123456789abcdefghijklmnopqrstuv';
  const headers = { authorization: `Bearer ${key}` };
  await query('ALTER TABLE events.user_event RENAME TO elsewhere');
  t.match(await post(server, ndjson(userEvent()), { headers }), { status: 500 });
  await post(server, 'x', { headers: { ...headers, 'content-type': 'text/odd' } });
  await post(server, '{', { headers: { ...headers, 'content-encoding': 'gzip' } });
  for (const path of ['/v1/batches', '/v1/nothing', '/v1/batches/x', '/%zz', '/docs']) {
    await fetch(`${server.url}${path}`, { headers });
  }
  await raw(server, `GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nno header\r\n\r\n`);
  await raw(
    server,
    `POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Length: 9\r\n\r\nx`,
  );
  const logs = (await written(server, /"level":50/)).join('\n');
  t.match(logs, /request failed/);
  t.notMatch(logs, key);
  t.notMatch(logs, Buffer.from(key).toString('base64').slice(4, 40));
  t.notMatch(logs, [...Buffer.from(key)].join(','), 'nor byte by byte');
});

t.test('what the command line prints of files and faults cannot steer the terminal', async (t) => {
  const unruly = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
  const name = '\u001b[2Jx\u202e\u009b.json';
  const schemaDir = await schemaFolder(t, { 'a/1.0.0.json': {}, [`a/${name}`]: {}, 'a/1.1.0.json': { type: name } });
  const runs = [
    ['validate', '\u001b]0;owned\u0007\u202e.ndjson'],
    ['load', '--url', 'http://127.0.0.1:1', '\u001b[2J'],
    ['load', '--\u001b[2J'],
    ['schemas', 'check', '--schema-dir', schemaDir],
    ['schemas', 'check', '--format', 'json', '--schema-dir', schemaDir],
    ['schemas', 'compare', '\u001b[2J\u009b', 'b'],
  ];
  for (const args of runs) {
    const { stdout, stderr } = await sluice(t, args, { env: { SCHEMA_DIR: schemaDir } });
    t.not(stdout + stderr, '');
    t.notMatch((stdout + stderr).replaceAll('\n', ''), unruly, args.join(' '));
  }
  const events = ndjson({ '\u001b[2J\u202e': 1 }, '\u001b]0;x\u0007');
  for (const args of [
    ['validate', '-'],
    ['validate', '--json', '-'],
  ]) {
    const { stdout, stderr } = await sluice(t, args, { stdin: events, env: { SCHEMA_DIR: 'schemas' } });
    t.notMatch((stdout + stderr).replaceAll('\n', ''), unruly, args.join(' '));
  }
});
