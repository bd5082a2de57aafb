// The lines that checks reject.
import t from 'tap';
import { offendingLines } from '../../src/load/inspect.ts';
import { checksOf, planOf, Stage } from './stage.ts';

t.test('lines to reject', async (t) => {
  const stage = await Stage.open(t);
  const reject = (type: string, kwargs: object) => ({ type, kwargs, meta: { severity: 'reject_rows' } });

  await t.test('each line once, ascending, with an error for each check that it offends', async (t) => {
    const columns = planOf({ data_a: 'text', b: 'bigint' }).columns;
    const plan = { table: 'event', extra: false, columns: [{ ...columns[0]!, path: ['data', 'a/b'] }, columns[1]!] };
    const checks = checksOf(
      plan,
      reject('expect_column_values_to_be_in_set', { column: 'data_a', value_set: ['x', 'y'] }),
      reject('expect_column_values_to_be_unique', { column: 'b' }),
      reject('expect_column_pair_values_to_be_in_set', { column_A: 'data_a', column_B: 'b', value_pairs_set: null }),
      reject('expect_compound_columns_to_be_unique', { column_list: ['data_a', 'b'] }),
    );
    const name = await stage.fill(plan, [
      ['x', 1],
      ['z', 2],
      ['y', 2],
      ['y', null],
      ['z', 2],
    ]);
    const pages = await stage.offending(name, checks);
    const notInSet = {
      path: '/data/a~1b',
      keyword: 'expect_column_values_to_be_in_set',
      message: 'is not one of "x", "y"',
    };
    const repeated = {
      path: '/b',
      keyword: 'expect_column_values_to_be_unique',
      message: 'is repeated in the batch (3 times)',
    };
    const together = {
      path: '/data/a~1b',
      keyword: 'expect_compound_columns_to_be_unique',
      message: 'is, together with "b", repeated in the batch (2 times)',
    };
    t.strictSame(pages, [
      [
        { line: 2, schemaVersion: '1.0.0', errors: [notInSet, repeated, together] },
        { line: 3, schemaVersion: '1.0.0', errors: [repeated] },
        { line: 5, schemaVersion: '1.0.0', errors: [notInSet, repeated, together] },
      ],
    ]);
  });

  await t.test('page by page, while the lines are being deleted', async (t) => {
    const plan = planOf({ a: 'bigint' });
    const name = await stage.fill(plan, []);
    await stage.connection.query(
      `INSERT INTO ${name} SELECT i % 2, i, '1.0.0' FROM generate_series(24000, 1, -1) AS i`,
    );
    const checks = checksOf(plan, reject('expect_column_values_to_be_in_set', { column: 'a', value_set: [0] }));
    await stage.connection.query('BEGIN');
    const found: number[] = [];
    for await (const page of offendingLines(stage.connection, name, checks)) {
      t.ok(page.length <= 5_000);
      const lines = page.map(({ line }) => line);
      found.push(...lines);
      await stage.connection.query(`DELETE FROM ${name} WHERE _line = ANY($1)`, [lines]);
    }
    await stage.connection.query('COMMIT');
    t.strictSame(
      found,
      Array.from({ length: 12_000 }, (_, at) => 2 * at + 1),
    );
    const left = await stage.connection.query(`SELECT count(*)::int AS n FROM ${name} WHERE a = 1`);
    t.strictSame(left.rows, [{ n: 0 }]);
  });

  await t.test('whoever stops early can start again in the same transaction', async (t) => {
    const plan = planOf({ a: 'bigint' });
    const name = await stage.fill(plan, [[1], [1]]);
    const checks = checksOf(plan, reject('expect_column_values_to_be_unique', { column: 'a' }));
    await stage.connection.query('BEGIN');
    for (const _ of [1, 2]) {
      for await (const page of offendingLines(stage.connection, name, checks)) {
        t.equal(page.length, 2);
        break;
      }
    }
    await stage.connection.query('COMMIT');
    t.strictSame(await stage.offending(name, []), []);
  });
});
