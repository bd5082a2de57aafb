// POST /v1/rejections/replay: stored lines through the pipeline once more.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { addsUp, get, lines } from '../helpers/http.ts';
import { startServer } from '../helpers/server.ts';
import { clientOf } from '../registry/registry.ts';
import { quarantine, VISIT_MORE } from './replaying.ts';

t.test('after a new version its lines are rescued, once, and every report says so', async (t) => {
  const { ingest, register, replay, list, server, stored, database } = await quarantine(t);
  const { json: origin } = await ingest('visit', { a: 1, b: 'x' }, { a: 'y' }, { a: 2 }, { a: 3, b: 'z' });
  t.match(await replay({ filter: {} }), { status: 422, json: { status: 'rejected', lines: { received: 3 } } });
  t.match(await register('visit', VISIT_MORE), { status: 201, json: { rescued: 2, rejections_checked: 3 } });

  // The upload said `schema=visit`, which means the new version now.
  const answer = await replay({ filter: {} });
  const { json: report } = answer;
  t.match(answer, {
    status: 207,
    json: {
      status: 'promoted',
      replay_of: [origin.batch_id],
      lines: { received: 3, accepted: 2, rejected: 1 },
      rejections: [{ line: 2, origin: { batch_id: origin.batch_id, line: 2 } }],
    },
  });
  t.ok(addsUp(report));
  t.notOk('file' in report.rejections[0], 'with one origin there is one file without a name');
  t.equal(answer.headers.get('location'), `/v1/batches/${report.batch_id}`);
  t.strictSame(await stored('visit', 'a'), ['1', '2', '3']);

  const again = await replay({ filter: {} });
  t.match(again, { status: 422, json: { lines: { received: 1, rejected: 1 } } });
  t.strictSame(await stored('visit', 'a'), ['1', '2', '3']);
  t.equal((await list()).json.items.length, 3, 'a line is in the quarantine once, however often it is rejected');

  const path = `/v1/batches/${origin.batch_id}`;
  const by = report.batch_id;
  t.match((await get(server, path)).json, {
    lines: origin.lines,
    replayed: { rescued: 2, pending: 0, by: [{ batch_id: by, lines: 2 }] },
  });
  t.strictSame(
    lines(await get(server, `${path}/lines`)).map((line) => [line.line, line.verdict, line.replayed_by]),
    [
      [1, 'rejected', by],
      [2, 'rejected', undefined],
      [3, 'accepted', undefined],
      [4, 'rejected', by],
    ],
  );
  t.match(lines(await get(server, `${path}/rejections`)), [
    { line: 1, replayed_by: { batch_id: by, line: 1, status: 'promoted' } },
    { line: 2, replayed_by: undefined },
    { line: 4, replayed_by: { batch_id: by, line: 3, status: 'promoted' } },
  ]);
  t.match(lines(await get(server, `/v1/batches/${by}/rejections`)), [
    { line: 2, raw: '{"a":"y"}', origin: { batch_id: origin.batch_id, line: 2 } },
  ]);
  const [batch] = await database.query('SELECT files, replay_of, schema, schemas FROM sluice.batches WHERE id = $1', [
    by,
  ]);
  t.match(batch, {
    files: [{ name: null, format: 'lines', first_line: 1, lines: 3, bytes: report.bytes }],
    replay_of: [origin.batch_id],
    schema: null,
    schemas: ['visit/1.1.0'],
  });
});

