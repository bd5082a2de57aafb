// The fast formats must say exactly what ajv-formats says in full mode.
import { fullFormats } from 'ajv-formats/dist/formats.js';
import fc from 'fast-check';
import t from 'tap';
import { FORMATS } from '../../src/schema/formats.ts';

type Name = 'date' | 'date-time' | 'email' | 'uuid';
type Test = (text: string) => boolean;

function slow(name: Name): Test {
  const format = fullFormats[name] as RegExp | { validate: Test };
  return format instanceof RegExp ? (text) => format.test(text) : (text) => format.validate(text);
}

const two = (max: number) => fc.nat(max).map((number) => String(number).padStart(2, '0'));
const glue = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts).map((all) => all.join(''));
const digits = (max: number) => fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength: max });
const date = glue(
  fc.oneof(digits(4), fc.constantFrom('0000', '1900', '2000', '2023', '2024', '9999')),
  fc.constantFrom('-', '-', '-', '/'),
  two(14),
  fc.constant('-'),
  two(33),
);
const zone = fc.oneof(
  fc.constantFrom('Z', 'z', '', 'Y', '+05', '+0530', '-00:00', '+24:00', '+23:60'),
  glue(fc.constantFrom('+', '-', ''), two(25), fc.constantFrom(':', ':', ''), two(61)),
);
const fraction = fc.oneof(
  fc.constantFrom('', '', '.', '.0', '.999999999', `.${'9'.repeat(17)}`, `.${'9'.repeat(40)}`),
  digits(20).map((text) => `.${text}`),
);
const separator = fc.constantFrom('T', 'T', 'T', 't', ' ', '\n', '\u00a0', '\u2028', '\ufeff', 'x', '');
const time = glue(two(25), fc.constant(':'), two(61), fc.constant(':'), two(62), fraction, zone);
const label = fc.string({ unit: fc.constantFrom(...'aZ09-+.'), minLength: 1, maxLength: 4 });
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: length, maxLength: length });
const uuid = glue(hex(8), ...[4, 4, 4, 12].flatMap((length) => [fc.constant('-'), hex(length)]));

const LIKELY: Record<Name, fc.Arbitrary<string>> = {
  date,
  'date-time': glue(date, separator, time),
  email: glue(label, fc.constantFrom('@', '@', '@', '@@', ''), label, fc.constantFrom('.', '.', ''), label),
  uuid: fc.oneof(
    uuid,
    uuid.map((text) => `urn:uuid:${text}`),
  ),
};

/** The same with one character changed, taken out or put in. */
function damaged(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(),
    put: fc.constantFrom('', '-', ':', '0', '_', '!', '@', ' ', 'é', '\0', '６', 'ſ', '\u212a'),
    out: fc.nat(1),
  });
  return fc.tuple(text, change).map(([whole, { at, put, out }]) => {
    const start = at % (whole.length + 1);
    return whole.slice(0, start) + put + whole.slice(start + out);
  });
}

const KNOWN: Record<Name, string[]> = {
  date: [
    '2024-02-29',
    '2023-02-29',
    '2000-02-29',
    '1900-02-29',
    '2024-04-31',
    '2024-00-10',
    '2024-13-01',
    '２024-01-01',
  ],
  'date-time': [
    '2016-12-31T23:59:60Z',
    '2016-12-31T15:59:60-08:00',
    '2016-12-31T24:59:60+01:00',
    '2016-12-31T12:00:60Z',
    '2024-01-01T00:00:59.99999999999999999999Z',
    '2024-01-01T23:59:59.99999999999999999999Z',
    '2024-01-01T00:00:59.99999999999999Z',
    '2024-01-01T00:00:59.999999999999999Z',
    '2024-01-01T00:00:59.9999999999999999Z',
    '2024-01-01T00:00:59.999999999Z',
    '2024-01-01T00:00:00Z ',
    '2024-01-01T00:00:00ZT',
    '2024-01-01 00:00:00Z',
  ],
  email: [
    'a@b.c',
    'a@b',
    '@b.c',
    'a.@b.c',
    '.a@b.c',
    'a..b@c.d',
    'a@-b.c',
    'a@b-.c',
    'a@b.c-',
    'a@b..c',
    'a@b.c.',
    'A+b@C-d.E',
    'a@b_c.d',
  ],
  uuid: [
    '123e4567-e89b-12d3-a456-426614174000',
    'URN:UUID:123e4567-e89b-12d3-a456-426614174000',
    '123e4567e89b12d3a456426614174000',
  ],
};

for (const name of Object.keys(LIKELY) as Name[]) {
  t.test(`${name} has the verdicts of ajv-formats`, async (t) => {
    const fast = FORMATS[name] as Test;
    const expected = slow(name);
    const seen = { valid: 0, invalid: 0 };
    const compare = (text: string): void => {
      const verdict = expected(text);
      if (fast(text) !== verdict) throw new Error(`not ${verdict}: ${JSON.stringify(text)}`);
      seen[verdict ? 'valid' : 'invalid']++;
    };
    for (const text of KNOWN[name]) compare(text);
    const texts = fc.oneof(LIKELY[name], damaged(LIKELY[name]), fc.string());
    fc.assert(fc.property(texts, compare), { numRuns: 20_000, interruptAfterTimeLimit: 2_000 });
    t.ok(seen.valid > 100 && seen.invalid > 100, `worth the test: ${JSON.stringify(seen)}`);
  });
}
