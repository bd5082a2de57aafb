// Bad input, case by case: the exact verdict, and the neighbours load.

import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { addsUp, get, lines, ndjson, post, userEvent } from './helpers/http.ts';
import { type TestDatabase, testDatabase } from './helpers/postgres.ts';
import { type Server, startServer } from './helpers/server.ts';

const good = JSON.stringify(userEvent());
const event = (change: string): string => good.replace('"event_type":1', `"event_type":1,${change}`);

/** One line between two good ones: the good ones must load, and the line gets this verdict. */
const BETWEEN: [name: string, line: string | Buffer, code: string | null, keyword?: string][] = [
  ['two objects', `${good}${good}`, 'invalid_json'],
  ['an unclosed object', good.slice(0, -1), 'invalid_json'],
  ['a JSON text sequence', `\u001e${good}`, 'invalid_json'],
  ['a byte order mark in the middle', `\ufeff${good}`, 'invalid_json'],
  ['a NUL byte', `${good.slice(0, 5)}\0${good.slice(5)}`, 'invalid_json'],
  ['a lone CR between two objects', `${good}\r${good}`, 'invalid_json'],
  ['a lone CR inside an object', good.replace(',', ',\r'), null],
  ['a key twice', good.replace('"event_type":1', '"event_type":2,"\\u0065vent_type":1'), 'duplicate_key', 'uniqueKeys'],
  ['NaN', good.replace('"event_type":1', '"event_type":NaN'), 'invalid_json'],
  ['a hexadecimal number', good.replace('"event_type":1', '"event_type":0x1'), 'invalid_json'],
  ['a leading zero', good.replace('"event_type":1', '"event_type":01'), 'invalid_json'],
  ['null', 'null', 'not_an_object'],
  ['a number', '1', 'not_an_object'],
  ['an array', `[${good}]`, 'not_an_object'],
  ['a trailing comma of an array file', `${good},`, 'invalid_json'],
  [
    'an invalid byte',
    Buffer.concat([Buffer.from(good.slice(0, -60)), Buffer.from([0xff]), Buffer.from(good.slice(-60))]),
    'invalid_utf8',
  ],
  ['an overlong encoding', Buffer.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x7d]), 'invalid_utf8'],
  ['an encoded surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'invalid_utf8'],
  ['a truncated character', Buffer.from([0x22, 0xe2, 0x82]), 'invalid_utf8'],
  ['a code point too high', Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]), 'invalid_utf8'],
  ['UTF-16', Buffer.from(good, 'utf16le'), 'invalid_json'],
  ['an undeclared property', event('"x":1'), 'schema_violation', 'additionalProperties'],
  ['__proto__', event('"__proto__":{}'), 'schema_violation', 'additionalProperties'],
  ['an escaped __proto__', event('"\\u005f_proto__":{}'), 'schema_violation', 'additionalProperties'],
  ['constructor', event('"constructor":1'), 'schema_violation', 'additionalProperties'],
  ['toString', event('"toString":1'), 'schema_violation', 'additionalProperties'],
  ['an empty key', event('"":1'), 'schema_violation', 'additionalProperties'],
  ['a NUL in a key', event('"a\\u0000b":1'), 'schema_violation', 'additionalProperties'],
  ['half a surrogate pair in a key', event('"\\ud800":1'), 'schema_violation', 'additionalProperties'],
  ['a missing property', good.replace('"event_type":1,', ''), 'schema_violation', 'required'],
  ['a number as text', good.replace('"event_type":1', '"event_type":"1"'), 'schema_violation', 'type'],
  ['a fraction for an integer', good.replace('"event_type":1', '"event_type":1.5'), 'schema_violation', 'type'],
  ['1e400 for an integer', good.replace('"event_type":1', '"event_type":1e400'), 'schema_violation', 'type'],
  ['1.0 for an integer', good.replace('"event_type":1', '"event_type":1.0'), null],
  ['1E2 for an integer', good.replace('"event_type":1', '"event_type":1E2'), null],
  ['-0 for an integer', good.replace('"event_type":1', '"event_type":-0'), null],
  ['2^53+1', good.replace('"event_type":1', '"event_type":9007199254740993'), null],
  ['2^63-1', good.replace('"event_type":1', '"event_type":9223372036854775807'), null],
  ['2^63', good.replace('"event_type":1', '"event_type":9223372036854775808'), 'unstorable_value', 'storable'],
  ['-2^63', good.replace('"event_type":1', '"event_type":-9223372036854775808'), null],
  ['1e20', good.replace('"event_type":1', '"event_type":1e20'), 'unstorable_value', 'storable'],
  ['1e21', good.replace('"event_type":1', '"event_type":1e21'), 'unstorable_value', 'storable'],
  [
    '100 kB of digits',
    good.replace('"event_type":1', `"event_type":${'1'.repeat(100_000)}`),
    'schema_violation',
    'type',
  ],
  [
    'an integer that is none past the 16th digit',
    good.replace('"event_type":1', '"event_type":1.0000000000000000001'),
    'unstorable_value',
    'storable',
  ],
  ['year 0000', good.replace('2026-01-02T', '0000-01-02T'), 'unstorable_value', 'storable'],
  ['an offset of 16 hours', good.replace('05Z', '05+16:00'), 'unstorable_value', 'storable'],
  ['an offset of 15:59', good.replace('05Z', '05+15:59'), null],
  ['a leap second', good.replace('03:04:05Z', '23:59:60Z'), null],
  ['a fraction after a leap second', good.replace('03:04:05Z', '23:59:60.5Z'), 'unstorable_value', 'storable'],
  ['130 digits of a second', good.replace('05Z', `05.${'0'.repeat(130)}Z`), 'unstorable_value', 'storable'],
  ['a no-break space in a date-time', good.replace('02T', '02\u00a0'), 'unstorable_value', 'storable'],
  [
    'a date of year 0000',
    good.replace('"processing_date":"2026', '"processing_date":"0000'),
    'unstorable_value',
    'storable',
  ],
  [
    '29 February of a common year',
    good.replace('"processing_date":"2026-01-02', '"processing_date":"2026-02-29'),
    'schema_violation',
    'format',
  ],
  ['a NUL in a text', good.replace('+4912345', '+49\\u0000'), 'unstorable_value', 'storable'],
  ['half a surrogate pair in a text', good.replace('+4912345', '\\ud800'), 'unstorable_value', 'storable'],
  ['a reversed surrogate pair', good.replace('+4912345', '\\udc00\\ud800'), 'unstorable_value', 'storable'],
  ['a whole surrogate pair', good.replace('+4912345', '\\ud83d\\ude00'), null],
  ['a noncharacter', good.replace('+4912345', '\uffff'), null],
  ['what COPY takes for its end', good.replace('+4912345', '\\\\.'), null],
  ['what COPY takes for NULL', good.replace('+4912345', '\\\\N'), null],
  ['a tab and a quote', good.replace('+4912345', '\\t\\"'), null],
  ['an empty text', good.replace('+4912345', ''), null],
];

