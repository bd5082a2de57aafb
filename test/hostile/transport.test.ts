// HTTP itself as the attack: bytes on a socket, and headers that no client of good will would send. More of the kind,
// and what of it is fine, in test/transport.test.ts.
import zlib, { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { dial } from '../helpers/exchange.ts';
import { userEvent } from '../helpers/http.ts';
import { type Arena, hostile } from './arena.ts';

const good = JSON.stringify(userEvent());
const body = `${good}\n`;
const chunk = `${body.length.toString(16)}\r\n${body}\r\n`;
const NDJSON = 'Content-Type: application/x-ndjson';
const LENGTH = `Content-Length: ${body.length}`;
const CHUNKED = 'Transfer-Encoding: chunked';

/** A request of these header lines; `first` is its first line. */
function request(headers: readonly string[], sent: string | Buffer = '', first = 'POST /v1/events HTTP/1.1'): Buffer {
  const head = [first, 'Host: x', 'Connection: close', ...headers].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), Buffer.from(sent)]);
}

const posted = (...headers: string[]): Buffer => request([NDJSON, LENGTH, ...headers], body);
const fetched = (path: string, ...headers: string[]): Buffer => request(headers, '', `GET ${path} HTTP/1.1`);

type Case = [name: string, bytes: Buffer, status: number, code?: string];

const SMUGGLED: Case[] = [
  ['two equal lengths', posted(LENGTH), 400, 'bad_request'],
  ['two lengths', posted('Content-Length: 1'), 400, 'bad_request'],
  ['a list of lengths', request([NDJSON, `${LENGTH}, ${body.length}`], body), 400, 'bad_request'],
  ['a negative length', request([NDJSON, 'Content-Length: -1'], body), 400, 'bad_request'],
  ['a length with a sign', request([NDJSON, `Content-Length: +${body.length}`], body), 400, 'bad_request'],
  ['a hexadecimal length', request([NDJSON, 'Content-Length: 0xa3'], body), 400, 'bad_request'],
  ['a length beyond 2^64', request([NDJSON, 'Content-Length: 99999999999999999999'], body), 400, 'bad_request'],
  ['a length and chunks', request([NDJSON, LENGTH, CHUNKED], `${chunk}0\r\n\r\n`), 400, 'bad_request'],
  ['chunks and a length', request([NDJSON, CHUNKED, LENGTH], `${chunk}0\r\n\r\n`), 400, 'bad_request'],
  ['an unknown transfer coding', request([NDJSON, 'Transfer-Encoding: xchunked'], chunk), 400, 'bad_request'],
  [
    'chunked, but not as the last',
    request([NDJSON, 'Transfer-Encoding: chunked, identity'], chunk),
    400,
    'bad_request',
  ],
  ['identity for a transfer coding', request([NDJSON, 'Transfer-Encoding: identity'], chunk), 400, 'bad_request'],
  ['a tab before chunked', request([NDJSON, 'Transfer-Encoding:\tchunked'], `${chunk}0\r\n\r\n`), 201],
  ['a space before the colon', request([NDJSON, `Content-Length : ${body.length}`], body), 400, 'bad_request'],
  ['a folded header', request([NDJSON, LENGTH, 'X: a\r\n b'], body), 400, 'bad_request'],
  ['a chunk size that is none', request([NDJSON, CHUNKED], `zz\r\n${body}\r\n`), 400],
  ['a chunk longer than its size', request([NDJSON, CHUNKED], `5\r\n${body}\r\n0\r\n\r\n`), 400],
  ['a chunk size beyond 2^64', request([NDJSON, CHUNKED], `fffffffffffffffff\r\n${body}`), 400],
  ['a chunk extension', request([NDJSON, CHUNKED], `${body.length.toString(16)};a=b\r\n${body}\r\n0\r\n\r\n`), 201],
  ['a NUL in a header', posted('X: a\0b'), 400, 'bad_request'],
  ['a lone LF in a header', posted('X: a\nY: b'), 400],
  ['a lone CR in a header', posted('X: a\rb'), 400, 'bad_request'],
  ['a control character in a header', posted('X: a\u0001b'), 400, 'bad_request'],
  ['a header without a name', posted(': x'), 400, 'bad_request'],
  ['a header name with a space', posted('X Y: z'), 400, 'bad_request'],
  ['a header of 20 kB', posted(`X: ${'x'.repeat(20_000)}`), 431, 'headers_too_large'],
  ['3,000 headers', posted(...Array.from({ length: 3_000 }, (_, at) => `X${at}: y`)), 431, 'headers_too_large'],
  ['no method', request([], '', '/v1/events HTTP/1.1'), 400, 'bad_request'],
  ['a method that does not exist', request([NDJSON], '', 'BREW /v1/events HTTP/1.1'), 400, 'bad_request'],
  ['HTTP/3.7', request([], '', 'GET /healthz HTTP/3.7'), 400, 'bad_request'],
  ['the preface of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 400],
  ['a TLS hello', Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3, 3]), 400, 'bad_request'],
  ['HTTP/0.9', Buffer.from('GET /healthz\r\n\r\n'), 200],
];

