import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { get } from '../helpers/http.ts';
import { type Server, startServer } from '../helpers/server.ts';
import { clientOf, closed, folderWith, integer, running, string } from './registry.ts';

/** Waits for a line of the log that comes after the first `from` ones. */
async function logged(server: Server, from: number, what: RegExp): Promise<string> {
  for (let tries = 0; tries < 200; tries++) {
    const line = server
      .logs()
      .slice(from)
      .find((each) => what.test(each));
    if (line !== undefined) return line;
    await sleep(50);
  }
  throw new Error(`never logged: ${what}`);
}

t.test('a folder that changes under a running server', async (t) => {
  const files = {
    'sale/1.0.0.json': closed({ n: integer }, 'n'),
    'priced/1.0.0.json': closed({ price: { $ref: '../_shared/money.json#/definitions/money' } }),
    '_shared/money.json': { definitions: { money: closed({ amount: integer }), unused: { type: 'string' } } },
  };
  const { server, write, remove, send, ingest, register, database } = await running(t, files);
  const original = JSON.stringify(files['sale/1.0.0.json']);
  const reload = () => send('/v1/schemas/reload');

  await t.test('nothing new: nothing happens', async (t) => {
    const answer = await reload();
    t.equal(answer.status, 200, answer.text);
    t.strictSame(answer.json, { subjects: 2, versions: 2, added: [], warnings: [] });
  });

  await t.test('a new file is picked up by the route, with its table', async (t) => {
    write('sale/1.1.0.json', closed({ n: integer, note: string }, 'n'));
    t.equal((await ingest('sale/1.1.0', { n: 1 })).status, 400, 'not before');
    t.match((await reload()).json, { subjects: 2, versions: 3, added: ['sale/1.1.0'] });
    t.equal((await ingest('sale', { n: 1, note: 'x' })).status, 201);
  });

  await t.test('and by SIGHUP', async (t) => {
    write('visit/1.0.0.json', closed({ page: string }));
    const before = server.logs().length;
    server.child.kill('SIGHUP');
    const line = await logged(server, before, /schemas reloaded/);
    t.strictSame(JSON.parse(line).added, ['visit/1.0.0']);
    t.equal((await ingest('visit', { page: '/' })).status, 201);
  });

  await t.test('a broken folder never replaces a working one', async (t) => {
    write('sale/1.2.0.json', '{"type": "object",');
    write('visit/1.1.0.json', { $ref: 'https://example.com/x.json' });
    const answer = await reload();
    t.match(answer, { status: 422, json: { code: 'invalid_schema_folder' } });
    t.same(answer.json.faults.map(({ file }: { file: string }) => file).sort(), [
      'sale/1.2.0.json',
      'visit/1.1.0.json',
    ]);
    const before = server.logs().length;
    server.child.kill('SIGHUP');
    t.match(JSON.parse(await logged(server, before, /not reloaded/)), { level: 50, faults: Array });
    t.equal((await ingest('sale', { n: 1, note: 'x' })).status, 201, 'the old one works');
    remove('sale/1.2.0.json');
    remove('visit/1.1.0.json');
  });

  await t.test('a number that promises too much is a fault of the folder, all of them in one answer', async (t) => {
    write('sale/1.2.0.json', closed({ n: string }, 'n'));
    write('visit/1.0.1.json', closed({ page: string, more: string }));
    const answer = await reload();
    t.match(answer, { status: 422, json: { code: 'invalid_schema_folder' } }, answer.text);
    const [sale, visit] = answer.json.faults;
    t.match(sale, { file: 'sale/1.2.0.json', place: '/properties/n/type', reason: /needs a major one/ });
    t.match(visit, { file: 'visit/1.0.1.json', reason: /promises a patch change, it needs a minor one/ });
    t.notOk((await get(server, '/v1/schemas/sale')).json.versions.includes('1.2.0'));
    remove('sale/1.2.0.json');
    remove('visit/1.0.1.json');
  });

  await t.test('a version in use never changes: not by hand', async (t) => {
    write('sale/1.0.0.json', closed({ n: { ...integer, minimum: 0 }, m: integer }));
    const answer = await reload();
    t.match(answer, { status: 422, json: { code: 'invalid_schema_folder', faults: [{ file: 'sale/1.0.0.json' }] } });
    const { reason } = answer.json.faults[0];
    for (const place of ['/properties/n/minimum added', '/properties/m added', '/required/0 removed']) {
      t.match(reason, place);
    }
  });

  await t.test('but its white space and the order of its members may', async (t) => {
    const { type, properties, required, additionalProperties } = JSON.parse(original);
    const shuffled = { additionalProperties, required, properties, type };
    write('sale/1.0.0.json', JSON.stringify(shuffled, null, 7));
    t.equal((await reload()).status, 200);
  });

  await t.test(
    'and not through a shared file: what it refers to is part of it, the rest of that file is not',
    async (t) => {
      const money = files['_shared/money.json'].definitions;
      write('_shared/money.json', { definitions: { ...money, unused: { type: 'integer' }, another: true } });
      t.equal((await reload()).status, 200, 'what nobody refers to may change');
      write('_shared/money.json', { definitions: { ...money, money: closed({ amount: string }) } });
      const answer = await reload();
      t.match(answer.json.faults, [{ file: 'priced/1.0.0.json', reason: '_shared/money.json#/definitions/money' }]);
      write('_shared/money.json', files['_shared/money.json']);
      t.equal((await reload()).status, 200);
    },
  );

  await t.test('a missing version with rows is a warning that names it, and it takes no new events', async (t) => {
    write('gone/1.0.0.json', closed({ a: integer }));
    write('gone/1.1.0.json', closed({ a: integer, b: integer }));
    write('gone/1.2.0.json', closed({ a: integer, b: integer, c: integer }));
    t.equal((await reload()).status, 200);
    t.equal((await ingest('gone/1.1.0', { a: 1 })).status, 201);
    remove('gone/1.1.0.json');
    remove('gone/1.2.0.json');
    const { json } = await reload();
    t.match(json.warnings, [{ file: 'gone/1.1.0.json', reason: /gone\/1\.1\.0 has rows in events\.gone/ }]);
    t.equal(json.warnings.length, 1, 'the one without rows is not missed');
    t.equal((await ingest('gone/1.1.0', { a: 1 })).status, 400);
    t.strictSame(await database.query('SELECT count(*)::int AS n FROM events.gone'), [{ n: 1 }]);
    const other = await register('gone', closed({ a: integer, z: integer }), '1.2.0');
    t.match(other, { status: 409, json: { code: 'version_conflict' } }, 'its number stays taken');
    const back = await register('gone', closed({ a: integer, b: integer }));
    t.match(back, { status: 200, json: { version: '1.1.0', status: 'existing' } }, 'and it comes back as it was');
    t.equal((await ingest('gone/1.1.0', { a: 1 })).status, 201);
  });

  await t.test('a batch under way keeps the versions that it started with', async (t) => {
    const { hostname, port } = new URL(server.url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    const line = `${JSON.stringify({ n: 1, note: 'x' })}\n`;
    const chunked = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
    const head = 'Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close';
    socket.write(`POST /v1/events?schema=sale HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n${chunked(line)}`);
    await sleep(300);
    // What was required is not any more: final has to take both.
    write('sale/1.2.0.json', closed({ n: integer, note: string, more: string }));
    t.match((await reload()).json, { added: ['sale/1.2.0'] });
    t.equal((await ingest('sale', { more: 'x' })).status, 201);
    socket.write(`${chunked(line + JSON.stringify({ n: 1, more: 'x' }))}0\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) text += chunk;
    t.match(text, /^HTTP\/1\.1 207 /);
    t.match(text, /"sale\/1\.1\.0":2/);
    t.match(text, /must NOT have additional properties: \\"more\\"/);
  });

  await t.test('subject.json decides, and its faults are the folder’s', async (t) => {
    write('sale/subject.json', { compatibility: 'BACKWARDS', policy: 'lenient', owner: 'me' });
    const { json } = await reload();
    t.match(json.faults.map(({ file, place }: { file: string; place: string }) => `${file} ${place}`).sort(), [
      'sale/subject.json /compatibility',
      'sale/subject.json /owner',
    ]);
    write('sale/subject.json', { compatibility: 'FULL' });
    t.equal((await reload()).status, 200);
    t.match((await get(server, '/v1/schemas/sale')).json, { compatibility: 'FULL', policy: 'strict' });
    t.match((await get(server, '/v1/schemas/visit')).json, { compatibility: 'BACKWARD_TRANSITIVE' });
  });

  await t.test('a reload takes no parameter', async (t) => {
    t.match(await send('/v1/schemas/reload?x=1'), { status: 400, json: { code: 'invalid_parameter' } });
  });

  await t.test('another process knows nothing of a version before it reloads', async (t) => {
    const copy = folderWith(t, { 'sale/1.0.0.json': original });
    const other = await startServer(t, { databaseUrl: database.url, schemaDir: copy.path });
    const client = clientOf(other);
    t.match(await client.ingest('sale/1.1.0', { n: 1 }), { status: 400, json: { code: 'unknown_schema' } });
    copy.write('sale/1.1.0.json', closed({ n: integer, note: string }, 'n'));
    t.match(await client.send('/v1/schemas/reload'), { status: 200, json: { added: ['sale/1.1.0'] } });
    t.equal((await client.ingest('sale/1.1.0', { n: 1 })).status, 201);
    await other.stop();
  });

  await t.test('a start on a changed version, or on dishonest numbers, is refused in one message', async (t) => {
    const copy = folderWith(t, {
      'sale/1.0.0.json': closed({ n: string }, 'n'),
      'fresh/1.0.0.json': closed({ a: integer }),
      'fresh/1.1.0.json': closed({ b: integer }),
      'fresh/1.1.1.json': closed({ b: integer, c: integer }),
    });
    const error = await startServer(t, { databaseUrl: database.url, schemaDir: copy.path }).catch(String);
    t.match(error, /has 3 faults/);
    t.match(error, /sale\/1\.0\.0\.json: was changed after it came into use: \/properties\/n\/type changed/);
    t.match(error, /fresh\/1\.1\.0\.json .*needs a major/);
    t.match(error, /fresh\/1\.1\.1\.json .*needs a m/);
  });
});
