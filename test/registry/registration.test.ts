import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { get } from '../helpers/http.ts';
import { startServer } from '../helpers/server.ts';
import { clientOf, closed, integer, running, string } from './registry.ts';

t.test('registering by HTTP', async (t) => {
  const { server, path, write, register, send, ingest, database } = await running(t, {
    'sale/1.0.0.json': closed({ n: integer }, 'n'),
    'free/1.0.0.json': closed({ n: integer }, 'n'),
    'free/subject.json': { compatibility: 'NONE' },
    '_shared/money.json': closed({ amount: integer }, 'amount'),
  });

  await t.test('a first version is 1.0.0, has a table, a file, a record, and takes events at once', async (t) => {
    const document = { title: 'Visit', ...closed({ page: string }, 'page') };
    const answer = await register('visit', document);
    t.equal(answer.status, 201, answer.text);
    t.strictSame(answer.json, {
      subject: 'visit',
      version: '1.0.0',
      status: 'registered',
      rescued: 0,
      rejections_checked: 0,
    });
    t.equal(answer.headers.get('location'), '/v1/schemas/visit/versions/1.0.0');
    t.equal(readFileSync(join(path, 'visit/1.0.0.json'), 'utf8'), `${JSON.stringify(document, null, 2)}\n`);
    t.strictSame(readdirSync(join(path, 'visit')), ['1.0.0.json'], 'nothing else is left there');
    t.equal((await ingest('visit', { page: '/' })).status, 201);
    t.strictSame(await database.query("SELECT version FROM sluice.schema_versions WHERE subject = 'visit'"), [
      { version: '1.0.0' },
    ]);
  });

  await t.test('the same document again is the existing version, whatever its order and white space', async (t) => {
    const [{ sha256 }] = (await database.query(
      "SELECT sha256 FROM sluice.schema_versions WHERE subject = 'visit'",
    )) as [{ sha256: string }];
    const shuffled =
      '{"required":["page"],  "properties":{"page":{"type":"string"}},"title":"Visit","additionalProperties":false,"type":"object"}';
    for (const version of [undefined, '1.0.0', '1.1.0']) {
      const answer = await register('visit', shuffled, version);
      t.equal(answer.status, 200, answer.text);
      t.strictSame(answer.json, { subject: 'visit', version: '1.0.0', status: 'existing' });
    }
    t.match(sha256, /^[0-9a-f]{64}$/);
  });

  await t.test('without a number a version gets the smallest honest one', async (t) => {
    const sale = { n: integer, note: string };
    const numbers: [object, string][] = [
      [{ title: 'Sale', ...closed({ n: integer }, 'n') }, '1.0.1'],
      [closed(sale, 'n'), '1.1.0'],
      [closed({ ...sale, by: string }, 'n'), '1.2.0'],
      [closed({ ...sale, by: string }, 'n', 'by'), '2.0.0'],
    ];
    for (const [document, version] of numbers) {
      const answer = await register('sale', document);
      t.equal(answer.status, 201, answer.text);
      t.equal(answer.json.version, version);
    }
    t.equal((await ingest('sale/1.1.0', { n: 1, note: 'x' })).status, 201);
    t.equal((await ingest('sale/2.0.0', { n: 1, by: 'x' })).status, 201);
    t.strictSame(await database.query('SELECT n, note FROM events.sale'), [{ n: '1', note: 'x' }]);
    t.strictSame(await database.query('SELECT by FROM events.sale__v2'), [{ by: 'x' }]);
  });

  await t.test('a number that promises less than it breaks is refused, with the differences', async (t) => {
    const document = closed({ n: integer, note: string, by: string }, 'n', 'note');
    for (const version of ['1.3.0', '1.2.1']) {
      const answer = await register('sale', document, version);
      t.equal(answer.status, 409, answer.text);
      t.match(answer.json, {
        code: 'incompatible_schema',
        needed_bump: 'major',
        against: ['1.2.0', '1.1.0', '1.0.1', '1.0.0'],
      });
      const breaking = answer.json.differences.filter((each: { breaks: string }) => each.breaks !== 'none');
      t.match(breaking[0], { type: String, old_path: String, new_path: String, message: String, against: String });
      t.ok(breaking.some((each: object) => 'witness' in each));
    }
    t.notOk(existsSync(join(path, 'sale/1.3.0.json')));
    const patch = await register('sale', closed({ n: integer, note: string, by: string, more: string }, 'n'), '1.2.1');
    t.match(patch, { status: 409, json: { needed_bump: 'minor' } });
    t.equal((await register('sale', document, '3.0.0')).status, 201, 'across majors anything goes');
  });

  await t.test('a number between others must fit those that follow it', async (t) => {
    const document = closed({ n: integer, note: integer }, 'n');
    const answer = await register('sale', document, '1.0.2');
    t.match(answer, { status: 409, json: { code: 'incompatible_schema' } }, answer.text);
  });

  await t.test('a number that has another content is a conflict', async (t) => {
    const answer = await register('sale', closed({ other: integer }), '1.0.0');
    t.match(answer, { status: 409, json: { code: 'version_conflict' } });
  });

  await t.test('under NONE anything may follow, but a patch changes nothing', async (t) => {
    t.match(await register('free', closed({ n: string }, 'n'), '1.0.1'), { status: 409 });
    const answer = await register('free', closed({ n: string }, 'n'), '1.1.0');
    t.equal(answer.status, 201, answer.text);
  });

  await t.test('what is no schema is told so, with its places', async (t) => {
    const cases: [unknown, RegExp][] = [
      ['{"type": "object",}', /not JSON/],
      ['', /not JSON/],
      [{ type: 'objekt' }, /must be/],
      [{ type: 'object', properties: { a: { $ref: 'https://example.com/a.json' } } }, /remote/],
      [{ type: 'object', properties: { a: { $ref: '../../../etc/passwd' } } }, /outside/],
      [{ type: 'object', properties: { a: { $ref: '../_shared/nothing.json' } } }, /missing file/],
      [{ type: 'integer' }, /never be an object/],
      [{ type: 'object', properties: { a: { maximum: { $data: '1/b' } } } }, /must be/],
      [`{"type":"object","properties":{"a":{"maximum":1e400}}}`, /canonical form|must be/],
      [`${'{"properties":{"a":'.repeat(10_000)}{}${'}}'.repeat(10_000)}`, /deeper/],
      [{ type: 'object', properties: { a: { pattern: '(' } } }, /./],
    ];
    for (const [document, reason] of cases) {
      const answer = await register('bad', document);
      t.equal(answer.status, 422, answer.text.slice(0, 300));
      t.equal(answer.json.code, 'invalid_schema');
      t.match(answer.json.faults[0], { file: String, place: String, reason });
    }
    t.notOk(existsSync(join(path, 'bad')));
  });

  await t.test('a document may refer to shared files', async (t) => {
    const document = closed({ price: { $ref: '../_shared/money.json' } }, 'price');
    t.match(await register('purchase', document), { status: 201 });
    t.equal((await ingest('purchase', { price: { amount: 3 } })).status, 201);
    const next = closed({ price: { $ref: '../_shared/money.json' }, by: string }, 'price');
    t.match(await register('purchase', next), { status: 201, json: { version: '1.1.0' } });
  });

  await t.test('names and numbers', async (t) => {
    const document = closed({ a: integer });
    for (const name of ['..%2Fx', '%22', "a'b", 'A', 'a'.repeat(49), 'a__b', '__proto__', '%00', '%20a', 'a.b']) {
      const answer = await register(name, document);
      t.match(answer, { status: 400, json: { code: 'invalid_parameter', parameter: 'subject' } }, name);
    }
    for (const name of ['constructor', 'select', 'user', 'table', 'valueof', `a${'b'.repeat(47)}`]) {
      const answer = await register(name, document);
      t.equal(answer.status, 201, `${name}: ${answer.text}`);
      t.equal((await ingest(name, { a: 1 })).status, 201, name);
    }
    for (const version of ['1', '1.0', '01.0.0', '1.0.0-rc1', 'latest', '../1.0.0', '9999999999.0.0', '']) {
      const answer = await register('numbers', document, encodeURIComponent(version));
      t.match(answer, { status: 400, json: { code: 'invalid_parameter', parameter: 'version' } }, version);
    }
    t.match(await send('/v1/schemas/numbers/versions?versoin=1.0.0', document), { status: 400 });
    t.notOk(existsSync(join(path, 'numbers')));
  });

  await t.test('boolean schemas, and an id that moves', async (t) => {
    t.match(await register('anything', true), { status: 201, json: { version: '1.0.0' } });
    t.equal((await ingest('anything', { a: [1] })).status, 201);
    t.match(await register('anything', false), { status: 422, json: { code: 'invalid_schema' } });
    const id = { ...string, 'x-id': true };
    t.match(await register('moved', closed({ a: id, b: string }, 'a', 'b')), { status: 201 });
    const answer = await register('moved', closed({ a: string, b: id }, 'a', 'b'));
    t.match(answer, { status: 201, json: { version: '2.0.0' } }, answer.text);
  });

  await t.test('headers and size', async (t) => {
    const to = '/v1/schemas/visit/versions';
    t.match(await send(to, '{}', { 'content-type': 'text/plain' }), { status: 415 });
    t.match(await send(to, '{}', { 'content-encoding': 'gzip' }), { status: 415 });
    t.match(await send(to, `{"title":"${'x'.repeat(5 * 1024 * 1024)}"}`), { status: 413 });
    const accepted = { 'content-type': 'application/schema+json; charset=utf-8' };
    t.match(await send('/v1/schemas/typed/versions', closed({ a: integer }), accepted), { status: 201 });
  });

  await t.test('a rejected line that the new version takes counts as rescued', async (t) => {
    t.match(await register('rescue', closed({ a: integer })), { status: 201 });
    await ingest('rescue', { a: 1, b: 1 }, { a: 'x' }, { a: 2 });
    const answer = await register('rescue', closed({ a: integer, b: integer }));
    t.match(answer, { status: 201, json: { version: '1.1.0', rescued: 1, rejections_checked: 2 } }, answer.text);
    // What a replay has taken is rescued already, and what it rejects once more is no further rejection.
    await send('/v1/rejections/replay', { filter: { subject: 'rescue' } });
    const next = await register('rescue', closed({ a: integer, b: integer, c: integer }));
    t.match(next, { status: 201, json: { version: '1.2.0', rescued: 0, rejections_checked: 1 } }, next.text);
  });

  await t.test('many rejected lines are counted page by page', async (t) => {
    await register('counted', closed({ a: integer }));
    const events = Array.from({ length: 12_000 }, (_, at) => (at % 2 === 0 ? { a: 1, b: 1 } : { a: 'x' }));
    await ingest('counted', ...events);
    const answer = await register('counted', closed({ a: integer, b: integer }));
    t.match(answer, { status: 201, json: { rescued: 6_000, rejections_checked: 12_000 } }, answer.text);
  });

  await t.test('a folder that cannot be written to is said to be so, and nothing is changed', async (t) => {
    // Also root cannot make a directory where a file stands.
    writeFileSync(join(path, 'blocked'), '');
    const answer = await register('blocked', closed({ a: integer }));
    t.match(answer, { status: 409, json: { code: 'schema_folder_read_only' } }, answer.text);
    t.strictSame(await database.query("SELECT FROM pg_tables WHERE tablename = 'blocked'"), []);
    t.equal((await get(server, '/v1/schemas/blocked')).status, 404);
    rmSync(join(path, 'blocked'));
  });

  await t.test('and so is a subject’s folder', async (t) => {
    const folder = join(path, 'visit');
    const isRoot = process.getuid?.() === 0;
    // Permissions do not stop root; an immutable directory does.
    const lock = isRoot ? spawnSync('chattr', ['+i', folder]).status : chmodSync(folder, 0o555);
    if (isRoot && lock !== 0) {
      t.pass('directories cannot be made immutable here', { skip: true });
      return;
    }
    const answer = await register('visit', closed({ page: string, more: string }, 'page'));
    if (isRoot) spawnSync('chattr', ['-i', folder]);
    else chmodSync(folder, 0o755);
    t.match(answer, { status: 409, json: { code: 'schema_folder_read_only' } }, answer.text);
    t.strictSame(readdirSync(folder), ['1.0.0.json']);
    const columns = "SELECT FROM information_schema.columns WHERE table_name = 'visit' AND column_name = 'more'";
    t.strictSame(await database.query(columns), []);
  });

  await t.test('a folder with a fault in the subject takes no version', async (t) => {
    mkdirSync(join(path, 'visit'), { recursive: true });
    write('visit/1.5.0.json', '{');
    const answer = await register('visit', closed({ page: string, more: string }, 'page'));
    t.match(answer, { status: 422, json: { code: 'invalid_schema_folder', faults: [{ file: 'visit/1.5.0.json' }] } });
    rmSync(join(path, 'visit/1.5.0.json'));
  });

  await t.test('two processes that register at once in one folder: both versions stand', async (t) => {
    const other = await startServer(t, { databaseUrl: database.url, schemaDir: path });
    const documents = [1, 2, 3, 4].map((n) => closed({ [`p${n}`]: integer }));
    const clients = [clientOf(server), clientOf(other)];
    const answers = await Promise.all(documents.map((document, at) => clients[at % 2]!.register('race', document)));
    t.strictSame(
      answers.map(({ status }) => status),
      [201, 201, 201, 201],
    );
    const versions = answers.map(({ json }) => json.version).sort();
    t.strictSame(versions, ['1.0.0', '2.0.0', '3.0.0', '4.0.0'], 'each took what the others had left');
    const same = await Promise.all(clients.map((client) => client.register('twin', documents[0])));
    t.strictSame(same.map(({ status, json }) => [status, json.version]).sort(), [
      [200, '1.0.0'],
      [201, '1.0.0'],
    ]);
    await other.stop();
  });

  await t.test('the next start finds everything in order', async (t) => {
    await server.stop();
    const next = await startServer(t, { databaseUrl: database.url, schemaDir: path });
    t.equal((await get(next, '/v1/schemas/race/versions')).json.items.length, 4);
  });
});
