// Lines made from schemas by a seeded generator: as most senders write them, spelled in unusual ways, with values that
// do not belong there, and with bytes changed.
import type { Schema, SchemaObject } from '../../../src/schema/dialect.ts';

/** Mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

export interface Spelling {
  /** White space between tokens, other orders of keys, escapes. */
  odd: boolean;
  /** Share of values that are replaced by any other. */
  wild: number;
}

/** Values that are at home nowhere, and some that are. */
const WILD = [
  ...[
    'null',
    'true',
    'false',
    'nul',
    'True',
    '{}',
    '[]',
    '""',
    '" "',
    '{"a":1}',
    '{"a":1,"a":1}',
    '[1,2,[3,{"x":null}]]',
  ],
  ...[
    '0',
    '-0',
    '-0.0',
    '00',
    '01',
    '-1',
    '+1',
    '1.',
    '.5',
    '1.0',
    '1.50',
    '1e2',
    '1E+2',
    '1e-2',
    '1e',
    '1e+',
    '0e5',
    '0.0',
  ],
  ...[
    '9007199254740993',
    '9223372036854775807',
    '9223372036854775808',
    '-9223372036854775808',
    '1e18',
    '1e400',
    '1e-400',
  ],
  ...[
    '999999999999999',
    '-999999999999999',
    '1000000000000000',
    '123456789012345678901234567890',
    '2147483648',
    '4294967296',
  ],
  ...[
    '0.1',
    '0.30000000000000004',
    '1.7976931348623157e308',
    '5e-324',
    '1e22',
    '1e23',
    '123456789.125',
    '0.000001',
    '1e-7',
  ],
  ...['8.41e21', '9.5e-22', '9007199254740993.0', '0.1234567890123456', '999999999999999e22', '123456789012345e-22'],
  ...[
    'NaN',
    'Infinity',
    '0x10',
    '1_000',
    "'a'",
    'undefined',
    '"a',
    'a"',
    '"\\',
    '"\\u',
    '"\\u12"',
    '"a\\"b"',
    '"\\u0000"',
  ],
  ...[
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud83d\\ude00"',
    '"😀😀😀😀😀"',
    '"é"',
    '"日本"',
    '"\ufeff"',
    '"\ufffe"',
    '"\u2028"',
  ],
  ...[
    '"a\u0000b"',
    '"a\tb"',
    '"a\nb"',
    '"\u007f"',
    '"\\n"',
    '"\\/"',
    '"urn:uuid:123e4567-e89b-12d3-a456-426614174000"',
  ],
  ...[
    '"123e4567-e89b-12d3-a456-426614174000"',
    '"123E4567-E89B-12D3-A456-426614174000"',
    '"123e4567e89b12d3a456426614174000"',
  ],
  ...[
    '"2021-01-01"',
    '"0000-01-01"',
    '"0001-01-01"',
    '"9999-12-31"',
    '"2021-02-29"',
    '"2024-02-29"',
    '"1900-02-29"',
    '"2021-04-31"',
  ],
  ...['"2021-1-01"', '"2021-13-01"', '"2021-00-10"', '"2021-01-00"', '"2021-01-01 "', '"２021-01-01"'],
  ...[
    '"a@b"',
    '"a@b.c"',
    '"a.b@c-d.e"',
    '"@b"',
    '"a@"',
    '"a..b@c"',
    '"a@-b.c"',
    '"a@b-.c"',
    '"a@b..c"',
    '"ä@b.c"',
    '"a@ä.c"',
  ],
  ...[
    '"a b@c.d"',
    '"\\"a b\\"@c.d"',
    '"a@[1.2.3.4]"',
    '"a@b.c."',
    '"http://a/b"',
    '"10.0.0.1"',
    '"::1"',
    '"x-y"',
    '"12:00:00Z"',
  ],
];

