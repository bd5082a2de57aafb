import t from 'tap';
import { canonicalForm, firstDifferences } from '../../src/schema/canonical.ts';
import { compare } from '../../src/schema/compare/compare.ts';
import type { Mode } from '../../src/schema/compare/difference.ts';
import { judgeVersions, weigh } from '../../src/schema/evolution.ts';
import { loadFolder } from '../../src/schema/folder.ts';
import { folderOf } from './schemas.ts';

const integer = { type: 'integer' };
const string = { type: 'string' };
const closed = (properties: object, ...required: string[]) => {
  return { type: 'object', properties, required, additionalProperties: false };
};

/** The faults of one subject's versions as `file: reason`; `frozen` ones are in use already. */
async function faultsOf(
  t: Parameters<typeof folderOf>[0],
  versions: Record<string, object>,
  settings: { compatibility?: Mode; policy?: string } = {},
  frozen: string[] = [],
): Promise<{ faults: string[]; compared: number }> {
  const files = Object.fromEntries(
    Object.entries(versions).map(([version, document]) => [`a/${version}.json`, document]),
  );
  const registry = await loadFolder(folderOf(t, { ...files, 'a/subject.json': settings }));
  let compared = 0;
  const counting: typeof compare = (...args) => {
    compared++;
    return compare(...args);
  };
  const isFrozen = ({ version }: { version: string }) => frozen.includes(version);
  const faults = await judgeVersions(registry.subjects.get('a')!, { isFrozen }, counting, 2_000);
  return { faults: faults.map(({ file, reason }) => `${file}: ${reason}`), compared };
}

t.test('a number promises what its change needs', async (t) => {
  const one = closed({ n: integer }, 'n');
  const cases: [title: string, version: string, document: object, fault: RegExp | null][] = [
    ['no effect as a patch', '1.0.1', { title: 'x', ...one }, null],
    ['no effect as a minor', '1.1.0', { title: 'x', ...one }, null],
    ['an addition as a minor', '1.1.0', closed({ n: integer, m: integer }, 'n'), null],
    ['an addition as a patch', '1.0.1', closed({ n: integer, m: integer }, 'n'), /promises a patch .* needs a minor/],
    [
      'a break as a minor',
      '1.1.0',
      closed({ n: string }, 'n'),
      /promises a minor .* needs a major .*\/properties\/n\/type/,
    ],
    ['a break as a patch', '1.0.1', closed({ n: string }, 'n'), /promises a patch .* needs a major/],
    ['a break as a major', '2.0.0', closed({ n: string }, 'n'), null],
    ['an x-id as a patch', '1.0.1', closed({ n: { ...integer, 'x-id': true } }, 'n'), /needs a minor/],
  ];
  for (const [title, version, document, fault] of cases) {
    const { faults } = await faultsOf(t, { '1.0.0': one, [version]: document });
    t.match(faults, fault === null ? { length: 0 } : [fault], title);
  }
});

t.test('each mode demands its own', async (t) => {
  const less = closed({ n: integer }, 'n');
  const more = closed({ n: integer, m: integer }, 'n');
  const other = closed({ n: string }, 'n');
  const cases: [Mode, object, object, boolean][] = [
    ['NONE', less, other, true],
    ['BACKWARD', less, more, true],
    ['BACKWARD', more, less, false],
    ['FORWARD', less, more, false],
    ['FORWARD', more, less, true],
    ['FULL', less, more, false],
    ['FULL', more, less, false],
    ['FULL', less, { description: 'x', ...less }, true],
  ];
  for (const [mode, before, after, isHonest] of cases) {
    for (const compatibility of mode === 'NONE' ? [mode] : [mode, `${mode}_TRANSITIVE` as Mode]) {
      const { faults } = await faultsOf(t, { '1.0.0': before, '1.1.0': after }, { compatibility });
      t.equal(faults.length === 0, isHonest, `${compatibility} ${JSON.stringify([before, after])}: ${faults}`);
    }
  }
});

t.test('a transitive mode looks past the version just before', async (t) => {
  // Each step holds for declared members only; all of them together do not.
  const open = (properties: object) => ({ type: 'object', properties });
  const versions = { '1.0.0': open({ a: integer }), '1.1.0': open({ b: integer }), '1.2.0': open({ a: string }) };
  const plain = await faultsOf(t, versions, { compatibility: 'BACKWARD', policy: 'lenient' });
  t.strictSame(plain.faults, []);
  const transitive = await faultsOf(t, versions, { compatibility: 'BACKWARD_TRANSITIVE', policy: 'lenient' });
  t.match(transitive.faults, [/^a\/1\.2\.0\.json: .*1\.0\.0/]);
});

