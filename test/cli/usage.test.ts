import { readFileSync } from 'node:fs';
import t from 'tap';
import { sluice } from './sluice.ts';

const COMMANDS = ['serve', 'migrate', 'load', 'validate', 'schemas', 'anomalies'];

t.test('--version prints the version of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  t.same(await sluice(t, ['--version']), { code: 0, stdout: `${version}\n`, stderr: '' });
});

t.test('--help lists every command, the exit codes and an example', async (t) => {
  const { code, stdout } = await sluice(t, ['--help']);
  t.equal(code, 0);
  for (const name of COMMANDS) t.match(stdout, new RegExp(`^  ${name} `, 'm'));
  t.match(stdout, 'Exit codes');
  t.match(stdout, '  sluice load events.ndjson');
});

for (const name of COMMANDS) {
  t.test(`${name} --help has an example`, async (t) => {
    const { code, stdout } = await sluice(t, [name, '--help']);
    t.equal(code, 0);
    t.match(stdout, new RegExp(`^ .*sluice ${name}`, 'm'));
  });
}

t.test('without a command the help goes to standard error and the exit code is 2', async (t) => {
  const { code, stdout, stderr } = await sluice(t, []);
  t.same([code, stdout], [2, '']);
  t.match(stderr, 'Usage: sluice');
});

const mistakes: [what: string, args: string[], said: string | RegExp][] = [
  ['an unknown command', ['laod', 'x'], 'Did you mean load?'],
  ['an unknown option', ['load', '--shema', 'x', 'y'], 'Did you mean --schema?'],
  ['no file', ['load'], "missing required argument 'FILE'"],
  ['a malformed URL', ['load', '--url', 'localhost:3000', 'x'], 'allowed is an http or https URL'],
  ['a URL with a password', ['load', '--url', 'http://me:secret@127.0.0.1', 'x'], 'allowed is an http or https URL'],
  ['an unknown choice', ['load', '--on-error', 'retry', 'x'], 'Allowed choices are continue, abort.'],
  [
    'a malformed bound',
    ['load', '--max-rejected', '5 %', 'x'],
    'allowed is a count of lines (100) or a share of them (5%)',
  ],
  ['standard input twice', ['load', '-', '-'], 'can be read only once'],
  ['one idempotency key for two batches', ['load', '--idempotency-key', 'k', 'a', 'b'], 'a single FILE'],
  [
    'a report that cannot be written',
    ['load', '--report', '/no/such/folder/r.json', 'x'],
    'the report cannot be written',
  ],
];

for (const [what, args, said] of mistakes) {
  t.test(`${what} is told in a line or two, with exit code 2`, async (t) => {
    const { code, stdout, stderr } = await sluice(t, args);
    t.same([code, stdout], [2, '']);
    t.match(stderr, said);
    t.ok(stderr.split('\n').length <= 4, stderr);
    t.notMatch(stderr, /^ {4}at /m);
  });
}

t.test('a malformed SLUICE_URL names the variable', async (t) => {
  const { code, stderr } = await sluice(t, ['load', 'x'], { env: { SLUICE_URL: 'nonsense' } });
  t.equal(code, 2);
  t.match(stderr, 'SLUICE_URL');
});