t.test('several origins and subjects: a file each, and each line by its own schema', async (t) => {
  const { ingest, upload, register, replay, stored, server } = await quarantine(t);
  const { json: visits } = await ingest('visit', { a: 1, b: 'x' }, { a: 2, b: 'y' });
  const mixed = '{"$schema":"visit/1.1.0","a":3}\n\n{"$schema":"order","n":"x","id":"o1"}\n{"a":4}\n';
  const { json: named } = await upload(mixed);
  await register('visit', VISIT_MORE);
  const { json: report } = await replay({ filter: {} });
  t.strictSame(report.replay_of, [visits.batch_id, named.batch_id]);
  t.match(report, { lines: { received: 5, accepted: 3, rejected: 2, blank: 0 }, schemas: { 'visit/1.1.0': 3 } });
  t.match(report.rejections, [
    { line: 2, file: named.batch_id, code: 'schema_violation', origin: { batch_id: named.batch_id, line: 3 } },
    { line: 3, file: named.batch_id, code: 'unknown_schema', origin: { batch_id: named.batch_id, line: 4 } },
  ]);
  t.strictSame(await stored('visit', '_line'), ['1', '2', '3']);
  t.match(lines(await get(server, `/v1/batches/${report.batch_id}/lines`)), [
    { line: 1, file: visits.batch_id, verdict: 'accepted' },
    { line: 2, file: visits.batch_id, verdict: 'accepted' },
    { line: 1, file: named.batch_id, verdict: 'accepted' },
    { line: 2, file: named.batch_id, verdict: 'rejected' },
    { line: 3, file: named.batch_id, verdict: 'rejected' },
  ]);
  // `schema` judges every line, whatever it says of itself.
  const forced = await replay({ filter: { code: 'unknown_schema' }, schema: 'visit/1' });
  t.match(forced, { status: 201, json: { schemas: { 'visit/1.1.0': 1 } } });
  t.match(await replay({ filter: {}, schema: 'visit/7' }), { status: 400, json: { code: 'unknown_schema' } });
});

t.test('a patch heals lines, and what it cannot heal it says per line', async (t) => {
  const { upload, replay, stored } = await quarantine(t);
  const body = `{"a":"1","old":9007199254740993,"x":1}
{"a":"2","x":1}
{"a":"3","old":4}
{"a":"4","old":"4","x":1}
{"a":
`;
  const { json: origin } = await upload(body, '?schema=visit');
  const order = `{"filter": {"batch_id": "${origin.batch_id}"}, "patch": [
    {"op": "remove", "path": "/a"}, {"op": "move", "from": "/old", "path": "/a"},
    {"op": "test", "path": "/x", "value": 1}, {"op": "remove", "path": "/x"}]}`;
  const { json: report } = await replay(order);
  t.match(report, {
    lines: { received: 5, accepted: 1, rejected: 4 },
    rejections: [
      { line: 2, code: 'patch_failed', errors: [{ path: '/a', keyword: 'move', message: 'there is nothing at /old' }] },
      { line: 3, code: 'patch_failed', errors: [{ path: '/x', keyword: 'test' }] },
      { line: 4, code: 'schema_violation', errors: [{ path: '/a', keyword: 'type' }] },
      { line: 5, code: 'invalid_json' },
    ],
  });
  t.strictSame(await stored('visit', 'a'), ['9007199254740993'], 'to the last digit');
  const exact = await replay(
    `{"filter": {}, "patch": [{"op": "replace", "path": "", "value": {"a": -9223372036854775807}}]}`,
  );
  t.match(exact.json.lines, { received: 4, accepted: 3, rejected: 1 });
  t.strictSame(await stored('visit', 'a'), [...Array(3).fill('-9223372036854775807'), '9007199254740993']);
});

t.test('bytes are replayed as they are', async (t) => {
  const { upload, send, register, replay, list, stored } = await quarantine(t, { env: { MAX_LINE_BYTES: '200' } });
  await send('/v1/events?schema=visit', '[\n  {\n    "a": 1,\n    "b": "x"\n  },\n  {"a":2,\r\n"b":"y"}, ,{"a":"z"}]');
  await upload(Buffer.from('{"a":1,"b":"\xff"}\n', 'latin1'), '?schema=visit');
  await upload(`{"a":1,"b":"x"}${' '.repeat(300)}\n{"a":7,"b":"z"}\n`, '?schema=visit');
  await register('visit', VISIT_MORE);
  const { json: report } = await replay({ filter: {}, patch: [{ op: 'test', path: '/a', value: 1 }] });
  t.match(report.lines, { received: 7, accepted: 1, rejected: 6 }, 'of which one has line feeds inside');
  t.match(report.rejections, [
    { code: 'patch_failed' },
    { code: 'invalid_json' },
    { code: 'patch_failed' },
    { code: 'invalid_utf8' },
    { code: 'line_too_long', length: 315 },
    { code: 'patch_failed' },
  ]);
  t.match(await replay({ filter: {} }), { json: { lines: { received: 6, accepted: 2, rejected: 4 } } });
  t.strictSame(await stored('visit', 'b'), ['x', 'y', 'z']);
  const rest = (await list({ state: 'stored' })).json.items;
  t.strictSame(rest.map(({ code }: { code: string }) => code).sort(), [
    'invalid_json',
    'invalid_utf8',
    'line_too_long',
    'schema_violation',
  ]);
});

