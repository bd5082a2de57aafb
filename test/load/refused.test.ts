// Rows that pass every check of ours and that Postgres refuses all the same, because somebody gave final a rule.
import t from 'tap';
import { addsUp, get, lines, ndjson, post, userEvent } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';

const good = JSON.stringify(userEvent());
const forbidden = JSON.stringify(userEvent({}, { phone_number: 'forbidden' }));

t.test('an unforeseen refusal costs one line, in a small batch and in a large one', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  await query("ALTER TABLE events.user_event ADD CONSTRAINT allowed CHECK (phone_number <> 'forbidden')");

  const small = await post(server, ndjson(good, forbidden, good, '{', forbidden, good));
  t.equal(small.status, 207);
  t.strictSame(small.json.lines, { received: 6, accepted: 3, rejected: 3, duplicate: 0, blank: 0 });
  t.ok(addsUp(small.json));
  t.match(
    small.json.rejections.find(({ line }: { line: number }) => line === 5),
    {
      code: 'unstorable_value',
      schema: 'user_event/1.0.0',
      offset: (good.length + 1) * 2 + forbidden.length + 1 + 2,
      length: forbidden.length,
      errors: [{ keyword: 'storable', message: /"allowed"/ }],
    },
  );
  t.match(
    lines(await get(server, small.json.links.rejections)).find(({ line }) => line === 2),
    { raw: forbidden },
  );

  const strict = await post(server, ndjson(good, forbidden), { query: { on_error: 'abort' } });
  t.match(strict, { status: 422, json: { status: 'aborted', lines: { accepted: 0, rejected: 2 } } });
  t.ok(addsUp(strict.json));
  const share = await post(server, ndjson(good, forbidden), { query: { max_rejected: '49%' } });
  t.match(share, { status: 422, json: { status: 'aborted' } });

  const count = 90_000;
  const all = Array.from({ length: count }, (_, index) => (index % 30_000 === 29_999 ? forbidden : good));
  const large = await post(server, ndjson(...all));
  t.strictSame(large.json.lines, { received: count, accepted: count - 3, rejected: 3, duplicate: 0, blank: 0 });
  t.strictSame(
    large.json.rejections.map(({ line }: { line: number }) => line).sort((a: number, b: number) => a - b),
    [30_000, 60_000, 90_000],
  );
  t.ok(addsUp(large.json));
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: count }]);
});

t.test(
  'a rule that only shows in final: a small batch loses the line, a large one is aborted as a whole',
  async (t) => {
    const { url: databaseUrl, query } = await testDatabase(t);
    const server = await startServer(t, { databaseUrl });
    await query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF new.phone_number = 'forbidden' THEN RAISE check_violation USING MESSAGE = 'not this one'; END IF;
      RETURN new;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON events.user_event FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const small = await post(server, ndjson(good, forbidden, good));
    t.match(small, {
      status: 207,
      json: { lines: { accepted: 2, rejected: 1 }, rejections: [{ line: 2, code: 'unstorable_value' }] },
    });

    const large = await post(server, ndjson(forbidden, ...Array.from({ length: 90_000 }, () => good)));
    t.match(large, { status: 422, json: { status: 'aborted', reason: /not this one/, lines: { accepted: 0 } } });
    t.ok(addsUp(large.json));
    t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 2 }]);
  },
);
