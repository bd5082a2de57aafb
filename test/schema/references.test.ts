import t, { type Test } from 'tap';
import type { SchemaFolderError } from '../../src/schema/faults.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import type { Registry } from '../../src/schema/registry.ts';
import { folderOf } from './schemas.ts';

const DRAFT_2020 = 'https://json-schema.org/draft/2020-12/schema';
const string = { type: 'string' };
const integer = { type: 'integer' };

const load = (t: Test, files: Record<string, unknown>): Promise<Registry> => loadFolder(folderOf(t, files));

/** Whether `{"x": …}` is accepted where x is a string, and where it is an integer. */
async function verdicts(t: Test, files: Record<string, unknown>, subject = 'a'): Promise<[boolean, boolean]> {
  const { accepts } = (await load(t, files)).resolve(subject)!;
  return [accepts({ x: 'text' }), accepts({ x: 1 })];
}

/** `place reason` of every fault. */
async function faultsOf(t: Test, files: Record<string, unknown>): Promise<string[]> {
  try {
    await load(t, files);
  } catch (error) {
    return (error as SchemaFolderError).faults.map(({ file, place, reason }) => `${file} ${place} ${reason}`);
  }
  return [];
}

const x = ($ref: string, rest: object = {}) => ({ type: 'object', properties: { x: { $ref } }, ...rest });

t.test('a reference leads into the same file by pointer, anchor and embedded $id', async (t) => {
  const at = 'https://example.com/a.json';
  const ways: [string, object][] = [
    ['#/definitions/s', { definitions: { s: string } }],
    ['#/$defs/s', { $defs: { s: string } }],
    ['#/definitions/a~1b%20c/properties/s', { definitions: { 'a/b c': { properties: { s: string } } } }],
    ['#/anywhere/else', { anywhere: { else: string } }],
    ['#/definitions/list/allOf/0', { definitions: { list: { allOf: [string] } } }],
    ['#s', { definitions: { s: { ...string, $id: '#s' } } }],
    ['#s', { definitions: { s: { ...string, $anchor: 's' } } }],
    ['s.json', { definitions: { s: { ...string, $id: 's.json' } } }],
    ['s.json', { $id: at, definitions: { s: { ...string, $id: 's.json' } } }],
    ['https://example.com/s.json', { $id: at, definitions: { s: { ...string, $id: 's.json' } } }],
    [`${at}#/definitions/s`, { $id: at, definitions: { s: string } }],
    ['1.0.0.json#/definitions/s', { definitions: { s: string } }],
    ['urn:example:s', { definitions: { s: { ...string, $id: 'urn:example:s' } } }],
    ['inner.json#/definitions/s', { definitions: { i: { $id: 'inner.json', definitions: { s: string } } } }],
    ['inner.json#s', { definitions: { i: { $id: 'inner.json', definitions: { s: { ...string, $id: '#s' } } } } }],
  ];
  for (const [reference, rest] of ways) {
    for (const $schema of ['http://json-schema.org/draft-07/schema#', DRAFT_2020]) {
      if ($schema === DRAFT_2020 && JSON.stringify(rest).includes('"#')) continue;
      const found = await verdicts(t, { 'a/1.0.0.json': x(reference, { $schema, ...rest }) });
      t.same(found, [true, false], `${reference} with ${JSON.stringify(rest)}`);
    }
  }
});

t.test('a reference leads into other files, relative to its own', async (t) => {
  const other = { definitions: { s: string, deep: { $ref: '#/definitions/s' } } };
  const ways: [string, Record<string, unknown>][] = [
    ['../b/1.0.0.json#/definitions/s', { 'b/1.0.0.json': { type: 'object', ...other } }],
    ['../common.json#/definitions/deep', { 'common.json': other }],
    ['../_shared/s.json#/definitions/deep', { '_shared/s.json': other }],
    [
      '../_shared/more/s.json',
      { '_shared/more/s.json': { $ref: '../../common.json#/definitions/s' }, 'common.json': other },
    ],
    ['parts.json#/definitions/s', { 'a/parts.json': other }],
    ['parts/s%20t.json', { 'a/parts/s t.json': string }],
    ['https://example.com/s', { 'common.json': { ...string, $id: 'https://example.com/s' } }],
    ['https://example.com/s#/definitions/s', { '_shared/x.json': { ...other, $id: 'https://example.com/s#' } }],
  ];
  for (const [reference, files] of ways) {
    t.same(await verdicts(t, { 'a/1.0.0.json': x(reference), ...files }), [true, false], reference);
  }
  const byId = { $id: 'https://example.com/a/1.0.0.json', ...x('../b/1.0.0.json#/definitions/s') };
  t.same(await verdicts(t, { 'a/1.0.0.json': byId, 'b/1.0.0.json': { type: 'object', ...other } }), [true, false]);
  const relative = { $id: 'https://example.com/a.json', ...x('s.json') };
  const named = { ...string, $id: 'https://example.com/s.json' };
  t.same(await verdicts(t, { 'a/1.0.0.json': relative, '_shared/any-name.json': named }), [true, false]);
});

