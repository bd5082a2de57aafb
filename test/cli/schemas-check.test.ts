// `sluice schemas check`: what it finds, and how it tells it.
import t, { type Test } from 'tap';
import { checkFolder } from '../../src/check/check.ts';
import type { CheckResult, Finding } from '../../src/check/result.ts';
import { checkMarkdown } from '../../src/cli/check-markdown.ts';
import { readConfig } from '../../src/config.ts';
import { folderOf } from '../schema/schemas.ts';
import { sluice } from './sluice.ts';

const string = { type: 'string' };
const closed = (properties: object, required: string[] = []) => {
  return { type: 'object', properties, required, additionalProperties: false };
};
const V1 = closed({ a: string }, ['a']);
const lines = (...events: unknown[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');

/** Two states of a folder, or one. */
async function check(t: Test, files: object, base?: object): Promise<CheckResult> {
  const all = Object.entries(files).map(([path, content]) => [`now/${path}`, content]);
  const old = Object.entries(base ?? {}).map(([path, content]) => [`old/${path}`, content]);
  const root = folderOf(t, Object.fromEntries([...all, ...old]));
  const { limits } = readConfig({});
  return checkFolder({
    folder: `${root}/now`,
    base: base === undefined ? undefined : `${root}/old`,
    limits,
    budgetMs: 5_000,
  });
}

const findingsOf = ({ findings, subjects }: CheckResult): Finding[] => {
  return [...findings, ...subjects.flatMap((subject) => subject.findings)];
};
const rulesOf = (result: CheckResult): string[] =>
  findingsOf(result).map(({ rule, file, place }) => `${rule} ${file} ${place}`);

t.test('a folder in order is fine', async (t) => {
  const result = await check(t, {
    'a/1.0.0.json': V1,
    'a/1.1.0.json': closed({ a: string, b: string }, ['a']),
    'a/examples/pass.ndjson': `${lines({ a: 'x' }, { a: 'x', b: 'y' })}\n`,
    'a/examples/fail.ndjson': lines({}, { a: 1 }, { $schema: 'a/1.0.0', a: 'x', b: 'y' }, [1], 'no'),
  });
  t.same(findingsOf(result), []);
  t.match(result, { verdict: 'fine', totals: { subjects: 1, versions: 2, errors: 0, warnings: 0 } });
  t.match(result.subjects[0], {
    examples: [
      { lines: 2, wrong: 0 },
      { lines: 5, wrong: 0 },
    ],
    versions: [{ version: '1.1.0', after: '1.0.0', promised: 'minor', needed_bump: 'minor', compatible: true }],
  });
  t.match(result.subjects[0]!.versions[0]!.ddl[0], {
    sql: 'ALTER TABLE events."a" ADD COLUMN "b" text',
    lock: 'ACCESS EXCLUSIVE',
  });
});

t.test('examples that are not what their file says are named by line', async (t) => {
  const result = await check(t, {
    'a/1.0.0.json': V1,
    'a/examples/pass.ndjson': `${lines({ a: 'x' }, { a: 1 })}{\n${lines({ $schema: 'b/1', a: 'x' }, { a: 'nul\0' })}`,
    'a/examples/fail.ndjson': lines({ a: 1 }, { a: 'x' }),
  });
  const pass = 'pass_example_fails a/examples/pass.ndjson';
  t.same(rulesOf(result), [
    ...[2, 3, 4, 5].map((line) => `${pass} line ${line}`),
    'fail_example_passes a/examples/fail.ndjson line 2',
  ]);
  t.match(findingsOf(result)[0]!.message, 'is rejected by a/1.0.0 (schema_violation): /a must be string');
});

t.test('patterns that take forever, and bounds that are missing', async (t) => {
  const patterns = {
    exponential: { ...string, pattern: '^(a+)+$', maxLength: 100 },
    alternatives: { ...string, pattern: '^(a|a)*$' },
    polynomial: { ...string, pattern: '\\s+$' },
    'polynomial, bounded': { ...string, pattern: '\\s+$', maxLength: 100 },
    linear: { ...string, pattern: '^[a-z]+$' },
    'linear, bounded': { ...string, pattern: '^[a-z]+$', maxLength: 10 },
    constant: { ...string, pattern: '^[A-Z]{3}$' },
    names: { type: 'object', patternProperties: { '^(x+x+)+y': {} } },
    objects: { type: 'array', uniqueItems: true, items: { type: 'object' } },
    'objects, bounded': { type: 'array', uniqueItems: true, maxItems: 10, items: { type: 'object' } },
    anything: { type: 'array', uniqueItems: true },
    scalars: { type: 'array', uniqueItems: true, items: string },
  };
  const result = await check(t, {
    '_shared/a.json': { definitions: { x: { items: { pattern: '(b+)+c' } } } },
    'a/1.0.0.json': { type: 'object', properties: { ...patterns, y: { $ref: '../_shared/a.json#/definitions/x' } } },
  });
  t.same(
    rulesOf(result),
    [
      'unsafe_pattern _shared/a.json /definitions/x/items/pattern',
      'unsafe_pattern a/1.0.0.json /properties/exponential/pattern',
      'unsafe_pattern a/1.0.0.json /properties/alternatives/pattern',
      'slow_pattern a/1.0.0.json /properties/polynomial/pattern',
      'missing_bound a/1.0.0.json /properties/linear/pattern',
      'unsafe_pattern a/1.0.0.json /properties/names/patternProperties/^(x+x+)+y',
      'missing_bound a/1.0.0.json /properties/objects/uniqueItems',
      'missing_bound a/1.0.0.json /properties/anything/uniqueItems',
    ],
    'in their order, the shared file first',
  );
  t.match(findingsOf(result)[1]!.message, /exponential time, e\.g\. with 'a'/);
});

t.test(
  'a number that promises less than it breaks is an error; unknown keywords and formats are warnings',
  async (t) => {
    const result = await check(t, {
      'a/1.0.0.json': V1,
      'a/1.1.0.json': closed({ a: { type: 'integer' } }, ['a']),
      'b/1.0.0.json': {
        type: 'object',
        requried: ['x'],
        properties: { x: { ...string, format: 'phone' }, a_b: {}, a: closed({ b: {} }) },
      },
      'free/1.0.0.json': V1,
      'free/1.1.0.json': closed({ a: { type: 'integer' } }, ['a']),
      'free/subject.json': { compatibility: 'NONE' },
    });
    t.match(findingsOf(result)[0], { rule: 'incompatible_version', severity: 'error', file: 'a/1.1.0.json' });
    const warnings = findingsOf(result).filter(({ severity }) => severity === 'warning');
    t.equal(warnings.length, 5, 'two of them about columns whose type changes');
    t.match(
      warnings.map(({ message }) => message).join('\n'),
      /unknown keyword "requried"[\s\S]*unknown format "phone"[\s\S]*"a_b" is taken/,
    );
    t.same(
      result.subjects.map(({ verdict }) => verdict),
      ['problems', 'fine', 'fine'],
    );
    const [version] = result.subjects[0]!.versions;
    const witness = version!.differences.find((each) => each.witness !== undefined);
    t.equal(witness!.witness_valid_under, 'old');
  },
);

t.test('a folder that does not load: all faults at once', async (t) => {
  const result = await check(t, {
    'a/1.0.0.json': '{',
    'b/1.0.0.json': { $ref: 'https://example.com/x.json' },
    'UPPER/1.0.0.json': {},
    'c/1.0.0.json': { type: 'object', properties: { x: { pattern: '(' } } },
  });
  t.equal(result.verdict, 'problems');
  const faults = findingsOf(result).filter(({ rule }) => rule === 'fault');
  t.same(new Set(faults.map(({ file }) => file.split('/')[0])), new Set(['a', 'b', 'UPPER', 'c']));
});

t.test('with a base only changes are judged and shown; content in use must not change', async (t) => {
  const base = {
    'same/1.0.0.json': V1,
    'a/1.0.0.json': V1,
    'b/1.0.0.json': V1,
    'gone/1.0.0.json': V1,
    // In use already, whatever is said of it now.
    'bad/1.0.0.json': V1,
    'bad/1.1.0.json': closed({ a: { type: 'integer' } }, ['a']),
    '_shared/x.json': { type: 'string' },
    'shared/1.0.0.json': closed({ a: { $ref: '../_shared/x.json' } }),
  };
  const { 'gone/1.0.0.json': _, ...rest } = base;
  const same = await check(t, base, base);
  t.match(same, { verdict: 'fine', subjects: [], findings: [] });

  const result = await check(
    t,
    {
      ...rest,
      'same/1.0.0.json': JSON.stringify(V1, null, 4),
      'a/1.1.0.json': closed({ a: string, b: string }, ['a']),
      'b/1.0.0.json': closed({ a: { type: 'integer' } }, ['a']),
      'new/1.0.0.json': V1,
      '_shared/x.json': { type: 'integer' },
    },
    base,
  );
  t.same(
    result.subjects.map(({ subject, versions }) => [subject, versions.map(({ version }) => version)]),
    [
      ['a', ['1.1.0']],
      ['b', []],
      ['new', ['1.0.0']],
      ['shared', []],
    ],
  );
  t.same(rulesOf(result), [
    'removed_subject gone ',
    'changed_version b/1.0.0.json ',
    'changed_version shared/1.0.0.json ',
  ]);
  t.match(findingsOf(result)[1]!.message, /\/properties\/a\/type changed/);
});

t.test(
  'the markdown has verdict, differences with a witness, SQL and warnings, and no markup from schemas',
  async (t) => {
    const text = checkMarkdown(
      await check(t, {
        'a/1.0.0.json': V1,
        'a/1.1.0.json': closed({ a: { type: 'integer' }, 'x|`y`<b>': { type: 'string', pattern: '^a+$' } }, ['a']),
        'a/examples/fail.ndjson': lines({}),
      }),
    );
    t.match(text, '## Schemas: ❌ problems');
    t.match(text, '### ❌ `a` (BACKWARD_TRANSITIVE)');
    t.match(text, '**1.1.0** after 1.0.0: ❌ promises too little, promises a minor change and needs a major one');
    t.match(text, /\| `\/properties\/a\/type` \| .* \| \*\*backward/);
    t.match(text, '-- lock: ACCESS EXCLUSIVE (readers and writers wait, for a moment); no rewrite\nALTER TABLE');
    t.match(text, /⚠️ .*missing_bound/);
    const outside = text.replaceAll(/```sql[\s\S]*?```/g, '').replaceAll(/(`+)[^`](?:[\s\S]*?[^`])?\1(?!`)/g, '');
    t.notMatch(outside, /(?<!\\)<b>/);
  },
);

t.test('exit codes: 0 fine, 1 problems, 2 cannot run; --strict counts warnings', async (t) => {
  const root = folderOf(t, {
    'fine/a/1.0.0.json': { type: 'object', properties: { x: { format: 'phone' } } },
    'bad/a/1.0.0.json': '{',
    'empty/README.md': '',
  });
  const run = (...args: string[]) => sluice(t, ['schemas', 'check', ...args]);
  t.match(await run('--schema-dir', `${root}/fine`), {
    code: 0,
    stdout: /fine; 1 subject, 1 version, 0 errors, 1 warning\n$/,
  });
  t.match(await run('--schema-dir', `${root}/fine`, '--strict'), { code: 1 });
  t.match(await run('--schema-dir', `${root}/bad`), { code: 1, stdout: /error a\/1\.0\.0\.json 1:2: not JSON/ });
  const json = await run('--schema-dir', `${root}/bad`, '--format', 'json');
  t.match(JSON.parse(json.stdout), { verdict: 'problems', findings: [{ rule: 'fault', file: 'a/1.0.0.json' }] });
  for (const args of [
    ['--schema-dir', `${root}/none`],
    ['--schema-dir', `${root}/fine`, '--base', `${root}/none`],
    ['--schema-dir', `${root}/fine`, '--base', `${root}/bad`],
    ['--format', 'html'],
  ]) {
    const { code, stdout, stderr } = await run(...args);
    t.same([code, stdout], [2, ''], args.join(' '));
    t.notMatch(stderr, /^ {4}at /m, 'no stack');
  }
});
