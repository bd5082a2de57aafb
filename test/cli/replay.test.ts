// `sluice replay` against the real server.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { quarantine, VISIT_MORE } from '../quarantine/replaying.ts';
import { type RunOptions, sluice } from './sluice.ts';

t.test('with a server', async (t) => {
  const { server, ingest, register, stored } = await quarantine(t);
  const dir = t.testdir({
    'patch.json': '[{"op": "replace", "path": "/a", "value": 9007199254740993}]',
    'broken.json': '[',
  });
  const replay = (args: string[], options: RunOptions = {}) =>
    sluice(t, ['replay', ...args], { cwd: dir, env: { SLUICE_URL: server.url }, ...options });
  const { json: origin } = await ingest('visit', { a: 1, b: 'x' }, { a: 'y' }, { a: 'z' });

  await t.test('lines that are rejected again: exit code 1', async (t) => {
    const { code, stdout, stderr } = await replay([]);
    t.same([code, stderr], [1, '']);
    t.match(stdout, /^rejections: rejected, batch [0-9a-f-]{36}: no line is valid/);
    t.match(stdout, '3 lines: 0 accepted, 3 rejected');
  });

  await t.test('a dry run stores nothing', async (t) => {
    await register('visit', VISIT_MORE);
    const { code, stdout } = await replay(['--dry-run', '--batch', origin.batch_id]);
    t.equal(code, 1);
    t.match(stdout, /^rejections: checked, nothing was stored\n {2}3 lines: 1 accepted, 2 rejected/);
    t.strictSame(await stored('visit', 'a'), []);
  });

  await t.test('a report file and JSON on standard output', async (t) => {
    const { code, stdout } = await replay(['--json', '--report', 'report.json', '--schema', 'visit/1.1.0']);
    t.equal(code, 1);
    t.match(JSON.parse(stdout), { source: 'rejections', replay_of: [origin.batch_id], lines: { accepted: 1 } });
    const report = JSON.parse(readFileSync(join(dir, 'report.json'), 'utf8'));
    t.match(report, { rejections: [{ raw: '{"a":"y"}', origin: { line: 2 } }, { raw: '{"a":"z"}' }] });
    t.strictSame(await stored('visit', 'a'), ['1']);
  });

  await t.test('a patch from a file or standard input keeps its numbers; all rescued: exit code 0', async (t) => {
    const filter = ['--subject', 'visit', '--code', 'schema_violation', '--path', '/a', '--keyword', 'type'];
    const test = '[{"op": "test", "path": "/a", "value": "y"}, {"op": "replace", "path": "/a", "value": 5}]';
    t.match(await replay([...filter, '--patch', '-'], { stdin: test }), { code: 1, stdout: /patch_failed/ });
    const { code, stdout } = await replay([...filter, '--patch', 'patch.json']);
    t.equal(code, 0);
    t.match(stdout, '1 line: 1 accepted, 0 rejected');
    t.strictSame(await stored('visit', 'a'), ['1', '5', '9007199254740993']);
    t.match(await replay([]), { code: 0, stdout: /^rejections: nothing to replay\n/ });
  });

  await t.test('what cannot be done: exit code 2, and one line', async (t) => {
    writeFileSync(join(dir, 'object.json'), '{}');
    for (const [args, message] of [
      [['--code', 'x'], 'sluice: rejections: 400 invalid_body: The body is not valid at /filter/code'],
      [['--schema', 'x'], 'sluice: rejections: 400 unknown_schema'],
      [['--patch', 'object.json'], 'sluice: rejections: 400 invalid_body: The body is not valid at /patch'],
      [['--patch', 'broken.json'], 'error: the patch broken.json: cannot be read: '],
      [['--patch', 'nothing.json'], 'error: the patch nothing.json: there is no such file'],
      [['--url', 'http://127.0.0.1:9'], 'sluice: rejections: no server listens at http://127.0.0.1:9'],
    ] as const) {
      const { code, stdout, stderr } = await replay([...args]);
      t.same([code, stdout], [2, ''], args.join(' '));
      t.ok(stderr.startsWith(message), stderr);
    }
  });
});