t.test(
  'a line that was cut is never judged by its beginning, also where longer lines are allowed by now',
  async (t) => {
    const { upload, server, database, path, stored } = await quarantine(t, { env: { MAX_LINE_BYTES: '64' } });
    const line = `{"a":1}${' '.repeat(60)}`;
    await upload(`${line}{"b":2}\n`, '?schema=visit');
    await server.stop();
    const { send } = clientOf(await startServer(t, { databaseUrl: database.url, schemaDir: path }));
    t.match(await send('/v1/rejections/replay', { filter: {} }), {
      status: 422,
      json: { rejections: [{ code: 'line_too_long', length: 74, errors: [{ message: /only the beginning/ }] }] },
    });
    t.strictSame(await stored('visit', 'a'), []);
  },
);

t.test('a dry run stores nothing and tells what would be', async (t) => {
  const { ingest, register, replay, database } = await quarantine(t);
  const { json: origin } = await ingest('visit', { a: 1, b: 'x' }, { a: 'y' });
  await register('visit', VISIT_MORE);
  const answer = await replay({ filter: {}, dry_run: true });
  t.match(answer, {
    status: 200,
    json: { status: 'dry_run', replay_of: [origin.batch_id], lines: { accepted: 1, rejected: 1 }, links: {} },
  });
  t.equal(answer.headers.get('location'), null);
  const counts = `SELECT (SELECT count(*)::int FROM events.visit) AS rows, (SELECT count(*)::int FROM sluice.replays) AS replays,
    (SELECT count(*)::int FROM sluice.batches) AS batches, (SELECT count(*)::int FROM sluice.rejections) AS rejections`;
  t.strictSame(await database.query(counts), [{ rows: 0, replays: 0, batches: 1, rejections: 2 }]);
  const nothing = { status: 200, json: { replay_of: [], checks: [], links: {}, lines: { received: 0 } } };
  t.match(await replay({ filter: { to: '2020-01-01' } }), {
    ...nothing,
    json: { ...nothing.json, status: 'promoted' },
  });
  t.match(await replay({ filter: { code: 'too_deep' }, dry_run: true }), nothing);
  t.strictSame(await database.query(counts), [{ rows: 0, replays: 0, batches: 1, rejections: 2 }]);
});

t.test('an event that is in final already is a duplicate, and so its rejection is rescued', async (t) => {
  const { ingest, replay, stored, list } = await quarantine(t);
  await ingest('order', { n: 'x', id: 'o1' }, { n: 'x', id: 'o2' }, { n: 1, id: 'o1' });
  const patch = [{ op: 'replace', path: '/n', value: 5 }];
  t.match(await replay({ filter: {}, patch }), { status: 201, json: { lines: { accepted: 1, duplicate: 1 } } });
  t.strictSame(await stored('"order"', 'n'), ['1', '5']);
  t.equal((await list({ state: 'rescued' })).json.items.length, 2);
  t.match(await replay({ filter: {}, patch }), { status: 200, json: { lines: { received: 0 } } });
});

