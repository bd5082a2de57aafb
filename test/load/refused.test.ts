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

/** Rules that the stage does not have: each refuses what `forbidden` holds, and nothing else. */
const RULES: [name: string, sql: string, message: RegExp][] = [
  ['a trigger', triggerThat("RAISE check_violation USING MESSAGE = 'not this one'"), /not this one/],
  ['a trigger that raises without a code', triggerThat("RAISE EXCEPTION 'not this one'"), /not this one/],
  ['a trigger with a code of its own', triggerThat("RAISE EXCEPTION 'mine' USING ERRCODE = 'ZZ001'"), /mine/],
  ['a trigger with a failing assertion', triggerThat("ASSERT false, 'no way'"), /no way/],
  [
    'a foreign key',
    `CREATE TABLE phones (number text PRIMARY KEY); INSERT INTO phones VALUES ('+4912345');
     ALTER TABLE events.user_event ADD FOREIGN KEY (phone_number) REFERENCES phones`,
    /foreign key/,
  ],
  [
    'a foreign key that waits for the commit',
    `CREATE TABLE phones (number text PRIMARY KEY); INSERT INTO phones VALUES ('+4912345');
     ALTER TABLE events.user_event ADD FOREIGN KEY (phone_number) REFERENCES phones DEFERRABLE INITIALLY DEFERRED`,
    /foreign key/,
  ],
  [
    'a computed column',
    `ALTER TABLE events.user_event ADD COLUMN half integer
       GENERATED ALWAYS AS (1 / (CASE phone_number WHEN 'forbidden' THEN 0 ELSE 1 END)) STORED`,
    /division by zero/,
  ],
  [
    'a column of a narrower type',
    'ALTER TABLE events.user_event ALTER COLUMN phone_number TYPE varchar(8)',
    /too long/,
  ],
];

function triggerThat(does: string): string {
  return `
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF new.phone_number = 'forbidden' THEN ${does}; END IF;
      RETURN new;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON events.user_event FOR EACH ROW EXECUTE FUNCTION refuse()`;
}

const LARGE = 60_000;

for (const [name, sql, message] of RULES) {
  t.test(
    `a rule that only final has costs its lines alone, in a small batch and in a large one: ${name}`,
    async (t) => {
      const { url: databaseUrl, query } = await testDatabase(t);
      const server = await startServer(t, { databaseUrl });
      await query(sql);
      const small = await post(server, ndjson(good, forbidden, good));
      t.match(small, {
        status: 207,
        json: {
          lines: { accepted: 2, rejected: 1 },
          rejections: [{ line: 2, code: 'unstorable_value', errors: [{ keyword: 'storable', message }] }],
        },
      });

      // The first and the last are in different chunks, and one is still in memory at the end.
      const bad = new Set([1, 2, 29_999, LARGE - 1]);
      const all = Array.from({ length: LARGE }, (_, index) => (bad.has(index) ? forbidden : good));
      const large = await post(server, ndjson(...all));
      t.strictSame(large.json.lines, { received: LARGE, accepted: LARGE - 4, rejected: 4, duplicate: 0, blank: 0 });
      t.ok(addsUp(large.json));
      const rejected = lines(await get(server, large.json.links.rejections));
      t.strictSame(
        rejected.map(({ line, raw }) => [line, raw]),
        [...bad].map((index) => [index + 1, forbidden]),
      );
      t.match(rejected[0], { offset: good.length + 1, errors: [{ keyword: 'storable', message }] });
      t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: LARGE - 4 + 2 }]);
      t.match((await get(server, large.json.links.reconciliation)).json, { status: 'matched' });
      t.strictSame(await query("SELECT tablename FROM pg_tables WHERE schemaname = 'stage' AND tablename ~ '^0'"), []);
    },
  );
}

t.test('of rows that contradict each other the first is taken, also where it is in the stage already', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  await query('CREATE UNIQUE INDEX ON events.user_event (phone_number)');
  const numbered = Array.from({ length: LARGE }, (_, index) =>
    JSON.stringify(userEvent({}, { phone_number: String(index % (LARGE - 500)) })),
  );
  const large = await post(server, ndjson(...numbered), { query: { report: 'summary' } });
  t.strictSame(large.json.lines, { received: LARGE, accepted: LARGE - 500, rejected: 500, duplicate: 0, blank: 0 });
  t.ok(addsUp(large.json));
  const rejected = lines(await get(server, large.json.links.rejections));
  t.equal(rejected.length, 500);
  t.strictSame([rejected[0].line, rejected.at(-1).line], [LARGE - 499, LARGE]);
  t.equal(rejected[0].raw, numbered[LARGE - 500]);

  const again = await post(server, ndjson(numbered[0]!, userEvent({}, { phone_number: 'new' }), numbered[1]!));
  t.match(again.json, { lines: { accepted: 1, rejected: 2 } });
});

t.test('a batch of which every line is refused is rejected as a whole, line by line', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl });
  await query(RULES[0]![1]);
  const large = await post(server, ndjson(...Array.from({ length: LARGE }, () => forbidden)));
  t.match(large, { status: 422, json: { status: 'rejected', lines: { accepted: 0, rejected: LARGE } } });
  t.ok(addsUp(large.json));
  const [stored] = await query(
    'SELECT count(*)::int AS n, count(DISTINCT batch_line)::int AS lines FROM sluice.rejections',
  );
  t.strictSame(stored, { n: LARGE, lines: LARGE });

  const strict = await post(server, ndjson(...Array.from({ length: LARGE }, () => good), forbidden), {
    query: { on_error: 'abort' },
  });
  t.match(strict, { status: 422, json: { status: 'aborted', reason: /line 60001 was rejected/ } });
  t.ok(addsUp(strict.json));
  t.strictSame(await query('SELECT count(*)::int AS n FROM events.user_event'), [{ n: 0 }]);
  const bounded = await startServer(t, { databaseUrl, env: { MAX_REJECTIONS: '100' } });
  const over = await post(bounded, ndjson(...Array.from({ length: LARGE }, () => forbidden)));
  t.match(over, { status: 422, json: { status: 'aborted', reason: /more than 100 lines were rejected/ } });
  t.ok(addsUp(over.json));
});
