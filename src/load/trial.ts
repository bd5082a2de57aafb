// Rows that Postgres refused as a whole: which of them are to blame. All of them are loaded once more, in blocks and
// then, where a block is refused, one by one, inside a transaction that is always rolled back, so finding them changes
// nothing. Whatever somebody put on final (checks, triggers, foreign keys, unique indexes, domains) judges them there.
import pg from 'pg';
import { borrow, type Connection, type Database, isDataError, isRetryable, REFUSALS } from '../db.ts';
import { stageColumns } from '../lines/encode.ts';
import type { TablePlan } from '../model.ts';
import { quote } from '../sql.ts';
import type { Chunk } from './chunk.ts';
import { copyRows } from './copy.ts';
import { type BatchConstants, promotion } from './promote.ts';

/** The rows of one table: those in a large batch's stage (its name, quoted), then those in memory. */
export interface Suspects {
  plan: TablePlan;
  stage: string | undefined;
  chunk: Chunk | undefined;
}

/** A row that cannot be loaded. */
export interface RefusedRow {
  /** Line of the batch. */
  line: number;
  schemaVersion: string;
  /** Postgres's own words. */
  reason: string;
}

/** Tries of the whole transaction when it loses against another one. */
const TRIES = 5;
/** Lines of one call: a statement must not take minutes, also where a trigger is slow. */
const PAGE_LINES = 10_000;
/** Lines that are loaded at once: one that is refused costs as many single tries. */
const BLOCK_LINES = 500;
/** A trigger's message may quote its row; millions of them must fit into memory. */
const LONGEST_REASON = 300;

/**
 * The rows that cannot be loaded, by table, in the order in which they were tried: of two rows that contradict each other
 * the later one is refused.
 * @param most looks no further once that many have been found
 */
export async function findRefusedRows(
  db: Database,
  suspects: readonly Suspects[],
  batch: BatchConstants,
  most: number,
): Promise<Map<string, RefusedRow[]>> {
  for (let tries = 1; ; tries++) {
    try {
      return await borrow(db, (connection) => tryTables(connection, suspects, batch, most));
    } catch (error) {
      if (tries === TRIES || !isRetryable(error)) throw error;
    }
  }
}

async function tryTables(
  connection: Connection,
  suspects: readonly Suspects[],
  batch: BatchConstants,
  most: number,
): Promise<Map<string, RefusedRow[]>> {
  const found = new Map<string, RefusedRow[]>();
  let left = most;
  await connection.query('BEGIN');
  // Constraints that wait for COMMIT would never speak here.
  await connection.query('SET CONSTRAINTS ALL IMMEDIATE');
  for (const [index, suspect] of suspects.entries()) {
    const refused = await tryTable(connection, suspect, `sluice_trial_${index}`, batch, left);
    if (refused.length > 0) found.set(suspect.plan.table, refused);
    left -= refused.length;
  }
  await connection.query('ROLLBACK');
  return found;
}

/** @param source what the temporary table with the rows, and the function that tries them, are to be called */
async function tryTable(
  connection: Connection,
  { plan, stage, chunk }: Suspects,
  source: string,
  batch: BatchConstants,
  most: number,
): Promise<RefusedRow[]> {
  const refused: RefusedRow[] = [];
  await connection.query(`CREATE TEMPORARY TABLE ${source} (${bareColumns(plan)})`);
  const columns = stageColumns(plan).map(quote).join(', ');
  if (stage !== undefined) {
    await connection.query(`INSERT INTO pg_temp.${source} (${columns}) SELECT ${columns} FROM ${stage}`);
  }
  if (chunk !== undefined) await copyBisected(connection, source, chunk, 0, chunk.rows.rows, refused);
  await connection.query(`CREATE INDEX ON pg_temp.${source} (_line); ANALYZE pg_temp.${source} (_line)`);
  await connection.query(trialFunction(plan, source));
  await tryLines(connection, source, batch, most, refused);
  return refused;
}

/** Columns without a rule of any kind: what is wrong with a row is to show on its way to final. */
function bareColumns({ columns, extra }: TablePlan): string {
  const named = columns.map(({ name, type }) => `${quote(name)} ${type}`);
  return [...named, ...(extra ? ['_extra jsonb'] : []), '_line integer', '_schema_version text'].join(', ');
}

