// Runs the checks of a suite on a stage, inside the caller's transaction. Whatever a check meets in the rows, the
// transaction goes on: what Postgres cannot compute is a failed check.
import pg from 'pg';
import { type Connection, isDataError } from '../db.ts';
import type { Check, Outcome, RowPlan, UnexpectedRow } from '../expectations/check.ts';
import { allUnexpected, describeUnexpected, firstUnexpected } from '../expectations/details.ts';
import { type Ask, Examination, SORT } from '../expectations/examination.ts';
import { brokenResult, resultOf } from '../expectations/result.ts';
import type { CheckResult, LineError, TablePlan } from '../model.ts';
import { pointer } from '../pointer.ts';

/** Lines of one page. */
const PAGE = 5_000;

// A million short values must not go to disk; compiling expressions takes longer than what it saves; and dates without
// a zone mean the same everywhere.
const TUNE = `SET LOCAL jit = off; SET LOCAL timezone = 'UTC';
  SELECT set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')) / 1024, 65536)::text || 'kB', true)`;

/**
 * Runs checks on a stage.
 * @param stage the stage's name, quoted for SQL
 * @returns their results in the order of the checks
 */
export async function inspect(
  connection: Connection,
  stage: string,
  plan: TablePlan,
  checks: readonly Check[],
): Promise<CheckResult[]> {
  if (checks.length === 0) return [];
  try {
    return await examine(connection, stage, plan, checks);
  } catch (error) {
    if (!isDataError(error)) throw error;
    const results: CheckResult[] = [];
    for (const check of checks) results.push(await examineAlone(connection, stage, plan, check));
    return results;
  }
}

/** Leaves nothing behind in the transaction, neither settings nor an error. */
async function examine(
  connection: Connection,
  stage: string,
  plan: TablePlan,
  checks: readonly Check[],
): Promise<CheckResult[]> {
  await connection.query('SAVEPOINT checks');
  try {
    await connection.query(TUNE);
    const ask: Ask = async (sql) => {
      const { rows } = await connection.query<unknown[]>({ text: sql, rowMode: 'array' });
      return rows[0]!;
    };
    const outcomes = await new Examination(checks).run(stage, ask);
    const results: CheckResult[] = [];
    for (const [at, check] of checks.entries()) {
      const outcome = outcomes[at]!;
      const result = resultOf(check, plan, outcome);
      results.push(
        check.plan.kind === 'rows' ? await withRows(ask, stage, check, check.plan, outcome, result) : result,
      );
    }
    return results;
  } finally {
    // Where the connection is gone, what broke it is the better error.
    await connection.query('ROLLBACK TO SAVEPOINT checks; RELEASE SAVEPOINT checks').catch(() => {});
  }
}

/** @returns SQL that puts back the settings that {@link TUNE} changes, and those of {@link SORT} */
async function settingsNow(connection: Connection): Promise<string> {
  const names = ['jit', 'timezone', 'work_mem', 'enable_hashagg'];
  const { rows } = await connection.query<string[]>({
    text: `SELECT ${names.map((name) => `current_setting('${name}')`).join(', ')}`,
    rowMode: 'array',
  });
  return names.map((name, at) => `SET LOCAL ${name} = ${pg.escapeLiteral(rows[0]![at]!)}`).join('; ');
}

async function withRows(
  ask: Ask,
  stage: string,
  check: Check,
  plan: RowPlan,
  { rows }: Outcome,
  result: CheckResult,
): Promise<CheckResult> {
  if (rows !== undefined || result.unexpected_count === 0)
    return { ...result, ...describeUnexpected(plan, rows ?? []) };
  const [found] = await ask(firstUnexpected(stage, check, plan));
  return { ...result, ...describeUnexpected(plan, found as UnexpectedRow[]) };
}

async function examineAlone(
  connection: Connection,
  stage: string,
  plan: TablePlan,
  check: Check,
): Promise<CheckResult> {
  try {
    const [result] = await examine(connection, stage, plan, [check]);
    return result!;
  } catch (error) {
    if (!isDataError(error)) throw error;
    return brokenResult(check, plan, (error as Error).message);
  }
}

/** A line that a check rejects. */
export interface OffendingLine {
  /** Line of the batch. */
  line: number;
  schemaVersion: string;
  errors: LineError[];
}

interface OffendingRow {
  line: number;
  version: string;
  numbers: number[];
  times: (string | null)[];
}

/**
 * The lines that checks about rows do not expect, ascending, page by page. The stage may be changed meanwhile: what is
 * read is what stood in it at the beginning.
 * @param failed checks that were run and found unexpected rows
 */
export async function* offendingLines(
  connection: Connection,
  stage: string,
  failed: readonly Check[],
): AsyncGenerator<OffendingLine[]> {
  const rows = failed.flatMap((check, number) =>
    check.plan.kind === 'rows' ? [allUnexpected(stage, check, check.plan, number)] : [],
  );
  if (rows.length === 0) return;
  const before = await settingsNow(connection);
  await connection.query(`${TUNE}; ${SORT}`);
  try {
    await connection.query(
      `DECLARE offending NO SCROLL CURSOR FOR
       SELECT _line AS line, _schema_version AS version,
              array_agg(number ORDER BY number) AS numbers, array_agg(times::text ORDER BY number) AS times
       FROM (${rows.join(' UNION ALL ')}) AS offending GROUP BY _line, _schema_version ORDER BY _line`,
    );
    for (;;) {
      const { rows: page } = await connection.query<OffendingRow>(`FETCH ${PAGE} FROM offending`);
      if (page.length > 0) yield page.map((row) => offendingLine(row, failed));
      if (page.length < PAGE) break;
    }
  } finally {
    // In a transaction that has failed nothing is left to put back.
    await connection.query(`CLOSE offending; ${before}`).catch(() => {});
  }
}

function offendingLine({ line, version, numbers, times }: OffendingRow, failed: readonly Check[]): OffendingLine {
  const errors = numbers.map((number, at): LineError => {
    const { name, plan } = failed[number]!;
    const { columns, message } = plan as RowPlan;
    const count = times[at];
    const suffix = count == null ? '' : ` (${count} times)`;
    return { path: pointer(columns[0]!.path), keyword: name, message: `${message}${suffix}` };
  });
  return { line, schemaVersion: version, errors };
}