const key = (value: string): Buffer => posted(`Idempotency-Key: ${value}`);
const KEYS: Case[] = [
  ['a key in latin-1', key('sch\xf6n'), 400, 'invalid_idempotency_key'],
  ['an empty key', key(''), 400, 'invalid_idempotency_key'],
  ['a key with a space', key('a b'), 400, 'invalid_idempotency_key'],
  ['a key of 256 characters', key('k'.repeat(256)), 400, 'invalid_idempotency_key'],
  ['a key of 255 characters', key('k'.repeat(255)), 201],
  ['a key with DEL', key('a\x7fb'), 400],
  ['a key that is SQL', key("';drop/**/table/**/sluice.batches;--"), 201],
  ['two keys', posted('Idempotency-Key: a', 'Idempotency-Key: b'), 400, 'invalid_idempotency_key'],
];

const typed = (type: string): Buffer => request([`Content-Type: ${type}`, LENGTH], body);
const TYPES: Case[] = [
  ['no Content-Type', request([LENGTH], body), 415, 'unsupported_media_type'],
  ['an empty Content-Type', typed(''), 415, 'unsupported_media_type'],
  ["curl's default", typed('application/x-www-form-urlencoded'), 415, 'unsupported_media_type'],
  ['text/plain', typed('text/plain'), 415, 'unsupported_media_type'],
  ['a tab and a letter (CVE-2026-25223)', typed('application/json\ta'), 415, 'unsupported_media_type'],
  ['garbage behind it (CVE-2026-3419)', typed('application/json garbage'), 415, 'unsupported_media_type'],
  ['a space before it (CVE-2026-33806)', typed(' application/json'), 201],
  ['capital letters (CVE-2025-32442)', typed('Application/JSON'), 201],
  ['a space before the semicolon (CVE-2025-32442)', typed('application/json ; charset=utf-8'), 201],
  ['a type that is a prefix', typed('application/jsonx'), 415, 'unsupported_media_type'],
  ['a structured suffix', typed('application/problem+json'), 415, 'unsupported_media_type'],
  ['two types', typed('application/json, application/json'), 415, 'unsupported_media_type'],
  ['two Content-Types', request([NDJSON, 'Content-Type: text/plain', LENGTH], body), 201],
  ['another charset', typed('application/json; charset=latin1'), 415, 'unsupported_media_type'],
  ['UTF-16', typed('application/json; charset=utf-16'), 415, 'unsupported_media_type'],
  ['__proto__', typed('__proto__'), 415, 'unsupported_media_type'],
  ['constructor', typed('constructor'), 415, 'unsupported_media_type'],
  ['a type of 10 kB', typed(`application/${'x'.repeat(10_000)}`), 415, 'unsupported_media_type'],
  ['latin-1 in it', typed('application/j\xf6n'), 415, 'unsupported_media_type'],
];

