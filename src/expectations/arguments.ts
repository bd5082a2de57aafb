// The kwargs of one expectation, read with a reason and a place for whatever is wrong. What a table has to say about
// them comes later: nothing here knows one.

/** Why a value will not do, and how far below the argument it stands. */
export class Unfit {
  readonly reason: string;
  readonly below: readonly string[];

  constructor(reason: string, below: readonly string[] = []) {
    this.reason = reason;
    this.below = below;
  }
}

export type Read<T> = (value: unknown) => T | Unfit;

/** Of old suites and of other tools: they say how Great Expectations runs, not what is expected. */
const IGNORED: ReadonlySet<string> = new Set([
  'result_format',
  'catch_exceptions',
  'include_config',
  'include_rendered_content',
  'parse_strings_as_datetimes',
  'batch_id',
  'table',
  'auto',
  'profiler_config',
  'windows',
  'meta',
]);

export class Arguments {
  readonly #kwargs: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();
  readonly #fault: (path: readonly string[], reason: string) => void;

  constructor(kwargs: Readonly<Record<string, unknown>>, fault: (path: readonly string[], reason: string) => void) {
    this.#kwargs = kwargs;
    this.#fault = fault;
  }

  /** An argument that may be left out or null. */
  take<T>(name: string, read: Read<T>): T | undefined {
    const value = this.#value(name);
    return value === undefined || value === null ? undefined : this.#read(name, value, read);
  }

  /** An argument that has to be there. What stands in for one that is not is not to be used: the fault is reported. */
  need<T>(name: string, read: Read<T>): T {
    const value = this.#value(name);
    if (value === undefined || value === null) this.#fault([name], value === null ? 'must not be null' : 'is missing');
    return value === undefined || value === null ? (undefined as T) : (this.#read(name, value, read) as T);
  }

  /** An argument that has to be there and may be null. */
  needOrNull<T>(name: string, read: Read<T>): T | null {
    const value = this.#value(name);
    if (value === undefined) this.#fault([name], 'is missing');
    return value === undefined || value === null ? null : (this.#read(name, value, read) ?? null);
  }

  /** @param path below kwargs */
  fault(path: readonly string[], reason: string): void {
    this.#fault(path, reason);
  }

  /** At least one of two arguments has to be there. */
  needEither(one: string, other: string): void {
    if ([one, other].every((name) => (this.#value(name) ?? null) === null)) {
      this.#fault([one], `or ${other} must be given`);
    }
  }

  /** Names the arguments that nobody asked for. Those that only say how Great Expectations runs go to `note`. */
  finish(note: (name: string) => void): void {
    for (const name of Object.keys(this.#kwargs)) {
      if (this.#asked.has(name)) continue;
      if (IGNORED.has(name)) note(name);
      else this.#fault([name], `is no argument of this expectation: it has ${[...this.#asked].sort().join(', ')}`);
    }
  }

  #value(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#kwargs, name) ? this.#kwargs[name] : undefined;
  }

  #read<T>(name: string, value: unknown, read: Read<T>): T | undefined {
    const isParameter = typeof value === 'object' && value !== null && '$PARAMETER' in value;
    const result = isParameter ? new Unfit('parameters ($PARAMETER) are not supported: write the value') : read(value);
    if (!(result instanceof Unfit)) return result;
    this.#fault([name, ...result.below], result.reason);
    return undefined;
  }
}

export const text: Read<string> = (value) => (typeof value === 'string' ? value : new Unfit('must be a string'));

export const flag: Read<boolean> = (value) => (typeof value === 'boolean' ? value : new Unfit('must be true or false'));

/** A way of Great Expectations that would have to be followed if it were asked for. */
export const unsupported: Read<false> = (value) => (value === false ? value : new Unfit('is not supported'));

export const number: Read<number> = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? value : new Unfit('must be a number');

export const count: Read<number> = (value) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0
    ? value
    : new Unfit('must be a whole number, 0 or more');

/** A share of the rows. */
export const share: Read<number> = (value) =>
  typeof value === 'number' && value >= 0 && value <= 1 ? value : new Unfit('must be a number from 0 to 1');

export type Scalar = string | number | boolean;

export const scalar: Read<Scalar> = (value) =>
  typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
    ? value
    : new Unfit('must be a string, a number or a boolean');

/** A value of a set, where null stands for a missing one. */
export const scalarOrNull: Read<Scalar | null> = (value) => (value === null ? null : scalar(value));

export function oneOf<const T extends string>(...allowed: readonly T[]): Read<T> {
  return (value) => allowed.find((each) => each === value) ?? new Unfit(`must be one of ${allowed.join(', ')}`);
}

export function listOf<T>(read: Read<T>, least = 0): Read<T[]> {
  return (value) => {
    if (!Array.isArray(value)) return new Unfit('must be an array');
    if (value.length < least) return new Unfit(`must have at least ${least} ${least === 1 ? 'element' : 'elements'}`);
    const results: T[] = [];
    for (const [at, each] of value.entries()) {
      const result = read(each);
      if (result instanceof Unfit) return new Unfit(result.reason, [String(at), ...result.below]);
      results.push(result);
    }
    return results;
  };
}
