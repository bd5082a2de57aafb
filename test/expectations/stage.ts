// A stage table made by hand, and checks on it.
import pg from 'pg';
import type { Test } from 'tap';
import type { Check } from '../../src/expectations/check.ts';
import { bindSuite, readSuite } from '../../src/expectations/suite.ts';
import { inspect, type OffendingLine, offendingLines } from '../../src/load/inspect.ts';
import type { CheckResult, Column, ColumnType, TablePlan } from '../../src/model.ts';
import { Findings } from '../../src/schema/faults.ts';
import { quote } from '../../src/sql.ts';
import { testDatabase } from '../helpers/postgres.ts';

export type Kwargs = Record<string, unknown>;

/** `{a: 'bigint'}` → a table of nullable columns. */
export function planOf(columns: Record<string, ColumnType>, table = 'event'): TablePlan {
  const each = Object.entries(columns).map(
    ([name, type]): Column => ({ name, path: [name], type, notNull: false, id: false }),
  );
  return { table, columns: each, extra: false };
}

/** The suite of one expectation, as bytes. */
export function suiteOf(...expectations: unknown[]): Buffer {
  return Buffer.from(JSON.stringify({ name: 'suite', expectations, meta: {} }));
}

/** Reads and binds a suite; its faults as `place: reason`. */
export function load(bytes: Buffer, plan: TablePlan, isNewest = true) {
  const findings = new Findings();
  const raw = readSuite('event/expectations.json', bytes, findings);
  const checks = raw === null ? [] : bindSuite(raw, plan, isNewest, findings).checks;
  const textOf = ({ place, reason }: { place: string; reason: string }) => `${place}: ${reason}`;
  return { checks, faults: findings.faults.map(textOf), warnings: findings.warnings.map(textOf) };
}

/** @throws what is wrong with the suite */
export function checksOf(plan: TablePlan, ...expectations: unknown[]): readonly Check[] {
  const { checks, faults } = load(suiteOf(...expectations), plan);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return checks;
}

export class Stage {
  readonly connection: pg.Client;
  #tables = 0;

  private constructor(connection: pg.Client) {
    this.connection = connection;
  }

  static async open(t: Test): Promise<Stage> {
    const { url } = await testDatabase(t);
    const connection = new pg.Client({ connectionString: url });
    connection.on('error', () => {});
    await connection.connect();
    t.teardown(() => connection.end());
    return new Stage(connection);
  }

  /** Makes a table whose rows are arrays of values in the plan's order; their lines count from 1. */
  async fill(plan: TablePlan, rows: readonly unknown[][]): Promise<string> {
    const name = quote(`stage ${++this.#tables}`);
    const columns = plan.columns.map((column) => `${quote(column.name)} ${column.type}`);
    await this.connection.query(
      `CREATE UNLOGGED TABLE ${name} (${[...columns, '_line integer', '_schema_version text'].join(', ')})`,
    );
    const names = plan.columns.map((column) => quote(column.name));
    for (const [at, row] of rows.entries()) {
      const values = [...row, at + 1, '1.0.0'];
      const places = values.map((_, index) => `$${index + 1}`).join(', ');
      await this.connection.query(
        `INSERT INTO ${name} (${[...names, '_line', '_schema_version'].join(', ')}) VALUES (${places})`,
        values,
      );
    }
    return name;
  }

  /** Inspects a stage, and proves that the transaction is left as it was. */
  async inspect(name: string, plan: TablePlan, checks: readonly Check[]): Promise<CheckResult[]> {
    await this.connection.query('BEGIN');
    const settings = "SELECT current_setting('work_mem') || current_setting('jit') AS settings";
    const before = await this.connection.query(settings);
    const results = await inspect(this.connection, name, plan, checks);
    const after = await this.connection.query(settings);
    await this.connection.query('COMMIT');
    if (before.rows[0].settings !== after.rows[0].settings) throw new Error('inspect left its settings behind');
    return results;
  }

  /** Fills a stage and runs one expectation on it. */
  async check(
    columns: Record<string, ColumnType>,
    rows: readonly unknown[][],
    type: string,
    kwargs: Kwargs,
    severity?: string,
  ): Promise<CheckResult> {
    const plan = planOf(columns);
    const checks = checksOf(plan, { type, kwargs, ...(severity && { meta: { severity } }) });
    const [result] = await this.inspect(await this.fill(plan, rows), plan, checks);
    return result!;
  }

  async offending(name: string, checks: readonly Check[]): Promise<OffendingLine[][]> {
    await this.connection.query('BEGIN');
    const pages: OffendingLine[][] = [];
    for await (const page of offendingLines(this.connection, name, checks)) pages.push(page);
    await this.connection.query('COMMIT');
    return pages;
  }
}
