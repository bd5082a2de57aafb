// A key for named subjects: what it may not send is refused with the request, or on its line.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { MadeKey } from '../../src/access/stored-keys.ts';
import { sluice } from '../cli/sluice.ts';
import { addsUp, lines, ndjson } from '../helpers/http.ts';
import { bearer, makeKey } from '../helpers/keys.ts';
import { raw } from '../helpers/raw.ts';
import { type Quarantine, quarantine } from '../quarantine/replaying.ts';
import { closed, integer, running } from '../registry/registry.ts';

const ON = { env: { AUTH: 'on' } };

/** Subjects `visit` and `order`, and a key for `visit`. */
async function shared(t: Test): Promise<Quarantine & { visitor: MadeKey; admin: MadeKey }> {
  const run = await quarantine(t, ON);
  const visitor = await makeKey(run.database, { scopes: ['ingest', 'read'], subjects: ['visit'] });
  return { ...run, visitor, admin: await makeKey(run.database) };
}

t.test('a schema parameter that names another subject is refused before the body has come', async (t) => {
  const { server, send, visitor, database } = await shared(t);
  const head = (schema: string) =>
    `POST /v1/events?schema=${schema} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n` +
    `Authorization: Bearer ${visitor.key}\r\nContent-Length: 1000000\r\n\r\n`;
  for (const schema of ['order', 'order/1', 'order/1.0.0', '/order', 'order/9', 'nothing']) {
    const subject = schema === 'nothing' ? 'nothing' : 'order';
    const answer = await (await raw(server, head(schema))).until(/\}$/);
    t.match(answer, /^HTTP\/1.1 403 /, schema);
    t.match(answer, `"code":"forbidden","subject":"${subject}"`);
  }
  const ask = (path: string) => send(path, [{ a: 1 }], bearer(visitor));
  for (const schema of ['visit/9', '!', 'order/']) {
    const unknown = await ask(`/v1/events?schema=${encodeURIComponent(schema)}`);
    t.match(unknown, { status: 400, json: { code: 'unknown_schema' } }, schema);
  }
  t.equal((await ask('/v1/events?schema=visit')).status, 201);
  t.same(await database.query('SELECT count(*)::int FROM sluice.batches'), [{ count: 1 }]);
});

t.test('a line that names another subject is rejected, and its neighbours load', async (t) => {
  const { server, visitor, admin, database, stored } = await shared(t);
  const body = ndjson(
    { $schema: 'visit', a: 1 },
    { $schema: 'order', id: 'x' },
    { $schema: '/order/1.0.0', id: 'x' },
    { $schema: 'nothing', id: 'x' },
    { a: 1 },
    { $schema: 7 },
    '{"$schema":"order","id":"x","id":"y"}',
    `{"$schema":"order","id":${'['.repeat(200)}${']'.repeat(200)}}`,
    { $schema: 'visit', a: 'x' },
    '',
    { $schema: 'visit/1', a: 2 },
  );
  const answer = await fetch(`${server.url}/v1/events`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/x-ndjson', ...bearer(visitor) },
  });
  t.equal(answer.status, 207);
  // biome-ignore lint/suspicious/noExplicitAny: a report
  const report = (await answer.json()) as any;
  t.ok(addsUp(report));
  t.same(report.lines, { received: 11, accepted: 2, rejected: 8, duplicate: 0, blank: 1 });
  const forbidden = { code: 'forbidden_subject', schema: null, retryable: false };
  const order = [{ path: '/$schema', keyword: 'subject', message: 'the key may not send events of order' }];
  t.match(report.rejections, [
    { line: 2, ...forbidden, errors: order },
    { line: 3, ...forbidden, errors: order },
    { line: 4, ...forbidden, errors: [{ message: 'the key may not send events of nothing' }] },
    { line: 5, code: 'unknown_schema' },
    { line: 6, code: 'unknown_schema' },
    { line: 7, ...forbidden, errors: order },
    { line: 8, ...forbidden, errors: order },
    { line: 9, code: 'schema_violation' },
  ]);
  t.match(report.causes[0], { code: 'forbidden_subject', count: 5, example_line: 2 });
  t.same(await stored('visit', 'a'), ['1', '2']);
  t.same(await stored('order', 'id'), []);
  const file = join(t.testdir({}), 'events.ndjson');
  writeFileSync(file, body);
  const proof = await sluice(t, ['reconcile', '--batch', report.batch_id, '--file', file], {
    env: { DATABASE_URL: database.url },
  });
  t.equal(proof.code, 0, proof.stdout);

  const all = await fetch(`${server.url}/v1/events`, {
    method: 'POST',
    body: ndjson({ $schema: 'order', id: 'x' }),
    headers: { 'content-type': 'application/x-ndjson', ...bearer(admin) },
  });
  t.equal(all.status, 201, 'a key without named subjects sends all of them');
});

