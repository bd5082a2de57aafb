// What becomes of a batch's rows at its end, inside the transaction that ends it: checked, and then promoted or held.
import type { Connection } from '../db.ts';
import { Problem } from '../errors.ts';
import { faultPoint } from '../fault-point.ts';
import type { CheckResult } from '../model.ts';
import { type Promoted, promoteRest } from './ahead.ts';
import { inspect } from './inspect.ts';
import { type BatchConstants, copyToFinal, holdTable, promoteTable, recordDuplicates } from './promote.ts';
import type { StageTable } from './stage.ts';
import type { Staging } from './staging.ts';

/** What the transaction made of the rows. */
export interface Outcome {
  checks: CheckResult[];
  isHeld: boolean;
  /** By schema version id. */
  duplicates: ReadonlyMap<string, number>;
}

export const NOTHING: Outcome = { checks: [], isHeld: false, duplicates: new Map() };

/** What has happened to the rows before. */
export interface Before {
  /** Rows that there have to be. */
  expected: number;
  /** Results of the checks that reject lines, by table. */
  sifted: ReadonlyMap<string, CheckResult[]>;
  /** What of the stages is in final already. */
  promoted?: ReadonlyMap<string, Promoted>;
}

/**
 * Checks what is staged, and promotes or holds it. Where the batch is to be held and a part of it is in final already,
 * nothing is done.
 * @throws {Problem} if rows are missing
 */
export async function settleRows(
  connection: Connection,
  batch: BatchConstants,
  staging: Staging,
  stages: readonly StageTable[],
  { expected, sifted, promoted = new Map() }: Before,
): Promise<Outcome> {
  const staged = await staging.copyRest(connection, stages);
  faultPoint('after-stage');
  const checks: CheckResult[] = [];
  for (const { plan, name } of stages) {
    checks.push(...(sifted.get(plan.table) ?? []));
    const judging = staging.checks(plan.table, 'judging');
    if (judging.length > 0) checks.push(...(await inspect(connection, name, plan, judging)));
  }
  // A batch of which nothing is left has nothing to be held.
  const isHeld = expected > 0 && checks.some(({ status }) => status === 'failed');
  const duplicates = new Map<string, number>();
  if (isHeld && promoted.size > 0) return { checks, isHeld, duplicates };
  let observed = staging.straight?.rows ?? 0;
  for (const stage of stages) {
    const rows = staged.get(stage.plan.table)!;
    if (rows === 0) continue;
    observed += isHeld
      ? await holdTable(connection, stage, batch)
      : await promote(connection, batch, stage, rows, duplicates, promoted.get(stage.plan.table));
  }
  for (const chunk of staging.direct) {
    observed += await copyToFinal(connection, chunk, batch, isHeld ? 'stage' : 'events');
  }
  if (observed !== expected) throw lostRows(expected, observed);
  const count: CheckResult = { name: 'row_count_match', status: 'passed', expected, observed };
  return { checks: [count, ...checks], isHeld, duplicates };
}

/** @returns rows of the stage that are in final, or were there before as duplicates */
async function promote(
  connection: Connection,
  batch: BatchConstants,
  stage: StageTable,
  staged: number,
  duplicates: Map<string, number>,
  promoted: Promoted | undefined,
): Promise<number> {
  let rows =
    promoted === undefined
      ? await promoteTable(connection, stage, batch)
      : promoted.rows + (await promoteRest(connection, stage, batch, promoted, staged));
  if (rows === staged || !stage.plan.columns.some((column) => column.id)) return rows;
  for (const [schema, count] of await recordDuplicates(connection, stage, batch)) {
    duplicates.set(schema, count);
    rows += count;
  }
  return rows;
}

/** An unlogged stage is empty after a crash of Postgres. */
function lostRows(expected: number, observed: number): Problem {
  const detail = `Nothing was stored: Postgres lost ${expected - observed} of ${expected} rows before their commit`;
  return new Problem('database_unavailable', detail, { retryAfter: 1 });
}
