import t from 'tap';
import type { TablePlan } from '../../src/model.ts';
import type { ObjectShape } from '../../src/schema/shape.ts';
import { openVersions } from './open.ts';

type Schema = Record<string, unknown>;

const closed = (properties: Schema, required: string[] = Object.keys(properties)): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const planOf = (...versions: unknown[]): TablePlan => openVersions(...versions)!.planned.plan;

/** `name type` of each column, with `!` for NOT NULL. */
const columnsOf = (plan: TablePlan): string[] =>
  plan.columns.map(({ name, type, notNull }) => `${name} ${type}${notNull ? '!' : ''}`);

const typeOf = (property: unknown): string => planOf(closed({ x: property }, [])).columns[0]!.type;

t.test('a scalar becomes a column of its own type', async (t) => {
  const types: [unknown, string][] = [
    [{ type: 'integer' }, 'bigint'],
    [{ type: 'number' }, 'double precision'],
    [{ type: ['integer', 'number'] }, 'double precision'],
    [{ type: 'boolean' }, 'boolean'],
    [{ type: 'string' }, 'text'],
    [{ type: 'string', format: 'date-time' }, 'timestamptz'],
    [{ type: 'string', format: 'date' }, 'date'],
    [{ type: 'string', format: 'uuid' }, 'uuid'],
    [{ type: 'string', format: 'email' }, 'text'],
    [{ type: 'string', format: 'no-such-format' }, 'text'],
    [{ type: ['string', 'null'], format: 'date' }, 'date'],
    [{ type: 'string', nullable: true }, 'text'],
    [{ enum: ['a', 'b'] }, 'text'],
    [{ enum: [1, 2, null] }, 'bigint'],
    [{ enum: [1, 1.5] }, 'double precision'],
    [{ const: 1e300 }, 'double precision'],
    [{ type: 'integer', const: 1e300 }, 'bigint'],
    [{ const: true }, 'boolean'],
    [{ anyOf: [{ type: 'string', format: 'date' }, { type: 'null' }] }, 'date'],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, 'double precision'],
    [{ allOf: [{ type: ['string', 'integer'] }, { type: ['integer', 'boolean'] }] }, 'bigint'],
    [{ type: 'number', allOf: [{ type: 'integer' }] }, 'bigint'],
  ];
  for (const [schema, type] of types) t.equal(typeOf(schema), type, JSON.stringify(schema));
});

t.test('formats that do not agree leave a text', async (t) => {
  const [date, time, any] = [{ format: 'date' }, { format: 'date-time' }, {}];
  t.equal(typeOf({ type: 'string', anyOf: [date, time] }), 'text');
  t.equal(typeOf({ type: 'string', anyOf: [date, any] }), 'text');
  t.equal(typeOf({ type: 'string', anyOf: [date, date] }), 'date');
  t.equal(typeOf({ type: 'string', allOf: [date, time] }), 'text');
  t.equal(typeOf({ type: 'string', allOf: [date, any] }), 'date');
  t.equal(typeOf({ type: 'string', format: 'date', anyOf: [any, any] }), 'date');
});

t.test('whatever is not surely one scalar becomes jsonb', async (t) => {
  const schemas = [
    {},
    true,
    { type: 'null' },
    { type: 'array' },
    { type: 'object' },
    { type: 'object', additionalProperties: { type: 'string' } },
    { type: 'object', properties: {} },
    { type: ['string', 'integer'] },
    { type: ['object', 'array'], properties: { a: { type: 'string' } } },
    { properties: { a: { type: 'string' } } },
    { enum: ['a', 1] },
    { not: { type: 'string' } },
    { anyOf: [closed({ a: { type: 'string' } }), closed({ b: { type: 'string' } })] },
    { anyOf: [closed({ a: { type: 'string' } }), { type: 'string' }] },
  ];
  for (const schema of schemas) t.equal(typeOf(schema), 'jsonb', JSON.stringify(schema));
});

t.test('a property that nothing can satisfy gets no column', async (t) => {
  t.same(
    planOf(closed({ a: { type: 'string' }, b: false, c: { allOf: [{ type: 'string' }, { type: 'integer' }] } }, ['a'])),
    {
      table: 'subject',
      columns: [{ name: 'a', path: ['a'], type: 'text', notNull: true, id: false }],
      extra: false,
    },
  );
});

t.test('a nested object is spread over columns, wherever its properties are declared', async (t) => {
  const address = closed({ city: { type: 'string' }, zip: { type: 'integer' } }, ['city']);
  const expected = ['home_city text!', 'home_zip bigint'];
  const optional = ['home_city text', 'home_zip bigint'];
  const definitions = { address };
  const reference = { $ref: '#/definitions/address' };
  const plan = (home: unknown) => columnsOf(planOf({ ...closed({ home }), definitions }));
  t.same(plan(address), expected);
  t.same(plan(reference), expected);
  t.same(plan({ allOf: [reference, { type: 'object', required: ['city'] }] }), expected);
  t.same(
    plan({
      allOf: [
        { type: 'object', properties: { city: { type: 'string' } } },
        { properties: { zip: { type: 'integer' } } },
      ],
      required: ['city'],
    }),
    expected,
  );
  t.same(plan({ anyOf: [{ type: 'null' }, reference] }), optional);
  t.same(plan({ ...address, type: ['object', 'null'] }), optional);
  t.same(plan({ anyOf: [address, { ...address, description: 'the same' }] }), expected);
  t.same(plan({ oneOf: [reference, { $ref: '#/definitions/address', description: 'the same' }] }), expected);
});

