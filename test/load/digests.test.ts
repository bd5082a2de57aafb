// The digest of a batch, worked out again from what was recorded of its rows.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import t from 'tap';
import { recomputeDigest } from '../../src/load/digests.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';
import { digestOf, recordRows } from './held.ts';

t.test('duplicate and rejected lines are left out, however many and wherever they stand', async (t) => {
  const { url: databaseUrl, query } = await testDatabase(t);
  await (await startServer(t, { databaseUrl })).stop();
  const connection = new pg.Client({ connectionString: databaseUrl });
  await connection.connect();
  t.teardown(() => connection.end());
  const id = randomUUID();

  t.equal(await recomputeDigest(connection, id), null, 'a batch without rows has none');

  // Every seventh line is of another table, every third one is a duplicate by itself, and some are rejected.
  const all = Array.from({ length: 40_000 }, (_, index) => index + 1);
  const tables = {
    a: all.filter((line) => line % 7 !== 0),
    b: all.filter((line) => line % 7 === 0 && line % 5 !== 0),
  };
  await recordRows(query, id, 'b', tables.b, 900);
  await recordRows(query, id, 'a', tables.a, 7_000);
  t.strictSame(await recomputeDigest(connection, id), digestOf(tables), 'all rows');

  await query(
    `INSERT INTO sluice.line_runs SELECT $1, line, line, 'duplicate' FROM generate_series(3, 30000, 3) AS line`,
    [id],
  );
  await query(`INSERT INTO sluice.line_runs VALUES ($1, 31000, 33000, 'rejected'), ($1, 35, 35, 'blank')`, [id]);
  await query(
    `INSERT INTO sluice.rejections (batch_id, batch_line, line, "offset", length, code, errors, raw)
     SELECT $1, line, line, 0, 0, 'check_failed', '[]', '' FROM generate_series(33001, 39999, 2) AS line`,
    [id],
  );
  const isOut = (line: number) =>
    (line % 3 === 0 && line <= 30_000) || (line >= 31_000 && line <= 33_000) || (line > 33_000 && line % 2 === 1);
  const rest = { a: tables.a.filter((line) => !isOut(line)), b: tables.b.filter((line) => !isOut(line)) };
  t.strictSame(await recomputeDigest(connection, id), digestOf(rest), 'without exceptions');

  await query(`DELETE FROM sluice.rejections WHERE batch_line % 7 <> 0`);
  await query('DELETE FROM sluice.line_runs');
  await query(`INSERT INTO sluice.line_runs VALUES ($1, 1, 2000000, 'duplicate')`, [id]);
  t.equal(await recomputeDigest(connection, id), null, 'nothing is left');
  await query('UPDATE sluice.line_runs SET first_line = 2');
  t.strictSame(await recomputeDigest(connection, id), digestOf({ a: [1] }), 'a table without a row left is not in it');
});
