// Where lines begin and end: what can be wrong between them, and with a body as a whole.
import { setTimeout as sleep } from 'node:timers/promises';
import { dial } from '../helpers/exchange.ts';
import { lines, userEvent } from '../helpers/http.ts';
import { type Arena, hostile, residentBytes } from './arena.ts';
import { alone, betweenNeighbours, lineCase as line } from './lines.ts';

const good = JSON.stringify(userEvent());
const json = { 'content-type': 'application/json' };
const MARK = '\ufeff';

const CASES = [
  line('two objects on a line', `${good}${good}`, 'invalid_json', 'json'),
  line('two objects on a line, with a space', `${good} ${good}`, 'invalid_json', 'json'),
  line('an unclosed object', good.slice(0, -1), 'invalid_json', 'json'),
  line('a brace too many', `${good}}`, 'invalid_json', 'json'),
  line('a JSON text sequence (RFC 7464)', `\u001e${good}`, 'invalid_json', 'json'),
  { ...line('a byte order mark in the middle', `${MARK}${good}`, 'invalid_json', 'json'), betweenOnly: true },
  line('a byte order mark behind the object', `${good}${MARK}`, 'invalid_json', 'json'),
  line('a NUL byte in an object', `${good.slice(0, 5)}\0${good.slice(5)}`, 'invalid_json', 'json'),
  line('a line of NUL bytes', '\0\0\0', 'invalid_json', 'json'),
  line('NUL bytes behind the object', `${good}\0\0`, 'invalid_json', 'json'),
  line('a lone CR between two objects', `${good}\r${good}`, 'invalid_json', 'json'),
  line('a lone CR inside an object', good.replace(',', ',\r'), null),
  line('CR CR LF', `${good}\r\r`, null),
  line('spaces and tabs around an object', ` \t${good}\t `, null),
  line('a form feed before the object', `\f${good}`, 'invalid_json', 'json'),
  line('a no-break space before the object', `\u00a0${good}`, 'invalid_json', 'json'),
  line('a line separator U+2028 between two objects', `${good}\u2028${good}`, 'invalid_json', 'json'),
  line('a comment', `// ${good}`, 'invalid_json', 'json'),
  line('a line of CSV', '1,2026-01-02T03:04:05Z,ada@example.com', 'invalid_json', 'json'),
  line('null', 'null', 'not_an_object', 'type'),
  line('true', 'true', 'not_an_object', 'type'),
  line('a number', '1', 'not_an_object', 'type'),
  line('a string', '"x"', 'not_an_object', 'type'),
  line('an array', `[${good}]`, 'not_an_object', 'type'),
  line('an empty array', '[]', 'not_an_object', 'type'),
  line('an empty object', '{}', 'schema_violation', 'required'),
  line('a trailing comma, as in an array file', `${good},`, 'invalid_json', 'json'),
  line('the opening bracket of an array file', '[', 'invalid_json', 'json'),
  line('UTF-16, little endian', Buffer.from(good, 'utf16le'), 'invalid_json', 'json'),
  line('UTF-16, big endian', Buffer.from(good, 'utf16le').swap16(), 'invalid_json', 'json'),
];

hostile('a line that is cut wrongly costs itself, and its neighbours load', {}, async (t, arena) => {
  const { json: report } = await betweenNeighbours(t, arena, CASES, () => good);
  const { rows } = await counted(arena);
  t.equal(rows, report.lines.accepted);
  await alone(t, arena, CASES, good);
});

/** The verdict of each line, or its code where it was rejected. */
function codesOf(report: { verdicts?: { verdict: string; code?: string }[] }): string[] | undefined {
  return report.verdicts?.map(({ verdict, code }) => code ?? verdict);
}

