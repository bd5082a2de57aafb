// Whatever is done to a batch's rows behind the service's back, the proof names the very lines.
// Each tampering is done to a copy of one database; the verifier has to see the same as the proof, from the file alone.
import t from 'tap';
import { ndjsonOf } from '../helpers/http.ts';
import { bench, copyOf, proofOf, THING, thing, verdictOf } from './batches.ts';

const LINES = Array.from({ length: 40 }, (_, index) => thing(index + 1));

interface Lists {
  missing?: number[];
  changed?: number[];
  doubled?: number[];
  /** Their lines. */
  unknown?: (number | null)[];
}

/** SQL on `events.thing`, where `$id` is the batch and `$other` another one, and what it makes of the batch. */
const TAMPERINGS: [name: string, sql: string, expected: Lists][] = [
  ['nothing', 'SELECT', {}],
  ['a row deleted', 'DELETE FROM events.thing WHERE _batch_id = $id AND _line = 7', { missing: [7] }],
  ['an integer altered', 'UPDATE events.thing SET n = n + 1 WHERE _batch_id = $id AND _line = 3', { changed: [3] }],
  ['a text altered', "UPDATE events.thing SET s = s || ' ' WHERE _batch_id = $id AND _line = 3", { changed: [3] }],
  ['a double altered', 'UPDATE events.thing SET d = d + 1e-15 WHERE _batch_id = $id AND _line = 4', { changed: [4] }],
  ['a boolean altered', 'UPDATE events.thing SET b = NOT b WHERE _batch_id = $id AND _line = 5', { changed: [5] }],
  [
    'a time altered by a microsecond',
    "UPDATE events.thing SET at = at + '1 us' WHERE _batch_id = $id AND _line = 6",
    { changed: [6] },
  ],
  ['a date altered', 'UPDATE events.thing SET day = day + 1 WHERE _batch_id = $id AND _line = 8', { changed: [8] }],
  [
    'a uuid altered',
    'UPDATE events.thing SET u = gen_random_uuid() WHERE _batch_id = $id AND _line = 9',
    { changed: [9] },
  ],
  [
    'something inside of a jsonb altered',
    `UPDATE events.thing SET j = jsonb_set(j, '{1,aa}', '[]') WHERE _batch_id = $id AND _line = 10`,
    { changed: [10] },
  ],
  [
    'something inside of _extra altered',
    `UPDATE events.thing SET _extra = jsonb_set(_extra, '{more,a}', '"y"') WHERE _batch_id = $id AND _line = 11`,
    { changed: [11] },
  ],
  ['a value taken away', 'UPDATE events.thing SET s = NULL WHERE _batch_id = $id AND _line = 12', { changed: [12] }],
  [
    'the schema version altered',
    "UPDATE events.thing SET _schema_version = '1.0.1' WHERE _batch_id = $id AND _line = 13",
    { changed: [13] },
  ],
  [
    'the time of receipt altered',
    "UPDATE events.thing SET _received_at = _received_at + '1 us' WHERE _batch_id = $id AND _line IN (14, 15)",
    { changed: [14, 15] },
  ],
  [
    'a row doubled',
    'INSERT INTO events.thing SELECT * FROM events.thing WHERE _batch_id = $id AND _line = 16',
    { doubled: [16] },
  ],
  [
    'a row tripled, one copy altered',
    `INSERT INTO events.thing SELECT * FROM events.thing WHERE _batch_id = $id AND _line = 17;
     UPDATE events.thing SET n = 0 WHERE _batch_id = $id AND _line = 17;
     INSERT INTO events.thing SELECT * FROM events.thing WHERE _batch_id = $id AND _line = 17`,
    { doubled: [17], changed: [17] },
  ],
  [
    'values swapped between two rows',
    `UPDATE events.thing AS one SET s = other.s FROM events.thing AS other
     WHERE one._batch_id = $id AND other._batch_id = $id AND one._line IN (18, 19) AND other._line = 37 - one._line`,
    { changed: [18, 19] },
  ],
  [
    'lines swapped between two rows',
    'UPDATE events.thing SET _line = 41 - _line WHERE _batch_id = $id AND _line IN (20, 21)',
    { changed: [20, 21] },
  ],
  [
    'rows inserted for lines that are not there',
    `INSERT INTO events.thing (n, _batch_id, _line, _schema_version, _received_at)
     SELECT 1, _batch_id, line, _schema_version, _received_at
     FROM events.thing, unnest(ARRAY[-1, 0, 41]) AS line WHERE _batch_id = $id AND _line = 1`,
    { unknown: [-1, 0, 41] },
  ],
  [
    'rows moved to another batch',
    'UPDATE events.thing SET _batch_id = $other WHERE _batch_id = $id AND _line BETWEEN 22 AND 24',
    { missing: [22, 23, 24] },
  ],
  [
    'rows moved here from another batch',
    'UPDATE events.thing SET _batch_id = $id WHERE _batch_id = $other AND _line = 2',
    { doubled: [2], changed: [2] },
  ],
  [
    'the order of the table turned round',
    `CREATE INDEX backwards ON events.thing (n DESC); CLUSTER events.thing USING backwards;
     UPDATE events.thing SET n = n; DROP INDEX events.backwards; VACUUM FULL events.thing`,
    {},
  ],
  ['the table emptied', 'TRUNCATE events.thing', { missing: LINES.map((_, index) => index + 1) }],
  ['the table dropped', 'DROP TABLE events.thing', { missing: LINES.map((_, index) => index + 1) }],
  ['a column dropped', 'ALTER TABLE events.thing DROP COLUMN s', { changed: LINES.map((_, index) => index + 1) }],
  [
    'the type of a column changed',
    'ALTER TABLE events.thing ALTER COLUMN n TYPE numeric',
    { changed: LINES.map((_, index) => index + 1) },
  ],
  ['a column added', "ALTER TABLE events.thing ADD COLUMN later text NOT NULL DEFAULT 'x'", {}],
  [
    'a line said to be none',
    'ALTER TABLE events.thing ALTER COLUMN _line DROP NOT NULL; UPDATE events.thing SET _line = NULL WHERE _batch_id = $id AND _line = 25',
    { missing: [25], unknown: [null] },
  ],
  [
    'rows put into the table of another subject',
    `INSERT INTO events.other (_batch_id, _line, _schema_version, _received_at)
     SELECT _batch_id, _line, _schema_version, _received_at FROM events.thing WHERE _batch_id = $id AND _line = 26;
     DELETE FROM events.thing WHERE _batch_id = $id AND _line = 26`,
    { missing: [26], unknown: [26] },
  ],
];

