// What the fuzz tests send: noise, JSON of every kind, and good events with mutated bytes, among good neighbours.
import fc from 'fast-check';
import { jsonText, numberText, storableText } from '../lines/json-texts.ts';
import { GOOD } from './subject.ts';
import type { Upload } from './upload.ts';

const good = fc.constantFrom(...GOOD).map((text) => Buffer.from(text));

const TOKENS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\',
    '\\u',
    '\\ud800',
    '\\u0000',
    '\\"',
    '\\\\',
    'null',
    'true',
    '1e400',
    '-',
  ],
  ...[
    '\r',
    '\n',
    '\r\n',
    '\t',
    ' ',
    '\u001e',
    '\0',
    '\ufeff',
    '\u2028',
    '\u0085',
    '{}',
    '{"n":',
    '"s":"',
    '$schema',
    '\\.',
  ],
].map((text) => Buffer.from(text));
const BROKEN = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xe2, 0x82],
  [0xf4, 0x90, 0x80, 0x80],
  [0x1f, 0x8b],
  [0xf0, 0x9f],
].map((bytes) => Buffer.from(bytes));
const token = fc.constantFrom(...TOKENS, ...BROKEN);
const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const soup = fc.array(fc.oneof(token, noise), { maxLength: 12 }).map((parts) => Buffer.concat(parts));

const quoted = (texts: fc.Arbitrary<string>) => texts.map((text) => JSON.stringify(text));
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom('\\u0000', '\\ud800', '\\udc00', '\\ud83d\\ude00', '\\n', '\\"', '\\/', 'é', '😀'),
      fc.string({ unit: fc.constantFrom('a', ' ', '\u202e', '\uffff') }),
    ),
    { maxLength: 6 },
  )
  .map((parts) => `"${parts.join('')}"`);
const time = fc.constantFrom(
  ...[
    '2026-01-02T03:04:05Z',
    '0000-01-01T00:00:00Z',
    '2016-12-31T23:59:60Z',
    '2016-12-31T23:59:60.5Z',
    '9999-12-31T23:59:59.9999999Z',
  ],
  ...[
    '2026-01-02 03:04:05+15:59',
    '2026-01-02T03:04:05-16:00',
    '2026-01-02\\u00a003:04:05Z',
    '0001-01-01T00:00:00+15:59',
    'now',
  ],
);
const MEMBERS: Record<string, fc.Arbitrary<string>> = {
  n: numberText,
  d: numberText,
  b: fc.constantFrom('true', 'false'),
  s: fc.oneof(quoted(storableText), hostile),
  t: time.map((text) => `"${text}"`),
  day: fc.constantFrom('"2024-02-29"', '"0000-01-01"', '"9999-12-31"', '"2023-02-29"'),
  u: fc.constantFrom('"123E4567-e89b-12d3-a456-426614174000"', '"urn:uuid:123e4567-e89b-12d3-a456-426614174000"'),
  j: fc.oneof(jsonText, hostile),
};
const members = fc
  .tuple(
    ...Object.entries(MEMBERS).map(([name, value]) =>
      fc.option(value, { freq: 2 }).map((text) => (text === null ? [] : [`"${name}":${text}`])),
    ),
    fc
      .array(
        fc.tuple(
          fc.oneof(quoted(storableText), hostile, fc.constantFrom('"__proto__"', '"n"', '"\\u006e"', '"$schema"')),
          jsonText,
        ),
        { maxLength: 2 },
      )
      .map((all) => all.map(([key, value]) => `${key}:${value}`)),
  )
  .map((all) => all.flat());
const event = fc
  .tuple(members, fc.option(members, { freq: 2 }))
  .map(([outer, inner]) => `{${[...outer, ...(inner === null ? [] : [`"in":{${inner.join(',')}}`])].join(',')}}`);

type Edit = [kind: 'flip' | 'insert' | 'cut' | 'double' | 'replace', at: number, length: number, bytes: Buffer];
const edit: fc.Arbitrary<Edit> = fc.tuple(
  fc.constantFrom('flip', 'insert', 'cut', 'double', 'replace'),
  fc.nat(400),
  fc.integer({ min: 1, max: 12 }),
  fc.oneof(token, noise),
);

