// `<subject>/expectations.json` as a part of the folder: read once, bound to each table, and as good a reason as any
// other not to load it. What a suite may say is tested beside the suite.
import { chmodSync, truncateSync } from 'node:fs';
import t, { type Test } from 'tap';
import { checkFolder } from '../../src/check/check.ts';
import { readConfig } from '../../src/config.ts';
import { NO_CHECKS } from '../../src/expectations/suite.ts';
import { SchemaFolderError } from '../../src/schema/faults.ts';
import { loadFolder, loadSubject } from '../../src/schema/folder.ts';
import { folderOf } from './schemas.ts';

const integer = { type: 'integer' };
const string = { type: 'string' };
const closed = (properties: object) => ({ type: 'object', properties, additionalProperties: false });
const SCHEMA = closed({ n: integer, s: string });

const between = (column: string) => {
  return { type: 'expect_column_values_to_be_between', kwargs: { column, min_value: 1, max_value: 9 } };
};
const notNull = (column: string, severity?: string) => {
  return { type: 'expect_column_values_to_not_be_null', kwargs: { column }, meta: severity ? { severity } : {} };
};
const suite = (...expectations: object[]) => ({ name: 'mine', expectations, meta: {} });

async function faultsIn(folder: string): Promise<string[]> {
  try {
    await loadFolder(folder);
  } catch (error) {
    if (!(error instanceof SchemaFolderError)) throw error;
    return error.faults.map(({ file, place, reason }) => `${file} ${place}: ${reason}`);
  }
  return [];
}

const faultsOf = (t: Test, files: Record<string, unknown>) => faultsIn(folderOf(t, files));
const withSuite = (content: unknown) => ({ 'a/1.0.0.json': SCHEMA, 'a/expectations.json': content });

t.test('each version has the checks of its table', async (t) => {
  const registry = await loadFolder(
    folderOf(t, {
      'a/1.0.0.json': SCHEMA,
      'a/1.1.0.json': closed({ n: integer, s: string, more: string }),
      'a/2.0.0.json': closed({ n: integer, more: string }),
      'a/expectations.json': suite(between('n'), notNull('more', 'warn')),
      'b/1.0.0.json': SCHEMA,
    }),
  );
  t.same(registry.warnings, []);
  const [first, second, third] = registry.subjects.get('a')!.versions;
  t.match(second!.suite.checks, [
    { name: between('n').type, severity: 'hold', kwargs: between('n').kwargs, file: 'a/expectations.json' },
    { name: notNull('more').type, severity: 'warn', kwargs: { column: 'more' }, place: '/expectations/1' },
  ]);
  t.equal(first!.suite, second!.suite, 'one table, one suite');
  t.not(second!.suite, third!.suite, 'another table, another suite');
  t.equal(third!.suite.checks.length, 2);
  t.equal(registry.resolve('b')!.suite, NO_CHECKS);
});

t.test('a check of a column that only an older table lacks is left out there, with a warning', async (t) => {
  const registry = await loadFolder(
    folderOf(t, {
      'a/1.0.0.json': closed({ n: integer }),
      'a/2.0.0.json': SCHEMA,
      'a/expectations.json': suite(between('n'), notNull('s')),
    }),
  );
  const [old, current] = registry.subjects.get('a')!.versions;
  t.same(
    [old, current].map((version) => version!.suite.checks.length),
    [1, 2],
  );
  t.match(registry.warnings, [{ file: 'a/expectations.json', place: /^\/expectations\/1/, reason: /"?s"?/ }]);
});

t.test('a check of a column that the newest table lacks is a fault', async (t) => {
  const [fault, ...more] = await faultsOf(t, {
    'a/1.0.0.json': SCHEMA,
    'a/2.0.0.json': closed({ n: integer }),
    'a/expectations.json': suite(between('n'), notNull('s')),
  });
  t.match(fault, /^a\/expectations\.json \/expectations\/1\/kwargs\/column: /);
  t.same(more, []);
});