t.test('a bad line gets its verdict and its neighbours load', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  const newline = Buffer.from('\n');
  const body = BETWEEN.flatMap(([, line]) => [Buffer.from(line), newline, Buffer.from(good), newline]);
  const { status, json: report } = await post(server, Buffer.concat(body), { query: { report: 'full' } });
  t.equal(status, 207);
  t.ok(addsUp(report));
  for (const [index, [name, , code, keyword]] of BETWEEN.entries()) {
    const line = index * 2 + 1;
    const rejection = report.rejections.find((each: { line: number }) => each.line === line);
    t.equal(rejection?.code ?? null, code, name);
    if (keyword !== undefined) t.equal(rejection?.errors[0].keyword, keyword, name);
    t.equal(report.verdicts[line].verdict, 'accepted', `the line after ${name}`);
  }
  const stored = await query('SELECT _line, event_type, phone_number FROM events.user_event');
  const lineOf = (name: string): number => BETWEEN.findIndex(([each]) => each === name) * 2 + 1;
  const row = (name: string) => stored.find(({ _line }) => _line === lineOf(name));
  t.equal(row('2^53+1')!.event_type, '9007199254740993', 'no digit is lost');
  t.equal(row('2^63-1')!.event_type, '9223372036854775807');
  t.equal(row('what COPY takes for its end')!.phone_number, '\\.');
  t.equal(row('an empty text')!.phone_number, '');
  t.equal(stored.length, report.lines.accepted);

  const kept = lines(await get(server, report.links.rejections));
  t.equal(kept.length, report.lines.rejected);
  const bytes = kept.find(({ line }) => line === lineOf('an invalid byte'));
  t.strictSame(Buffer.from(bytes.raw_base64, 'base64'), BETWEEN.find(([name]) => name === 'an invalid byte')![1]);
});

