// One upload from its bytes to its rows, and back.
import { createHash } from 'node:crypto';
import zlib, { gzipSync } from 'node:zlib';
import t from 'tap';
import { addsUp, get, lines, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';

t.test('an upload of four lines: its report, its rows, its rejection, in that order', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const good = JSON.stringify(userEvent());
  const bad = JSON.stringify(userEvent({ event_time: 'yesterday' }));
  const body = `${good}\n\n${bad}\r\n${JSON.stringify(userEvent({ event_type: 2 }))}`;

  const { status, json: report, headers } = await post(server, body);
  t.equal(status, 207);
  t.strictSame(report.lines, { received: 4, accepted: 2, rejected: 1, duplicate: 0, blank: 1 });
  t.ok(addsUp(report));
  t.match(report, {
    status: 'promoted',
    bytes: Buffer.byteLength(body),
    schemas: { 'user_event/1.0.0': 2 },
    checks: [{ name: 'row_count_match', status: 'passed', expected: 2, observed: 2 }],
    causes: [
      {
        code: 'schema_violation',
        schema: 'user_event/1.0.0',
        path: '/event_time',
        keyword: 'format',
        count: 1,
        example_line: 3,
      },
    ],
    rejections_truncated: false,
  });
  t.strictSame(report.rejections, [
    {
      line: 3,
      offset: good.length + 2,
      length: bad.length,
      code: 'schema_violation',
      schema: 'user_event/1.0.0',
      retryable: false,
      errors: [{ path: '/event_time', keyword: 'format', message: 'must match format "date-time"' }],
    },
  ]);
  t.equal(headers.get('location'), `/v1/batches/${report.batch_id}`);

  const rows = await query('SELECT *, event_time::text AS time FROM events.user_event ORDER BY _line');
  t.match(rows, [
    { event_type: '1', user_email: 'ada@example.com', phone_number: '+4912345', _line: 1, _schema_version: '1.0.0' },
    { event_type: '2', time: /^2026-01-02 03:04:05/, _line: 4, _batch_id: report.batch_id },
  ]);
  t.strictSame(
    await query("SELECT count(*)::int AS n FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'"),
    [{ n: 0 }],
    'nothing stays behind in the stage',
  );

  const verdicts = lines(await get(server, report.links.lines));
  t.strictSame(verdicts, [
    { line: 1, verdict: 'accepted' },
    { line: 2, verdict: 'blank' },
    { line: 3, verdict: 'rejected', code: 'schema_violation' },
    { line: 4, verdict: 'accepted' },
  ]);
  t.match(lines(await get(server, report.links.rejections)), [{ line: 3, raw: bad, code: 'schema_violation' }]);

  const stored = await get(server, report.links.batch);
  t.match(stored.json, { ...report, received_at: /^20/ });
  const list = await get(server, '/v1/batches');
  t.equal(list.json.items[0].batch_id, report.batch_id);
  t.equal(list.json.next_cursor, null);

  const [batch] = await query('SELECT files FROM sluice.batches');
  const sha256 = createHash('sha256').update(body).digest('hex');
  const bytes = Buffer.byteLength(body);
  t.strictSame(batch!.files, [{ name: null, format: 'ndjson', first_line: 1, lines: 4, bytes, sha256 }]);
});

t.test('every form of a body arrives', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const two = ndjson(userEvent(), userEvent({ event_type: 2 }));
  const json = { 'content-type': 'application/json' };
  const forms: [string, Parameters<typeof post>[1], Record<string, string>, number][] = [
    ['application/x-ndjson', two, {}, 2],
    ['application/ndjson', two, { 'content-type': 'application/ndjson' }, 2],
    ['application/jsonl', two, { 'content-type': 'application/jsonl; charset=utf-8' }, 2],
    ['a JSON object', JSON.stringify(userEvent(), null, 2), json, 1],
    ['a JSON array', JSON.stringify([userEvent(), userEvent()], null, 2), json, 2],
    ['gzip', gzipSync(two), { 'content-encoding': 'gzip' }, 2],
    ['two gzip members', Buffer.concat([gzipSync(two), gzipSync(two)]), { 'content-encoding': 'gzip' }, 4],
    ['a gzipped JSON array', gzipSync(JSON.stringify([userEvent()])), { ...json, 'content-encoding': 'GZIP' }, 1],
  ];
  // zstd came with Node 22.15.
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (text: string) => Buffer };
  if (zstdCompressSync !== undefined) forms.push(['zstd', zstdCompressSync(two), { 'content-encoding': 'zstd' }, 2]);
  let total = 0;
  for (const [name, body, headers, count] of forms) {
    const { status, json: report } = await post(server, body, { headers });
    t.equal(status, 201, name);
    t.equal(report.lines.accepted, count, name);
    total += count;
  }
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: total }]);
});

