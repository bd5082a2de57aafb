// Checks of severity reject_rows: the lines that fail them leave the batch as rejections, with their bytes, before any
// other check looks at it. Runs inside the promoting transaction and takes nothing out itself: where lines have to go,
// that transaction is rolled back and begun anew without them.
import type { Connection } from '../db.ts';
import type { CheckResult, LineError } from '../model.ts';
import { subjectOf } from '../schema/names.ts';
import type { LinePlace } from './chunk.ts';
import { inspect, offendingLines } from './inspect.ts';
import { indexLineBytes, readLineBytes } from './line-bytes.ts';
import type { StageTable } from './stage.ts';
import type { Staging } from './staging.ts';

/** A line that a check rejects. */
export interface Offender {
  place: LinePlace;
  /** Id of its schema version. */
  schema: string;
  errors: LineError[];
}

export interface Sifted {
  /** By table. */
  checks: Map<string, CheckResult[]>;
  /** Lines that have to go, by table. */
  lines: Map<string, number[]>;
}

/** Runs the checks that reject lines, and hands the offending ones on page by page. */
export async function sift(
  connection: Connection,
  staging: Staging,
  stages: readonly StageTable[],
  onOffenders: (offenders: readonly Offender[]) => Promise<void>,
): Promise<Sifted> {
  const sifted: Sifted = { checks: new Map(), lines: new Map() };
  const bytesOf = lineBytesReader(connection, staging);
  for (const { plan, name } of stages) {
    const { table } = plan;
    const rejecting = staging.checks(table, 'rejecting');
    if (rejecting.length === 0) continue;
    const results = await inspect(connection, name, plan, rejecting);
    sifted.checks.set(table, results);
    const failed = rejecting.filter((_, at) => results[at]!.status === 'rejected_rows');
    if (failed.length === 0) continue;
    const gone: number[] = [];
    const subject = subjectOf(table);
    for await (const page of offendingLines(connection, name, failed)) {
      const places = await bytesOf(
        table,
        page.map(({ line }) => line),
      );
      const offenders = page.map(({ line, schemaVersion, errors }) => {
        const place = places.get(line);
        if (place === undefined) throw new Error(`the bytes of line ${line} of events.${table} are not there`);
        gone.push(line);
        return { place, schema: `${subject}/${schemaVersion}`, errors };
      });
      await onOffenders(offenders);
    }
    if (gone.length > 0) sifted.lines.set(table, gone);
  }
  return sifted;
}

/** Lines that are still in memory have their bytes there; those of a large batch's stages are in a table. */
export function lineBytesReader(connection: Connection, staging: Staging) {
  let isIndexed = false;
  return async (table: string, lines: readonly number[]): Promise<Map<number, LinePlace>> => {
    const places = new Map<number, LinePlace>();
    const away: number[] = [];
    for (const line of lines) {
      const place = staging.placeInMemory(table, line);
      if (place === undefined) away.push(line);
      else places.set(line, place);
    }
    if (away.length === 0) return places;
    const stored = staging.lineBytes;
    if (stored === undefined) return places;
    if (!isIndexed) await indexLineBytes(connection, staging.batchId);
    isIndexed = true;
    for (const [line, place] of await readLineBytes(connection, stored, away)) places.set(line, place);
    return places;
  };
}