function coded(coding: string, sent: Buffer, type = NDJSON): Buffer {
  return request([type, `Content-Encoding: ${coding}`, `Content-Length: ${sent.length}`], sent);
}

const zipped = gzipSync(body);
const flipped = (at: number): Buffer => {
  const bytes = Buffer.from(zipped);
  bytes[bytes.length + at]! ^= 0xff;
  return bytes;
};
const MIB = 1024 * 1024;
const CODINGS: Case[] = [
  ['br', coded('br', brotliCompressSync(body)), 415, 'unsupported_encoding'],
  ['deflate', coded('deflate', deflateSync(body)), 415, 'unsupported_encoding'],
  ['a coding that does not exist', coded('rot13', Buffer.from(body)), 415, 'unsupported_encoding'],
  ['gzip twice', coded('gzip, gzip', gzipSync(zipped)), 415, 'unsupported_encoding'],
  ['gzip and identity', coded('gzip, identity', zipped), 415, 'unsupported_encoding'],
  ['two Content-Encodings', request([NDJSON, 'Content-Encoding: gzip', 'Content-Encoding: gzip', LENGTH], zipped), 415],
  ['identity', coded('identity', Buffer.from(body)), 201],
  ['capital letters', coded('GZIP', zipped), 201],
  [
    'gzip that nobody announced',
    request([NDJSON, `Content-Length: ${zipped.length}`], zipped),
    415,
    'unsupported_encoding',
  ],
  ['announced, but plain', coded('gzip', Buffer.from(body)), 400, 'invalid_compression'],
  ['a raw deflate stream', coded('gzip', deflateRawSync(body)), 400, 'invalid_compression'],
  ['an empty gzip body', coded('gzip', Buffer.alloc(0)), 400, 'empty_body'],
  ['gzip of nothing', coded('gzip', gzipSync('')), 400, 'empty_body'],
  ['half a header', coded('gzip', zipped.subarray(0, 5)), 400, 'invalid_compression'],
  ['without its trailer', coded('gzip', zipped.subarray(0, -8)), 400, 'invalid_compression'],
  ['without its last byte', coded('gzip', zipped.subarray(0, -1)), 400, 'invalid_compression'],
  ['a wrong checksum', coded('gzip', flipped(-6)), 400, 'invalid_compression'],
  ['a wrong size', coded('gzip', flipped(-2)), 400, 'invalid_compression'],
  ['two members', coded('gzip', Buffer.concat([zipped, zipped])), 201],
  [
    'a second member cut off',
    coded('gzip', Buffer.concat([zipped, zipped.subarray(0, -4)])),
    400,
    'invalid_compression',
  ],
  ['garbage behind it', coded('gzip', Buffer.concat([zipped, Buffer.from('xxx')])), 400, 'invalid_compression'],
  ['zeros behind it', coded('gzip', Buffer.concat([zipped, Buffer.alloc(100)])), 201],
  ['a bomb', coded('gzip', gzipSync(Buffer.alloc(64 * MIB, 'x'))), 413, 'body_too_large'],
  ['a bomb of blank lines', coded('gzip', gzipSync(Buffer.alloc(64 * MIB, '\n'))), 413, 'body_too_large'],
  [
    'a bomb as JSON',
    coded('gzip', gzipSync(Buffer.alloc(64 * MIB, ' ')), 'Content-Type: application/json'),
    413,
    'body_too_large',
  ],
  ['gzip within gzip', coded('gzip', gzipSync(zipped)), 422],
];
if ('zstdCompressSync' in zlib === false)
  CODINGS.push(['zstd, on a Node without it', coded('zstd', Buffer.from(body)), 415, 'unsupported_encoding']);

