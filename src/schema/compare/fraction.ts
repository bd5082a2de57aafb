// Exact arithmetic with the decimal numbers of a schema: 0.1 is one tenth here, not the double next to it.

/** numerator / denominator, in lowest terms, denominator positive. */
export interface Fraction {
  n: bigint;
  d: bigint;
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y > 0n) [x, y] = [y, x % y];
  return x;
}

export function fraction(n: bigint, d: bigint): Fraction {
  const common = gcd(n, d) || 1n;
  return d < 0n ? { n: -n / common, d: -d / common } : { n: n / common, d: d / common };
}

/** The decimal number that the shortest text of a double names. */
export function ofDecimal(value: number): Fraction {
  const [mantissa, exponent = '0'] = String(value).toLowerCase().split('e');
  const [whole, decimals = ''] = mantissa!.split('.');
  const power = Number(exponent) - decimals.length;
  const digits = BigInt(whole! + decimals);
  return power >= 0 ? fraction(digits * 10n ** BigInt(power), 1n) : fraction(digits, 10n ** BigInt(-power));
}

/** The number that a double really is. */
export function ofDouble(value: number): Fraction {
  let scaled = value;
  let d = 1n;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    d *= 2n;
  }
  return fraction(BigInt(scaled), d);
}

export function toNumber({ n, d }: Fraction): number {
  if (d === 1n) return Number(n);
  const digits = String(d).length - 1;
  // Powers of ten print exactly; everything else is near enough, since callers test their candidates.
  if (10n ** BigInt(digits) === d) return Number(`${n}e-${digits}`);
  let [num, den] = [n, d];
  // Any fraction with only 2 and 5 in its denominator is decimal.
  let places = 0;
  while (num % den !== 0n && places < 40) {
    num *= 10n;
    places++;
  }
  if (num % den === 0n) return Number(`${num / den}e-${places}`);
  den = d;
  return Number(n) / Number(den);
}

/** The smallest positive number that is a multiple of both. */
export function leastCommon(a: Fraction, b: Fraction): Fraction {
  const n = (a.n * b.n) / gcd(a.n, b.n);
  return fraction(n, gcd(a.d, b.d));
}

/** a / b */
export function ratio(a: Fraction, b: Fraction): Fraction {
  return fraction(a.n * b.d, a.d * b.n);
}

export function floorOf({ n, d }: Fraction): bigint {
  const quotient = n / d;
  return n % d !== 0n && n < 0n ? quotient - 1n : quotient;
}

export function ceilOf(value: Fraction): bigint {
  return -floorOf({ n: -value.n, d: value.d });
}
