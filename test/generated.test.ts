// Generated lines with all kinds of badness mixed in: each line gets the verdict that its badness deserves.
// SLUICE_TEST_LINES=1000000 is the size that the bench loads.
import t from 'tap';
import { type Badness, generate } from '../bench/generate.ts';
import type { RejectionCode } from '../src/model.ts';
import { addsUp, get, lines, post } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';

const COUNT = Number(process.env.SLUICE_TEST_LINES ?? 40_000);

const DESERVED: Record<Badness, RejectionCode> = {
  broken_json: 'invalid_json',
  wrong_type: 'schema_violation',
  bad_date: 'schema_violation',
  bad_utf8: 'invalid_utf8',
  overlong: 'line_too_long',
  missing_field: 'schema_violation',
  extra_field: 'schema_violation',
};

t.test('one bad line in a hundred, of every kind', async (t) => {
  t.setTimeout(280_000);
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, env: { MAX_LINE_BYTES: '20000' } });
  const expected: (RejectionCode | null)[] = [];
  const blocks: Buffer[] = [];
  for (const { bytes, badness } of generate({ lines: COUNT, seed: 7, bad: 0.01, lineLimit: 20_000 })) {
    expected.push(badness === null ? null : DESERVED[badness]);
    blocks.push(bytes);
  }
  const { status, json: report } = await post(server, Buffer.concat(blocks));
  t.equal(status, 207);
  t.ok(addsUp(report));
  const good = expected.filter((code) => code === null).length;
  t.strictSame(report.lines, { received: COUNT, accepted: good, rejected: COUNT - good, duplicate: 0, blank: 0 });
  const codes = new Set(expected.filter((code) => code !== null));
  t.equal(codes.size, 4, 'the seed has all kinds in it');
  const verdicts = lines(await get(server, report.links.lines));
  const wrong = verdicts.filter(({ code }, index) => (code ?? null) !== expected[index]);
  t.strictSame(wrong, []);

  const rejections = lines(await get(server, report.links.rejections));
  const whole = Buffer.concat(blocks);
  const displaced = rejections.filter(({ offset, length, raw, raw_base64 }) => {
    const kept = raw === undefined ? Buffer.from(raw_base64, 'base64') : Buffer.from(raw);
    return !whole.subarray(offset, offset + Math.min(length, 20_000)).equals(kept);
  });
  t.strictSame(displaced, [], 'each rejection has the bytes at its offset');
  const [sums] = await query('SELECT count(*)::int AS n, count(DISTINCT _line)::int AS lines FROM events.user_event');
  t.strictSame(sums, { n: good, lines: good });
});