t.test('a choice that only narrows what is declared does not keep an object together', async (t) => {
  const base = {
    type: 'object',
    properties: { kind: { type: 'string' }, size: { type: 'integer' } },
    required: ['kind'],
  };
  const narrowed = [{ properties: { kind: { const: 'a' } } }, { required: ['size'] }];
  t.same(columnsOf(planOf(closed({ x: { ...base, anyOf: narrowed } }))), ['x_kind text!', 'x_size bigint']);
  const shared = { definitions: { base } };
  const branches = ['a', 'b'].map((kind) => ({
    allOf: [{ $ref: '#/definitions/base' }, { properties: { kind: { const: kind } } }],
  }));
  t.same(columnsOf(planOf({ ...closed({ x: { oneOf: branches } }), ...shared })), ['x_kind text!', 'x_size bigint']);
  const mixed = [...branches, { type: 'object', properties: { kind: { const: 'c' } } }];
  t.same(
    columnsOf(planOf({ ...closed({ x: { oneOf: mixed } }), ...shared })),
    ['x jsonb!'],
    'all branches must share it',
  );
  const widened = [{ properties: { other: { type: 'string' } } }, {}];
  t.same(columnsOf(planOf(closed({ x: { ...base, anyOf: widened } }))), ['x jsonb!']);
  const apart = [{ allOf: [{ $ref: '#/definitions/base' }] }, closed({ kind: { type: 'integer' } })];
  t.same(columnsOf(planOf({ ...closed({ x: { oneOf: apart } }), ...shared })), ['x jsonb!']);
});

t.test('a choice at the top unites its branches', async (t) => {
  const a = closed({
    at: { type: 'string', format: 'date' },
    n: { type: 'integer' },
    who: closed({ id: { type: 'integer' } }),
  });
  const b = closed({
    at: { type: 'string', format: 'date' },
    n: { type: 'number' },
    text: { type: ['string', 'null'] },
  });
  const c = closed({ at: { type: 'string', format: 'date' }, n: { type: 'integer' }, text: { type: 'integer' } });
  const { planned } = openVersions({
    definitions: { b, c },
    oneOf: [a, { oneOf: [{ $ref: '#/definitions/b' }, { $ref: '#/definitions/c' }] }],
  })!;
  t.same(columnsOf(planned.plan), ['at date', 'n double precision', 'who_id bigint', 'text jsonb']);
  t.same([...planned.shapes[0]!.required], ['at', 'n'], 'required is what every branch requires');
  t.equal(planned.plan.extra, true, 'text: null is not the same as no text');

  const base = {
    definitions: { b },
    properties: { n: { type: 'integer' }, at: { type: 'string' } },
    required: ['n', 'at'],
  };
  t.same(
    columnsOf(planOf({ ...base, anyOf: [a, b] })).slice(0, 2),
    ['n bigint!', 'at date!'],
    'what is declared outside is certain',
  );
});

t.test('a branch that says nothing about a property does not narrow it', async (t) => {
  const base = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };
  t.same(columnsOf(planOf({ ...base, anyOf: [{ properties: { n: { type: 'integer' } } }, {}] })), [
    'n double precision!',
  ]);
});

t.test('where an open branch leaves a property undeclared, anything may come', async (t) => {
  const a = {
    type: 'object',
    properties: { s: { type: 'string' }, o: closed({ x: { type: ['string', 'null'] } }) },
    required: ['s', 'o'],
  };
  const b = { type: 'object', properties: { b: { type: 'string' } }, required: ['s', 'o'] };
  const { plan, shapes } = openVersions({ anyOf: [a, b] })!.planned;
  t.same(columnsOf(plan), ['s text', 'o jsonb', 'b text']);
  t.equal(plan.extra, true);
  t.same(shapes[0]!.properties.get('s'), { kind: 'column', index: 0, nullable: true });
});

t.test('an object that contains itself stays whole where it comes again', async (t) => {
  const node = { type: 'object', properties: { value: { type: 'integer' }, next: { $ref: '#/definitions/node' } } };
  t.same(columnsOf(planOf({ ...closed({ list: { $ref: '#/definitions/node' } }), definitions: { node } })), [
    'list_value bigint',
    'list_next jsonb',
  ]);
  t.same(columnsOf(planOf({ properties: { value: { type: 'integer' }, next: { $ref: '#' } }, type: 'object' })), [
    'value bigint',
    'next jsonb',
  ]);
  const base = { type: 'object', properties: { id: { type: 'integer' } } };
  const child = {
    allOf: [{ $ref: '#/definitions/base' }, { type: 'object', properties: { name: { type: 'string' } } }],
  };
  const parent = {
    allOf: [{ $ref: '#/definitions/base' }, { properties: { child } }],
    type: 'object',
    definitions: { base },
  };
  t.same(
    columnsOf(planOf(parent)),
    ['id bigint', 'child_id bigint', 'child_name text'],
    'sharing a base is no recursion',
  );
});