/** A whole body, and what becomes of each of its lines: a code, `accepted` or `blank`. */
const BODIES: [name: string, body: string | Buffer, verdicts: string[], type?: Record<string, string>][] = [
  ['only newlines', '\n\n\n', ['blank', 'blank', 'blank']],
  ['only spaces', '   ', ['blank']],
  ['spaces, tabs and CRs alone on lines', ` \n\t\n\r\n${good}`, ['blank', 'blank', 'blank', 'accepted']],
  ['only a byte order mark and a newline', `${MARK}\n`, ['blank']],
  ['a byte order mark at the start', `${MARK}${good}\n`, ['accepted']],
  ['two byte order marks at the start', `${MARK}${MARK}${good}\n`, ['invalid_json']],
  ['CRLF', `${good}\r\n${good}\r\n`, ['accepted', 'accepted']],
  ['only lone CRs', `${good}\r${good}\r${good}`, ['invalid_json']],
  [
    'LF, CRLF and blank lines mixed',
    `${good}\n${good}\r\n\r\n\n${good}`,
    ['accepted', 'accepted', 'blank', 'blank', 'accepted'],
  ],
  ['no newline at the end', good, ['accepted']],
  ['a newline at the end', `${good}\n`, ['accepted']],
  ['an object cut off by the end', `${good}\n${good.slice(0, 40)}`, ['accepted', 'invalid_json']],
  ['an object over several lines', JSON.stringify(userEvent(), null, 1), Array(9).fill('invalid_json')],
  ['an array file as NDJSON', `[${good},\n${good}]\n`, ['invalid_json', 'invalid_json']],
  ['an array file on one line as NDJSON', `[${good},${good}]\n`, ['not_an_object']],
  ['NDJSON as JSON', `${good}\n${good}\n`, ['invalid_json'], json],
  ['an array file', `[${good},\n${good}]`, ['accepted', 'accepted'], json],
  ['an array with a byte order mark', `${MARK}[${good}]`, ['accepted'], json],
  ['an array that never ends', `[${good},${good}`, ['accepted', 'accepted', 'invalid_json'], json],
  ['an array cut off behind a comma', `[${good},`, ['accepted', 'invalid_json'], json],
  ['an array with a comma at its end', `[${good},]`, ['accepted', 'invalid_json'], json],
  ['an array with a hole', `[${good},,${good}]`, ['accepted', 'invalid_json', 'accepted'], json],
  ['something behind an array', `[${good}]x`, ['accepted', 'invalid_json'], json],
  ['two arrays', `[${good}][${good}]`, ['accepted', 'invalid_json'], json],
  ['an array in an array', `[[${good}],${good}]`, ['not_an_object', 'accepted'], json],
  ['null as JSON', 'null', ['not_an_object'], json],
  ['a scalar as JSON', '42', ['not_an_object'], json],
];

hostile('every line of a body gets its one verdict, however the lines are cut', {}, async (t, arena) => {
  for (const [name, body, verdicts, headers = {}] of BODIES) {
    const { status, json: report } = await arena.post(name, body, { headers, query: { report: 'full' } });
    t.strictSame(codesOf(report), verdicts, name);
    const accepted = verdicts.filter((each) => each === 'accepted').length;
    const rejected = verdicts.filter((each) => each !== 'accepted' && each !== 'blank').length;
    t.equal(status, accepted === 0 ? 422 : rejected === 0 ? 201 : 207, name);
  }
  for (const [name, body, headers] of [
    ['an empty body', '', {}],
    ['an empty body as JSON', '', json],
    ['white space as JSON', ' \r\n\t', json],
    ['an empty array', ' [ ] ', json],
    ['only a byte order mark', MARK, {}],
  ] as const) {
    t.match(await arena.post(name, body, { headers }), { status: 400, json: { code: 'empty_body' } }, name);
  }
});

/** Every character as four bytes, the lowest first. */
const utf32 = (text: string): Buffer =>
  Buffer.concat(
    [...text].map((character) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(character.codePointAt(0)!);
      return bytes;
    }),
  );

hostile('a file in UTF-16 or UTF-32 is rejected line by line', {}, async (t, arena) => {
  const text = `${MARK}${good}\n${good}\n`;
  // The first line has a mark that is no UTF-8. In little endian the last newline leaves its NUL bytes behind.
  const files: [string, Buffer, string[]][] = [
    ['UTF-16LE', Buffer.from(text, 'utf16le'), ['invalid_utf8', 'invalid_json', 'invalid_json']],
    ['UTF-16BE', Buffer.from(text, 'utf16le').swap16(), ['invalid_utf8', 'invalid_json']],
    ['UTF-32LE', utf32(text), ['invalid_utf8', 'invalid_json', 'invalid_json']],
    ['UTF-32BE', utf32(text).swap32(), ['invalid_utf8', 'invalid_json']],
  ];
  for (const [name, body, codes] of files) {
    const { status, json: report } = await arena.post(name, body, { query: { report: 'full' } });
    t.equal(status, 422, name);
    t.strictSame(codesOf(report), codes, name);
  }
});

