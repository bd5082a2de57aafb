import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { StartError } from '../../src/errors.ts';
import { SchemaFolderError } from '../../src/schema/faults.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import { folderOf } from './schemas.ts';

const event = { type: 'object', properties: { a: { type: 'string' } } };

/** `file place: reason` of every fault. */
async function faultsIn(folder: string): Promise<string[]> {
  try {
    await loadFolder(folder);
  } catch (error) {
    if (!(error instanceof SchemaFolderError && error instanceof StartError)) throw error;
    return error.faults.map(({ file, place, reason }) => `${file} ${place}: ${reason}`).sort();
  }
  return [];
}

const faultsOf = (t: Test, files: Record<string, unknown>): Promise<string[]> => faultsIn(folderOf(t, files));

t.test('subjects and their versions come in numeric order', async (t) => {
  const files = ['b/1.10.0', 'b/1.2.0', 'b/10.0.0', 'b/2.0.0', 'b/1.2.10', 'b/1.2.9', 'a/0.1.0'];
  const registry = await loadFolder(folderOf(t, Object.fromEntries(files.map((file) => [`${file}.json`, event]))));
  t.same([...registry.subjects.keys()], ['a', 'b']);
  t.same(
    registry.subjects.get('b')!.versions.map(({ version }) => version),
    ['1.2.0', '1.2.9', '1.2.10', '1.10.0', '2.0.0', '10.0.0'],
  );
  t.match(registry.resolve('b'), {
    id: 'b/10.0.0',
    file: 'b/10.0.0.json',
    major: 10,
    minor: 0,
    patch: 0,
    document: event,
    draft: 'draft-07',
  });
  t.same(
    registry.tables.map(({ table }) => table),
    ['a', 'b', 'b__v2', 'b__v10'],
  );
  t.equal(registry.resolve('b/1.2.0')!.plan, registry.resolve('b/1.10.0')!.plan, 'one major, one table');
  t.same(registry.warnings, []);
});

t.test('versions 0 and 1 share a table', async (t) => {
  const registry = await loadFolder(folderOf(t, { 'a/0.9.0.json': event, 'a/1.0.0.json': event }));
  t.same(
    registry.tables.map(({ table, columns }) => [table, columns.length]),
    [['a', 1]],
  );
});

t.test('a draft is known by any of its names', async (t) => {
  const uris = [
    'http://json-schema.org/draft-07/schema#',
    'https://json-schema.org/draft-07/schema',
    'https://json-schema.org/draft/2020-12/schema',
    'http://json-schema.org/draft/2020-12/schema#',
  ];
  for (const $schema of uris) {
    const { only } = await loadFolder(folderOf(t, { 'a/1.0.0.json': { $schema, ...event } }));
    t.equal(only!.draft, $schema.includes('2020') ? '2020-12' : 'draft-07');
    t.equal(only!.accepts({ a: 1 }), false);
  }
  for (const $schema of [
    'http://json-schema.org/draft-04/schema#',
    'https://json-schema.org/draft/2019-09/schema',
    'http://json-schema.org/schema#',
    '',
    7,
  ]) {
    t.match(await faultsOf(t, { 'a/1.0.0.json': { $schema } }), [
      /^a\/1\.0\.0\.json \/\$schema: must name JSON Schema draft-07 or 2020-12$/,
    ]);
  }
});

t.test('a byte order mark is no harm', async (t) => {
  const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(JSON.stringify(event))]);
  const { only } = await loadFolder(folderOf(t, { 'a/1.0.0.json': bytes }));
  t.same(only!.document, event);
});

t.test('true is a schema, and everything goes into _extra', async (t) => {
  const { only } = await loadFolder(folderOf(t, { 'a/1.0.0.json': 'true' }));
  t.equal(only!.accepts({ any: 1 }), true);
  t.match(only!.plan, { columns: [], extra: true });
});

t.test('what is no schema is left alone', async (t) => {
  const registry = await loadFolder(
    folderOf(t, {
      'README.md': 'words',
      'notes.txt': 'words',
      '.git/1.0.0.json': 'not json',
      '_drafts/1.0.0.json': 'not json',
      '_x.json': 'not json',
      'examples/1.0.0.json': 'not json',
      'a/1.0.0.json': event,
      'a/.1.0.0.json.swp': 'x',
      'a/README.md': 'words',
      'a/subject.json': {},
      'a/expectations.json': { expectations: [] },
      'a/examples/pass.ndjson': '{}',
      'a/examples/2.0.0.json': 'not json',
    }),
  );
  t.equal(registry.only!.id, 'a/1.0.0');
  t.same(registry.warnings, []);
});

