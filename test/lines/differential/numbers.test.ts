// Numbers: what a column, an array, a map, a union or `_extra` holds has the value of the source text, to the last digit.

import fc from 'fast-check';
import t from 'tap';
import { compare } from './compare.ts';
import { edges, numbers, rewritten } from './texts.ts';

// `json` keeps the literal as it was sent, and numeric loses nothing of it.
const SOURCE = `(doc::json ->> 'v')`;

t.test('bigint: whole numbers are stored to the last digit, or refused', async (t) => {
  await compare(t, 'bigint', {
    schema: { type: 'integer' },
    values: fc.oneof(
      { weight: 3, arbitrary: rewritten(edges) },
      { weight: 3, arbitrary: rewritten(fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String)) },
      { weight: 2, arbitrary: numbers },
    ),
    reads: `CASE WHEN ${SOURCE}::numeric::bigint = ${SOURCE}::numeric THEN ${SOURCE}::numeric::bigint::text END`,
    stored: 'v::text',
  });
});

t.test('double precision: a number is stored as the double that prints as it, or refused', async (t) => {
  await compare(t, 'double precision', {
    schema: { type: 'number' },
    values: numbers,
    reads: `CASE WHEN ${SOURCE}::float8::text::numeric = ${SOURCE}::numeric THEN ${SOURCE}::float8::text END`,
    stored: 'v::text',
    stricter: [
      {
        reason: 'a double itself, but JSON prints another of the shortest texts for it',
        isMeant: (text) => !isBetweenDoubles(text) && wholeNumber(text) === BigInt(Number(text)),
      },
    ],
    wider: [
      {
        reason:
          'exactly between two doubles, as 1e23: both read it as the same one, JSON prints it as sent, Postgres not',
        isMeant: (text, stored) => isBetweenDoubles(text) && Number(stored) === Number(text),
      },
    ],
  });
});

/** Whether a whole number beyond 2^53 is as far from the double below as from the one above. */
function isBetweenDoubles(text: string): boolean {
  const exact = wholeNumber(text);
  if (exact === null) return false;
  const magnitude = exact < 0n ? -exact : exact;
  const step = 1n << BigInt(Math.max(0, magnitude.toString(2).length - 53));
  return step > 1n && magnitude % step === step / 2n;
}

function wholeNumber(text: string): bigint | null {
  const [, sign, whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? [];
  const shift = Number(power) - fraction.length;
  const digits = BigInt(whole + fraction);
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return shift < 0 && value * 10n ** BigInt(-shift) !== digits ? null : sign === '-' ? -value : value;
}
