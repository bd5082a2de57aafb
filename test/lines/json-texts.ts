// Generated JSON texts with everything that JSON allows and jsonb takes apart.
import fc from 'fast-check';

const NUMBERS = [
  ...[
    '0',
    '-0',
    '-0.0',
    '0.0',
    '0e5',
    '0.000e2',
    '0e-5',
    '-0e-30',
    '0.0e400',
    '1.0',
    '1.50',
    '1.50e1',
    '15e-1',
    '100e-2',
  ],
  ...[
    '1e21',
    '1e22',
    '123456789e20',
    '1e-6',
    '1e-7',
    '1.5e-7',
    '-2.50E-10',
    '5e-324',
    '1.7976931348623157e308',
    '1e308',
  ],
  ...[
    '1e400',
    '-1e400',
    '1e-400',
    '1.10e-400',
    '9007199254740991',
    '9007199254740992',
    '9007199254740993',
    '-9007199254740993',
  ],
  ...[
    '12345678901234567890.12345678901234567890',
    '0.1000000000000000055511151231257827',
    '9007199254740993.000',
    '1E+30',
  ],
  ...[
    '2147483647',
    '2147483648',
    '-2147483648',
    '-2147483649',
    '4294967296',
    '10',
    '-10',
    '99',
    '100',
    '999999',
    '1000000',
  ],
];

const digits = (max: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`));
const whole = fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9][0-9]{0,25}$/), fc.stringMatching(/^[1-9]0{0,30}$/));
const exponent = fc.tuple(
  fc.constantFrom('e', 'E'),
  fc.constantFrom('', '+', '-'),
  fc.oneof(digits(1), digits(2), digits(3)),
);
const composed = fc
  .tuple(
    fc.constantFrom('', '-'),
    whole,
    fc.option(digits(30), { nil: '' }),
    fc.option(
      exponent.map((parts) => parts.join('')),
      { nil: '' },
    ),
  )
  .map(([sign, before, behind, power]) => `${sign}${before}${behind === '' ? '' : `.${behind}`}${power}`);

/** A number literal of RFC 8259, also one that no double holds. */
export const numberText = fc.oneof(
  fc.constantFrom(...NUMBERS),
  composed,
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);

const KEYS = [
  ...[
    '',
    'a',
    'b',
    'z',
    'A',
    'aa',
    'ab',
    'ba',
    'aaa',
    '1',
    '2',
    '10',
    '__proto__',
    'constructor',
    'toString',
    'length',
  ],
  ...[
    'é',
    'ä',
    'ß',
    'zz',
    '€',
    '日',
    '日本',
    '\ue000',
    '\uffee',
    '\uffff',
    '😀',
    '\u{10000}',
    '\u{10ffff}',
    'a😀',
    'a\uffff1',
  ],
  ...[
    '"',
    '\\',
    '\n',
    '\u0001',
    '\u007f',
    '\u2028',
    'a b',
    'key with "quotes"',
    'x'.repeat(47),
    'x'.repeat(49),
    'ä'.repeat(30),
  ],
];

/** Any text that Postgres can hold. */
export const storableText = fc
  .oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary', minLength: 40, maxLength: 60 }),
    fc.string({
      unit: fc.constantFrom('\b', '\f', '\n', '\r', '\t', '\v', '"', '\\', '/', '\u001f', '\u007f', 'é', '😀'),
    }),
    fc.string({ minLength: 44, maxLength: 120 }),
    fc.constantFrom(...KEYS),
  )
  .filter((text) => !text.includes('\0'));

const keyText = fc.oneof(fc.constantFrom(...KEYS), storableText).map((key) => JSON.stringify(key));

/** A JSON text, with double keys and white space too. */
export const { value: jsonText } = fc.letrec<{ value: string; array: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    numberText,
    storableText.map((text) => JSON.stringify(text)),
    fc.constantFrom('true', 'false', 'null', '[]', '{}', ' [ ] ', '{ }'),
    tie('object'),
    tie('array'),
  ),
  array: fc.array(tie('value'), { maxLength: 8 }).map((values) => `[${values.join(',')}]`),
  object: fc
    .oneof(
      { weight: 4, arbitrary: fc.array(fc.tuple(keyText, tie('value')), { maxLength: 8 }) },
      { weight: 1, arbitrary: fc.array(fc.tuple(keyText, numberText), { minLength: 15, maxLength: 40 }) },
    )
    .map((members) => `{${members.map(([key, value]) => `${key} :${value}`).join(',')}}`),
}));