const PATHS: Case[] = [
  ['out of the tree', fetched('/v1/../../etc/passwd'), 404, 'not_found'],
  ['out of the tree, escaped', fetched('/v1/%2e%2e%2f%2e%2e%2fetc/passwd'), 404, 'not_found'],
  ['out of the tree, escaped twice', fetched('/v1/%252e%252e/healthz'), 404, 'not_found'],
  ['back to a known one', fetched('/v1/../healthz'), 404, 'not_found'],
  ['backslashes', fetched('/v1/..\\healthz'), 404, 'not_found'],
  ['a NUL', fetched('/v1/batches/%00'), 404, 'batch_not_found'],
  ['a NUL in a subject', fetched('/v1/schemas/%00'), 404, 'schema_not_found'],
  ['half an escape', fetched('/v1/batches/%'), 400, 'bad_request'],
  ['an escape that is no UTF-8', fetched('/v1/schemas/%ff'), 400, 'bad_request'],
  ['a path of 10 kB', fetched(`/v1/batches/${'x'.repeat(10_000)}`), 400],
  ['a batch id that is SQL', fetched("/v1/batches/'%20OR%201=1"), 404, 'batch_not_found'],
  ['__proto__ for a subject', fetched('/v1/schemas/__proto__'), 404, 'schema_not_found'],
  ['constructor for a subject', fetched('/v1/schemas/constructor'), 404, 'schema_not_found'],
  ['toString for a version', fetched('/v1/schemas/user_event/versions/toString'), 404, 'schema_not_found'],
  ['GET for POST', fetched('/v1/events'), 405, 'method_not_allowed'],
  ['a batch id that is none', fetched('/v1/batches/x'), 404, 'batch_not_found'],
  ['a batch that is not there', fetched('/v1/batches/019c8a7e-0000-7000-8000-000000000000'), 404, 'batch_not_found'],
  ['its lines', fetched('/v1/batches/019c8a7e-0000-7000-8000-000000000000/lines'), 404, 'batch_not_found'],
  ['a version that is not there', fetched('/v1/schemas/user_event/versions/9.9.9'), 404, 'schema_not_found'],
  ['a slash at the end', fetched('/v1/batches/'), 404],
  ['two slashes', fetched('//v1/batches'), 404, 'not_found'],
  ['capital letters', fetched('/V1/batches'), 404, 'not_found'],
  ['a fragment', fetched('/healthz#x'), 200],
  ['a semicolon', fetched('/healthz;x=y'), 404, 'not_found'],
  ['an absolute address', fetched('http://elsewhere.example/healthz'), 200],
  ['an asterisk', request([], '', 'OPTIONS * HTTP/1.1'), 404],
  ['TRACE', request([], '', 'TRACE /v1/events HTTP/1.1'), 405, 'method_not_allowed'],
  ['PUT for POST', request([NDJSON, LENGTH], body, 'PUT /v1/events HTTP/1.1'), 405, 'method_not_allowed'],
  ['a method in a header', request([NDJSON, LENGTH, 'X-HTTP-Method-Override: DELETE'], body), 201],
];