t.test('what is odd but harmless is a warning with file, place and reason', async (t) => {
  const odd = {
    properties: {
      a: { type: 'string', format: 'colour', widget: 'wheel', 'x-anything': 1 },
      b: { type: 'string', format: 'colour', widget: 'wheel' },
      c: { type: 'string', pattern: '^\\_' },
      d: { $ref: '#/definitions/d', nullable: true },
    },
    definitions: { d: { const: 1 } },
  };
  const { warnings } = await loadFolder(
    folderOf(t, {
      'a/1.0.0.json': odd,
      'a/notes.txt': '',
      'a/parts/unused.json': {},
      'unused.json': {},
      'empty/README.md': '',
    }),
  );
  t.same(warnings, [
    { file: 'a/notes.txt', place: '', reason: 'is no schema, ignored' },
    { file: 'empty', place: '', reason: 'has no version: files are named like 1.0.0.json' },
    {
      file: 'a/1.0.0.json',
      place: '/properties/a/format',
      reason: 'unknown format "colour", not checked (and 1 more of the kind)',
    },
    {
      file: 'a/1.0.0.json',
      place: '/properties/a/widget',
      reason: 'unknown keyword "widget", taken as an annotation (and 1 more of the kind)',
    },
    {
      file: 'a/1.0.0.json',
      place: '/properties/c/pattern',
      reason: 'the pattern is no Unicode regular expression, used as a plain one',
    },
    {
      file: 'a/1.0.0.json',
      place: '/properties/d/nullable',
      reason: 'nullable has no effect without a fitting type beside it',
    },
    { file: 'a/parts/unused.json', place: '', reason: 'no schema refers to it' },
    { file: 'unused.json', place: '', reason: 'no schema refers to it' },
  ]);
});

t.test('a folder without a schema loads with a warning', async (t) => {
  const registry = await loadFolder(folderOf(t, { 'README.md': '' }));
  t.equal(registry.subjects.size, 0);
  t.equal(registry.only, null);
  t.match(registry.warnings, [{ reason: 'has no schema in it' }]);
});

t.test('a folder that is not there is one fault', async (t) => {
  t.match(await faultsIn(`${t.testdir({})}/nowhere`), [/nowhere : cannot be read: ENOENT/]);
  t.match(await faultsIn(`${folderOf(t, { file: 'x' })}/file`), [/file : cannot be read: ENOTDIR/]);
});

