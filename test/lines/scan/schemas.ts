// Schemas for the tests of the scanner: each has something that it must read, or leave alone.

const id = (schema: object) => ({ ...schema, 'x-id': true });
const object = (properties: object, required: string[] = Object.keys(properties), rest: object = {}) => {
  return { type: 'object', properties, required, ...rest };
};
const closed = { additionalProperties: false };

/** `common`: the least share of plainly written lines that the scanner must take. */
export const SCHEMAS: Record<string, { schema: object; common: number }> = {
  wide: {
    common: 0.7,
    schema: object(
      {
        event_id: id({ type: 'string', format: 'uuid' }),
        at: { type: 'string', format: 'date-time' },
        day: { type: 'string', format: 'date' },
        count: { type: 'integer', minimum: 0, maximum: 1_000_000 },
        price: { type: 'number' },
        ok: { type: 'boolean' },
        kind: { enum: ['click', 'view', 'köpfen', 'a"b'] },
        version: { const: 'v1' },
        level: { type: 'integer', enum: [1, 2, 3, -4] },
        rate: { type: 'number', exclusiveMinimum: -10, exclusiveMaximum: 1e6 },
        actor: object(
          {
            name: { type: 'string', minLength: 1, maxLength: 20 },
            email: { type: 'string', format: 'email', maxLength: 60 },
            address: object({ city: { type: 'string' }, zip: { type: 'string', maxLength: 10 } }, ['city'], closed),
          },
          ['name', 'address'],
          closed,
        ),
        tags: { type: 'array', items: { type: 'string' } },
      },
      ['event_id', 'at', 'day', 'count', 'kind', 'actor', 'tags'],
      closed,
    ),
  },
  // A null that no column tells from nothing is for `_extra`, and so is what is not declared.
  open: {
    common: 0.9,
    schema: object(
      {
        a: { type: 'string' },
        b: { type: ['integer', 'null'] },
        c: { type: ['string', 'null'], format: 'date-time' },
        inner: object({ x: { type: ['number', 'null'] }, y: { type: ['string', 'null'] } }, []),
        sure: object({
          x: { type: ['boolean', 'null'] },
          deep: object({ u: { type: ['string', 'null'], format: 'uuid' } }),
        }),
        perhaps: { type: ['object', 'null'], properties: { z: { type: 'string' } }, required: ['z'] },
      },
      ['a', 'b', 'sure'],
    ),
  },
  nulls: {
    common: 1,
    schema: object(
      {
        a: { type: ['string', 'null'] },
        b: { type: ['integer', 'null'], minimum: 3 },
        c: { type: 'number', nullable: true },
        d: { enum: ['x', null] },
        e: { type: ['string', 'null'], format: 'date' },
        o: { type: ['object', 'null'], properties: { z: { type: 'string' } }, required: ['z'], ...closed },
        j: { type: ['array', 'null'], items: { type: 'integer' } },
      },
      undefined,
      closed,
    ),
  },
  texts: {
    common: 0.6,
    schema: object(
      {
        key: id({ type: 'string', minLength: 1 }),
        code: { type: 'string', pattern: '^[A-Z]{2}-\\d+$' },
        at: { type: 'string', format: 'time' },
        ip: { type: 'string', format: 'ipv4' },
        link: { type: 'string', format: 'uri' },
        odd: { type: 'string', format: 'no-such-format' },
        short: { type: 'string', maxLength: 5 },
        long: { type: 'string', minLength: 3, maxLength: 12 },
        both: { type: 'string', format: 'email', minLength: 8 },
        'a b': { type: 'string' },
        é日: { type: 'string' },
        x: { type: 'string' },
        '': { type: 'string' },
        half: { enum: ['\ufffd', '\ud800', 'whole'] },
      },
      ['key'],
    ),
  },
  jsonb: {
    common: 0.9,
    schema: object(
      {
        n: id({ type: 'integer' }),
        any: true,
        list: { type: 'array', items: { type: 'integer', minimum: 0 }, uniqueItems: true },
        map: { type: 'object', additionalProperties: { type: 'string', maxLength: 9 } },
        either: { anyOf: [{ type: 'string' }, { type: 'integer' }] },
        pairs: { type: 'array', items: { $ref: '#/definitions/pair' } },
        tight: { type: 'string', allOf: [{ minLength: 2 }, { maxLength: 30 }] },
        steps: { type: 'number', multipleOf: 0.5 },
      },
      ['n', 'any'],
      { ...closed, definitions: { pair: object({ k: { type: 'string' }, v: true }, ['k'], closed) } },
    ),
  },
  references: {
    common: 1,
    schema: object(
      { a: { $ref: '#/definitions/name' }, b: { $ref: '#/definitions/inner' }, c: { $ref: '#/definitions/inner' } },
      ['a', 'b'],
      {
        ...closed,
        definitions: {
          name: { type: 'string', maxLength: 40 },
          inner: object({ n: { $ref: '#/definitions/number' }, s: { $ref: '#/definitions/name' } }, ['n'], closed),
          number: { type: 'integer', minimum: -5 },
        },
      },
    ),
  },
  declared: {
    common: 1,
    schema: object({ $schema: { type: 'string' }, a: { type: 'integer' } }, ['a'], closed),
  },
  escaped: {
    common: 0.9,
    schema: object({ 'quote"\\\u0001': { type: 'string' }, a: { enum: ['"', '\\', '\n', '/'] } }, ['a']),
  },
  // A column says a null, or says nothing, or the object around it shows in `_extra` alone.
  traces: {
    common: 0.3,
    schema: object(
      {
        $schema: { type: 'string' },
        o: object({ x: { type: ['integer', 'null'] }, p: object({ y: { type: ['string', 'null'] } }, []) }, []),
        q: { type: ['object', 'null'], properties: { z: { type: ['array', 'null'] } }, required: ['z'] },
        r: object({ s: object({ t: { type: ['boolean', 'null'] } }) }, []),
        some: object({ a: { type: 'integer' } }, ['a'], { additionalProperties: { type: 'integer' } }),
      },
      [],
    ),
  },
  // More places for a null than a mask has bits.
  many_nulls: {
    common: 1,
    schema: object(
      Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`n${at}`, { type: ['integer', 'null'] }])),
      ['n3'],
      closed,
    ),
  },
  conditions: {
    common: 0,
    schema: {
      ...object({ a: { type: 'string' } }),
      if: { properties: { a: { const: 'x' } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { maxProperties: 1 },
    },
  },
  depends: {
    common: 0,
    schema: { ...object({ a: { type: 'string' }, b: { type: 'string' } }, []), dependencies: { a: ['b'] } },
  },
  patterns: {
    common: 0,
    schema: { ...object({ a: { type: 'string' } }), patternProperties: { '^a': { maxLength: 3 } } },
  },
  names: { common: 0, schema: { ...object({ a: { type: 'string' } }), propertyNames: { maxLength: 3 } } },
  inherited: { common: 0, schema: object({ constructor: { type: 'string' }, toString: { type: 'integer' } }) },
  partly: {
    common: 0.02,
    schema: object(
      {
        a: { type: 'string' },
        b: { ...object({ x: { type: 'string' } }, []), minProperties: 1 },
        c: { ...object({ x: { type: 'string' } }, []), patternProperties: { '^y': { type: 'integer' } } },
      },
      ['a'],
    ),
  },
};

/** More than V8 likes in one function, names of one letter, more properties than bits in a word. */
const many = Object.fromEntries(
  Array.from({ length: 120 }, (_, at) => [`column_number_${at}`, { type: at % 2 ? 'string' : 'integer' }]),
);
SCHEMAS.many = {
  common: 1,
  schema: object(
    many,
    Object.keys(many).filter((_, at) => at % 3 === 0),
    closed,
  ),
};

/** A table of two versions: the second brings columns and opens the object. */
export const VERSIONS = {
  'grown/1.0.0.json': object({ a: { type: 'string' }, o: object({ x: { type: 'integer' } }) }, ['a'], closed),
  'grown/1.1.0.json': object(
    {
      a: { type: 'string' },
      o: object({ x: { type: 'integer' }, y: { type: 'string' } }, ['x']),
      b: { type: 'number' },
    },
    ['a'],
  ),
};