t.test('several files of a multipart body are one batch, each with lines of its own', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const form = new FormData();
  form.append('a', new Blob([ndjson(userEvent(), '{broken')]), 'a.ndjson');
  form.append('b', new Blob([gzipSync(`\n${ndjson(userEvent(), '42')}`)]), '../../b.ndjson.gz');
  const { status, json: report } = await post(server, form);
  t.equal(status, 207);
  t.strictSame(report.lines, { received: 5, accepted: 2, rejected: 2, duplicate: 0, blank: 1 });
  t.match(report.rejections, [
    { line: 2, file: 'a.ndjson', code: 'invalid_json' },
    { line: 3, file: 'b.ndjson.gz', code: 'not_an_object', offset: JSON.stringify(userEvent()).length + 2 },
  ]);
  t.strictSame(await query('SELECT _line FROM events.user_event ORDER BY _line'), [{ _line: 1 }, { _line: 4 }]);
  t.strictSame(
    lines(await get(server, report.links.lines)).map(({ file, line, verdict }) => [file, line, verdict]),
    [
      ['a.ndjson', 1, 'accepted'],
      ['a.ndjson', 2, 'rejected'],
      ['b.ndjson.gz', 1, 'blank'],
      ['b.ndjson.gz', 2, 'accepted'],
      ['b.ndjson.gz', 3, 'rejected'],
    ],
  );
});

t.test('the status says what became of the whole', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const good = userEvent();
  const mixed = ndjson(good, '{', good, '[]');

  const dry = await post(server, mixed, { query: { dry_run: 'true' } });
  t.match(dry, { status: 200, json: { status: 'dry_run', lines: { accepted: 2, rejected: 2 }, links: {} } });
  t.strictSame(await query('SELECT count(*)::int AS n FROM sluice.batches'), [{ n: 0 }], 'a dry run leaves no trace');

  const none = await post(server, ndjson('{', '[]'));
  t.match(none, { status: 422, json: { status: 'rejected', lines: { accepted: 0, rejected: 2 } } });

  const aborted = await post(server, mixed, { query: { on_error: 'abort' } });
  t.match(aborted, { status: 422, json: { status: 'aborted', lines: { received: 4, accepted: 0, rejected: 4 } } });
  t.strictSame(
    aborted.json.rejections.map(({ line }: { line: number }) => line),
    [2, 4],
  );
  t.ok(addsUp(aborted.json));
  t.strictSame(
    lines(await get(server, aborted.json.links.lines)).map(({ code }) => code),
    ['batch_aborted', 'invalid_json', 'batch_aborted', 'not_an_object'],
  );

  for (const [bound, status] of [
    ['2', 207],
    ['1', 422],
    ['50%', 207],
    ['49.9%', 422],
    ['0', 422],
  ] as const) {
    const answer = await post(server, mixed, { query: { max_rejected: bound } });
    t.equal(answer.status, status, `max_rejected=${bound}`);
    t.ok(addsUp(answer.json));
  }
  t.strictSame(
    await query('SELECT count(*)::int AS n FROM events.user_event'),
    [{ n: 4 }],
    'only promoted batches have rows',
  );

  t.match(await post(server, '\n\n'), { status: 422, json: { lines: { received: 2, blank: 2 } } });
  const summary = await post(server, mixed, { query: { report: 'summary' } });
  t.match(summary.json, { rejections: [], rejections_truncated: true, lines: { rejected: 2 } });
  const full = await post(server, mixed, { query: { report: 'full' } });
  t.equal(full.status, 207);
  t.equal(full.json.rejections.length, 2);
  t.strictSame(full.json.verdicts, [
    { line: 1, verdict: 'accepted' },
    { line: 2, verdict: 'rejected', code: 'invalid_json' },
    { line: 3, verdict: 'accepted' },
    { line: 4, verdict: 'rejected', code: 'not_an_object' },
  ]);
});

t.test('a large upload goes through the unlogged stage, its rejections and blanks too', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const good = JSON.stringify(userEvent());
  const count = 120_000;
  const body = `${good}\n\n${good}\nnot json\n`.repeat(count / 4);
  const { status, json: report } = await post(server, body);
  t.equal(status, 207);
  t.strictSame(report.lines, {
    received: count,
    accepted: count / 2,
    rejected: count / 4,
    duplicate: 0,
    blank: count / 4,
  });
  t.ok(addsUp(report));
  t.equal(report.rejections.length, 1_000);
  t.equal(report.rejections_truncated, true);
  t.strictSame(await query('SELECT count(*)::int AS n, count(DISTINCT _line)::int AS m FROM events.user_event'), [
    { n: count / 2, m: count / 2 },
  ]);
  t.strictSame(await query("SELECT tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'"), []);
  const verdicts = lines(await get(server, report.links.lines));
  t.equal(verdicts.length, count);
  t.strictSame(
    verdicts.slice(-4).map(({ line, verdict }) => [line, verdict]),
    [
      [count - 3, 'accepted'],
      [count - 2, 'blank'],
      [count - 1, 'accepted'],
      [count, 'rejected'],
    ],
  );
  const dry = await post(server, body, { query: { dry_run: 'true' } });
  t.strictSame(dry.json.lines, report.lines);
  const aborted = await post(server, body, { query: { max_rejected: '1000' } });
  t.match(aborted, { status: 422, json: { status: 'aborted', lines: { accepted: 0 } } });
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: count / 2 }]);
  t.strictSame(await query("SELECT tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'"), []);
});
