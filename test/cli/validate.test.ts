// `sluice validate`: the same verdicts as the server's, with neither server nor database.
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { startServer } from '../helpers/server.ts';
import { bad, good } from './events.ts';
import { sluice } from './sluice.ts';

const SCHEMAS = `${process.cwd()}/schemas`;

/** Something of everything. */
const LINES = Buffer.concat([
  Buffer.from(`${good(1)}\n${bad(2)}${good(3).replace('}\n', ',"more":1}\n')}{"event_type":\n[1]\n"x"\n`),
  Buffer.from([0xff, 0xfe, 0x0a]),
  Buffer.from(good(4).replace('"event_type":4', '"event_type":1e40')),
  Buffer.from(good(5).replace('2026-11-20T08', '0000-11-20T08')),
  Buffer.from(good(6).replace('user6@', '\\u0000@')),
  Buffer.from(good(7).trimEnd()),
]);

t.test('the verdicts are those of a dry run', async (t) => {
  const { url } = await startServer(t);
  const dir = t.testdir({ 'a.ndjson': LINES, 'a.gz': gzipSync(LINES) });
  const run = async (command: string, file: string) => {
    const { code, stdout, stderr } = await sluice(
      t,
      [command, file, '--json', ...(command === 'load' ? ['--url', url, '--dry-run'] : [])],
      {
        cwd: dir,
        env: { SCHEMA_DIR: SCHEMAS },
      },
    );
    t.equal(stderr, '');
    // What differs: no batch, no stage, no wire.
    const { batch_id: _, duration_ms: __, checks: ___, bytes: ____, ...report } = JSON.parse(stdout);
    return { code, report };
  };
  for (const file of ['a.ndjson', 'a.gz']) {
    const validated = await run('validate', file);
    t.same(validated, await run('load', file));
    t.equal(validated.code, 1);
    t.match(validated.report.lines, { received: 12, blank: 1 });
    t.ok(validated.report.causes.length >= 5);
  }
});

t.test('without a server', async (t) => {
  const dir = t.testdir({
    'good.ndjson': good() + good(),
    'mixed.ndjson': good() + bad(),
    'broken.gz': gzipSync(good()).subarray(0, 40),
    'empty.ndjson': '',
    schemas: { page_view: { '1.0.0.json': '{"type": "object", "required": ["page"]}' } },
    broken: { 'x y': { '1.0.0.json': '{' } },
  });
  const validate = (args: string[], env: Record<string, string> = { SCHEMA_DIR: SCHEMAS }, stdin = '') =>
    sluice(t, ['validate', ...args], { cwd: dir, env, stdin });

  await t.test('the exit code says whether every line is fine', async (t) => {
    const fine = await validate(['good.ndjson']);
    t.same([fine.code, fine.stderr], [0, '']);
    t.match(fine.stdout, 'good.ndjson: checked, nothing was stored\n  2 lines: 2 accepted');
    t.equal((await validate(['good.ndjson', 'mixed.ndjson'])).code, 1);
    t.equal((await validate(['-'], undefined, good())).code, 0);
  });

  await t.test('--schema-dir and SCHEMA_DIR name the folder, --schema the schema', async (t) => {
    t.equal((await validate(['-', '--schema-dir', 'schemas'], undefined, '{"page":1}\n')).code, 0);
    t.equal((await validate(['-'], { SCHEMA_DIR: 'schemas' }, '{}\n')).code, 1);
    t.equal((await validate(['-', '--schema', 'page_view/1'], { SCHEMA_DIR: 'schemas' }, '{"page":1}\n')).code, 0);
    const unknown = await validate(['good.ndjson', '--schema', 'page_view']);
    t.equal(unknown.code, 2);
    t.match(unknown.stderr, /^sluice: good\.ndjson: unknown_schema: .*page_view.*\n$/);
  });

  await t.test('what cannot be read is told in a line, and the next file is judged all the same', async (t) => {
    const { code, stdout, stderr } = await validate(['nothing', 'broken.gz', 'empty.ndjson', 'good.ndjson']);
    t.equal(code, 2);
    t.match(stderr, 'sluice: nothing: there is no such file\n');
    t.match(stderr, 'sluice: broken.gz: cannot be read: ');
    t.match(stderr, 'sluice: empty.ndjson: empty_body: ');
    t.equal(stderr.trim().split('\n').length, 3);
    t.match(stdout, 'good.ndjson: checked');
  });

  await t.test('a schema folder that does not load says why, without a stack', async (t) => {
    for (const folder of ['broken', 'no_such_folder']) {
      const { code, stdout, stderr } = await validate(['good.ndjson'], { SCHEMA_DIR: folder });
      t.same([code, stdout], [2, '']);
      t.match(stderr, folder);
      t.notMatch(stderr, /^ {4}at /m);
    }
  });
});
