// Decimal literals of JSON in the form in which Postgres's numeric prints them: written out without an exponent, every
// digit kept, zeros at the end too. Decides what numeric can hold; never goes by way of a double.

/** A literal as `digits` with the point behind the first `point` of them. */
interface Decimal {
  negative: boolean;
  /** Significant digits, and whatever zeros the literal has around them. */
  digits: string;
  /** May lie outside of the digits: negative in 1e-3, greater than their number in 1e3. */
  point: number;
  /** Digits behind the point when it is written out. */
  scale: number;
}

/** Largest number of digits before and behind the point (Postgres documentation, table "Numeric Types"). */
const MAX_BEFORE = 131_072;
const MAX_BEHIND = 16_383;

const LITERAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/;

/**
 * Reads a number literal of JSON (RFC 8259, section 6).
 * @returns null if jsonb cannot hold it: no finite number, more than 131,072 digits before or 16,383 digits behind the point
 */
export function readNumeric(literal: string): Decimal | null {
  const match = LITERAL.exec(literal);
  if (match === null) return null;
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  const digits = whole + fraction;
  const point = whole.length + Number(power);
  const scale = Math.max(0, digits.length - point);
  let zeros = 0;
  while (zeros < digits.length && digits.charCodeAt(zeros) === 0x30) zeros++;
  const isZero = zeros === digits.length;
  if (scale > MAX_BEHIND || (!isZero && point - zeros > MAX_BEFORE)) return null;
  // A zero has no sign in numeric, and no size before the point: 0e5 is 0.
  if (isZero) return { negative: false, digits: '', point: 0, scale };
  return { negative: sign === '-', digits: digits.slice(zeros), point: point - zeros, scale };
}

/** Number of characters that {@link numericText} gives, known before they are built: 1e131071 has 131,072. */
export function numericLength({ negative, point, scale }: Decimal): number {
  return (negative ? 1 : 0) + Math.max(1, point) + (scale > 0 ? 1 + scale : 0);
}

/** The text that `numeric_out` prints. */
export function numericText({ negative, digits, point, scale }: Decimal): string {
  const sign = negative ? '-' : '';
  if (point >= digits.length && scale === 0) return `${sign}${digits.padEnd(point, '0') || '0'}`;
  const whole = point > 0 ? digits.slice(0, point) : '0';
  const fraction = point > 0 ? digits.slice(point) : digits.padStart(scale, '0');
  return `${sign}${whole}.${fraction}`;
}
