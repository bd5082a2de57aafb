// reconcile as a process, with a role that may do nothing but read.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { ndjson, ndjsonOf } from '../helpers/http.ts';
import type { TestDatabase } from '../helpers/postgres.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { bench, thing } from '../reconcile/batches.ts';
import { type RunOptions, sluice } from './sluice.ts';

/** Whoever only looks: USAGE and SELECT, and not even temporary tables. */
async function readerOf(t: Test, { query, url, name }: TestDatabase): Promise<string> {
  const role = `reader_${randomBytes(6).toString('hex')}`;
  await query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
  await query(`REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
  for (const schema of ['sluice', 'events', 'stage']) {
    await query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
    await query(`GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role}`);
  }
  t.teardown(() => query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));
  const reader = new URL(url);
  reader.username = role;
  reader.password = 'secret';
  return reader.href;
}

function reconcile(t: Test, url: string, args: string[], options: RunOptions = {}) {
  return sluice(t, ['reconcile', ...args], { ...options, env: { DATABASE_URL: url } });
}

function fileOf(t: Test, name: string, content: string | Buffer): string {
  // Of its own: tap's has the schemas in it.
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

const objects = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

t.test('one batch and all of a time, with read access only', async (t) => {
  const base = await bench(t);
  const { id } = await base.load([{ text: ndjsonOf([thing(1), thing(2), thing(3)]) }]);
  const { id: other } = await base.load([{ text: ndjson(thing(4), '{') }]);
  const { id: old } = await base.load([{ text: ndjsonOf([thing(5)]) }]);
  await base.load([{ text: '{' }]);
  await base.query(`UPDATE sluice.batches SET received_at = now() - interval '3 days' WHERE id = $1`, [old]);
  await base.query(`UPDATE events.thing SET _received_at = (SELECT min(received_at) FROM sluice.batches) WHERE n = 5`);
  await base.query(
    `INSERT INTO sluice.batches (id, status, received_at, process) VALUES (gen_random_uuid(), 'receiving', now(), 1)`,
  );
  const url = await readerOf(t, base);

  t.match(await reconcile(t, url, ['--batch', id]), {
    code: 0,
    stdout: `${id}: matched\n  3 rows expected, 3 found; `,
    stderr: '',
  });
  t.match(await reconcile(t, url, ['--since', '24h']), {
    code: 0,
    stdout: /^3 batches since .*: 3 matched, 0 differ\n$/,
  });
  t.match(await reconcile(t, url, ['--since', '7d']), {
    code: 0,
    stdout: /^4 batches since .*: 4 matched, 0 differ\n$/,
  });

  await base.query('DELETE FROM events.thing WHERE n IN (1, 5)');
  await base.query('UPDATE events.thing SET b = NULL WHERE n = 3');
  await base.query('DELETE FROM sluice.row_digests WHERE batch_id = $1', [other]);
  const one = await reconcile(t, url, ['--batch', id]);
  t.match(one, {
    code: 1,
    stdout: /: NOT as it was accepted\n {2}3 rows expected, 2 found.*\n {2}missing: 1\n {2}changed: 3\n$/,
  });
  const json = await reconcile(t, url, ['--batch', id, '--json']);
  t.match([json.code, objects(json.stdout)], [1, [{ status: 'mismatched', missing: [1], changed: [3] }]]);
  const recent = await reconcile(t, url, ['--since', '24h']);
  t.equal(recent.code, 1);
  const [difference, summary] = recent.stdout.split('\n');
  t.equal(difference, `${id}: missing: 1; changed: 3`);
  t.match(summary, /^3 batches .* 1 matched, 1 differ, 1 without a record to be held against$/);
  const all = await reconcile(t, url, ['--since', '2020-01-01', '--json']);
  t.match(objects(all.stdout), [
    { batch_id: old, missing: [1] },
    { batch_id: id },
    { since: '2020-01-01T00:00:00.000Z', batches: 4, matched: 1, mismatched: 2, not_provable: 1 },
  ]);
  t.match(await reconcile(t, url, ['--batch', other]), { code: 2, stderr: /^sluice: batch_not_provable: / });
});

t.test('files against a batch, with read access only', async (t) => {
  const base = await bench(t);
  const [one, two] = [
    ndjsonOf(Array.from({ length: 70 }, (_, at) => thing(at))),
    ndjson(thing(100), '{', '', thing(101)),
  ];
  const { id } = await base.load([{ text: one }, { text: two, sent: gzipSync(two) }]);
  const url = await readerOf(t, base);
  const [first, second] = [fileOf(t, 'one.ndjson', one), fileOf(t, 'two.ndjson.gz', gzipSync(two))];
  const fine = await reconcile(t, url, ['--batch', id, '--file', first, '--file', second]);
  t.match(fine, {
    code: 0,
    stdout: `${id} (promoted): matched\n  74 lines: 72 stored, 1 rejected, 0 duplicate, 1 blank\n`,
  });
  t.match(await reconcile(t, url, ['--file', first, second, '--batch', id]), { code: 0 });

  await base.query('UPDATE events.thing SET n = n + 1 WHERE n < 60');
  await base.query('DELETE FROM events.thing WHERE n = 101');
  const text = await reconcile(t, url, ['--batch', id, '--file', first, second]);
  t.equal(text.code, 1);
  t.match(
    text.stdout,
    /^changed 1 \(part-0\.ndjson, line 1\): its row is another one: n\n {4}n: 0 in the file, 1 in the table\n/,
  );
  t.match(
    text.stdout,
    `… and 11 more (--json lists all)\n${id} (promoted): NOT as the file says: 60 changed, 1 missing\n`,
  );
  const json = objects((await reconcile(t, url, ['--batch', id, '--json', '--file', first, second])).stdout);
  t.equal(json.length, 62);
  t.match(json.at(-2), { kind: 'missing', line: 74, file: 'part-1.ndjson', file_line: 4, table: 'events.thing' });
  t.match(json.at(-1), { batch_id: id, status: 'mismatched', differences: { changed: 60, missing: 1 } });

  const { id: piped } = await base.load([{ text: two }]);
  t.match(await reconcile(t, url, ['--batch', piped, '--file', '-'], { stdin: two }), { code: 0 });
  const packed = await reconcile(t, url, ['--batch', piped, '--file', second]);
  t.match(
    packed,
    { code: 1, stdout: /^source: .*two\.ndjson\.gz is not what was received/ },
    'other bytes, the same lines',
  );
});

t.test('what cannot run says so in a line, with exit code 2', async (t) => {
  const { url } = await testDatabase(t);
  const id = '019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50';
  t.match(await reconcile(t, url, ['--batch', id]), {
    code: 2,
    stderr: /^sluice: The database cannot be reconciled: .*\n$/,
  });
  t.match(await reconcile(t, url, ['--since', '1h']), { code: 2, stderr: /cannot be reconciled/ });
  const base = await bench(t);
  const loaded = await base.load([{ text: ndjsonOf([thing(1)]) }]);
  t.match(await reconcile(t, base.url, ['--batch', id]), { code: 2, stderr: /^sluice: batch_not_found: / });
  const gone = await reconcile(t, base.url, ['--batch', loaded.id, '--file', 'nowhere.ndjson']);
  t.match(gone, { code: 2, stderr: /nowhere\.ndjson: there is no such file/ });
  const broken = fileOf(t, 'broken.gz', gzipSync(ndjsonOf([thing(1)])).subarray(0, 40));
  t.match(await reconcile(t, base.url, ['--batch', loaded.id, '--file', broken]), { code: 2, stderr: /broken\.gz: / });
  const nobody = await reconcile(t, 'postgres://me:secret@127.0.0.1:1/none', ['--batch', id]);
  t.match(nobody, { code: 2, stderr: /^sluice: Postgres cannot be used: / });
  for (const args of [
    [],
    ['--batch', id, '--since', '1h'],
    ['--file', 'x', '--since', '1h'],
    ['--batch', 'x'],
    ['--since', 'yesterday'],
    ['--batch', id, '--file', '-', '-'],
  ]) {
    const { code, stderr } = await reconcile(t, url, args);
    t.match([code, stderr], [2, /^error: /], args.join(' '));
  }
});

t.test('a role that may not read a table is told so', async (t) => {
  const base = await bench(t);
  const { id } = await base.load([{ text: ndjsonOf([thing(1)]) }]);
  const url = await readerOf(t, base);
  await base.query(`REVOKE SELECT ON events.thing FROM ${new URL(url).username}`);
  const run = await reconcile(t, url, ['--batch', id]);
  t.match(run, { code: 2, stderr: 'sluice: Postgres cannot be used: permission denied for table thing\n' });
});