t.test('definitions that double at every level do not grow without end', async (t) => {
  const definitions = Object.fromEntries(
    Array.from({ length: 60 }, (_, at) => {
      const inner = { $ref: `#/definitions/d${at + 1}` };
      return [`d${at}`, { type: 'object', properties: { x: inner, y: inner }, allOf: [inner, inner] }];
    }),
  );
  const plan = planOf({ $ref: '#/definitions/d0', definitions: { ...definitions, d60: { type: 'object' } } });
  t.ok(plan.columns.length > 1 && plan.columns.length <= 250, `${plan.columns.length} columns`);
});

t.test('a prefix of its own replaces all that stands before it', async (t) => {
  const inner = (prefix: string) => ({ ...closed({ a: { type: 'string' } }), 'x-column-prefix': prefix });
  const names = (prefix: string) => columnsOf(planOf(closed({ out: closed({ in: inner(prefix) }) })));
  t.same(names(''), ['a text!']);
  t.same(names('p'), ['p_a text!']);
  t.same(names('p_'), ['p_a text!']);
});

t.test('the shipped user_event has five columns and nothing else', async (t) => {
  const data = {
    ...closed({ user_email: { type: 'string' }, phone_number: { type: 'string' } }),
    'x-column-prefix': '',
  };
  const plan = planOf(closed({ event_type: { type: 'integer' }, data }));
  t.same(columnsOf(plan), ['event_type bigint!', 'user_email text!', 'phone_number text!']);
  t.equal(plan.extra, false);
});

t.test('_extra is there unless columns alone can hold every event', async (t) => {
  const string = { type: 'string' };
  const nullable = { type: ['string', 'null'] };
  const extra: [unknown, boolean][] = [
    [closed({ a: string }), false],
    [closed({ a: string }, []), false],
    [closed({ a: nullable }), false],
    [closed({ a: nullable }, []), true],
    [closed({ a: {} }), false],
    [closed({ a: {} }, []), true],
    [closed({ a: { type: 'array' } }, []), false],
    [{ type: 'object', properties: { a: string } }, true],
    [{ ...closed({ a: string }), additionalProperties: string }, true],
    [{ ...closed({ a: string }), patternProperties: { '^x': string } }, true],
    [{ ...closed({ a: string }), patternProperties: { '^x': false } }, false],
    [{ ...closed({ a: string }), additionalProperties: { not: {} } }, true],
    [{ ...closed({ a: string }), additionalProperties: { allOf: [false] } }, false],
    [{ allOf: [closed({ a: string })], type: 'object' }, false],
    [closed({ o: closed({ a: string }) }), false],
    [closed({ o: { type: 'object', properties: { a: string }, required: ['a'] } }), true],
    [closed({ o: closed({ a: string }) }, []), false],
    [closed({ o: closed({ a: string }, []) }, []), true],
    [closed({ o: closed({ a: string }, []) }), false],
    [closed({ o: { ...closed({ a: string }), type: ['object', 'null'] } }), false],
    [closed({ o: { ...closed({ a: string }), type: ['object', 'null'] } }, []), true],
    [closed({ o: { ...closed({ a: nullable }), type: ['object', 'null'] } }), true],
    [closed({ o: closed({ p: closed({ a: string }) }) }, []), false],
    [closed({ o: closed({ p: closed({ a: string }, []) }) }, []), true],
    [{ anyOf: [closed({ a: string }), closed({ b: string })] }, false],
    [{ anyOf: [closed({ a: string }), { type: 'object', properties: { b: string } }] }, true],
    [
      {
        anyOf: [closed({ a: string }), { type: 'object', properties: { b: string } }],
        ...closed({ a: string, b: string }, []),
      },
      false,
    ],
    [{ anyOf: [closed({ a: string }), { type: 'object', properties: { a: string } }] }, true],
    [{ anyOf: [closed({ a: nullable }), closed({ b: string })] }, true],
    [true, true],
    [{ type: 'object', properties: { ['__proto__']: string }, additionalProperties: false }, false],
  ];
  for (const [schema, expected] of extra) t.equal(planOf(schema).extra, expected, JSON.stringify(schema));
  t.equal(
    planOf(closed({ a: string }), { type: 'object', properties: { a: string } }).extra,
    true,
    'one version is enough',
  );
});

t.test('shapes lead every declared property to its column', async (t) => {
  const { shapes } = openVersions(
    closed({ a: { type: ['string', 'null'] }, o: closed({ b: { type: 'integer' } }, []) }, ['o']),
  )!.planned;
  const inner: ObjectShape = {
    properties: new Map([['b', { kind: 'column', index: 1, nullable: false }]]),
    required: new Set(),
  };
  t.same(shapes[0], {
    properties: new Map<string, unknown>([
      ['a', { kind: 'column', index: 0, nullable: true }],
      ['o', { kind: 'object', shape: inner, nullable: false }],
    ]),
    required: new Set(['o']),
  });
});