t.test('all faults of all files come in one error, one a line', async (t) => {
  const folder = folderOf(t, {
    'a/1.0.0.json': '{"type": "object",\n  "properties": {,}}',
    'b/1.0.0.json': { type: 'strng', properties: { x: { minimum: '1', required: 'y' } } },
    'c/1.0.0.json': { properties: { x: { pattern: '(' }, y: { 'x-column': '' } }, patternProperties: { '[': {} } },
    'Bad/1.0.0.json': event,
  });
  const error = await loadFolder(folder).catch((reason: unknown) => reason);
  t.type(error, SchemaFolderError);
  t.match((error as SchemaFolderError).message.replace(folder, 'schemas').split('\n'), [
    'The schema folder schemas has 8 faults:',
    "Bad: the folder's name is no subject: a subject's name is ^[a-z][a-z0-9_]{0,47}$ without __",
    /^a.1.0.0.json 2:18: not JSON: /,
    'b/1.0.0.json /properties/x/minimum: must be number',
    'b/1.0.0.json /properties/x/required: must be array',
    'b/1.0.0.json /type: must be one of array, boolean, integer, null, number, object, string, or must be array',
    /^c.1.0.0.json .patternProperties.\[: Invalid regular expression: /,
    /^c.1.0.0.json .properties.x.pattern: Invalid regular expression: /,
    'c/1.0.0.json /properties/y/x-column: the column name "" is empty',
  ]);
  t.equal((error as SchemaFolderError).faults.length, 8);
});

t.test('a file that is not JSON names the place', async (t) => {
  const cases: [string | Buffer, string][] = [
    ['', '1:1'],
    ['{', '1:2'],
    ['{"a": 1,\n "b": tru}', '2:7'],
    ['{"a": "\n"}', '1:7'],
    ['{} {}', '1:4'],
    ["{'a': 1}", '1:2'],
    ['[1 2]', '1:4'],
    ['{"a" 1}', '1:6'],
    ['{"a": 1,}', '1:9'],
    ['[1,]', '1:4'],
    ['nul', '1:1'],
    ['[}', '1:2'],
  ];
  for (const [text, place] of cases) {
    const [fault] = await faultsOf(t, { 'a/1.0.0.json': text });
    t.ok(fault?.startsWith(`a/1.0.0.json ${place}: not JSON: `), `${text} → ${fault}`);
  }
  t.match(await faultsOf(t, { 'a/1.0.0.json': Buffer.from([0x22, 0xff, 0x22]) }), [
    'a/1.0.0.json : the file is not valid UTF-8',
  ]);
});

t.test('what is JSON but no schema names the place', async (t) => {
  const cases: [unknown, RegExp][] = [
    ['[]', /^a\/1\.0\.0\.json : must be object or boolean$/],
    ['"text"', /must be object/],
    [{ properties: { 'a/b': { type: 5 } } }, /^a\/1\.0\.0\.json \/properties\/a~1b\/type: /],
    [{ properties: { a: { minLength: -1 } } }, /\/properties\/a\/minLength: must be >= 0$/],
    [{ properties: { a: { enum: [] } } }, /\/properties\/a\/enum: must NOT have fewer than 1 items$/],
    [
      { $schema: 'https://json-schema.org/draft/2020-12/schema', not: { enum: [] } },
      /\/not\/enum: is empty: no value can be valid$/,
    ],
    [{ properties: { a: { maximum: { $data: '1/b' } } } }, /\/properties\/a\/maximum: must be number$/],
    [{ properties: { a: { exclusiveMinimum: true } } }, /\/properties\/a\/exclusiveMinimum: must be number$/],
    [{ $defs: { a: { type: 'x' } } }, /\/\$defs\/a\/type: must be one of/],
    [
      { $schema: 'https://json-schema.org/draft/2020-12/schema', properties: { a: { items: [{}] } } },
      /\/properties\/a\/items: must be object or boolean$/,
    ],
    [false, /no event can be valid: it can never be an object$/],
    [{ type: 'string' }, /it can never be an object$/],
    [
      { allOf: [{ type: ['object', 'string'] }, { $ref: '#/definitions/a' }], definitions: { a: { enum: ['x', 1] } } },
      /it can never be an object$/,
    ],
  ];
  for (const [schema, reason] of cases)
    t.match(await faultsOf(t, { 'a/1.0.0.json': schema }), [reason], JSON.stringify(schema));
});

t.test('our own keywords are checked', async (t) => {
  const cases: [object, RegExp][] = [
    [{ 'x-id': 'yes' }, /\/x-id: must be true or false$/],
    [{ 'x-column': 5 }, /\/x-column: must be a string$/],
    [{ 'x-column': 'x'.repeat(64) }, /\/x-column: the column name "x{64}" has more than 63 bytes$/],
    [{ 'x-column': 'ü'.repeat(32) }, /has more than 63 bytes$/],
    [{ 'x-column': '_batch_id' }, /is reserved$/],
    [{ 'x-column': 'ctid' }, /is reserved$/],
    [{ 'x-column': 'a\0' }, /contains NUL$/],
    [{ 'x-column-prefix': null }, /\/x-column-prefix: must be a string, which may be empty$/],
    [{ 'x-column-prefix': 'a\0' }, /\/x-column-prefix: is no valid text$/],
  ];
  for (const [keywords, reason] of cases) {
    t.match(
      await faultsOf(t, { 'a/1.0.0.json': { properties: { p: { type: 'string', ...keywords } } } }),
      [reason],
      JSON.stringify(keywords),
    );
  }
});

t.test('names of subjects and files are checked', async (t) => {
  const wrong = ['User', '1a', 'a-b', 'a__b', 'a b', 'ü', 'constructor$', 'x'.repeat(49), 'a"b'];
  for (const name of wrong)
    t.match(await faultsOf(t, { [`${name}/1.0.0.json`]: event }), [/the folder's name is no subject/], name);
  for (const name of ['a', 'constructor', 'select', 'a_b_', 'x'.repeat(48)])
    t.same(await faultsOf(t, { [`${name}/1.0.0.json`]: event }), [], name);
  const files = [
    '01.0.0',
    '1.00.0',
    '1.0',
    '1',
    'v1.0.0',
    '1.0.0-beta',
    '1.0.0.0',
    '-1.0.0',
    '1000000000.0.0',
    'latest',
    '1.0.0 ',
  ];
  for (const name of files) {
    t.match(
      await faultsOf(t, { 'a/1.0.0.json': event, [`a/${name}.json`]: event }),
      [/is neither named like 1\.0\.0\.json nor referred to/],
      name,
    );
  }
  t.match(await faultsOf(t, { 'a/1.0.0.JSON': event }), [/is neither named like/]);
  t.match(await faultsOf(t, { 'a/1.0.0.json/x': '' }), ['a/1.0.0.json : is a folder, not a file']);
});

t.test('a schema nested 10,000 deep is a fault with a place', async (t) => {
  const around = (open: string, close: string, levels: number) => `${open.repeat(levels)}{}${close.repeat(levels)}`;
  const deep: [string, RegExp][] = [
    [around('{"not":', '}', 10_000), /^a\/1\.0\.0\.json (\/not){200}: nested deeper than 200 levels$/],
    [around('{"properties":{"a":', '}}', 10_000), /^a\/1\.0\.0\.json (\/properties\/a){100}: nested deeper/],
    [`{"default":${around('[', ']', 10_000)}}`, /\/default(\/0){199}: nested deeper/],
  ];
  for (const [text, fault] of deep) t.match(await faultsOf(t, { 'a/1.0.0.json': text }), [fault]);
  t.match(await faultsOf(t, { 'a/1.0.0.json': '['.repeat(100_000) }), [/not JSON/]);
});

t.test('a schema nested as deep as allowed compiles', async (t) => {
  const wraps = ['{"properties":{"a":', '{"items":', '{"anyOf":[', '{"not":'];
  for (const open of wraps) {
    const close = [...open]
      .reverse()
      .map((mark) => ({ '{': '}', '[': ']' })[mark] ?? '')
      .join('');
    const levels = Math.floor(199 / close.length);
    const { only } = await loadFolder(
      folderOf(t, { 'a/1.0.0.json': `${open.repeat(levels)}{"type":"object"}${close.repeat(levels)}` }),
    );
    t.type(only!.accepts({}), 'boolean');
    t.type(only!.explain({ a: 1 }), Array);
  }
});

t.test('links to files and folders are followed', async (t) => {
  const folder = folderOf(t, { '..data/1.0.0.json': event, 'a/README.md': '' });
  symlinkSync('../..data/1.0.0.json', `${folder}/a/1.0.0.json`);
  symlinkSync('a', `${folder}/b`);
  t.same([...(await loadFolder(folder)).subjects.keys()], ['a', 'b']);
  symlinkSync('nowhere', `${folder}/a/2.0.0.json`);
  t.match(await faultsIn(folder), [/cannot be read: ENOENT/]);
});

t.test(
  'a file that cannot be read is a fault',
  { skip: process.getuid?.() === 0 && 'root reads everything' },
  async (t) => {
    const folder = folderOf(t, { 'a/1.0.0.json': event });
    chmodSync(`${folder}/a/1.0.0.json`, 0o000);
    t.match(await faultsIn(folder), [/^a.1.0.0.json : cannot be read: EACCES/]);
  },
);

t.test('2,000 subjects load', async (t) => {
  const folder = t.testdir({});
  const schema = JSON.stringify({ ...event, required: ['a'] });
  for (let number = 0; number < 2_000; number++) {
    mkdirSync(`${folder}/s${number}`);
    writeFileSync(`${folder}/s${number}/1.0.0.json`, schema);
  }
  const registry = await loadFolder(folder);
  t.equal(registry.tables.length, 2_000);
  t.equal(registry.resolve('s1999')!.accepts({ a: 'x' }), true);
});
