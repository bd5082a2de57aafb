// Multipart bodies made by hand: parts, boundaries, names and ends that no form would send.
import { gzipSync } from 'node:zlib';
import { lines, userEvent } from '../helpers/http.ts';
import { type Arena, hostile } from './arena.ts';

const good = JSON.stringify(userEvent());
const MIB = 1024 * 1024;

interface PartOptions {
  name?: string;
  /** As it stands in the header, quotes and all. */
  filename?: string;
  headers?: string[];
}

/** One part of a body with the boundary `b`; a field where there is no file name. */
function part(content: string | Buffer, { name = 'f', filename, headers = [] }: PartOptions = {}): Buffer {
  const file = filename === undefined ? '' : `; filename=${filename}`;
  const head = [`Content-Disposition: form-data; name="${name}"${file}`, ...headers].join('\r\n');
  return Buffer.concat([Buffer.from(`--b\r\n${head}\r\n\r\n`), Buffer.from(content), Buffer.from('\r\n')]);
}

const file = (content: string | Buffer = good, filename = '"f"', headers: string[] = []): Buffer =>
  part(content, { filename, headers });
const field = (name = 'note', content = 'x'): Buffer => part(content, { name });
const END = Buffer.from('--b--\r\n');
const whole = (...parts: Buffer[]): Buffer => Buffer.concat([...parts, END]);

/** The same body with another boundary. */
const renamed = (boundary: string): Buffer => Buffer.from(whole(file()).toString().replaceAll('--b', `--${boundary}`));

function send(arena: Arena, name: string, body: Buffer, type = 'multipart/form-data; boundary=b') {
  return arena.post(name, body, { headers: { 'content-type': type } });
}

type Case = [name: string, body: Buffer, status: number, code: string, type?: string];

const BROKEN: Case[] = [
  ['no boundary in the header', whole(file()), 400, 'invalid_multipart', 'multipart/form-data'],
  ['an empty boundary', whole(file()), 415, 'unsupported_media_type', 'multipart/form-data; boundary='],
  ['another boundary', whole(file()), 400, 'invalid_multipart', 'multipart/form-data; boundary=c'],
  [
    'a boundary of 252 bytes (CVE-2026-19484)',
    Buffer.from(`--${'b'.repeat(252)}\r\n`),
    400,
    'invalid_multipart',
    `multipart/form-data; boundary=${'b'.repeat(252)}`,
  ],
  [
    'a boundary of 10,000 bytes',
    whole(file()),
    400,
    'invalid_multipart',
    `multipart/form-data; boundary=${'b'.repeat(10_000)}`,
  ],
  ['multipart/mixed', whole(file()), 415, 'unsupported_media_type', 'multipart/mixed; boundary=b'],
  ['no part at all', END, 400, 'empty_body'],
  ['no end', file(), 400, 'invalid_multipart'],
  ['an end in the middle of a part', whole(file()).subarray(0, -20), 400, 'invalid_multipart'],
  ['an end in the middle of a header', Buffer.from('--b\r\nContent-Dispo'), 400, 'invalid_multipart'],
  ['line feeds only', Buffer.from(whole(file()).toString().replaceAll('\r\n', '\n')), 400, 'invalid_multipart'],
  ['only fields', whole(field('a'), field('b')), 400, 'empty_body'],
  ['an empty file', whole(file('')), 400, 'empty_body'],
  ['a parameter as a field', whole(field('schema'), file()), 400, 'invalid_multipart'],
  ['a parameter as a field behind the file', whole(file(), field('dry_run', 'true')), 400, 'invalid_multipart'],
  ['a field called __proto__', whole(part('x', { name: '__proto__' }), file()), 400, 'invalid_multipart'],
  ['a broken gzip', whole(file(gzipSync(good).subarray(0, -5))), 400, 'invalid_compression'],
  ['a bomb', whole(file(gzipSync(Buffer.alloc(64 * MIB, 'x')))), 413, 'body_too_large'],
  [
    '1,101 fields before the file',
    whole(...Array.from({ length: 1_101 }, () => field()), file()),
    413,
    'too_many_files',
  ],
  ['1,101 fields behind it', whole(file(), ...Array.from({ length: 1_101 }, () => field())), 413, 'too_many_files'],
  ['101 files', whole(...Array.from({ length: 101 }, () => file())), 413, 'too_many_files'],
  [
    'too many parts, and an end inside the next (CVE-2026-124724)',
    Buffer.concat([...Array.from({ length: 1_100 }, () => field()), file().subarray(0, -50)]),
    413,
    'too_many_files',
  ],
  ['10,000 parts (CVE-2023-25576)', whole(...Array.from({ length: 10_000 }, () => field())), 413, 'too_many_files'],
  ['plain JSON', Buffer.from(good), 400, 'invalid_multipart'],
  ['nothing but boundaries', Buffer.from('--b\r\n--b\r\n--b--\r\n'), 400, 'empty_body'],
];

hostile('a multipart body that is broken, too much or empty is refused whole', {}, async (t, arena) => {
  for (const [name, body, status, code, type] of BROKEN) {
    const answer = await send(arena, name, body, type);
    t.match(
      { status: answer.status, code: answer.json?.code },
      { status, code },
      `${name}: ${answer.text.slice(0, 300)}`,
    );
    t.match(answer.headers.get('content-type'), /^application\/problem\+json/, name);
  }
  t.strictSame(await arena.query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 0 }]);
});