t.test('without a name anywhere the only subject decides, and the key has to have it', async (t) => {
  const { send, database } = await running(t, { 'visit/1.0.0.json': closed({ a: integer }, 'a') }, ON);
  const other = await makeKey(database, { scopes: ['ingest'], subjects: ['order', 'page_view'] });
  const refused = await send('/v1/events', [{ a: 1 }, { a: 'x' }], bearer(other));
  t.match(refused, { status: 422, json: { status: 'rejected', lines: { rejected: 2 } } });
  const errors = [{ path: '', keyword: 'subject', message: 'the key may not send events of visit' }];
  t.match(
    refused.json.rejections,
    [1, 2].map((line) => ({ line, code: 'forbidden_subject', errors })),
  );
  const own = await makeKey(database, { scopes: ['ingest'], subjects: ['visit'] });
  t.equal((await send('/v1/events', [{ a: 1 }], bearer(own))).status, 201);
});

t.test('what a key might not send is replayed only where that is asked for by its code', async (t) => {
  const { server, send, visitor, admin, stored } = await shared(t);
  const body = [
    { $schema: 'order', id: 'planted' },
    { $schema: 'visit', a: 'x' },
  ];
  t.equal((await send('/v1/events', body, bearer(visitor))).status, 422);
  const replay = (order: object) => send('/v1/rejections/replay', order, bearer(admin));
  const patch = [{ op: 'add', path: '/a', value: 1 }];
  const all = await replay({ filter: {}, patch });
  t.match(all.json.lines, { received: 1, accepted: 1 });
  t.same(await stored('order', 'id'), []);
  t.match((await replay({ filter: { subject: 'order' } })).json.lines, { received: 0 });
  const listed = await fetch(`${server.url}/v1/rejections?code=forbidden_subject`, { headers: bearer(admin) });
  t.match(await listed.json(), { items: [{ line: 1, state: 'stored', raw: '{"$schema":"order","id":"planted"}' }] });
  t.match((await replay({ filter: { code: 'forbidden_subject' } })).json.lines, { received: 1, accepted: 1 });
  t.same(await stored('order', 'id'), ['planted']);
});

t.test('a dry run and files of a form are judged by the same rights', async (t) => {
  const { server, send, visitor, stored } = await shared(t);
  const dry = await send('/v1/events?dry_run=true&report=full', [{ $schema: 'order', id: 'x' }], bearer(visitor));
  t.match(dry.json, { status: 'dry_run', causes: [{ code: 'forbidden_subject' }] });
  const form = new FormData();
  form.append('file', new Blob([ndjson({ $schema: 'visit', a: 1 })]), 'one.ndjson');
  form.append('file', new Blob([ndjson({ $schema: 'order', id: 'x' })]), 'two.ndjson');
  const answer = await fetch(`${server.url}/v1/events`, { method: 'POST', body: form, headers: bearer(visitor) });
  // biome-ignore lint/suspicious/noExplicitAny: a report
  const report = (await answer.json()) as any;
  t.match(report.rejections, [{ file: 'two.ndjson', line: 1, code: 'forbidden_subject' }]);
  t.same(await stored('order', 'id'), []);
  const verdicts = await fetch(`${server.url}/v1/batches/${report.batch_id}/lines`, { headers: bearer(visitor) });
  t.match(lines({ text: await verdicts.text() } as never), [
    { verdict: 'accepted' },
    { verdict: 'rejected', code: 'forbidden_subject' },
  ]);
});
