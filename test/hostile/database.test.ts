// Values and rules that trouble a database: what COPY, an index or a constraint could stumble over.
import { ndjson, userEvent } from '../helpers/http.ts';
import { hostile } from './arena.ts';
import { alone, betweenNeighbours, lineCase as line } from './lines.ts';
import { THINGS, thing } from './thing.ts';

const good = JSON.stringify(userEvent());
const spoken = (text: string): string => good.replace('+4912345', () => text);

/** JSON of a text, which is stored to the character. */
const TEXTS = [
  'a\\tb',
  'a\\nb',
  'a\\r\\nb',
  '\\\\',
  '\\\\.',
  '\\n\\\\.\\n',
  '\\\\N',
  '\\"',
  "'",
  "''); drop table events.user_event; --",
  '\ufeffx',
  '',
  ' ',
  'NULL',
  '\\\\x00',
  '{1,2}',
  '$$',
];

hostile('what text COPY would take for something else is stored as it is', {}, async (t, arena) => {
  const cases = TEXTS.map((text, at) => line(`${at}: ${text}`, spoken(text), null));
  await betweenNeighbours(t, arena, cases, () => good);
  await alone(t, arena, cases, good);
  const rows = await arena.query(
    'SELECT phone_number AS text FROM events.user_event WHERE _line % 2 = 1 ORDER BY _line',
  );
  t.strictSame(
    rows.map(({ text }) => text),
    TEXTS.map((text) => JSON.parse(`"${text}"`)),
  );
});

hostile('an empty text, a null and a missing member are three things', { schemas: THINGS }, async (t, arena) => {
  const cases = [
    line('an empty text', thing('empty', '"text":""'), null),
    line('a null', thing('null', '"text":null'), null),
    line('a missing member', thing('missing'), null),
    line('a null where none is allowed', thing('x', '"flag":null'), 'schema_violation', 'type', '/flag'),
  ];
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
  const read = "SELECT id, text, _extra FROM events.thing WHERE id IN ('empty', 'null', 'missing') ORDER BY _line";
  t.strictSame(await arena.query(read), [
    { id: 'empty', text: '', _extra: null },
    { id: 'null', text: null, _extra: { text: null } },
    { id: 'missing', text: null, _extra: null },
  ]);
});

hostile('an id is as long as an index can hold, counted in bytes', { schemas: THINGS }, async (t, arena) => {
  // What compresses well would fit all the same; the bound does not depend on that.
  const random = Array.from({ length: 2_600 }, (_, at) => String.fromCharCode(33 + ((at * 7_919 + at * at) % 90)));
  const noise = random.map((character) => (character === '"' || character === '\\' ? 'x' : character)).join('');
  const cases = [
    line('2,600 bytes that hardly compress', thing(noise), null),
    line('2,601 bytes', thing(`${noise}x`), 'unstorable_value', 'storable', '/id'),
    line('2,600 equal bytes', thing('x'.repeat(2_600)), null),
    line('1,300 letters of two bytes', thing('é'.repeat(1_300)), null),
    line('1,301 letters of two bytes', thing('é'.repeat(1_301)), 'unstorable_value', 'storable', '/id'),
    line('an id of 1 MB', thing('x'.repeat(1_000_000)), 'unstorable_value', 'storable', '/id'),
    line('an empty id', '{"id":""}', null),
    line('an id with spaces around it', '{"id":" a "}', null),
    line('the same without', '{"id":"a"}', null),
  ];
  await betweenNeighbours(t, arena, cases, (index) => thing(`good-${index}`));
});

hostile(
  'an id that comes again is a duplicate, in the same upload and in the next',
  { schemas: THINGS },
  async (t, arena) => {
    const first = await arena.post('first', ndjson(thing('a'), thing('a', '"whole":2'), thing('b')), {
      query: { report: 'full' },
    });
    const verdicts = first.json.verdicts.map(({ verdict }: { verdict: string }) => verdict);
    t.strictSame(verdicts, ['accepted', 'duplicate', 'accepted']);
    const again = await arena.post('again', ndjson(thing('b'), thing('c'), thing('a')));
    t.match(again, { status: 201, json: { lines: { accepted: 1, duplicate: 2 } } });
    t.strictSame(await arena.query('SELECT id, whole FROM events.thing ORDER BY id'), [
      { id: 'a', whole: null },
      { id: 'b', whole: null },
      { id: 'c', whole: null },
    ]);
  },
);