function edited(bytes: Buffer, [kind, place, length, inserted]: Edit): Buffer {
  if (bytes.length === 0) return inserted;
  const at = place % bytes.length;
  const [before, part, after] = [bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at + length)];
  if (kind === 'flip')
    return Buffer.concat([before, Buffer.of(bytes[at]! ^ (1 << (length % 8))), bytes.subarray(at + 1)]);
  if (kind === 'insert') return Buffer.concat([before, inserted, part, after]);
  if (kind === 'cut') return Buffer.concat([before, after]);
  if (kind === 'double') return Buffer.concat([before, part, part, after]);
  return Buffer.concat([before, inserted, after]);
}

const eventBytes = event.map((text) => Buffer.from(text));
const mutated = fc
  .tuple(fc.oneof(good, eventBytes), fc.array(edit, { minLength: 1, maxLength: 4 }))
  .map(([bytes, edits]) => edits.reduce(edited, bytes));
const long = fc.integer({ min: 1_980, max: 2_020 }).map((length) => Buffer.from(`{"s":"${'x'.repeat(length - 8)}"}`));
const deep = fc
  .tuple(fc.integer({ min: 60, max: 68 }), fc.constantFrom('[]', '{}'))
  .map(([depth, [open, close]]) =>
    Buffer.from(`{"a":${(open === '[' ? '[' : '{"a":').repeat(depth - 1)}${open}${close!.repeat(depth)}}`),
  );

const line = fc.oneof(
  { weight: 4, arbitrary: good },
  { weight: 5, arbitrary: eventBytes },
  { weight: 4, arbitrary: mutated },
  { weight: 2, arbitrary: jsonText.map((text) => Buffer.from(text)) },
  { weight: 2, arbitrary: soup },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '\t', '\r').map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: long },
  { weight: 1, arbitrary: deep },
);
const ending = fc.constantFrom('\n', '\n', '\n', '\n', '\r\n', '\n\n', ' \n').map((text) => Buffer.from(text));
const lines = fc
  .tuple(
    fc.constantFrom('', '', '', '\ufeff').map((text) => Buffer.from(text)),
    fc.array(fc.tuple(line, ending), { maxLength: 12 }),
    fc.oneof(fc.constant(Buffer.alloc(0)), line),
  )
  .map(([mark, all, last]) => Buffer.concat([mark, ...all.flat(), last]));
const content = fc.oneof(
  { weight: 6, arbitrary: lines },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)) },
);

const array = fc
  .tuple(
    fc.array(
      fc.oneof(
        good,
        eventBytes,
        jsonText.map((text) => Buffer.from(text)),
      ),
      { maxLength: 8 },
    ),
    fc.array(edit, { maxLength: 1 }),
  )
  .map(([elements, edits]) =>
    edits.reduce(edited, Buffer.from(`[${elements.map((bytes) => bytes.toString()).join(',\n')}]`)),
  );

const places = fc.array(fc.nat(3_000), { maxLength: 6 });
const everywhere = fc.constant(Array.from({ length: 200 }, (_, index) => index));
const cuts = fc.oneof({ weight: 5, arbitrary: places }, { weight: 1, arbitrary: everywhere });
const packing = fc.option(places, { freq: 3 });

const oddHeaders = fc.record({
  'content-type': fc.constantFrom(
    ...[
      'application/x-ndjson',
      'application/json',
      'application/jsonl; charset=utf-8',
      'application/json; charset=utf-16',
      'application/json garbage',
    ],
    ...[
      'multipart/form-data',
      'multipart/form-data; boundary=',
      'multipart/form-data; boundary=sluice',
      `multipart/form-data; boundary=${'b'.repeat(300)}`,
    ],
    ...[
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json\ta',
      'APPLICATION/X-NDJSON',
      '*/*',
      'application/',
      'application/x-ndjson;;;',
      '',
    ],
  ),
  'content-encoding': fc.constantFrom(
    '',
    'identity',
    'gzip',
    'x-gzip',
    'GZIP',
    'deflate',
    'br',
    'zstd',
    'gzip, gzip',
    'gzip;q=1',
    'none',
  ),
});

const plain = { headers: fc.constant({}), cuts };
export const UPLOADS: Record<string, fc.Arbitrary<Upload>> = {
  ndjson: fc.record({ content, form: fc.constant('ndjson' as const), members: packing, ...plain }),
  json: fc.record({
    content: fc.oneof(array, content),
    form: fc.constant('json' as const),
    members: packing,
    ...plain,
  }),
  multipart: fc.record({ content, form: fc.constant('multipart' as const), members: packing, ...plain }),
  odd: fc.record({
    content: fc.oneof(content, array),
    form: fc.constant('odd' as const),
    members: packing,
    cuts,
    headers: oddHeaders,
  }),
};