const TAKEN: [name: string, body: Buffer, accepted: number, type?: string][] = [
  ['one file', whole(file()), 1],
  ['two files', whole(file(), file()), 2],
  ['100 files', whole(...Array.from({ length: 100 }, () => file())), 100],
  ['a field before the file', whole(field(), file()), 1],
  ['a field behind the file', whole(file(), field()), 1],
  ['an empty file between others', whole(file(), file(''), file()), 2],
  ['a quoted boundary', whole(file()), 1, 'multipart/form-data; boundary="b"'],
  ['a charset beside it', whole(file()), 1, 'multipart/form-data; charset=utf-8; boundary=b'],
  ['a part header called __proto__ (CVE-2026-19481)', whole(file(good, '"f"', ['__proto__: x', 'constructor: y'])), 1],
  ['a part that says it is something else', whole(file(good, '"f"', ['Content-Type: image/png'])), 1],
  ['a transfer encoding of a part', whole(file(good, '"f"', ['Content-Transfer-Encoding: base64'])), 1],
  ['a preamble', Buffer.concat([Buffer.from('words\r\n'), whole(file())]), 1],
  ['a preamble of 5 MB', Buffer.concat([Buffer.alloc(5 * MIB, 'x'), Buffer.from('\r\n'), whole(file())]), 1],
  ['an epilogue', Buffer.concat([whole(file()), Buffer.from('words')]), 1],
  ['an epilogue of 5 MB', Buffer.concat([whole(file()), Buffer.alloc(5 * MIB, 'x')]), 1],

  ['a file of 3 MB, beyond the 1 MiB of the plugin', whole(file(`${good}\n`.repeat(20_000))), 20_000],
  ['a gzipped file', whole(file(gzipSync(good), '"f.gz"')), 1],
  ['a gzipped file that is called otherwise', whole(file(gzipSync(good), '"f.txt"')), 1],
  ['a plain file that is called gz', whole(file(good, '"f.gz"')), 1],
  ['a field of 2 MB', whole(field('note', 'x'.repeat(2_000_000)), file()), 1],
  ['a boundary of 70 characters', renamed('b'.repeat(70)), 1, `multipart/form-data; boundary=${'b'.repeat(70)}`],
  ['100 kB of header behind the file name', whole(file(good, '"f"', [`X: ${'x'.repeat(100_000)}`])), 1],
  [
    '3,000 headers in a part',
    whole(
      file(
        good,
        '"f"',
        Array.from({ length: 3_000 }, (_, at) => `X${at}: y`),
      ),
    ),
    1,
  ],
  [
    'a part that is no form-data (RFC 7578 section 4.2)',
    whole(Buffer.from(`--b\r\nX: y\r\n\r\n${good}\r\n`), file()),
    1,
  ],
  ['no line end behind the last boundary', whole(file()).subarray(0, -2), 1],
];

hostile('a multipart body that is odd but whole is taken whole', {}, async (t, arena) => {
  for (const [name, body, accepted, type] of TAKEN) {
    const answer = await send(arena, name, body, type);
    t.match(
      { status: answer.status, accepted: answer.json?.lines?.accepted },
      { status: 201, accepted },
      `${name}: ${answer.text.slice(0, 300)}`,
    );
  }
});

hostile('a multipart body within a multipart body is a file of broken lines', {}, async (t, arena) => {
  const inner = `--c\r\nContent-Disposition: file; filename="x"\r\n\r\n${good}\r\n--c--`;
  const answer = await send(arena, 'nested', whole(file(inner, '"f"', ['Content-Type: multipart/mixed; boundary=c'])));
  t.match(answer, { status: 207, json: { lines: { received: 5, accepted: 1, rejected: 3, blank: 1 } } });
});

/** What a file is called, and what it is called in the report. */
const NAMES: [name: string, header: string, told: RegExp | string][] = [
  ['a path out of the tree', '"../../etc/passwd"', 'passwd'],
  ['an absolute path', '"/etc/passwd"', 'passwd'],
  ['a path of Windows', '"C:\\\\x\\\\y.ndjson"', /y\.ndjson$/],
  ['10 kB', `"${'n'.repeat(10_000)}"`, 'n'.repeat(255)],
  ['text that runs from right to left', '"\u202egnp.exe"', '\u202egnp.exe'],
  ['SQL', '"\'; drop table x; --"', "'; drop table x; --"],
  ['nothing', '""', 'file'],
  ['without quotes', 'plain.ndjson', 'plain.ndjson'],
  ['__proto__', '"__proto__"', '__proto__'],
  ['HTML', '"<script>"', '<script>'],
  ['RFC 5987', "x; filename*=UTF-8''%e2%82%ac.ndjson", /ndjson$|^x$/],
];

hostile('a file name is a word in the report, and nothing else', {}, async (t, arena) => {
  for (const [name, header, told] of NAMES) {
    const answer = await send(arena, name, whole(file(`${good}\n{`, header)));
    t.equal(answer.status, 207, `${name}: ${answer.text.slice(0, 300)}`);
    t.match(answer.json.rejections[0].file, told, name);
    const [rejection] = lines(await arena.get(name, answer.json.links.rejections));
    t.match(rejection.file, told, name);
  }
  const odd = await send(arena, 'a NUL in a name', whole(file(`${good}\n{`, '"x\0.ndjson"')));
  t.ok([207, 400].includes(odd.status), odd.text);
  t.notMatch(odd.text, /\\u0000/);
});

hostile('a compressed multipart body is refused: the files in it may be', {}, async (t, arena) => {
  const headers = { 'content-type': 'multipart/form-data; boundary=b', 'content-encoding': 'gzip' };
  const answer = await arena.post('gzip', gzipSync(whole(file())), { headers });
  t.match(answer, { status: 415, json: { code: 'unsupported_encoding' } });
});
