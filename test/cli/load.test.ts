// `sluice load` against the real server.
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';
import { bad, good } from './events.ts';
import { type RunOptions, sluice } from './sluice.ts';

/** Of util-linux: plays a terminal for another program. */
const TERMINAL = 'script';
const ESCAPE = '\u001b';
const MIXED = good(1) + bad(2) + good(3);

t.test('with a server', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const { url } = await startServer(t, { databaseUrl });
  const dir = t.testdir({
    'good.ndjson': good(1) + good(2),
    'mixed.ndjson': MIXED,
    'mixed.gz': gzipSync(MIXED),
    'bad.ndjson': bad() + bad(),
    'empty.ndjson': '',
    folder: {},
  });
  const load = (args: string[], options: RunOptions = {}) =>
    sluice(t, ['load', ...args], { cwd: dir, env: { SLUICE_URL: url }, ...options });
  const rows = async () => (await query<{ count: string }>('SELECT count(*) FROM events.user_event'))[0]!.count;

  t.beforeEach(async () => {
    await query('TRUNCATE events.user_event');
  });

  await t.test('a file of good lines is in the final table, and the exit code is 0', async (t) => {
    const { code, stdout, stderr } = await load(['good.ndjson']);
    t.same([code, stderr], [0, '']);
    t.match(
      stdout,
      /^good\.ndjson: promoted, batch [0-9a-f-]{36}\n {2}2 lines: 2 accepted, 0 rejected, 0 duplicate, 0 blank/,
    );
    t.equal(await rows(), '2');
  });

  await t.test('rejected lines are told by cause, and the exit code is 1', async (t) => {
    const { code, stdout } = await load(['mixed.ndjson']);
    t.equal(code, 1);
    t.match(stdout, '3 lines: 2 accepted, 1 rejected');
    t.match(
      stdout,
      /1 {2}schema_violation {2}user_event\/1\.0\.0 {2}\/event_time {2}format {2}must match format "date-time" {2}line 2/,
    );
    t.equal(await rows(), '2');
  });

  await t.test('gzip is told by its first bytes, from a file and from standard input', async (t) => {
    for (const [args, options] of [
      [['mixed.gz'], {}],
      [['-'], { stdin: gzipSync(MIXED) }],
    ] as const) {
      const { code, stdout } = await load([...args], options);
      t.equal(code, 1);
      t.match(stdout, '3 lines: 2 accepted, 1 rejected');
    }
    t.equal(await rows(), '4');
  });

  await t.test('a file that fails does not stop the next one, and the exit code is the worst', async (t) => {
    const { code, stdout, stderr } = await load([
      'nothing.ndjson',
      'folder',
      'empty.ndjson',
      'mixed.ndjson',
      'good.ndjson',
    ]);
    t.equal(code, 2);
    t.match(stderr, 'sluice: nothing.ndjson: there is no such file\n');
    t.match(stderr, 'sluice: folder: is a directory: name the files in it\n');
    t.match(stderr, 'sluice: empty.ndjson: 400 empty_body: ');
    t.equal(stderr.trim().split('\n').length, 3);
    t.match(stdout, '5 files, 3 without a report: 5 lines, 4 accepted, 1 rejected, 0 duplicate, 0 blank\n');
    t.equal(await rows(), '4');
  });

  await t.test('a batch without a valid line, and an aborted one, exit with 2 and store nothing', async (t) => {
    for (const args of [
      ['bad.ndjson'],
      ['mixed.ndjson', '--on-error', 'abort'],
      ['mixed.ndjson', '--max-rejected', '0'],
      ['mixed.ndjson', '--max-rejected', '30%'],
    ]) {
      const { code, stdout } = await load(args);
      t.equal(code, 2, args.join(' '));
      t.match(stdout, 'nothing was stored');
    }
    t.equal((await load(['mixed.ndjson', '--max-rejected', '1'])).code, 1);
    t.equal((await load(['mixed.ndjson', '--max-rejected', '34%'])).code, 1);
    t.equal(await rows(), '4');
  });

  await t.test('a dry run stores nothing', async (t) => {
    const { code, stdout } = await load(['mixed.ndjson', '--dry-run']);
    t.equal(code, 1);
    t.match(stdout, 'mixed.ndjson: checked, nothing was stored\n');
    t.equal(await rows(), '0');
  });

  await t.test('a schema that is not there is told by the server', async (t) => {
    const { code, stderr } = await load(['good.ndjson', '--schema', 'no_such_subject']);
    t.equal(code, 2);
    t.match(stderr, 'sluice: good.ndjson: 400 unknown_schema: ');
    t.equal((await load(['good.ndjson', '--schema', 'user_event/1'])).code, 0);
  });

  await t.test('the same file with the same key is stored once', async (t) => {
    const args = ['good.ndjson', '--idempotency-key', 'good-1'];
    const [first, again] = [await load(args), await load(args)];
    t.same(again, first);
    t.equal(await rows(), '2');
  });

  await t.test('--json prints one object a file', async (t) => {
    const { code, stdout } = await load(['mixed.ndjson', 'nothing.ndjson', 'empty.ndjson', '--json']);
    t.equal(code, 2);
    const [mixed, nothing, empty] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    t.match(mixed, { source: 'mixed.ndjson', status: 'promoted', lines: { received: 3, accepted: 2, rejected: 1 } });
    t.same(nothing, { source: 'nothing.ndjson', error: 'there is no such file' });
    t.match(empty, { source: 'empty.ndjson', problem: { code: 'empty_body', status: 400 } });
  });

  await t.test('--report has every rejected line with its bytes, also more than the answer holds', async (t) => {
    const strange = Buffer.concat([Buffer.from(good(0)), Buffer.from([0xff, 0x0a]), Buffer.from('"\u2028"\n')]);
    const many = Array.from({ length: 1_500 }, (_, index) => bad(index)).join('');
    const { code } = await load(['-', '--report', 'report.json'], {
      stdin: Buffer.concat([strange, Buffer.from(many)]),
    });
    t.equal(code, 1);
    const report = JSON.parse(readFileSync(`${dir}/report.json`, 'utf8'));
    t.match(report, { source: '-', status: 'promoted', lines: { received: 1_503, accepted: 1, rejected: 1_502 } });
    t.equal(report.rejections_truncated, false);
    t.same(
      report.rejections.map((each: { line: number }) => each.line),
      Array.from({ length: 1_502 }, (_, index) => index + 2),
    );
    t.match(report.rejections[0], { code: 'invalid_utf8', raw_base64: '/w==' });
    t.match(report.rejections[1], { code: 'not_an_object', raw: '"\u2028"' });
    t.equal(`${report.rejections.at(-1).raw}\n`, bad(1_499));
  });

  await t.test('--report of several files is an array in their order', async (t) => {
    await load(['good.ndjson', 'nothing.ndjson', 'mixed.ndjson', '--report', 'reports.json']);
    const reports = JSON.parse(readFileSync(`${dir}/reports.json`, 'utf8'));
    t.match(reports, [
      { source: 'good.ndjson', rejections: [], rejections_truncated: false },
      { source: 'nothing.ndjson', error: 'there is no such file' },
      { source: 'mixed.ndjson', rejections: [{ line: 2, raw: bad(2).trim() }], rejections_truncated: false },
    ]);
    t.equal(reports.length, 3);
  });

  await t.test('--report of an aborted batch has the lines that are to blame', async (t) => {
    await load(['mixed.ndjson', '--on-error', 'abort', '--report', 'aborted.json']);
    const report = JSON.parse(readFileSync(`${dir}/aborted.json`, 'utf8'));
    t.match(report, { status: 'aborted', lines: { accepted: 0, rejected: 3 }, rejections_truncated: false });
    t.same(
      report.rejections.map((each: { line: number }) => each.line),
      [2],
    );
  });

  await t.test('into a pipe goes neither colour nor a bar, whatever the environment says', async (t) => {
    const { stdout, stderr } = await load(['mixed.ndjson'], { env: { SLUICE_URL: url, FORCE_COLOR: '1', CI: 'true' } });
    t.notMatch(stdout, ESCAPE);
    t.equal(stderr, '');
  });

  await t.test('the work goes on when nobody reads the output any more', async (t) => {
    const { code } = await load(['mixed.ndjson', 'good.ndjson'], { isDeaf: true });
    t.equal(code, 1);
    t.equal(await rows(), '4');
  });

  const hasScript = process.platform === 'linux' && spawnSync(TERMINAL, ['--version']).status === 0;
  await t.test(
    'on a terminal there is a bar and colour',
    { skip: !hasScript && 'no program that plays a terminal' },
    async (t) => {
      const bin = `${process.cwd()}/bin/sluice.js`;
      const onTerminal = async (env: Record<string, string>) => {
        const command = `'${process.execPath}' '${bin}' load mixed.ndjson`;
        const { NO_COLOR: _, ...own } = process.env;
        const options = { cwd: dir, env: { ...own, SLUICE_URL: url, TERM: 'xterm', ...env } };
        return (await promisify(execFile)(TERMINAL, ['-qc', command, '/dev/null'], options)).stdout;
      };
      const coloured = await onTerminal({});
      t.match(coloured, /mixed\.ndjson .* rejected so far/);
      t.match(coloured, `${ESCAPE}[32m2 accepted`);
      t.notMatch(await onTerminal({ NO_COLOR: '1' }), `${ESCAPE}[32m`);
    },
  );
});
