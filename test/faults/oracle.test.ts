// The oracle can fail: each kind of damage, planted by hand, is found, and nothing else is.
import pg from 'pg';
import t from 'tap';
import { testDatabase } from '../helpers/postgres.ts';
import type { Witness } from './evidence.ts';
import { type LedgerContent, readLedger } from './ledger.ts';
import { type Invariant, judge } from './oracle.ts';
import { openScene } from './scene.ts';

interface Damage {
  what: string;
  breaks: Invariant;
  /** In the tables. */
  sql?: string;
  /** In the ledger, or in what was seen. */
  tell?: (witness: Witness) => Partial<Witness>;
}

const answersChanged = (witness: Witness, change: (content: LedgerContent) => void): Partial<Witness> => {
  const ledger = structuredClone(witness.ledger);
  change(ledger);
  return { ledger };
};

const ORDER = `events."order"`;
const FIRST = `(_batch_id, _line) = (SELECT _batch_id, _line FROM ${ORDER} ORDER BY 1, 2 LIMIT 1)`;

const DAMAGES: Damage[] = [
  { what: 'an accepted row is gone', breaks: 'I1', sql: `DELETE FROM ${ORDER} WHERE ${FIRST}` },
  { what: 'an accepted row is another one', breaks: 'I1', sql: `UPDATE ${ORDER} SET note = 'x' WHERE ${FIRST}` },
  {
    what: 'a row is there twice',
    breaks: 'I2',
    sql: 'INSERT INTO events.visit SELECT * FROM events.visit ORDER BY _batch_id, _line LIMIT 1',
  },
  {
    what: 'an id is there twice',
    breaks: 'I2',
    sql: `DO $$ DECLARE name text; BEGIN
      FOR name IN SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'events."order"'::regclass AND indisunique
      LOOP EXECUTE 'DROP INDEX ' || name; END LOOP; END $$;
      INSERT INTO ${ORDER} SELECT * FROM ${ORDER} WHERE ${FIRST}`,
  },
  {
    what: 'a row that nobody sent',
    breaks: 'I3',
    sql: `INSERT INTO events.visit (_batch_id, _line, _schema_version, _received_at, note, amount)
      VALUES (gen_random_uuid(), 1, '1.0.0', now(), 'nobody', 1)`,
  },
  {
    what: 'half of an upload whose answer never came',
    breaks: 'I3',
    sql: `DELETE FROM events.visit WHERE _line = 1 AND note LIKE (
      SELECT split_part(note, ':', 1) || ':%' FROM events.visit GROUP BY 1 HAVING count(*) > 1 LIMIT 1)`,
    tell: (witness) =>
      answersChanged(witness, (ledger) => {
        ledger.answers = ledger.answers.filter(({ upload }) => !upload.endsWith('-2'));
      }),
  },
  {
    what: 'a batch whose totals do not add up',
    breaks: 'I4',
    sql: `UPDATE sluice.batches SET blank = blank + 1 WHERE status = 'aborted'`,
  },
  {
    what: 'a batch that counts more than its report',
    breaks: 'I4',
    sql: 'UPDATE sluice.batches SET accepted = accepted + 1, received = received + 1 WHERE accepted > 0',
  },
  {
    what: 'a rejection that was dropped',
    breaks: 'I4',
    sql: `DELETE FROM sluice.rejections WHERE batch_id IN (SELECT id FROM sluice.batches WHERE status <> 'aborted')`,
  },
  {
    what: 'a line that should have been rejected',
    breaks: 'I4',
    tell: (witness) =>
      answersChanged(witness, ({ uploads }) => {
        const good = uploads[0]!.lines.find(({ expected }) => expected === 'accept')!;
        Object.assign(good, { expected: 'reject', code: 'invalid_json' });
      }),
  },
  {
    what: 'a line that was rejected for another reason',
    breaks: 'I4',
    tell: (witness) =>
      answersChanged(witness, ({ uploads }) => {
        for (const { lines } of uploads) for (const line of lines) if (line.code !== null) line.code = 'too_deep';
      }),
  },
  {
    what: 'a retry that got another report',
    breaks: 'I5',
    tell: (witness) =>
      answersChanged(witness, ({ answers }) => {
        const again = answers.find(({ purpose, status }) => purpose === 'again' && status === 201)!;
        again.text = again.text.replace('"duration_ms":', '"duration_ms":1');
      }),
  },
  {
    what: 'another payload that was taken under a used key',
    breaks: 'I5',
    tell: (witness) =>
      answersChanged(witness, ({ answers }) => {
        const other = answers.find(({ purpose }) => purpose === 'other')!;
        Object.assign(other, { status: 201, text: '{}' });
      }),
  },
  {
    what: 'a batch that is received for ever',
    breaks: 'I6',
    sql: `INSERT INTO sluice.batches (id, status, received_at, process) VALUES (gen_random_uuid(), 'receiving', now(), 1)`,
  },
  {
    what: 'a key that is claimed for ever',
    breaks: 'I6',
    sql: `INSERT INTO sluice.idempotency_keys (key, batch_id, process) VALUES ('x', gen_random_uuid(), 1)`,
  },
  { what: 'a stage table', breaks: 'I6', sql: `CREATE TABLE stage."0${'a'.repeat(32)}_0" ()` },
  {
    what: 'rejections of no batch',
    breaks: 'I6',
    sql: `INSERT INTO sluice.rejections (batch_id, batch_line, line, "offset", length, code, errors, raw)
      VALUES (gen_random_uuid(), 1, 1, 0, 1, 'invalid_json', '[]', '')`,
  },
  {
    what: 'a fresh event that was not taken',
    breaks: 'I7',
    tell: (witness) =>
      answersChanged(witness, (ledger) => {
        const fresh = ledger.uploads.filter(({ isFresh }) => isFresh).map(({ upload }) => upload);
        ledger.answers = ledger.answers.filter(({ upload }) => !fresh.includes(upload));
      }),
  },
  {
    what: 'a reader who saw a part',
    breaks: 'I8',
    tell: ({ seen }) => {
      const [batch, counts] = [...seen].at(-1)!;
      return { seen: new Map([[batch, new Set([...counts, Math.max(...counts) + 1])]]) };
    },
  },
  {
    what: 'a fault that nobody foresaw',
    breaks: 'I9',
    tell: (witness) =>
      answersChanged(witness, ({ answers }) => {
        answers.unshift({ ...answers[0]!, status: 500, text: '{}' });
      }),
  },
  {
    what: 'a process that ended by itself',
    breaks: 'I9',
    tell: () => ({ processes: [{ name: 'process 1', wasKilled: false, hasEnded: true, uncaught: [] }] }),
  },
  {
    what: 'a process that grew',
    breaks: 'I9',
    tell: () => {
      const facts = { name: 'process 1', wasKilled: false, hasEnded: false, uncaught: [] };
      return { processes: [{ ...facts, resident: { before: 0, after: 1e9 } }] };
    },
  },
];