hostile('a text of 900 kB is stored whole, in a column and in the rest', { schemas: THINGS }, async (t, arena) => {
  const long = 'x'.repeat(450_000);
  const cases = [line('long texts', thing('long', `"text":"${long}","y":"${long}"`), null)];
  await betweenNeighbours(t, arena, cases, () => thing('good'));
  const read = "SELECT length(text) AS text, length(_extra->>'y') AS rest FROM events.thing WHERE id = 'long'";
  t.strictSame(await arena.query(read), [{ text: 450_000, rest: 450_000 }]);
});

/** A rule that somebody gave final, and the line that breaks it. */
const RULES: [name: string, sql: string, undo: string][] = [
  [
    'a check constraint',
    "ALTER TABLE events.user_event ADD CONSTRAINT rule CHECK (phone_number <> 'bad')",
    'ALTER TABLE events.user_event DROP CONSTRAINT rule',
  ],
  [
    'a foreign key',
    "CREATE TABLE public.phones (n text PRIMARY KEY); INSERT INTO public.phones VALUES ('+4912345'); ALTER TABLE events.user_event ADD CONSTRAINT rule FOREIGN KEY (phone_number) REFERENCES public.phones (n)",
    'ALTER TABLE events.user_event DROP CONSTRAINT rule',
  ],
  [
    'a unique index',
    "CREATE UNIQUE INDEX rule ON events.user_event ((1)) WHERE phone_number = 'bad'; INSERT INTO events.user_event SELECT * FROM events.user_event WHERE false",
    'DROP INDEX events.rule',
  ],
  [
    'a trigger',
    "CREATE FUNCTION rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.phone_number = 'bad' THEN RAISE check_violation; END IF; RETURN new; END $$; CREATE TRIGGER rule BEFORE INSERT ON events.user_event FOR EACH ROW EXECUTE FUNCTION rule()",
    'DROP TRIGGER rule ON events.user_event',
  ],
  [
    'a generated column that cannot be computed',
    "ALTER TABLE events.user_event ADD COLUMN generated int GENERATED ALWAYS AS (CASE phone_number WHEN 'bad' THEN phone_number::int END) STORED",
    'ALTER TABLE events.user_event DROP COLUMN generated',
  ],
  [
    'an index that cannot hold the value',
    "CREATE INDEX rule ON events.user_event ((CASE phone_number WHEN 'bad' THEN (phone_number::int) END))",
    'DROP INDEX events.rule',
  ],
];

hostile('a rule of somebody else costs the lines that break it, and no others', {}, async (t, arena) => {
  const bad = spoken('bad');
  for (const [name, sql, undo] of RULES) {
    await arena.query(sql);
    // Of a unique index the first line is the one that may stay.
    const body = name === 'a unique index' ? ndjson(bad, good, bad, good) : ndjson(good, bad, good);
    const answer = await arena.post(name, body, { query: { report: 'full' } });
    t.equal(answer.status, 207, `${name}: ${answer.text.slice(0, 400)}`);
    const rejected = name === 'a unique index' ? 3 : 2;
    t.match(
      answer.json,
      {
        lines: { rejected: 1 },
        rejections: [{ line: rejected, code: 'unstorable_value', errors: [{ keyword: 'storable' }] }],
      },
      name,
    );
    await arena.query(undo);
    await arena.query('DELETE FROM events.user_event');
  }
});

hostile('a table that is partitioned by somebody else costs the lines without a partition', {}, async (t, arena) => {
  const [row] = await arena.query('SELECT count(*)::int AS n FROM events.user_event');
  t.equal(row!.n, 0);
  await arena.query(`
    ALTER TABLE events.user_event RENAME TO whole;
    CREATE TABLE events.user_event (LIKE events.whole INCLUDING DEFAULTS) PARTITION BY RANGE (event_type);
    CREATE TABLE events.part PARTITION OF events.user_event FOR VALUES FROM (0) TO (100)`);
  const outside = good.replace('"event_type":1', '"event_type":100');
  const answer = await arena.post('partition', ndjson(good, outside, good));
  t.match(
    answer,
    { status: 207, json: { lines: { accepted: 2, rejected: 1 }, rejections: [{ line: 2, code: 'unstorable_value' }] } },
    answer.text,
  );
});