const asked = (query: string): Buffer => request([NDJSON, LENGTH], body, `POST /v1/events?${query} HTTP/1.1`);
const PARAMETERS: Case[] = [
  ['one that is mistyped', asked('dryrun=true'), 400, 'invalid_parameter'],
  ['one given twice', asked('schema=user_event&schema=user_event'), 400, 'invalid_parameter'],
  ['one as an array', asked('schema[]=user_event'), 400, 'invalid_parameter'],
  ['__proto__', asked('__proto__=x'), 400, 'invalid_parameter'],
  ['__proto__ with a member', asked('__proto__[dry_run]=true'), 400, 'invalid_parameter'],
  ['a path for a schema', asked('schema=../user_event'), 400, 'unknown_schema'],
  ['constructor for a schema', asked('schema=constructor'), 400, 'unknown_schema'],
  ['a schema that is SQL', asked('schema=%27;drop%20table%20x'), 400, 'unknown_schema'],
  ['an empty schema', asked('schema='), 400, 'unknown_schema'],
  ['a NUL in a schema', asked('schema=user_event%00'), 400, 'unknown_schema'],
  ['a version that is not there', asked('schema=user_event/9.0.0'), 400, 'unknown_schema'],
  ['a schema of 7 kB', asked(`schema=${'x'.repeat(7_000)}`), 400, 'unknown_schema'],
  ['a parameter of 20 kB', asked(`schema=${'x'.repeat(20_000)}`), 431, 'headers_too_large'],
  ['2,000 parameters', asked(Array.from({ length: 2_000 }, () => 'a=b').join('&')), 400, 'invalid_parameter'],
  ['a bad dry_run', asked('dry_run=maybe'), 400, 'invalid_parameter'],
  ['a dry_run in capitals', asked('dry_run=TRUE'), 400, 'invalid_parameter'],
  ['a bad on_error', asked('on_error=ignore'), 400, 'invalid_parameter'],
  ['a negative bound', asked('max_rejected=-1'), 400, 'invalid_parameter'],
  ['a bound that is no number', asked('max_rejected=NaN'), 400, 'invalid_parameter'],
  ['a bound beyond all', asked('max_rejected=99999999999999999999'), 400, 'invalid_parameter'],
  ['more than all', asked('max_rejected=101%25'), 400, 'invalid_parameter'],
  ['a bad report', asked('report=all'), 400, 'invalid_parameter'],
  ['half an escape in a value', asked('schema=%'), 400],
  ['bytes that are no UTF-8', asked('schema=%ff%fe'), 400, 'unknown_schema'],
];

const lookedFor = (query: string): Buffer => fetched(`/v1/batches?${query}`);
const LISTS: Case[] = [
  ['a limit of 0', lookedFor('limit=0'), 400, 'invalid_parameter'],
  ['a limit of 1001', lookedFor('limit=1001'), 400, 'invalid_parameter'],
  ['a limit of 1e2', lookedFor('limit=1e2'), 400, 'invalid_parameter'],
  ['a cursor that nobody gave out', lookedFor('cursor=abc'), 400, 'invalid_parameter'],
  [
    'a cursor of other values',
    lookedFor(`cursor=${Buffer.from('[{"a":1},null]').toString('base64url')}`),
    400,
    'invalid_parameter',
  ],
  [
    'a cursor with a NUL',
    lookedFor(`cursor=${Buffer.from('["\\u0000","\\u0000"]').toString('base64url')}`),
    400,
    'invalid_parameter',
  ],
  ['a moment that is none', lookedFor('from=yesterday'), 400, 'invalid_parameter'],
  ['30 February', lookedFor('from=2026-02-30'), 200],
  ['a moment of the year 0000', lookedFor('from=0000-01-01'), 200],
  ['a status that is none', lookedFor('status=gone'), 400, 'invalid_parameter'],
  ['a subject with a NUL', fetched('/v1/rejections?subject=%00'), 400, 'invalid_parameter'],
  ['a path with a NUL', fetched('/v1/rejections?path=%00'), 400, 'invalid_parameter'],
  ['a batch id that is none', fetched('/v1/rejections?batch_id=x'), 400, 'invalid_parameter'],
];

const HOSTS: Case[] = [
  [
    'no Host',
    Buffer.from(`POST /v1/events HTTP/1.1\r\nConnection: close\r\n${NDJSON}\r\n${LENGTH}\r\n\r\n${body}`),
    400,
    'bad_request',
  ],
  ['two Hosts', posted('Host: evil.example'), 400, 'bad_request'],
  ['a Host that is a path', Buffer.from(`GET /healthz HTTP/1.1\r\nHost: ../../x\r\nConnection: close\r\n\r\n`), 200],
  ['X-Forwarded-Host', posted('X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: https'), 201],
  ['X-Forwarded-For with SQL', posted("X-Forwarded-For: '; drop table x"), 201],
  ['X-Forwarded-For of 8 kB', posted(`X-Forwarded-For: ${'1.1.1.1, '.repeat(900)}`), 201],
  ['Range on a POST', posted('Range: bytes=0-10'), 201],
  ['Upgrade', posted('Upgrade: websocket'), 201],
  ['Expect: 100-continue', posted('Expect: 100-continue'), 201],
];