t.test('what was tampered with is named by its lines', async (t) => {
  const base = await bench(t, { 'thing/1.0.0.json': THING, 'other/1.0.0.json': { type: 'object' } });
  const options = { query: { schema: 'thing' } };
  const text = ndjsonOf(LINES);
  const { id } = await base.load([{ text }], options);
  const { id: other } = await base.load([{ text: ndjsonOf([thing(101), thing(102)]) }], options);
  t.match(await base.reconcile(id), { status: 'matched', rows: { expected: 40, found: 40 }, truncated: false });
  await base.server.stop();

  for (const [name, sql, expected] of TAMPERINGS) {
    await t.test(name, async (t) => {
      const database = await copyOf(t, base);
      // One by one: VACUUM runs in no transaction.
      for (const statement of sql.split(';')) {
        await database.query(statement.replaceAll('$id', `'${id}'`).replaceAll('$other', `'${other}'`));
      }
      const { missing = [], changed = [], doubled = [], unknown = [] } = expected;
      const differs = [...missing, ...changed, ...doubled, ...unknown].length > 0;
      const status = differs ? 'mismatched' : 'matched';
      const proof = await proofOf(database, id);
      t.match(proof, { status, batch_id: id, rows: { expected: 40 } });
      t.strictSame(
        [proof.missing, proof.changed, proof.doubled, proof.unknown.map(({ line }) => line)],
        [missing, changed, doubled, unknown],
      );
      t.equal(proof.digest.computed === proof.digest.recorded, !differs);

      const { summary, findings } = await verdictOf(database, id, [{ text }]);
      t.equal(summary.status, status);
      const lines = (kind: string) => findings.filter((each) => each.kind === kind).map(({ line }) => line);
      t.strictSame(
        [lines('missing'), lines('changed'), lines('doubled'), lines('unknown')],
        [missing, changed, doubled, unknown],
      );
    });
  }
});