const TIMES = [
  ...[
    '2021-01-01T00:00:00Z',
    '2021-01-01t00:00:00z',
    '2021-01-01 00:00:00Z',
    '2021-01-01T24:00:00Z',
    '2021-01-01T23:59:60Z',
  ],
  ...[
    '2016-12-31T23:59:60.5Z',
    '2021-01-01T00:00:00',
    '2021-01-01T00:00:00+05',
    '2021-01-01T00:00:00+0530',
    '2021-01-01',
  ],
  ...[
    '2021-01-01T00:00:00-00:00',
    '2021-01-01T00:00:00+15:59',
    '2021-01-01T00:00:00+16:00',
    '2021-01-01T00:00:00-15:59',
  ],
  ...[
    '2021-01-01T00:00:00+23:59',
    '2021-01-01T00:00:00+10:60',
    '0001-01-01T00:00:00+15:59',
    '9999-12-31T23:59:59.9999999Z',
  ],
  ...[
    '9999-12-31T23:59:59-15:00',
    '0000-01-01T00:00:00Z',
    '1714-06-13T00:12:25.259008Z',
    '1714-06-13T00:12:25.259009Z',
  ],
  ...['2285-06-19T23:47:34.740992Z', '1970-01-01T00:00:00Z', '1999-12-31T23:59:59.999999Z', '2021-01-01T00:00:00.Z'],
  ...[
    '2021-01-01T00:00:00.0000005Z',
    '2021-01-01T00:00:00.0000015Z',
    '2021-01-01T00:00:00.1234565Z',
    '2021-01-01T00:00:00,5Z',
  ],
  ...[
    '2021-01-01T00:00:00.9999995Z',
    '2021-01-01T00:00:00.999999999Z',
    '2021-01-01T00:00:00.9999999999Z',
    'infinity',
    'now',
  ],
];

const WORDS = [
  'ada',
  'a b',
  'x',
  '',
  'naïve',
  '日本語',
  '😀',
  'long '.repeat(9),
  'z'.repeat(70),
  '+49 30 1234',
  'a/b',
  '{[',
  ',:}]',
  'she said "hello" and left',
  '"',
  '\\',
  'C:\\temp\\',
  'line\nline\r\n',
  '\t\b\f\u0001',
  'größer als 𝕊',
];
/** What is no escape, or none that Postgres can hold. */
const BAD_ESCAPES = [
  ...['\\', '\\u', '\\u12', '\\u12g4', '\\x41', '\\U0041', '\\ ', '\\\u00e9', '\\u0000', '\\ud800', '\\udc00'],
  ...[
    '\\ud83d\\ud83d',
    '\\ud83d\\n',
    '\\ud83dx',
    '\\udc00\\ud800',
    '\\ud83d\\ude0',
    '\\ud83d\\ude00\\ude00',
    '\\"',
    '\\u-123',
  ],
];
/** Keys that a schema may not declare. */
const UNDECLARED = ['undeclared', 'surprise', 'two words', 'größe', 'a"b', '', '__proto__', 'constructor', '日本'];
const SPACES = ['', '', '', ' ', '  ', '\t', '\r', ' \t '];

/** Makes texts for the schema of a bundle. */
export class Texts {
  readonly #root: SchemaObject;
  readonly #random: Random;

  constructor(root: Schema, random: Random) {
    this.#root = typeof root === 'boolean' ? {} : root;
    this.#random = random;
  }

  /** An event that is likely to be valid. */
  event(spelling: Spelling): string {
    return this.#object(this.#root, spelling, 0);
  }

