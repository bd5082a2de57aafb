// Date-times and dates: the instant, or the day, that Postgres reads in the same text.
import fc from 'fast-check';
import t from 'tap';
import { compare } from './compare.ts';
import { digits, quoted } from './texts.ts';

const two = (max: number) => fc.nat(max).map((value) => String(value).padStart(2, '0'));
const year = fc.oneof(
  fc.constantFrom('0000', '0001', '0004', '0100', '1582', '1900', '1969', '1970', '2000', '2016', '9999'),
  fc.nat(9_999).map((value) => String(value).padStart(4, '0')),
);
const month = fc
  .oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 2, 13, 19) },
  )
  .map((value) => String(value).padStart(2, '0'));
const day = fc
  .oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 28 }) },
    { weight: 2, arbitrary: fc.constantFrom(29, 30, 31) },
    { weight: 1, arbitrary: fc.constantFrom(0, 32, 39) },
  )
  .map((value) => String(value).padStart(2, '0'));
const date = fc.tuple(year, month, day).map((parts) => parts.join('-'));

const time = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(two(23), two(59), two(59)).map((parts) => parts.join(':')) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '23:59:60',
      '23:59:59',
      '15:59:60',
      '00:00:00',
      '22:29:60',
      '24:00:00',
      '24:59:60',
      '00:29:60',
    ),
  },
  { weight: 1, arbitrary: fc.tuple(two(25), two(61), two(62)).map((parts) => parts.join(':')) },
);
const fraction = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 4, arbitrary: digits(1, 9).map((text) => `.${text}`) },
  // Halves of a microsecond, and what is next to them.
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        digits(6, 6),
        fc.constantFrom('5', '50', '500001', '4999999999', '49999999999999999999', '5000000000000001'),
      )
      .map((parts) => `.${parts.join('')}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '.9999995',
      '.9999994999',
      '.99999949999999999999',
      '.999999',
      '.0000005',
      '.000000',
      '.',
    ),
  },
  { weight: 1, arbitrary: digits(90, 140).map((text) => `.${text}`) },
);
const zone = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('Z', 'z', '+00:00', '-00:00', '+01:30', '-08:00') },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('+', '-'), two(17), fc.constantFrom(':', ''), two(59))
      .map((parts) => parts.join('')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '+15:59',
      '-15:59',
      '+16:00',
      '-16:00',
      '+23:59',
      '+05',
      '-15',
      '+16',
      '+10:60',
      '+24:00',
      '',
      ' Z',
      '+5:30',
      '+00:00:30',
    ),
  },
);
const separator = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('T', 't', ' ') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('\n', '\t', '\v', '\f', '\r', '\u00a0', '\u2028', '\u3000', '\ufeff', '_', ''),
  },
);
const dateTime = fc.tuple(date, separator, time, fraction, zone).map((parts) => parts.join(''));

const UNIT = fc.constantFrom(...'0123456789-+:.TZtz ,', '\n', '\u0660', '\uff11', '\0');

/** With one character more, less, or another one. */
function mutated(texts: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const changed = fc.tuple(texts, fc.nat(60), fc.nat(1), UNIT).map(([text, place, length, unit]) => {
    const at = place % (text.length + 1);
    return `${text.slice(0, at)}${unit}${text.slice(at + length)}`;
  });
  return fc.oneof({ weight: 7, arbitrary: texts }, { weight: 2, arbitrary: changed });
}

t.test(
  'timestamptz: the instant is the one that Postgres reads, to the microsecond, or the value is refused',
  async (t) => {
    await compare(t, 'timestamptz', {
      schema: { type: 'string', format: 'date-time' },
      values: quoted(mutated(dateTime)),
      reads: `(doc::jsonb ->> 'v')::timestamptz::text`,
      stored: 'v::text',
      stricter: [
        {
          reason: 'RFC 3339 has no hour 24; ajv-formats lets it pass where the offset makes it another one',
          isMeant: (text) => /^.{10}.24:/su.test(JSON.parse(text)),
        },
      ],
    });
  },
);

t.test('date: the day is the one that Postgres reads, or the value is refused', async (t) => {
  await compare(t, 'date', {
    schema: { type: 'string', format: 'date' },
    values: quoted(mutated(date)),
    reads: `(doc::jsonb ->> 'v')::date::text`,
    stored: 'v::text',
  });
});