const SECTIONS: [title: string, cases: Case[]][] = [
  ['lengths, codings and headers that could smuggle a request are refused by name', SMUGGLED],
  ['an Idempotency-Key is visible ASCII, once, and not too long', KEYS],
  ['a Content-Type is what it says to the letter, or refused', TYPES],
  ['a Content-Encoding is taken off whole, or the body is refused whole', CODINGS],
  ['addresses that are nothing lead nowhere', PATHS],
  ['parameters that are not understood store nothing', PARAMETERS],
  ['what lists are asked for is checked', LISTS],
  ['what says where a request came from changes nothing', HOSTS],
];

hostile('every request of the catalogue gets its answer', {}, async (t, arena) => {
  for (const [title, cases] of SECTIONS) {
    await t.test(title, async (t) => {
      const before = await countOf(arena);
      for (const [name, bytes, status, code] of cases) {
        const answers = await arena.exchange(name, bytes);
        const answer = answers.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
        t.equal(answer.slice(9, 12), String(status), `${name}: ${answer.slice(0, 700)}`);
        if (status >= 400 && status !== 422) {
          t.match(answer, /content-type: application\/problem\+json/i, name);
          if (code !== undefined) t.match(answer, `"code":"${code}"`, name);
        }
        t.notMatch(answer, /evil\.example/, name);
      }
      const sent = cases.filter(([, , status]) => status === 201);
      const twice = sent.filter(([name]) => name === 'two members').length;
      t.equal((await countOf(arena)) - before, sent.length + twice, 'what was refused stored nothing');
    });
  }
});

async function countOf({ query }: Arena): Promise<number> {
  const [row] = await query<{ n: number }>('SELECT count(*)::int AS n FROM events.user_event');
  return row!.n;
}

hostile('a request smuggled behind a refused one is not carried out', {}, async (t, arena) => {
  const hidden = `DELETE /v1/batches/x HTTP/1.1\r\nHost: x\r\n\r\n`;
  for (const headers of [
    [LENGTH, CHUNKED],
    [CHUNKED, CHUNKED, 'Transfer-Encoding: xchunked'],
    ['Content-Length: 0', LENGTH],
  ]) {
    const answers = await arena.exchange('smuggled', request([NDJSON, ...headers], `0\r\n\r\n${hidden}`));
    t.strictSame(
      [...answers.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status),
      ['400'],
      headers.join(),
    );
  }
  t.match((await arena.get('after', '/v1/batches')).json, { items: [] });
});

hostile('what Node answers itself has no problem document, and does no harm', {}, async (t, arena) => {
  const unmet = await arena.exchange('expectation', posted('Expect: 200-maybe'));
  t.match(unmet, /^HTTP\/1\.1 417 /);
  const tunnel = await arena.exchange('tunnel', request([], '', 'CONNECT example.com:443 HTTP/1.1'));
  t.equal(tunnel, '', 'the connection is closed without an answer');
});

hostile('a client that waits for 100 Continue is told no before it has sent its body', {}, async (t, arena) => {
  const socket = await dial(arena.server);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  const ended = new Promise((resolve) => socket.once('close', resolve));
  const head = 'POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\n';
  socket.write(`${head}Content-Type: text/plain\r\nContent-Length: 100000000\r\n\r\n`);
  const timer = setTimeout(() => socket.destroy(), 10_000);
  await ended;
  clearTimeout(timer);
  t.match(answer, /HTTP\/1\.1 415 /);
});