  #value(given: Schema, spelling: Spelling, depth: number): string {
    const random = this.#random;
    if (random.chance(spelling.wild)) return random.chance(0.3) ? `"${random.pick(TIMES)}"` : random.pick(WILD);
    if (typeof given === 'boolean' || depth > 8)
      return random.pick(['1', '"free"', 'null', '[1, "a"]', '{"k": {"b": 1}}']);
    const schema = this.#resolved(given);
    if (Object.hasOwn(schema, 'const')) return this.#scalar(schema.const, spelling);
    if (Array.isArray(schema.enum)) return this.#scalar(random.pick(schema.enum), spelling);
    for (const choice of [schema.anyOf, schema.oneOf]) {
      if (Array.isArray(choice)) return this.#value(random.pick(choice), spelling, depth + 1);
    }
    const types = Array.isArray(schema.type) ? schema.type : [schema.type ?? (schema.properties ? 'object' : 'string')];
    switch (random.pick(types)) {
      case 'null':
        return 'null';
      case 'boolean':
        return random.pick(['true', 'false']);
      case 'integer':
        return String(this.#integer(schema));
      case 'number':
        return this.#number(schema, spelling);
      case 'array':
        return this.#array(schema, spelling, depth);
      case 'object':
        return this.#object(schema, spelling, depth);
      default:
        return this.#quoted(this.#text(schema), spelling);
    }
  }

