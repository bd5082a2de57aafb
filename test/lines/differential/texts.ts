// JSON texts of strings and numbers as an unkind sender would write them.
import fc from 'fast-check';

/** A string as JSON, some of its characters escaped without need. */
export function quoted(strings: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(strings, fc.constantFrom(0, 0, 0, 1, 3)).map(([text, every]) => {
    if (every === 0) return JSON.stringify(text);
    const units = Array.from({ length: text.length }, (_, index) => {
      const code = text.charCodeAt(index);
      const isSurrogate = (code & 0xf800) === 0xd800;
      if (index % every === 0 || isSurrogate) return `\\u${code.toString(16).padStart(4, '0')}`;
      return JSON.stringify(text[index]!).slice(1, -1);
    });
    return `"${units.join('')}"`;
  });
}

const digit = fc.constantFrom(...'0123456789');
export const digits = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: digit, minLength, maxLength });
const sign = fc.constantFrom('', '-');
const withoutZeros = (text: string): string => text.replace(/^0+(?=\d)/, '');

/** Whole numbers around the powers of two and ten where types end. */
export const edges = fc
  .tuple(fc.constantFrom(2n, 10n), fc.nat(70), fc.bigInt({ min: -3n, max: 3n }), sign)
  .map(([base, power, more, minus]) => `${minus}${abs(base ** BigInt(power) + more)}`);

const abs = (value: bigint): bigint => (value < 0n ? -value : value);

/** A literal of RFC 8259, of any length. */
const literal = fc
  .tuple(
    sign,
    digits(1, 25),
    fc.option(digits(1, 25), { nil: '' }),
    fc.option(fc.tuple(fc.constantFrom('e', 'E', 'e+', 'E-', 'e-'), digits(1, 3)), {
      nil: ['', ''] as [string, string],
    }),
  )
  .map(
    ([minus, whole, fraction, [e, power]]) => `${minus}${withoutZeros(whole)}${fraction && `.${fraction}`}${e}${power}`,
  );

/** The same value in other words: zeros behind the point, or the point moved by an exponent. */
export function rewritten(numbers: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(numbers, fc.constantFrom('plain', 'zeros', 'exponent', 'shifted'), fc.nat(25))
    .map(([text, how, count]) => {
      if (/[.e]/i.test(text) || how === 'plain') return text;
      if (how === 'zeros') return `${text}.${'0'.repeat(count + 1)}`;
      if (how === 'exponent') return `${text}${count % 2 === 0 ? 'e' : 'E+'}${count}`;
      const [, minus = '', whole = ''] = /^(-?)(\d+)$/.exec(text) ?? [];
      const padded = whole.padStart(count + 1, '0');
      return `${minus}${padded.slice(0, padded.length - count) || '0'}${count > 0 ? `.${padded.slice(-count)}` : ''}e${count}`;
    });
}

const doubles = fc
  .oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.float({ noNaN: true, noDefaultInfinity: true }))
  .map((value) => (Object.is(value, -0) ? '-0' : JSON.stringify(value)));
/** A double's shortest decimal with more digits behind it. */
const lengthened = fc.tuple(doubles, digits(1, 8)).map(([text, more]) => {
  const [, number = '', power = ''] = /^(-?[\d.]+)(e.*)?$/.exec(text) ?? [];
  return `${number}${number.includes('.') ? '' : '.'}${more}${power}`;
});
const LIMITS = [
  ...[
    '-0',
    '-0.0',
    '0e400',
    '1e400',
    '-1e400',
    '1e-400',
    '5e-324',
    '4.9e-324',
    '2.4703282292062327e-324',
    '2.4703282292062328e-324',
    '1e-323',
  ],
  ...[
    '2.2250738585072014e-308',
    '2.225073858507201e-308',
    '1.7976931348623157e308',
    '1.7976931348623158e308',
    '1.797693134862315807e308',
    '1.8e308',
  ],
  ...[
    '0.30000000000000004',
    '0.1',
    '0.10',
    '1e23',
    '1e22',
    '9007199254740993',
    '9007199254740992.0',
    '1e999999999',
    '1e-999999999',
    '1e131072',
    '1e-16384',
  ],
  `0.${'0'.repeat(400)}1`,
  `1${'0'.repeat(400)}`,
  `${'9'.repeat(310)}`,
  `1${'0'.repeat(308)}`,
  `0.1${'0'.repeat(500)}`,
];

export const numbers = fc.oneof(
  { weight: 3, arbitrary: literal },
  { weight: 3, arbitrary: doubles },
  { weight: 2, arbitrary: lengthened },
  { weight: 2, arbitrary: rewritten(edges) },
  { weight: 1, arbitrary: rewritten(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String)) },
  { weight: 1, arbitrary: fc.constantFrom(...LIMITS) },
);

const UNITS = [
  '\0',
  '\u0001',
  '\b',
  '\t',
  '\n',
  '\v',
  '\f',
  '\r',
  '"',
  '\\',
  '/',
  '\u001f',
  '\u007f',
  '\u0085',
  '\u00a0',
  'é',
  'e\u0301',
  '\u2028',
  '\u202e',
  '\ud800',
  '\udfff',
  '\udc00\ud800',
  '😀',
  '\u{10ffff}',
  '\ufeff',
  '\ufffd',
  '\ufffe',
  '\uffff',
  '\\.',
  '\\N',
];
export const strings = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  { weight: 3, arbitrary: fc.string({ unit: fc.constantFrom(...UNITS, ...'abc 19'), maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ maxLength: 80 }) },
  {
    weight: 1,
    arbitrary: fc.string({
      unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
      maxLength: 8,
    }),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 28, maxLength: 70 }) },
);
