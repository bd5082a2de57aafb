// Each limit at its bound and one beyond.
import { once } from 'node:events';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { addsUp, get, lines, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';

const good = JSON.stringify(userEvent());

/** A valid line of exactly this many bytes. */
function lineOf(bytes: number): string {
  return good.replace('+4912345', '4'.repeat(bytes - good.length + '+4912345'.length));
}

t.test('bytes of a line', async (t) => {
  const server = await startServer(t, { env: { MAX_LINE_BYTES: '1000' } });
  const body = ndjson(lineOf(1_000), lineOf(1_001), lineOf(300_000), `${lineOf(1_000)}\r`, good);
  const { status, json } = await post(server, body, { query: { report: 'full' } });
  t.equal(status, 207);
  t.strictSame(
    json.verdicts.map(({ code }: { code?: string }) => code ?? 'accepted'),
    ['accepted', 'line_too_long', 'line_too_long', 'accepted', 'accepted'],
  );
  t.match(json.rejections, [
    { line: 2, offset: 1_001, length: 1_001 },
    { line: 3, offset: 2_003, length: 300_000 },
  ]);
  const kept = lines(await get(server, json.links.rejections));
  t.equal(kept[1].raw.length, 1_000, 'its beginning is kept');
  t.equal(kept[1].raw_truncated, true);

  const array = `[${lineOf(1_000)},${lineOf(1_001)},${good}]`;
  const answer = await post(server, array, { headers: { 'content-type': 'application/json' } });
  t.match(answer.json, {
    lines: { accepted: 2, rejected: 1 },
    rejections: [{ line: 2, code: 'line_too_long', length: 1_001 }],
  });
  const single = await post(server, lineOf(1_001), { headers: { 'content-type': 'application/json' } });
  t.match(single, { status: 422, json: { rejections: [{ line: 1, code: 'line_too_long' }] } });
});

t.test('levels of nesting', async (t) => {
  const server = await startServer(t, { env: { MAX_DEPTH: '3' } });
  const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;
  const { json } = await post(server, ndjson(nested(3), nested(4), good));
  t.strictSame(
    json.rejections.map(({ code }: { code: string }) => code),
    ['schema_violation', 'too_deep'],
  );
});

t.test('bytes of a body, announced or not', async (t) => {
  const limit = good.length + 1;
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { MAX_BODY_BYTES: String(limit) } });
  t.match(await post(server, `${good}\n`), { status: 201 });
  t.match(await post(server, `${good}\n\n`), { status: 413, json: { code: 'body_too_large' } });
  const sent = request(`${server.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  sent.write(`${good}\n`);
  sent.end(good);
  const [response] = await once(sent, 'response');
  t.equal(response.statusCode, 413, 'a stream of unknown length');
  response.resume();
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 1 }]);
});

t.test('bytes after decompression, and how much larger they are', async (t) => {
  const server = await startServer(t, { env: { MAX_DECOMPRESSED_BYTES: '1000', MAX_COMPRESSION_RATIO: '100' } });
  const headers = { 'content-encoding': 'gzip' };
  t.match(await post(server, gzipSync(lineOf(1_000)), { headers }), { status: 201 });
  t.match(await post(server, gzipSync(lineOf(1_001)), { headers }), { status: 413, json: { code: 'body_too_large' } });
  const form = new FormData();
  form.append('f', new Blob([gzipSync(lineOf(1_001))]), 'f.gz');
  t.match(await post(server, form), { status: 413, json: { code: 'body_too_large' } });

  const roomy = await startServer(t, { env: { MAX_COMPRESSION_RATIO: '100' } });
  const repeated = gzipSync(`${good}\n`.repeat(80_000));
  t.match(await post(roomy, repeated, { headers }), { status: 413, json: { detail: /more than 100 times/ } });
});

t.test('files of a multipart body', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { MAX_FILES: '3' } });
  const files = (count: number) => {
    const form = new FormData();
    for (let index = 0; index < count; index++) form.append('f', new Blob([good]), `${index}.ndjson`);
    return form;
  };
  t.match(await post(server, files(3)), { status: 201, json: { lines: { accepted: 3 } } });
  t.match(await post(server, files(4)), { status: 413, json: { code: 'too_many_files' } });
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 3 }]);
});

t.test('rejections kept of a batch: beyond them it is aborted', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { MAX_REJECTIONS: '5' } });
  const bad = (count: number) => ndjson(good, ...Array.from({ length: count }, () => '{'));
  t.match(await post(server, bad(5)), { status: 207, json: { lines: { accepted: 1, rejected: 5 } } });
  const { status, json } = await post(server, bad(6));
  t.match(
    { status, json },
    { status: 422, json: { status: 'aborted', reason: /more than 5/, lines: { received: 7, accepted: 0 } } },
  );
  t.ok(addsUp(json));
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 1 }]);
});

t.test('uploads at once', async (t) => {
  const server = await startServer(t, { env: { MAX_BATCHES: '2' } });
  const open = await Promise.all(
    [1, 2].map(async () => {
      const sent = request(`${server.url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
      });
      sent.write(`${good}\n`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      return sent;
    }),
  );
  const refused = await post(server, good);
  t.match(refused, { status: 429, json: { code: 'too_many_batches' } });
  t.equal(refused.headers.get('retry-after'), '1');
  t.match(await get(server, '/readyz'), { status: 200 });
  for (const sent of open) {
    sent.end();
    const [response] = await once(sent, 'response');
    t.equal(response.statusCode, 201);
    response.resume();
  }
  t.match(await post(server, good), { status: 201 });
});

t.test('a setting that is not allowed stops the start with one line', async (t) => {
  for (const [name, value] of [
    ['MAX_DEPTH', '0'],
    ['PORT', '70000'],
    ['LOG_LEVEL', 'loud'],
    ['DATABASE_URL', 'mysql://x'],
  ] as const) {
    const start = startServer(t, { env: { [name]: value } });
    await t.rejects(start, { message: new RegExp(`${name} is .*allowed is `) }, name);
  }
});