t.test('each line alone is judged as between good ones, also as the element of an array', async (t) => {
  const { url: databaseUrl } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  for (const [name, line, code] of BETWEEN) {
    // At the very start it is no data.
    if (name === 'a byte order mark in the middle') continue;
    const { status, json } = await post(server, Buffer.from(line), { query: { dry_run: 'true' } });
    t.equal(status, 200, name);
    t.equal(json.rejections?.[0]?.code ?? null, code, name);
  }
  for (const [name, line, code] of BETWEEN) {
    if (code === 'invalid_json' || typeof line !== 'string') continue;
    const { json } = await post(server, `[${good},${line}]`, {
      query: { dry_run: 'true' },
      headers: { 'content-type': 'application/json' },
    });
    t.strictSame(json.lines.received, 2, name);
    t.equal(json.rejections?.[0]?.code ?? null, code, name);
  }
});

interface Refusal {
  name: string;
  body?: string | Buffer;
  headers?: Record<string, string>;
  query?: Record<string, string>;
  status: number;
  code: string;
  detail?: RegExp;
}

const gzip = { 'content-encoding': 'gzip' };
const REFUSALS: Refusal[] = [
  { name: 'an empty body', body: '', status: 400, code: 'empty_body' },
  {
    name: 'an empty array',
    body: '[]',
    headers: { 'content-type': 'application/json' },
    status: 400,
    code: 'empty_body',
  },
  {
    name: 'only white space as JSON',
    body: ' \n',
    headers: { 'content-type': 'application/json' },
    status: 400,
    code: 'empty_body',
  },
  {
    name: "curl's default type",
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    code: 'unsupported_media_type',
    detail: /application\/x-ndjson/,
  },
  { name: 'text/plain', headers: { 'content-type': 'text/plain' }, status: 415, code: 'unsupported_media_type' },
  {
    name: 'garbage behind the type',
    headers: { 'content-type': 'application/json garbage' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'a tab behind the type',
    headers: { 'content-type': 'application/json\ta' },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'another charset',
    headers: { 'content-type': 'application/json; charset=latin1' },
    status: 415,
    code: 'unsupported_media_type',
  },
  { name: 'an unknown encoding', headers: { 'content-encoding': 'br' }, status: 415, code: 'unsupported_encoding' },
  {
    name: 'a double encoding',
    headers: { 'content-encoding': 'gzip, gzip' },
    status: 415,
    code: 'unsupported_encoding',
  },
  {
    name: 'gzip without its header',
    body: gzipSync(good),
    status: 415,
    code: 'unsupported_encoding',
    detail: /Content-Encoding: gzip/,
  },
  { name: 'no gzip behind its header', headers: gzip, status: 400, code: 'invalid_compression' },
  {
    name: 'a truncated gzip',
    body: gzipSync(good).subarray(0, -9),
    headers: gzip,
    status: 400,
    code: 'invalid_compression',
  },
  { name: 'a wrong checksum', body: wrongChecksum(), headers: gzip, status: 400, code: 'invalid_compression' },
  {
    name: 'garbage behind gzip',
    body: Buffer.concat([gzipSync(good), Buffer.from('xxx')]),
    headers: gzip,
    status: 400,
    code: 'invalid_compression',
  },
  { name: 'a raw deflate stream', body: deflateRawSync(good), headers: gzip, status: 400, code: 'invalid_compression' },
  {
    name: 'a gzip bomb',
    body: gzipSync(Buffer.alloc(64 * 1024 * 1024, 'x')),
    headers: gzip,
    status: 413,
    code: 'body_too_large',
  },
  { name: 'an unknown schema', query: { schema: 'nope' }, status: 400, code: 'unknown_schema' },
  { name: 'an unknown version', query: { schema: 'user_event/9.0.0' }, status: 400, code: 'unknown_schema' },
  { name: 'a path for a schema', query: { schema: '../user_event' }, status: 400, code: 'unknown_schema' },
  { name: 'an empty schema', query: { schema: '' }, status: 400, code: 'unknown_schema' },
  { name: 'a mistyped parameter', query: { dryrun: 'true' }, status: 400, code: 'invalid_parameter' },
  { name: 'a bad dry_run', query: { dry_run: 'maybe' }, status: 400, code: 'invalid_parameter' },
  { name: 'a bad on_error', query: { on_error: 'ignore' }, status: 400, code: 'invalid_parameter' },
  { name: 'a negative bound', query: { max_rejected: '-1' }, status: 400, code: 'invalid_parameter' },
  { name: 'more than all', query: { max_rejected: '101%' }, status: 400, code: 'invalid_parameter' },
  { name: 'a bad report', query: { report: 'all' }, status: 400, code: 'invalid_parameter' },
  { name: 'a key with a space', headers: { 'idempotency-key': 'a b' }, status: 400, code: 'invalid_idempotency_key' },
  {
    name: 'a key of 256 characters',
    headers: { 'idempotency-key': 'k'.repeat(256) },
    status: 400,
    code: 'invalid_idempotency_key',
  },
  {
    name: 'a key in latin-1',
    headers: { 'idempotency-key': 'sch\u00f6n' },
    status: 400,
    code: 'invalid_idempotency_key',
  },
  {
    name: 'compressed multipart',
    body: gzipSync('x'),
    headers: { ...gzip, 'content-type': 'multipart/form-data; boundary=x' },
    status: 415,
    code: 'unsupported_encoding',
  },
  { name: 'no boundary', headers: { 'content-type': 'multipart/form-data' }, status: 400, code: 'invalid_multipart' },
  {
    name: 'a wrong boundary',
    body: '--a\r\n',
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    status: 400,
    code: 'invalid_multipart',
  },
  {
    name: 'line feeds only',
    body: multipart().replaceAll('\r\n', '\n'),
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    status: 400,
    code: 'invalid_multipart',
  },
  {
    name: 'a cut multipart body',
    body: multipart().slice(0, -20),
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    status: 400,
    code: 'invalid_multipart',
  },
  {
    name: 'a parameter as a form field',
    body: multipart('schema'),
    headers: { 'content-type': 'multipart/form-data; boundary=b' },
    status: 400,
    code: 'invalid_multipart',
  },
];

function wrongChecksum(): Buffer {
  const bytes = gzipSync(good);
  bytes[bytes.length - 6]! ^= 0xff;
  return bytes;
}

function multipart(field?: string): string {
  const before = field === undefined ? '' : `--b\r\nContent-Disposition: form-data; name="${field}"\r\n\r\nx\r\n`;
  return `${before}--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n${good}\r\n--b--\r\n`;
}

t.test('a request that cannot be taken is refused as a whole, with a code and a reason', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  for (const { name, body = good, headers = {}, query: parameters = {}, status, code, detail } of REFUSALS) {
    const answer = await post(server, body, { headers, query: parameters });
    t.equal(answer.status, status, name);
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/, name);
    t.match(answer.json, { code, status, title: String, detail: detail ?? String }, name);
  }
  t.match(await post(server, multipart(), { headers: { 'content-type': 'multipart/form-data; boundary=b' } }), {
    status: 201,
  });
  const twice = await post({ url: server.url }, good, { query: {} });
  t.equal(twice.status, 201);
  const repeated = await fetch(`${server.url}/v1/events?schema=a&schema=b`, {
    method: 'POST',
    body: good,
    headers: { 'content-type': 'application/x-ndjson' },
  });
  t.equal(repeated.status, 400);
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2 }]);
});

