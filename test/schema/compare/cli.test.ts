// `sluice schemas compare` as a process: what it prints where, and how it exits.

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const COMMAND = new URL('../../../src/cli/compare.ts', import.meta.url).href;
const program = `
  import { Command } from 'commander';
  const { compareCommand } = await import(${JSON.stringify(COMMAND)});
  await new Command('sluice').addCommand(new Command('schemas').addCommand(compareCommand())).parseAsync();
`;

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function sluice(args: string[], input = ''): Promise<Ended> {
  const child = spawn(process.execPath, [
    '--import=tsx',
    '--input-type=module',
    '-e',
    program,
    '--',
    'schemas',
    'compare',
    ...args,
  ]);
  const ended: Ended = { code: null, out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    ended.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    ended.err += chunk;
  });
  child.stdin.end(input);
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...ended, code })));
}

const dir = t.testdir({
  'int.json': '{"type":"integer"}',
  'num.json': '\uFEFF{"type":"number"}',
  'broken.json': '{"type":',
  'strange.json': '{"type":"strange"}',
});
const at = (name: string) => join(dir, name);

t.test('compatible exits 0, incompatible exits 1, in words and as JSON', async (t) => {
  const wide = await sluice([at('int.json'), at('num.json')]);
  t.match(wide, { code: 0, err: '' });
  t.match(wide.out, /^compatible \(BACKWARD\); needs a minor version/);
  const narrow = await sluice([at('num.json'), at('int.json')]);
  t.equal(narrow.code, 1);
  t.match(narrow.out, /NOT compatible[\s\S]*breaks backward[\s\S]*0\.5/);
  const json = await sluice([at('num.json'), at('int.json'), '--format', 'json', '--mode', 'forward_transitive']);
  t.equal(json.code, 0);
  t.match(JSON.parse(json.out), {
    compatible: true,
    mode: 'FORWARD_TRANSITIVE',
    differences: [{ type: 'type_narrowed', witness: 0.5 }],
  });
});

t.test('what cannot run exits 2 and says why on stderr', async (t) => {
  for (const [args, why] of [
    [[at('none.json'), at('int.json')], /cannot be read/],
    [[at('broken.json'), at('int.json')], /is not JSON/],
    [[at('strange.json'), at('int.json')], /not a schema: .*"\/type"/],
    [[at('int.json')], /two files/],
    [['--pairs', at('none.ndjson')], /none\.ndjson/],
  ] as [string[], RegExp][]) {
    const ended = await sluice(args);
    t.match(ended, { code: 2, out: '' }, args.join(' '));
    t.match(ended.err, why);
  }
});

t.test('pairs are answered line by line, in order, and a bad one does not stop the others', async (t) => {
  const lines = [
    '{"id":1,"old":{"type":"integer"},"new":{"type":"number"}}',
    '{"id":"two","old":true,"new":{"type":"number"},"mode":"FORWARD"}',
    '',
    'not json',
    '{"id":4,"old":{"$ref":"http://127.0.0.1:9/"},"new":{}}',
    '{"id":5,"old":{}}',
    '{"id":6,"old":{},"new":{"properties":{"a":{"type":"string"}}},"lenient":true,"mode":"NONE"}',
    '{"id":7,"old":{},"new":{},"mode":"SIDEWAYS"}',
  ];
  const ended = await sluice(['--pairs', '-'], `${lines.join('\n')}\n`);
  t.equal(ended.code, 2);
  const answers = ended.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.same(
    answers.map(({ id }) => id),
    [1, 'two', null, 4, 5, 6, 7],
  );
  t.same(
    answers.map(({ compatible }) => compatible),
    [true, true, undefined, undefined, undefined, true, undefined],
  );
  for (const index of [2, 3, 4, 6]) t.type(answers[index]?.error, 'string');
});

t.test('pairs exit 0 when all are compatible and 1 when one is not', async (t) => {
  const pair = (before: unknown, after: unknown) => JSON.stringify({ old: before, new: after });
  const file = at('pairs.ndjson');
  writeFileSync(file, Array.from({ length: 300 }, (_, i) => pair({ const: i }, { type: 'integer' })).join('\n'));
  const fine = await sluice(['--pairs', file]);
  t.equal(fine.code, 0);
  t.equal(fine.out.trim().split('\n').length, 300);
  t.equal((await sluice(['--pairs', '-'], pair({}, { type: 'integer' }))).code, 1);
});