t.test('what is wrong stands in one error with everything else that is', async (t) => {
  const faults = await faultsOf(t, {
    ...withSuite(suite(between('s'), notNull('n'), notNull('nowhere'))),
    'b/1.0.0.json': SCHEMA,
    'b/expectations.json': suite({ type: 'expect_the_best', kwargs: {} }, notNull('n', 'stop')),
    'c/1.0.0.json': '{',
  });
  const places = faults.map((fault) => fault.slice(0, fault.indexOf(': '))).sort();
  t.match(places, [
    /^a\/expectations\.json \/expectations\/0\/kwargs/,
    'a/expectations.json /expectations/2/kwargs/column',
    'b/expectations.json /expectations/0/type',
    'b/expectations.json /expectations/1/meta/severity',
    'c/1.0.0.json 1:2',
  ]);
});

t.test('a row condition is judged when the folder loads', async (t) => {
  const conditioned = (row_condition: unknown, condition_parser?: string) => {
    const { type, kwargs } = between('n');
    return withSuite(suite({ type, kwargs: { ...kwargs, row_condition, condition_parser } }));
  };
  const fine: [unknown, string?][] = [
    ['col("s") == "x" and col("n").notNull()', 'great_expectations'],
    ['s == "x"', 'pandas'],
    [{ type: 'comparison', column: { name: 's' }, operator: '==', parameter: 'x' }],
  ];
  for (const [condition, parser] of fine) t.same(await faultsOf(t, conditioned(condition, parser)), [], `${condition}`);
  const wrong: [unknown, string | undefined, RegExp][] = [
    ['col("x") == 5', 'great_expectations', /there is no column "x"/],
    ['col("s") == 5', 'great_expectations', /is text and compares with text/],
    ['col("s") like "x"', 'great_expectations', /at character 10: expected/],
    ['s == "x"', 'spark', /condition_parser "spark" is not supported/],
    ['s == "x"', undefined, /needs a condition_parser/],
  ];
  for (const [condition, parser, reason] of wrong) {
    const faults = await faultsOf(t, conditioned(condition, parser));
    t.equal(faults.length, 1, `${condition}`);
    t.match(faults[0], /^a\/expectations\.json \/expectations\/0\/kwargs\/(row_condition|condition_parser): /);
    t.match(faults[0], reason);
  }
});

t.test('a file that is no suite names the place', async (t) => {
  const cases: [unknown, RegExp][] = [
    ['', /^a\/expectations\.json 1:1: not JSON: /],
    ['{"expectations": [\n  {,}]}', /^a\/expectations\.json 2:4: not JSON: /],
    [Buffer.from([0x22, 0xff, 0x22]), /^a\/expectations\.json : the file is not valid UTF-8$/],
    [[], /^a\/expectations\.json : /],
    ['"text"', /^a\/expectations\.json : /],
    ['null', /^a\/expectations\.json : /],
    [{}, /^a\/expectations\.json (\/expectations)?: /],
    [{ expectations: {} }, /^a\/expectations\.json \/expectations: /],
    [{ expectations: ['x'] }, /^a\/expectations\.json \/expectations\/0: /],
    [`{"expectations": ${'['.repeat(300)}${']'.repeat(300)}}`, /nested deeper than 200 levels$/],
  ];
  for (const [content, fault] of cases) {
    const faults = await faultsOf(t, withSuite(content));
    t.match(faults, [fault], String(content).slice(0, 50));
    t.equal(faults.length, 1);
  }
});

t.test(
  'a byte order mark is no harm, and of a member that comes twice the last one counts, as in every other file',
  async (t) => {
    const text = JSON.stringify(suite(between('n')));
    const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]);
    t.equal((await loadFolder(folderOf(t, withSuite(marked)))).only!.suite.checks.length, 1);
    const twice = `{"expectations": [{"type": "no such"}], ${text.slice(1)}`;
    t.equal((await loadFolder(folderOf(t, withSuite(twice)))).only!.suite.checks.length, 1);
  },
);

t.test('a file is at most 5 MiB', async (t) => {
  const folder = folderOf(t, withSuite(suite()));
  truncateSync(`${folder}/a/expectations.json`, 10 * 1024 * 1024 * 1024);
  t.same(await faultsIn(folder), ['a/expectations.json : has 10737418240 bytes: a suite has at most 5242880']);
  const spaces = ' '.repeat(5 * 1024 * 1024 - JSON.stringify(suite()).length);
  t.same(await faultsOf(t, withSuite(JSON.stringify(suite()) + spaces)), []);
  t.match(await faultsOf(t, withSuite(`${JSON.stringify(suite())}${spaces} `)), [/has 5242881 bytes/]);
});