t.test('the same $id in many places disturbs nobody who does not refer to it', async (t) => {
  const $id = 'https://example.com/same.json';
  const inner = { $id, properties: { y: integer } };
  const own = x('#/definitions/s', { $id, definitions: { s: string, one: inner, two: { ...inner, type: 'object' } } });
  const files = { 'a/1.0.0.json': own, 'a/1.1.0.json': own, 'b/1.0.0.json': own };
  t.same(await verdicts(t, files), [true, false]);
  t.same(
    await verdicts(t, {
      'a/1.0.0.json': x(`${$id}#/definitions/s`, { $id, definitions: { s: string } }),
      'b/1.0.0.json': own,
    }),
    [true, false],
  );
  const decorated = { definitions: { s: string, one: { $id: 'one', properties: { x: { $ref: '#/definitions/s' } } } } };
  t.same(
    await verdicts(t, { 'a/1.0.0.json': { $ref: '#/definitions/one', ...decorated } }),
    [true, false],
    'an $id that is mere decoration',
  );
});

t.test('keywords beside $ref count, as in ajv', async (t) => {
  const { accepts } = (
    await load(t, {
      'a/1.0.0.json': { $ref: '#/definitions/o', required: ['y'], definitions: { o: { required: ['x'] } } },
    })
  ).only!;
  t.equal(accepts({ x: 1 }), false);
  t.equal(accepts({ x: 1, y: 1 }), true);
});

t.test('a schema may contain itself, across files too', async (t) => {
  const node = {
    type: 'object',
    properties: { next: { $ref: '#' }, x: { $ref: '../b/1.0.0.json' } },
    additionalProperties: false,
  };
  const back = { type: 'object', properties: { a: { $ref: '../a/1.0.0.json' } }, additionalProperties: false };
  const { accepts } = (await load(t, { 'a/1.0.0.json': node, 'b/1.0.0.json': back })).resolve('a')!;
  t.equal(accepts({ next: { next: { x: { a: { next: {} } } } } }), true);
  t.equal(accepts({ next: { next: { x: { a: { next: 1 } } } } }), false);
});

t.test('the meta-schema may be referred to', async (t) => {
  for (const $schema of ['http://json-schema.org/draft-07/schema#', DRAFT_2020]) {
    const { accepts } = (await load(t, { 'a/1.0.0.json': x($schema, { $schema }) })).only!;
    t.equal(accepts({ x: { type: 'string' } }), true);
    t.equal(accepts({ x: { type: 'nonsense' } }), false);
  }
  t.same(
    await verdicts(t, { 'a/1.0.0.json': x('http://json-schema.org/draft-07/schema#/definitions/nonNegativeInteger') }),
    [false, true],
  );
});

t.test('$dynamicRef works where there is one anchor it can mean', async (t) => {
  const tree = {
    $schema: DRAFT_2020,
    $dynamicAnchor: 'node',
    type: 'object',
    properties: { x: { $dynamicRef: '#node' } },
    additionalProperties: false,
  };
  const { accepts } = (await load(t, { 'a/1.0.0.json': tree })).only!;
  t.equal(accepts({ x: { x: {} } }), true);
  t.equal(accepts({ x: { y: {} } }), false);
  const two = { ...tree, $defs: { more: { $dynamicAnchor: 'node' } } };
  t.match(await faultsOf(t, { 'a/1.0.0.json': two }), [
    /\/properties\/x\/\$dynamicRef .* must lead to the only \$dynamicAnchor/,
  ]);
  const other = { $schema: DRAFT_2020, $dynamicAnchor: 'node', type: 'object' };
  const both = { ...tree, properties: { ...tree.properties, y: { $ref: '../b/1.0.0.json' } } };
  t.match(await faultsOf(t, { 'a/1.0.0.json': both, 'b/1.0.0.json': other }), [
    /several files have the \$dynamicAnchor node/,
  ]);
});

