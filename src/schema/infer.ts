// A first schema from sample events: what they have in common, and nothing that one of them breaks. Pure.
import { FORMATS } from './formats.ts';

export interface InferOptions {
  /** Whether strings that all look like dates, uuids … are given that format; default true. */
  formats?: boolean;
}

/** More names than this are keys of a map, not properties. */
const MOST_PROPERTIES = 200;
/** Values by which few strings that come again and again become an enum. */
const ENUM = { seen: 12, distinct: 10, each: 4, length: 40 } as const;
const LEAST_LENGTH = 64;
/** -2^63 to 2^63: what a column of integers holds. */
const BIGINT = 2 ** 63;

/** The strictest comes first. */
const CANDIDATES: readonly [format: string, fits: (text: string) => boolean][] = [
  ['date-time', accepts('date-time')],
  ['date', accepts('date')],
  ['uuid', (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)],
  ['email', accepts('email')],
  // `a:b` is a URI too, but hardly ever meant as one.
  ['uri', (text) => /^[a-z][a-z0-9+.-]*:\/\//i.test(text) && accepts('uri')(text)],
];

function accepts(name: string): (text: string) => boolean {
  const format = FORMATS[name] as
    | RegExp
    | { validate: RegExp | ((text: string) => boolean) }
    | ((t: string) => boolean);
  const check = typeof format === 'object' && 'validate' in format ? format.validate : format;
  return typeof check === 'function' ? check : (text) => check.test(text);
}

/** What was seen in one place of the samples. */
class Seen {
  #nulls = 0;
  #booleans = 0;
  #integers = 0;
  #fractions = 0;
  #strings = 0;
  #longest = 0;
  #formats = CANDIDATES;
  /** Strings and how often each came; undefined once there are too many. */
  #values: Map<string, number> | undefined = new Map();
  #arrays = 0;
  #items: Seen | undefined;
  #objects = 0;
  readonly #properties = new Map<string, { seen: Seen; times: number }>();
  /** In place of properties, once there are too many. */
  #map: Seen | undefined;

  add(value: unknown): void {
    if (value === null) this.#nulls++;
    else if (typeof value === 'boolean') this.#booleans++;
    else if (typeof value === 'number') this.#addNumber(value);
    else if (typeof value === 'string') this.#addString(value);
    else if (Array.isArray(value)) this.#addArray(value);
    else this.#addObject(value as Record<string, unknown>);
  }

  #addNumber(value: number): void {
    if (Number.isInteger(value) && value >= -BIGINT && value < BIGINT) this.#integers++;
    else this.#fractions++;
  }

  #addString(text: string): void {
    this.#strings++;
    this.#longest = Math.max(this.#longest, lengthOf(text));
    this.#formats = this.#formats.filter(([, fits]) => fits(text));
    if (this.#values === undefined) return;
    this.#values.set(text, (this.#values.get(text) ?? 0) + 1);
    if (this.#values.size > ENUM.distinct || text.length > ENUM.length) this.#values = undefined;
  }

  #addArray(values: readonly unknown[]): void {
    this.#arrays++;
    for (const value of values) {
      this.#items ??= new Seen();
      this.#items.add(value);
    }
  }

  #addObject(value: Record<string, unknown>): void {
    this.#objects++;
    for (const name of Object.keys(value)) {
      // No validator checks a property of this name; whatever is in it passes.
      if (name === '__proto__') continue;
      if (this.#map === undefined && !this.#properties.has(name) && this.#properties.size === MOST_PROPERTIES) {
        this.#becomeMap();
      }
      if (this.#map !== undefined) this.#map.add(value[name]);
      else this.#note(name, value[name]);
    }
  }

  #note(name: string, value: unknown): void {
    const property = this.#properties.get(name) ?? { seen: new Seen(), times: 0 };
    this.#properties.set(name, property);
    property.seen.add(value);
    property.times++;
  }

  #becomeMap(): void {
    this.#map = new Seen();
    for (const { seen } of this.#properties.values()) this.#map.#merge(seen);
    this.#properties.clear();
  }

  #merge(other: Seen): void {
    this.#nulls += other.#nulls;
    this.#booleans += other.#booleans;
    this.#integers += other.#integers;
    this.#fractions += other.#fractions;
    this.#strings += other.#strings;
    this.#longest = Math.max(this.#longest, other.#longest);
    this.#formats = this.#formats.filter((each) => other.#formats.includes(each));
    this.#values = undefined;
    this.#arrays += other.#arrays;
    if (other.#items !== undefined) {
      this.#items ??= new Seen();
      this.#items.#merge(other.#items);
    }
    this.#objects += other.#objects;
    if (other.#map !== undefined) {
      if (this.#map === undefined) this.#becomeMap();
      this.#map!.#merge(other.#map);
    }
    for (const [name, { seen, times }] of other.#properties) {
      if (this.#map === undefined && !this.#properties.has(name) && this.#properties.size === MOST_PROPERTIES) {
        this.#becomeMap();
      }
      if (this.#map !== undefined) {
        this.#map.#merge(seen);
        continue;
      }
      const property = this.#properties.get(name) ?? { seen: new Seen(), times: 0 };
      this.#properties.set(name, property);
      property.seen.#merge(seen);
      property.times += times;
    }
  }

  schema(options: InferOptions): Record<string, unknown> {
    const types = this.#types();
    // Nothing but null says nothing about what else may come.
    if (types.length === 0 || (types.length === 1 && types[0] === 'null')) return {};
    return {
      type: types.length === 1 ? types[0] : types,
      ...(this.#strings > 0 ? this.#stringKeywords(options, types) : {}),
      ...(this.#items !== undefined ? { items: this.#items.schema(options) } : {}),
      ...(this.#objects > 0 ? this.#objectKeywords(options) : {}),
    };
  }

  #types(): string[] {
    return [
      ...(this.#objects > 0 ? ['object'] : []),
      ...(this.#arrays > 0 ? ['array'] : []),
      ...(this.#strings > 0 ? ['string'] : []),
      ...(this.#fractions > 0 ? ['number'] : this.#integers > 0 ? ['integer'] : []),
      ...(this.#booleans > 0 ? ['boolean'] : []),
      ...(this.#nulls > 0 ? ['null'] : []),
    ];
  }

  #stringKeywords({ formats = true }: InferOptions, types: readonly string[]): Record<string, unknown> {
    const format = formats ? this.#formats[0]?.[0] : undefined;
    const values = format === undefined ? this.#enum(types) : undefined;
    if (values !== undefined) return { enum: values };
    // The three that have columns of their own are short by themselves.
    if (format === 'date-time' || format === 'date' || format === 'uuid') return { format };
    return { ...(format !== undefined && { format }), maxLength: roomFor(this.#longest) };
  }

  /** An enum speaks of values of every type, so there must be none but strings, and null. */
  #enum(types: readonly string[]): (string | null)[] | undefined {
    const times = [...(this.#values ?? new Map<string, number>())];
    if (times.length === 0 || types.some((type) => type !== 'string' && type !== 'null')) return undefined;
    if (this.#strings < ENUM.seen || this.#strings < times.length * ENUM.each) return undefined;
    if (times.some(([, each]) => each < 2)) return undefined;
    return [...times.map(([value]) => value).sort(), ...(this.#nulls > 0 ? [null] : [])];
  }

  #objectKeywords(options: InferOptions): Record<string, unknown> {
    if (this.#map !== undefined) return { additionalProperties: this.#map.schema(options) };
    const all = [...this.#properties];
    const required = all.filter(([, { times }]) => times === this.#objects).map(([name]) => name);
    return {
      ...(all.length > 0 && {
        properties: Object.fromEntries(all.map(([name, { seen }]) => [name, seen.schema(options)])),
      }),
      ...(required.length > 0 && { required }),
    };
  }
}

/** Collects samples, then says what they have in common. */
export class Inference {
  readonly #seen = new Seen();
  samples = 0;

  /** @param event as JSON.parse gives it, at most some hundred levels deep, all numbers finite */
  add(event: object): void {
    this.#seen.add(event);
    this.samples++;
  }

  /** A schema that every sample passes, open to what else may come. */
  schema(options: InferOptions = {}): Record<string, unknown> {
    return { $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object', ...this.#seen.schema(options) };
  }
}

/** In characters, as JSON Schema counts. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** The next power of two above twice the longest. */
function roomFor(longest: number): number {
  return Math.max(LEAST_LENGTH, 2 ** Math.ceil(Math.log2(longest * 2 + 1)));
}