t.test('addresses that are nothing, and methods that are not taken', async (t) => {
  const server = await startServer(t);
  t.match(await get(server, '/v1/nothing'), { status: 404, json: { code: 'not_found' } });
  t.match(await get(server, '/v1/events'), { status: 405, json: { code: 'method_not_allowed', allowed: ['POST'] } });
  t.match(await get(server, '/v1/batches/x'), { status: 404, json: { code: 'batch_not_found' } });
  t.match(await get(server, '/v1/batches/019c8a7e-0000-7000-8000-000000000000'), { status: 404 });
  t.match(await get(server, '/v1/batches/019c8a7e-0000-7000-8000-000000000000/lines'), { status: 404 });
  t.match(await get(server, '/v1/batches/%00/rejections'), { status: 404 });
  t.match(await get(server, '/v1/%2e%2e%2fetc'), { status: 404 });
  t.match(await get(server, '/v1/batches?limit=0'), { status: 400, json: { code: 'invalid_parameter' } });
  t.match(await get(server, '/v1/batches?cursor=abc'), { status: 400, json: { code: 'invalid_parameter' } });
  t.match(await get(server, '/v1/batches?from=yesterday'), { status: 400, json: { code: 'invalid_parameter' } });
  t.match(await get(server, '/v1/batches?status=gone'), { status: 400, json: { code: 'invalid_parameter' } });
  t.match(await get(server, '/v1/schemas/nope'), { status: 404, json: { code: 'schema_not_found' } });
  t.match(await get(server, '/v1/schemas/user_event/versions/9.9.9'), {
    status: 404,
    json: { code: 'schema_not_found' },
  });
  t.match(await get(server, '/v1/schemas/user_event/versions/latest'), { status: 200, json: { properties: Object } });
});