t.test('a file that is not there to be read is a fault', async (t) => {
  t.match(await faultsOf(t, { 'a/1.0.0.json': SCHEMA, 'a/expectations.json/x': '' }), [
    'a/expectations.json : is a folder, not a file',
  ]);
  if (process.getuid?.() === 0) return;
  const folder = folderOf(t, withSuite(suite()));
  chmodSync(`${folder}/a/expectations.json`, 0o000);
  t.match(await faultsIn(folder), [/^a.expectations.json : cannot be read: EACCES/]);
});

t.test('a subject without a version is a warning, whatever its checks say', async (t) => {
  const { warnings } = await loadFolder(folderOf(t, { 'a/1.0.0.json': SCHEMA, 'b/expectations.json': 'not json' }));
  t.match(warnings, [{ file: 'b', place: '', reason: 'has no version: files are named like 1.0.0.json' }]);
  t.equal(warnings.length, 1);
});

t.test(
  'one subject alone has its checks too, but a version that is only looked at is not held against them',
  async (t) => {
    const folder = folderOf(t, {
      ...withSuite(suite(notNull('s'))),
      'b/1.0.0.json': SCHEMA,
      'b/expectations.json': '{',
    });
    t.equal((await loadSubject(folder, 'a'))!.latest.suite.checks.length, 1, 'the other one does not matter');
    await t.rejects(loadSubject(folder, 'b'), /b\/expectations\.json 1:2: not JSON/);
    const bytes = Buffer.from(JSON.stringify(closed({ n: integer })));
    const added = { subject: 'a', number: [2, 0, 0] as [number, number, number], file: 'a/2.0.0.json', bytes };
    await t.rejects(
      loadSubject(folder, 'a', { ...added, provisional: false }),
      /a\/expectations\.json \/expectations\/0/,
    );
    const looked = await loadSubject(folder, 'a', { ...added, provisional: true });
    t.equal(looked!.latest.version, '2.0.0');
  },
);

async function check(t: Test, now: object, old?: object) {
  const files = [...Object.entries(now).map(([path, content]) => [`now/${path}`, content])];
  for (const [path, content] of Object.entries(old ?? {})) files.push([`old/${path}`, content]);
  const root = folderOf(t, Object.fromEntries(files));
  const { limits } = readConfig({});
  const base = old === undefined ? undefined : `${root}/old`;
  return checkFolder({ folder: `${root}/now`, base, limits, budgetMs: 5_000 });
}

t.test('`sluice schemas check` tells what is wrong with a suite', async (t) => {
  const result = await check(t, withSuite(suite(between('s'))));
  t.match(result, { verdict: 'problems', totals: { errors: 1 } });
  t.match(result.findings, [
    { rule: 'fault', severity: 'error', file: 'a/expectations.json', place: /^\/expectations\/0/ },
  ]);
});

t.test('`sluice schemas check --base` judges a subject whose checks changed', async (t) => {
  const both = { 'b/1.0.0.json': SCHEMA, 'b/expectations.json': suite(notNull('n')) };
  const before = { ...withSuite(suite(notNull('n'))), ...both };
  const named = (result: Awaited<ReturnType<typeof check>>) => result.subjects.map(({ subject }) => subject);
  t.same(named(await check(t, before, before)), []);
  const cases: object[] = [
    { ...withSuite(suite(notNull('s'))), ...both },
    { 'a/1.0.0.json': SCHEMA, ...both },
  ];
  for (const now of cases) {
    const result = await check(t, now, before);
    t.same(named(result), ['a']);
    t.match(result, { verdict: 'fine', subjects: [{ versions: [], findings: [] }] });
  }
  const broken = await check(t, { ...withSuite(suite(notNull('x'))), ...both }, before);
  t.match(broken, { verdict: 'problems', findings: [{ file: 'a/expectations.json' }] });
});