t.test('under the strict policy a long history is compared step by step', async (t) => {
  const properties: Record<string, object> = {};
  const versions: Record<string, object> = {};
  for (let minor = 0; minor < 10; minor++) {
    properties[`p${minor}`] = integer;
    versions[`1.${minor}.0`] = closed({ ...properties });
  }
  t.strictSame(await faultsOf(t, versions), { faults: [], compared: 9 });
  const frozen = Object.keys(versions).slice(0, 9);
  t.equal((await faultsOf(t, versions, {}, Object.keys(versions))).compared, 0, 'what is in use is not compared again');
  t.equal((await faultsOf(t, versions, {}, frozen)).compared, 9, 'what is new is compared with all');
});

t.test('a version that comes in between must fit what follows', async (t) => {
  const versions = {
    '1.0.0': closed({ n: integer }, 'n'),
    '1.0.1': closed({ n: { type: ['integer', 'string'] } }, 'n'),
    '1.1.0': closed({ n: integer, m: integer }, 'n'),
  };
  const { faults } = await faultsOf(t, versions, {}, ['1.0.0', '1.1.0']);
  t.match(faults, [/^a\/1\.0\.1\.json: .*patch/, /^a\/1\.0\.1\.json: 1\.1\.0 is in use and follows it/]);
});

t.test('differences to several versions say to which, the same one is said once', async (t) => {
  const whole = (document: object) => () => document as { readonly [keyword: string]: unknown };
  const against = [
    { version: '1.1.0', whole: whole(closed({ n: integer, m: integer })) },
    { version: '1.0.0', whole: whole(closed({ n: integer })) },
  ];
  const settings = { compatibility: 'BACKWARD_TRANSITIVE', policy: 'strict' } as const;
  const after = closed({ n: string, m: integer });
  const { differences, ...weighed } = await weigh(after, against, settings, compare, 2_000);
  t.match(weighed, { compatible: false, against: ['1.1.0', '1.0.0'], needed_bump: 'major' });
  t.strictSame(
    differences.map(({ new_path, against }) => [new_path, against]),
    [
      ['/properties/n/type', '1.1.0'],
      ['/properties/m', '1.0.0'],
    ],
  );
});

t.test('what a version refers to in other files is a part of it', async (t) => {
  const files = (street: object, unused: object) => ({
    'a/1.0.0.json': closed({
      to: { $ref: '../_x/address.json' },
      from: { $ref: '../_x/address.json#/definitions/city' },
    }),
    '_x/address.json': {
      $id: 'https://example.com/address.json',
      ...closed({
        street: { $ref: 'more.json#/definitions/street' },
        back: { $ref: '../a/1.0.0.json#/properties/to' },
      }),
      definitions: { city: { type: 'string' } },
    },
    '_x/more.json': { definitions: { street, unused, __proto__: true } },
  });
  const wholeOf = async (street: object, unused: object) => {
    const registry = await loadFolder(folderOf(t, files(street, unused)));
    return registry.only!.whole();
  };
  const whole = await wholeOf(string, string);
  t.same(Object.keys((whole as { $defs: object }).$defs), ['_x/address.json#', '_x/more.json#/definitions/street']);
  const { text } = canonicalForm(whole);
  t.equal(canonicalForm(await wholeOf(string, integer)).text, text);
  t.not(canonicalForm(await wholeOf(integer, string)).text, text);
  t.match(compare(whole, await wholeOf(string, string)), { needed_bump: 'patch', backward: 'holds' });
  t.match(compare(whole, await wholeOf(integer, string)), {
    needed_bump: 'major',
    differences: [{ new_path: '/$defs/_x~1more.json#~1definitions~1street/type' }],
  });
});

t.test('the first differences', async (t) => {
  t.same(firstDifferences({ a: 1, 'b/c': [1, 2], d: 3 }, { a: 2, 'b/c': [1], e: 3 }), [
    '/a changed',
    '/b~1c/1 removed',
    '/d removed',
    '/e added',
  ]);
  t.same(firstDifferences(true, { a: 1 }), ['the whole document changed']);
  t.equal(firstDifferences({}, Object.fromEntries(Array.from('abcdefgh', (name) => [name, 1]))).length, 5);
});

t.test('subject.json', async (t) => {
  const faultsWith = (content: unknown) =>
    loadFolder(folderOf(t, { 'a/1.0.0.json': closed({}), 'a/subject.json': content })).then(
      (registry) => registry.subjects.get('a')!.settings,
      (error) => error.message,
    );
  t.same(await faultsWith({}), { compatibility: 'BACKWARD_TRANSITIVE', policy: 'strict' });
  t.same(await faultsWith({ compatibility: 'NONE', policy: 'lenient' }), { compatibility: 'NONE', policy: 'lenient' });
  t.match(await faultsWith('{"compatibility": "FULL",}'), /a\/subject\.json 1:26: not JSON/);
  t.match(await faultsWith([]), /a\/subject\.json: must be an object/);
  t.match(await faultsWith({ policy: 'x', __proto__x: 1, constructor: 1 }), /has 3 faults/);
  t.match(await faultsWith({ compatibility: null }), /a\/subject\.json \/compatibility: must be one of NONE, BACKWARD/);
});