/** A server with one open subject that has a column of every type. */
async function openSubject(t: Test): Promise<{ server: Server; query: TestDatabase['query'] }> {
  const schemaDir = await mkdtemp(join(tmpdir(), 'sluice-schemas-'));
  await mkdir(join(schemaDir, 'thing'));
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    required: ['id'],
    properties: {
      id: { type: 'string', 'x-id': true },
      size: { type: 'number' },
      note: { type: ['string', 'null'] },
      inner: { type: 'object', properties: { flag: { type: 'boolean' } } },
      list: { type: 'array' },
    },
  };
  await writeFile(join(schemaDir, 'thing', '1.0.0.json'), JSON.stringify(schema));
  const { url: databaseUrl, query } = await testDatabase(t);
  return { server: await startServer(t, { databaseUrl, schemaDir }), query };
}

t.test('numbers, nulls and undeclared properties of an open schema are kept as they were', async (t) => {
  const { server, query } = await openSubject(t);
  const cases: [line: string, code: string | null][] = [
    ['{"id":"1","size":0.1}', null],
    ['{"id":"2","size":0.30000000000000004}', null],
    ['{"id":"3","size":9007199254740993}', 'unstorable_value'],
    ['{"id":"4","size":1e400}', 'schema_violation'],
    ['{"id":"5","size":1e-400}', 'unstorable_value'],
    ['{"id":"6","deep":{"n":[12345678901234567890.5,1e400,{"a":null}]}}', null],
    ['{"id":"7","note":null}', null],
    ['{"id":"8","inner":{}}', null],
    ['{"id":"9","inner":{"flag":true,"other":{"x":1}},"a.b":1,"":2,"__proto__":{"y":3}}', null],
    ['{"id":"10","x":"a\\u0000b"}', 'unstorable_value'],
    ['{"id":"11","x":{"\\ud800":1}}', 'unstorable_value'],
    ['{"id":"12","list":[1e131072]}', 'unstorable_value'],
    ['{"id":"13","list":[1e131071]}', null],
    [`{"id":"14","x":${'[['.repeat(31)}1${']]'.repeat(31)}}`, null],
    [`{"id":"15","x":${'['.repeat(63)}1${']'.repeat(63)}}`, null],
    [`{"id":"16","x":${'['.repeat(64)}1${']'.repeat(64)}}`, 'too_deep'],
    [`{"id":"17","x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'too_deep'],
    [`{"id":"${'x'.repeat(2_600)}"}`, null],
    [`{"id":"${'x'.repeat(2_601)}"}`, 'unstorable_value'],
    ['{"id":"e\u0301"}', null],
    ['{"id":"\u00e9"}', null],
  ];
  const { json: report } = await post(server, ndjson(...cases.map(([line]) => line)), { query: { report: 'full' } });
  t.ok(addsUp(report));
  for (const [index, [line, code]] of cases.entries()) {
    t.equal(report.verdicts[index].code ?? null, code, line.slice(0, 60));
  }
  const extra = async (id: string) =>
    (await query('SELECT _extra::text AS x FROM events.thing WHERE id = $1', [id]))[0]!.x;
  t.equal(await extra('1'), null);
  t.match(await extra('6'), /^\{"deep": \{"n": \[12345678901234567890.5, 10{400}, \{"a": null\}\]\}\}$/);
  t.equal(await extra('7'), '{"note": null}');
  t.equal(await extra('8'), '{"inner": {}}');
  t.strictSame(
    JSON.parse(await extra('9')),
    JSON.parse('{"":2,"a.b":1,"inner":{"other":{"x":1}},"__proto__":{"y":3}}'),
  );

  const again = await post(server, ndjson(...cases.map(([line]) => line)));
  t.match(again, { status: 207, json: { lines: { accepted: 0, duplicate: report.lines.accepted } } });
  t.ok(addsUp(again.json));
  const same = await post(server, ndjson('{"id":"new"}', '{"id":"new","size":2}', '{"id":"1"}'));
  t.match(same, { status: 201, json: { lines: { accepted: 1, duplicate: 2 }, schemas: { 'thing/1.0.0': 1 } } });
  t.strictSame(
    lines(await get(server, same.json.links.lines)).map(({ verdict }) => verdict),
    ['accepted', 'duplicate', 'duplicate'],
  );
});