  #resolved(schema: SchemaObject): SchemaObject {
    let all = schema;
    for (let hops = 0; hops < 10; hops++) {
      const ref = typeof all.$ref === 'string' ? all.$ref : undefined;
      const parts = Array.isArray(all.allOf) ? (all.allOf as Schema[]) : [];
      if (ref === undefined && parts.length === 0) break;
      const { $ref: _, allOf: __, ...rest } = all;
      const target =
        ref === '#' ? this.#root : (this.#root.$defs as Record<string, SchemaObject>)?.[ref?.slice(8) ?? ''];
      all = Object.assign({}, target, ...parts, rest);
    }
    return all;
  }

  #object(given: SchemaObject, spelling: Spelling, depth: number): string {
    const random = this.#random;
    const schema = this.#resolved(given);
    const properties = (schema.properties ?? {}) as Record<string, Schema>;
    const required = new Set((schema.required ?? []) as string[]);
    const names = Object.keys(properties).filter((name) => required.has(name) || random.chance(depth > 3 ? 0.2 : 0.8));
    if (names.length > 0 && random.chance(spelling.wild / 8)) names.push(random.pick(names));
    if (names.length > 0 && random.chance(spelling.wild / 8)) names.splice(random.below(names.length), 1);
    if (random.chance(spelling.wild / 8)) names.push(random.pick(['surprise', '__proto__', '$schema', 'toString', '']));
    if (spelling.odd && random.chance(0.3)) names.sort(() => random.next() - 0.5);
    const isOpen = (schema.additionalProperties ?? true) === true;
    // Twice now and then: a key may stand in an object once.
    while (isOpen && random.chance(0.15)) names.push(random.pick(UNDECLARED));
    const isSpaced = spelling.odd && random.chance(0.5);
    const space = () => (isSpaced ? random.pick(SPACES) : '');
    const members = names.map((name) => {
      const value = this.#value(properties[name] ?? true, spelling, depth + 1);
      const key = this.#quoted(name, { ...spelling, odd: spelling.odd && random.chance(0.02) });
      return `${space()}${key}${space()}:${space()}${value}${space()}`;
    });
    return `{${members.join(',') || space()}}`;
  }

  #array(schema: SchemaObject, spelling: Spelling, depth: number): string {
    const count = this.#random.below(4) + Number(schema.minItems ?? 0);
    const items = (schema.items ?? true) as Schema;
    return `[${Array.from({ length: count }, () => this.#value(items, spelling, depth + 1)).join(',')}]`;
  }

  #integer({ minimum, maximum }: SchemaObject): number {
    const random = this.#random;
    const low = typeof minimum === 'number' ? Math.ceil(minimum) : random.pick([0, -5, -1e6, -1e15 + 1]);
    const high =
      typeof maximum === 'number' ? Math.floor(maximum) : low + random.pick([1, 100, 2 ** 31, 2 ** 32 + 5, 1e15]);
    return Math.max(low, Math.min(low + random.below(high - low + 1), 999_999_999_999_999)) + 0;
  }

  #number(schema: SchemaObject, spelling: Spelling): string {
    const random = this.#random;
    const whole = this.#integer(schema);
    if (!spelling.odd || random.chance(0.5)) {
      const cents = (whole % 1e9) / random.pick([1, 10, 100, 1e4]);
      return String(cents === 0 ? 0 : cents);
    }
    const digits = String(random.below(1e9)).padStart(1 + random.below(10), '0');
    return `${whole % 1e5}.${digits}${random.chance(0.3) ? `${random.pick(['e', 'E'])}${random.pick(['', '-', '+'])}${random.below(30)}` : ''}`;
  }

  #text({ format, minLength, maxLength, examples, pattern }: SchemaObject): string {
    const random = this.#random;
    const two = (limit: number, from = 0) => String(from + random.below(limit)).padStart(2, '0');
    const date = () => `${1900 + random.below(200)}-${two(12, 1)}-${two(28, 1)}`;
    const hex = (length: number) => Array.from({ length }, () => random.pick([...'0123456789abcdefABCDEF'])).join('');
    if (Array.isArray(examples)) return random.pick(examples);
    switch (format) {
      case 'date':
        return date();
      case 'date-time':
        return `${date()}T${two(24)}:${two(60)}:${two(60)}${random.pick(['', '', `.${two(100)}${two(10)}`, '.123456', `.${two(100)}0000005`])}${random.pick(['Z', 'Z', '+02:00', '-05:30'])}`;
      case 'uuid':
        return [8, 4, 4, 4, 12].map(hex).join('-');
      case 'email':
        return `${random.pick(['ada', 'grace.hopper', 'a+b', "o'neil"])}${random.below(100)}@${random.pick(['example.com', 'a-b.org', 'localhost.x'])}`;
      case 'time':
        return `${two(24)}:${two(60)}:${two(60)}Z`;
      case 'ipv4':
        return `10.0.${random.below(256)}.${random.below(256)}`;
      case 'uri':
        return `https://example.com/${random.below(1000)}`;
    }
    if (typeof pattern === 'string') return `AB-${random.below(10_000)}`;
    const most = typeof maxLength === 'number' ? maxLength : 1_000;
    const least = typeof minLength === 'number' ? minLength : 0;
    return [...random.pick(WORDS)].slice(0, most).join('').padEnd(least, 'y');
  }

  #scalar(value: unknown, spelling: Spelling): string {
    return typeof value === 'string' ? this.#quoted(value, spelling) : JSON.stringify(value);
  }

  #quoted(text: string, spelling: Spelling): string {
    const quoted = JSON.stringify(text);
    const random = this.#random;
    if (!spelling.odd || !random.chance(0.1)) return quoted;
    if (random.chance(0.1)) return quoted.replace(/.$/, () => `${random.pick(BAD_ESCAPES)}"`);
    // As Python writes them, as PHP does, and as nobody has to.
    const hex = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
    const spelled = quoted.replace(/[\u0080-\uffff]/g, hex).replace(/\//g, '\\/');
    return random.chance(0.5)
      ? spelled
      : spelled.replace(/(?<!\\u?[0-9a-f]*)[a-z]/, (letter) => hex(letter).toUpperCase().replace('U', 'u'));
  }
}

const SPITEFUL = [
  0x00, 0x0a, 0x0d, 0x1f, 0x20, 0x22, 0x2c, 0x2d, 0x2e, 0x30, 0x39, 0x3a, 0x45, 0x5b, 0x5c, 0x5d, 0x65, 0x7b, 0x7d,
  0x7f, 0x80, 0xc3, 0xff,
];

/** The line with one to three bytes flipped, put in, taken out or swapped. */
export function damaged(line: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(line);
  for (let times = 1 + random.below(3); times > 0 && bytes.length > 1; times--) {
    const at = random.below(bytes.length);
    const byte = random.chance(0.5) ? random.pick(SPITEFUL) : random.below(256);
    switch (random.below(5)) {
      case 0:
        bytes[at] = byte;
        break;
      case 1:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(3))]);
        break;
      default: {
        const other = random.below(bytes.length);
        const kept = bytes[at]!;
        bytes[at] = bytes[other]!;
        bytes[other] = kept;
      }
    }
  }
  return bytes;
}