/** Only a fault of our own encoders makes this COPY fail; it too costs its line alone. */
async function copyBisected(
  connection: Connection,
  source: string,
  chunk: Chunk,
  from: number,
  to: number,
  refused: RefusedRow[],
): Promise<void> {
  if (from === to) return;
  await connection.query('SAVEPOINT copy');
  try {
    const data = chunk.rows.copyData(from, to);
    await copyRows(connection, `pg_temp.${source}`, stageColumns(chunk.plan), data, to - from);
    await connection.query('RELEASE SAVEPOINT copy');
  } catch (error) {
    if (!isDataError(error)) throw error;
    await connection.query('ROLLBACK TO SAVEPOINT copy; RELEASE SAVEPOINT copy');
    if (to - from === 1) {
      const reason = (error as Error).message.slice(0, LONGEST_REASON);
      refused.push({ line: chunk.batchLine(from), schemaVersion: chunk.schema(from).version, reason });
      return;
    }
    const middle = (from + to) >> 1;
    await copyBisected(connection, source, chunk, from, middle, refused);
    await copyBisected(connection, source, chunk, middle, to, refused);
  }
}

async function tryLines(
  connection: Connection,
  source: string,
  batch: BatchConstants,
  most: number,
  refused: RefusedRow[],
): Promise<void> {
  const { rows: ends } = await connection.query<{ first: number | null; last: number | null }>(
    `SELECT min(_line) AS first, max(_line) AS last FROM pg_temp.${source}`,
  );
  const { first, last } = ends[0]!;
  if (first === null || last === null) return;
  const reasons = new Map<string, string>();
  for (let from = first; from <= last && refused.length < most; from += PAGE_LINES) {
    const to = Math.min(from + PAGE_LINES - 1, last);
    const { rows } = await connection.query<RefusedRow>(
      `SELECT line, version AS "schemaVersion", left(reason, ${LONGEST_REASON}) AS reason
       FROM pg_temp.${source}($1, $2, $3, $4)`,
      [from, to, batch.id, batch.receivedAt],
    );
    for (const { line, schemaVersion, reason: words } of rows) {
      // Most have the same words, which need not be kept a million times.
      const reason = reasons.get(words) ?? words;
      if (reasons.size < PAGE_LINES) reasons.set(reason, reason);
      refused.push({ line, schemaVersion, reason });
    }
  }
}

/**
 * A function that tries lines `$1..$2` of a batch `$3` received at `$4`. Errors are caught where they happen: a savepoint
 * and a round trip for each row would take ten times as long. It goes with the transaction.
 */
function trialFunction(plan: TablePlan, source: string): string {
  const insert = (where: string) =>
    promotion(plan, `pg_temp.${source}`, { id: '$3', receivedAt: '$4', where: `WHERE ${where}` });
  // Whatever a column is called, it is no variable: these are qualified by their block.
  const refusal = `EXCEPTION WHEN OTHERS OR assert_failure THEN
      IF SQLSTATE !~ '${REFUSALS.source}' THEN RAISE; END IF;`;
  const body = `
    #variable_conflict use_column
    <<trial>>
    DECLARE
      start integer := $1;
      stop integer;
      single record;
    BEGIN
      WHILE trial.start <= $2 LOOP
        trial.stop := least(trial.start + ${BLOCK_LINES - 1}, $2);
        BEGIN
          ${insert('_line BETWEEN trial.start AND trial.stop')};
        ${refusal}
          FOR single IN
            SELECT staged._line AS number, staged._schema_version AS version FROM pg_temp.${source} AS staged
            WHERE staged._line BETWEEN trial.start AND trial.stop ORDER BY staged._line
          LOOP
            BEGIN
              ${insert('_line = trial.single.number')};
            ${refusal}
              line := single.number;
              version := single.version;
              reason := SQLERRM;
              RETURN NEXT;
            END;
          END LOOP;
        END;
        trial.start := trial.stop + 1;
      END LOOP;
    END`;
  return `CREATE FUNCTION pg_temp.${source}(integer, integer, uuid, timestamptz)
    RETURNS TABLE (line integer, version text, reason text) LANGUAGE plpgsql AS ${pg.escapeLiteral(body)}`;
}
