import t from 'tap';
import { Registry, type SchemaVersion, type Subject } from '../../src/schema/registry.ts';
import { DEFAULT_SETTINGS } from '../../src/schema/subject.ts';
import { parseVersion, type VersionNumber } from '../../src/schema/version.ts';

function subject(name: string, ...numbers: VersionNumber[]): Subject {
  const versions = numbers.map(([major, minor, patch]) => {
    const version = `${major}.${minor}.${patch}`;
    const plan = { table: `${name}__v${major}`, columns: [], extra: true };
    return { subject: name, version, major, minor, patch, id: `${name}/${version}`, plan } as unknown as SchemaVersion;
  });
  return { name, settings: DEFAULT_SETTINGS, versions, latest: versions.at(-1)! };
}

const registry = new Registry(
  [subject('order', [1, 0, 0], [1, 2, 0], [1, 10, 0], [2, 0, 0], [10, 0, 1]), subject('user_event', [0, 1, 0])],
  [],
);

t.test('a reference means the newest version that fits it', async (t) => {
  const found: Record<string, string | null> = {
    order: 'order/10.0.1',
    '/order': 'order/10.0.1',
    'order/1': 'order/1.10.0',
    '/order/1': 'order/1.10.0',
    'order/2': 'order/2.0.0',
    'order/1.2.0': 'order/1.2.0',
    '/order/10.0.1': 'order/10.0.1',
    'user_event/0': 'user_event/0.1.0',
    'order/3': null,
    'order/1.2.1': null,
    'order/0': null,
    invoice: null,
  };
  for (let round = 0; round < 2; round++) {
    for (const [reference, id] of Object.entries(found))
      t.equal(registry.resolve(reference)?.id ?? null, id, reference);
  }
});

t.test('anything malformed means nothing', async (t) => {
  const malformed = [
    '',
    '/',
    '//order',
    'order/',
    'order/1.',
    'order/1.2',
    'order/01',
    'order/1.2.0/',
    'order/1.2.0.json',
    'order/v1',
  ];
  malformed.push(
    'Order',
    'order ',
    ' order',
    'order\n',
    'order/1\n',
    'order/1.02.0',
    'order/-1',
    'order/1e0',
    'order/9999999999',
  );
  malformed.push('../order', 'order/../order', 'constructor', '__proto__', 'order/__proto__', 'x'.repeat(100_000));
  for (const reference of malformed) t.equal(registry.resolve(reference), null, JSON.stringify(reference.slice(0, 30)));
});

t.test('very many references leave the answers right', async (t) => {
  for (let number = 0; number < 5_000; number++) registry.resolve(`order/${number}`);
  t.equal(registry.resolve('order/1')?.id, 'order/1.10.0');
});

t.test('with one subject only, its latest version is the one', async (t) => {
  t.equal(registry.only, null);
  t.equal(new Registry([], []).only, null);
  t.equal(new Registry([subject('order', [1, 0, 0], [2, 0, 0])], []).only?.id, 'order/2.0.0');
});

t.test('a version is three numbers without leading zeros', async (t) => {
  t.same(parseVersion('1.20.300'), [1, 20, 300]);
  t.same(parseVersion('0.0.0'), [0, 0, 0]);
  for (const text of ['', '1', '1.0', '1.0.0.0', '01.0.0', '1.0.0-rc', 'v1.0.0', '1.0.0\n', '1.0.1000000000', '1.-1.0'])
    t.equal(parseVersion(text), null);
});