t.test('a body that is not understood is refused with its place', async (t) => {
  const { replay, send, ingest, database } = await quarantine(t);
  await ingest('visit', { a: 'x' });
  const set = (op: object) => ({ filter: {}, patch: [{ op: 'test', path: '/a', value: 'x' }, op] });
  for (const [body, place] of [
    ['', '1:1'],
    ['{"filter":{}', '1:13'],
    ['[]', ''],
    ['null', ''],
    [{}, ''],
    [{ filter: null }, '/filter'],
    [{ filter: [] }, '/filter'],
    [{ filter: {}, more: 1 }, ''],
    [{ filter: { Subject: 'visit' } }, '/filter'],
    [{ filter: { subject: 1 } }, '/filter/subject'],
    ['{"filter":{"subject":12345678901234567890}}', '/filter/subject'],
    [{ filter: { subject: null } }, '/filter/subject'],
    [{ filter: { code: 'x' } }, '/filter/code'],
    [{ filter: { path: 'a' } }, '/filter/path'],
    [{ filter: { batch_id: 'x' } }, '/filter/batch_id'],
    [{ filter: { from: '2026-13-01' } }, '/filter/from'],
    [{ filter: {}, schema: 1 }, '/schema'],
    [{ filter: {}, dry_run: 'true' }, '/dry_run'],
    [{ filter: {}, patch: {} }, '/patch'],
    [{ filter: {}, patch: null }, '/patch'],
    [{ filter: {}, patch: Array(101).fill({ op: 'remove', path: '/a' }) }, '/patch'],
    [set([]), '/patch/1'],
    [set({ path: '/a' }), '/patch/1/op'],
    [set({ op: 'toString', path: '/a' }), '/patch/1/op'],
    [set({ op: 'remove', path: 'a' }), '/patch/1/path'],
    [set({ op: 'remove', path: '/a~2' }), '/patch/1/path'],
    [set({ op: 'remove', path: '' }), '/patch/1/path'],
    [set({ op: 'remove', path: '/__proto__/polluted' }), '/patch/1/path'],
    [set({ op: 'remove', path: '/constructor' }), '/patch/1/path'],
    [set({ op: 'add', path: '/b' }), '/patch/1'],
    [set({ op: 'move', path: '/b' }), '/patch/1/from'],
    [set({ op: 'move', from: '/b', path: '/b/c' }), '/patch/1/path'],
    ['{"filter":{},"patch":[{"op":"add","path":"/b","value":{"__proto__":1}}]}', '/patch/0/value'],
    [`{"filter":{},"patch":[{"op":"add","path":"/b","value":${'['.repeat(100)}${']'.repeat(100)}}]}`, '/patch/0/value'],
  ] as const) {
    const answer = await replay(body as object | string);
    t.match(answer, { status: 400, json: { code: 'invalid_body' } }, JSON.stringify(body).slice(0, 100));
    t.ok(
      answer.json.detail.startsWith(`The body is not valid${place === '' ? '' : ` at ${place}`}: `),
      answer.json.detail,
    );
  }
  t.match(await send('/v1/rejections/replay?dry_run=true', { filter: {} }), { json: { code: 'invalid_parameter' } });
  t.match(await send('/v1/rejections/replay', '{}', { 'content-type': 'text/plain' }), { status: 415 });
  t.match(await replay(`{"filter":{},"x":"${'x'.repeat(6_000_000)}"}`), { status: 413 });
  t.match(await replay({ filter: { path: `/' OR true --`, keyword: '\0\\\ud800' } }), { status: 200 });
  t.strictSame(await database.query('SELECT count(*)::int AS n FROM sluice.batches'), [{ n: 1 }]);
});

t.test('a patch that makes every line too long costs each of them, and not the memory', async (t) => {
  const { upload, replay, server } = await quarantine(t, { env: { MAX_LINE_BYTES: '100000' } });
  await upload('{"a":"x"}\n'.repeat(500), '?schema=visit');
  const peak = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
  const before = peak();
  const patch = [{ op: 'add', path: '/b', value: 'y'.repeat(1_000_000) }];
  const answer = await replay({ filter: {}, patch, dry_run: true });
  t.match(answer, { status: 200, json: { lines: { rejected: 500 }, causes: [{ code: 'line_too_long' }] } });
  t.ok(peak() - before < 250, `${Math.round(peak() - before)} MiB more for 500 MB of lines`);
});