// Requests that are sent behind each other run at the same time.
hostile('a stream cut in two at every byte is the same stream', { env: { MAX_BATCHES: '1000' } }, async (t, arena) => {
  const text = userEvent({}, { phone_number: 'ä€😀\ufffe' });
  const body = Buffer.from(`${MARK}${JSON.stringify(text)}\r\n\r\n{"a":"é😀"}\n\r\n${good}\r`);
  const expected = (await arena.post('whole', body, { query: { dry_run: 'true' } })).json;
  t.strictSame(expected.lines, { received: 5, accepted: 2, rejected: 1, duplicate: 0, blank: 2 });
  const headers = 'Host: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n';
  const chunk = (bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
  const requests: Buffer[] = [];
  for (let cut = 1; cut < body.length; cut++) {
    const close = cut === body.length - 1 ? 'Connection: close\r\n' : '';
    requests.push(
      Buffer.from(`POST /v1/events?dry_run=true HTTP/1.1\r\n${headers}${close}\r\n`),
      chunk(body.subarray(0, cut)),
      chunk(body.subarray(cut)),
      Buffer.from('0\r\n\r\n'),
    );
  }
  const answers = await arena.exchange('cut', Buffer.concat(requests));
  const reports = answers.split('HTTP/1.1 200 OK').slice(1);
  t.equal(reports.length, body.length - 1);
  for (const [index, answer] of reports.entries()) {
    const report = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
    t.strictSame([report.lines, report.rejections], [expected.lines, expected.rejections], `cut at ${index + 1}`);
  }
});

const MIB = 1024 * 1024;
/** 200 MB, or as many as one wants. */
const ENDLESS_BYTES = Number(process.env.HOSTILE_LINE_MB ?? 200) * 1_000_000;
/** What memory may grow by: chunks on their way, the kept beginning, and what the collector has not come to. */
const ROOM = 96 * MIB;

/** Sends `bytes` of a line that does not end, then `rest`; the answer, and how far memory rose. */
async function endless(arena: Arena, type: string, start: string, rest: string) {
  const { server } = arena;
  const before = residentBytes(server.pid);
  let peak = before;
  const socket = await dial(server);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  const ended = new Promise((resolve) => socket.once('close', resolve));
  const length = start.length + ENDLESS_BYTES + rest.length;
  socket.write(
    `POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${start}`,
  );
  const filler = Buffer.alloc(1_000_000, 'x');
  for (let sent = 0; sent < ENDLESS_BYTES; sent += filler.length) {
    if (!socket.write(filler)) await new Promise((resolve) => socket.once('drain', resolve));
    peak = Math.max(peak, residentBytes(server.pid));
  }
  socket.write(rest);
  await ended;
  await sleep(100);
  const report = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
  return { status: Number(answer.slice(9, 12)), report, grown: Math.max(peak, residentBytes(server.pid)) - before };
}

hostile('a line without an end is cut at the limit in flat memory, and the next one is found', {}, async (t, arena) => {
  // What a process grows by once, it has grown by then.
  await arena.post('warm up', `${good}\n`.repeat(50_000), { query: { dry_run: 'true' } });
  const forms: [type: string, start: string, rest: string][] = [
    ['application/x-ndjson', `${good}\n`, `\n${good}\n`],
    ['application/json', `[${good},"`, `",${good}]`],
  ];
  for (const [type, start, rest] of forms) {
    const { status, report, grown } = await endless(arena, type, start, rest);
    arena.seen(type, status, JSON.stringify(report));
    t.equal(status, 207, type);
    t.match(report, {
      lines: { received: 3, accepted: 2, rejected: 1 },
      rejections: [{ line: 2, code: 'line_too_long', errors: [{ keyword: 'maxLength' }] }],
    });
    const length = type === 'application/json' ? ENDLESS_BYTES + 2 : ENDLESS_BYTES;
    t.equal(report.rejections[0].length, length, 'its full length is told');
    t.comment(`${type}: ${ENDLESS_BYTES / 1e6} MB, memory rose by ${Math.round(grown / MIB)} MiB`);
    t.ok(grown < ROOM, `memory rose by ${Math.round(grown / MIB)} MiB`);
    const [kept] = lines(await arena.get('kept', report.links.rejections));
    t.equal(kept.raw.length, MIB, 'its beginning is kept');
    t.equal(kept.raw_truncated, true);
  }
});

async function counted({ query }: Arena): Promise<{ rows: number }> {
  const [row] = await query<{ rows: number }>('SELECT count(*)::int AS rows FROM events.user_event');
  return row!;
}