t.test('a reference that cannot be followed is a fault', async (t) => {
  const cases: [string, RegExp, Record<string, unknown>?][] = [
    ['http://127.0.0.1:9/s.json', /is remote/],
    ['https://example.com/s.json#/definitions/x', /is remote/],
    ['//example.com/s.json', /points outside/],
    ['file:///etc/passwd', /is remote/],
    ['http://json-schema.org/draft-04/schema#', /is remote/],
    [DRAFT_2020, /is remote/],
    ['../../outside.json', /points outside/],
    ['/etc/passwd', /points outside/],
    ['..%2f..%2foutside.json', /points outside/],
    ['%zz.json', /points outside/],
    ['missing.json', /there is no a\/missing\.json/],
    ['../b/1.0.0.json', /there is no b\/1\.0\.0\.json/],
    ['examples/pass.json', /there is no a\/examples\/pass\.json/, { 'a/examples/pass.json': string }],
    ['#/definitions/no', /there is no #\/definitions\/no in a\/1\.0\.0\.json/],
    ['#/constructor', /leads nowhere/],
    ['#/properties/x/length', /leads nowhere/],
    ['#no', /leads nowhere/],
    ['#/type', /leads to something that is no schema/],
    ['#/odd', /leads to something that is no schema/, {}],
    ['../common.json', /leads to a file with faults/, { 'common.json': '{' }],
    ['../b/1.0.0.json', /leads from draft-07 to 2020-12/, { 'b/1.0.0.json': { $schema: DRAFT_2020, ...string } }],
    [
      'https://example.com/s',
      /is ambiguous: one\.json, two\.json/,
      { 'one.json': { $id: 'https://example.com/s' }, 'two.json': { $id: 'https://example.com/s' } },
    ],
  ];
  for (const [reference, reason, files] of cases) {
    const faults = await faultsOf(t, { 'a/1.0.0.json': x(reference, { odd: { type: 'nonsense' } }), ...files });
    t.ok(
      faults.some((fault) => fault.startsWith('a/1.0.0.json /properties/x/$ref ') && reason.test(fault)),
      `${reference}: ${faults}`,
    );
  }
});

t.test('no remote reference opens a socket', async (t) => {
  const net = await import('node:net');
  const { connect } = net.Socket.prototype;
  t.teardown(() => {
    net.Socket.prototype.connect = connect;
  });
  let sockets = 0;
  net.Socket.prototype.connect = function count(
    this: InstanceType<typeof net.Socket>,
    ...args: Parameters<typeof connect>
  ) {
    sockets++;
    return connect.apply(this, args);
  } as typeof connect;
  t.match(await faultsOf(t, { 'a/1.0.0.json': x('http://127.0.0.1:1/s.json', { $id: 'http://127.0.0.1:1/a.json' }) }), [
    /is remote/,
  ]);
  t.equal(sockets, 0);
});

t.test('a loop that never goes deeper into the event is a fault', async (t) => {
  const endless = /refers to itself without going any deeper/;
  const loops: object[] = [
    { $ref: '#' },
    { allOf: [{ $ref: '#' }] },
    {
      anyOf: [{ type: 'string' }, { $ref: '#/definitions/a' }],
      definitions: { a: { $ref: '#/definitions/b' }, b: { not: { $ref: '#/definitions/a' } } },
    },
    { properties: { x: { $ref: '#/definitions/a' } }, definitions: { a: { if: { $ref: '#/definitions/a' } } } },
  ];
  for (const loop of loops) t.match(await faultsOf(t, { 'a/1.0.0.json': loop }), [endless], JSON.stringify(loop));
  t.match(
    await faultsOf(t, { 'a/1.0.0.json': { $ref: '../b/1.0.0.json' }, 'b/1.0.0.json': { $ref: '../a/1.0.0.json' } }),
    [endless],
  );
  t.same(
    await faultsOf(t, { 'a/1.0.0.json': { definitions: { unused: { $ref: '#/definitions/unused' } } } }),
    [],
    'unless nobody gets there',
  );
});

/** A chain of definitions, each holding the next one by the keywords that `wrap` puts around it. */
function chain(length: number, wrap: (inner: object) => object): object {
  const definitions: Record<string, object> = { [`d${length}`]: string };
  for (let at = 0; at < length; at++) definitions[`d${at}`] = wrap({ $ref: `#/definitions/d${at + 1}` });
  return { properties: { x: { $ref: '#/definitions/d0' } }, definitions };
}

t.test('a long chain of references loads, or is a fault, and never a crash', async (t) => {
  const inside = (inner: object) => ({ properties: { y: inner } });
  const inPlace = (inner: object) => ({ allOf: [inner] });
  t.same(await verdicts(t, { 'a/1.0.0.json': chain(100, inPlace) }), [true, false]);
  t.match(await faultsOf(t, { 'a/1.0.0.json': chain(5_000, inside) }), [/too deep to be compiled/]);
  t.match(await faultsOf(t, { 'a/1.0.0.json': chain(5_000, inPlace) }), [/refers to itself|too deep/]);
});