t.test('the oracle finds each damage, and nothing where there is none', async (t) => {
  const database = await testDatabase(t);
  const scene = await openScene(t, { database, seed: 7 });
  const server = await scene.start();
  const wishes = [
    { subject: 'order', bad: 0.3 },
    { subject: 'visit', bad: 0 },
    { subject: 'visit', bad: 0.5 },
    { subject: 'order', bad: 0, isAborting: false },
    { subject: 'order', bad: 0.5, isAborting: true },
  ] as const;
  for (const wish of wishes) {
    await scene.send(scene.generator.upload({ isAborting: false, ...wish, size: 'small', lines: 12, hasKey: true }));
  }
  t.strictSame(await scene.judged(), [], 'all is well');
  const client = new pg.Client({ connectionString: database.url, application_name: 'faults' });
  await client.connect();
  t.teardown(() => client.end());
  const ledger = readLedger(scene.ledger.path);
  const query: Witness['query'] = async <T extends object>(sql: string) =>
    (await client.query<T & pg.QueryResultRow>(sql)).rows;
  for (const { what, breaks, sql, tell } of DAMAGES) {
    // Who takes a row away after a reader saw it shows that reader a part, too: only one damage at a time is meant.
    const seen = breaks === 'I8' ? scene.reader.seen : new Map();
    const whole: Witness = { ledger, query, server, seen, processes: [], patienceMs: 0 };
    await client.query('BEGIN');
    if (sql !== undefined) await client.query(sql);
    const found = await judge({ ...whole, ...tell?.(whole) });
    await client.query('ROLLBACK');
    t.strictSame([...new Set(found.map(({ invariant }) => invariant))], [breaks], `${what}: ${found[0]?.what}`);
  }
});
