// The lines of the files, as the pipeline judges and encodes them, walked side by side with the rows in the tables and
// with what is recorded of lines that became no row. In memory: one block of lines.
import { type Chunk, chunkFor } from '../../load/chunk.ts';
import type { Destination } from '../../load/destination.ts';
import type { StoredAnswer } from '../../load/record.ts';
import type { Rejection } from '../../model.ts';
import type { Tally } from '../../report/tally.ts';
import type { SchemaVersion } from '../../schema/registry.ts';
import { advance, begin, type Encoded } from './encoded.ts';
import type { Findings } from './list.ts';
import type { Outcome, Outcomes } from './outcomes.ts';
import { differencesOf, isSame } from './record.ts';
import { isKept, MAY_REJECT_VALID, type RejectedLine, reason } from './rejected.ts';
import type { RowStream } from './rows.ts';
import type { FinalIds, StandingRows } from './standing.ts';

/** Bytes of rows, and rejections, that wait for the first row from Postgres. */
const MOST_AHEAD = 32 * 1024 * 1024;
const MOST_REJECTIONS_AHEAD = 10_000;

/** What the batch has in Postgres, to be walked along. */
export interface Standing {
  rows: RowStream;
  outcomes: Outcomes;
  places: StandingRows;
  ids: FinalIds;
  /** Whether its good lines have rows: it is promoted or held. */
  keepsRows: boolean;
  /** Whether all its rejections are stored. */
  keepsRejections: boolean;
  /** Lines that it had; nothing is known of lines behind them. */
  received: number;
  /** Microseconds since 2000-01-01. */
  receivedAt: bigint;
}

export class Verifier implements Destination {
  abortReason: string | undefined;
  readonly #tally: Tally;
  readonly #standing: Standing;
  readonly #findings: Findings;
  readonly #chunks = new Map<string, Chunk>();
  readonly #rejections = new Map<number, Rejection>();
  readonly #blanks = new Set<number>();
  /** The next line to be looked at. */
  #line = 1;

  constructor(tally: Tally, standing: Standing, findings: Findings) {
    this.#tally = tally;
    this.#standing = standing;
    this.#findings = findings;
    // Its error is met where the first row is waited for.
    standing.rows.begin().catch(() => {});
  }

  /** Lines are judged ahead, within bounds, while Postgres sorts the rows. */
  get isFull(): boolean {
    if (this.#standing.rows.isReady) return true;
    let bytes = 0;
    for (const { rows } of this.#chunks.values()) bytes += rows.length;
    return bytes > MOST_AHEAD || this.#rejections.size > MOST_REJECTIONS_AHEAD;
  }

  chunk(schema: SchemaVersion): Chunk {
    return chunkFor(this.#chunks, schema);
  }

  reject(rejection: Rejection): void {
    this.#rejections.set(rejection.batchLine, rejection);
  }

  blank(batchLine: number): void {
    this.#blanks.add(batchLine);
  }

  /** Holds the lines judged so far against what stands there. */
  async relieve(): Promise<void> {
    const { rows, outcomes, received, ids } = this.#standing;
    await rows.begin();
    const last = this.#tally.received;
    const encoded = [...this.#chunks.values()].map(begin);
    let current: Encoded | undefined = encoded[0];
    for (; this.#line <= last; this.#line++) {
      const line = this.#line;
      if (outcomes.last < line) await outcomes.seek(line);
      while (rows.line < line) await this.#stranger();
      if (current?.line !== line) current = encoded.find((each) => each.line === line) ?? current;
      const own = current?.line === line ? current : undefined;
      if (line > received && rows.line !== line) {
        // The upload broke off before, or the file has grown: the source tells that.
      } else if (own === undefined) await this.#notPassed(line);
      else if (outcomes.first <= line || !this.#standing.keepsRows) await this.#passedWithoutRow(own, line);
      else if (!this.#isStored(own, line)) await this.#passed(own, line, 0);
      else {
        // The way of nearly every line: nothing on it waits for anything but the next rows.
        this.#findings.counts.stored++;
        if (!rows.next()) await rows.load();
        if (rows.line === line) await this.#passed(own, line, 1);
      }
      if (own !== undefined) advance(own);
    }
    await ids.settle((line, table) => {
      const message = 'it is recorded as a duplicate, and no row has its id';
      this.#findings.add({ kind: 'missing', line, table: `events.${table}`, message });
    });
    for (const chunk of this.#chunks.values()) chunk.clear();
    this.#rejections.clear();
    this.#blanks.clear();
  }

  async finish(): Promise<StoredAnswer> {
    await this.end();
    return { report: '', status: 0 };
  }

  async abandon(): Promise<void> {}

  /** Behind the last line of the last file. */
  async end(): Promise<void> {
    await this.relieve();
    const { rows, outcomes } = this.#standing;
    while (rows.line !== Number.POSITIVE_INFINITY) await this.#stranger();
    for (let line = this.#line; ; line = outcomes.last + 1) {
      await outcomes.seek(line);
      if (outcomes.current === undefined) return;
      const message = `it is recorded as ${outcomes.current.verdict}, and the files have no such line`;
      this.#findings.add({ kind: 'misrecorded', line: Math.max(line, outcomes.first), message });
    }
  }

  #isStored(own: Encoded, line: number): boolean {
    const { rows, places, receivedAt } = this.#standing;
    if (rows.line !== line || places.tableOf(rows.place) !== own.chunk.plan.table) return false;
    return isSame(own, rows.view, rows.start, receivedAt);
  }

  /**
   * The line is valid, and its row has to be there.
   * @param before rows of it that were there already, as they should be
   */
  async #passed(own: Encoded, line: number, before: number): Promise<void> {
    const { rows, places, receivedAt } = this.#standing;
    const { table } = own.chunk.plan;
    let met = before;
    let isChanged = false;
    while (rows.line === line) {
      if (places.tableOf(rows.place) !== table) {
        await this.#stranger();
        continue;
      }
      if (++met === 2) this.#note('doubled', line, rows.place, 'its row is there more than once');
      if (!isChanged && !isSame(own, rows.view, rows.start, receivedAt)) {
        isChanged = true;
        this.#noteChange(own, line);
      }
      if (!rows.next()) await rows.load();
    }
    if (met === 0) {
      this.#findings.add({ kind: 'missing', line, table: places.nameOf(table), message: 'its row is not there' });
    } else if (before === 0) this.#findings.counts.stored++;
  }

  #noteChange(own: Encoded, line: number): void {
    const { rows, places, receivedAt } = this.#standing;
    const { columns, types } = places.columnsOf(rows.place);
    const differing = differencesOf(own, rows.view, rows.start, receivedAt, columns, types);
    const message = `its row is another one: ${differing.map(({ column }) => column).join(', ')}`;
    const table = places.nameOf(own.chunk.plan.table);
    this.#findings.add({ kind: 'changed', line, table, message, columns: differing });
  }

  /** The line is valid, and all the same it has to have no row. */
  async #passedWithoutRow(own: Encoded, line: number): Promise<void> {
    const { outcomes, keepsRows, ids } = this.#standing;
    const outcome = outcomes.of(line);
    await this.#strangersOf(line);
    if (outcome === undefined) {
      this.#findings.counts.rejected++;
    } else if (outcome.verdict === 'rejected') {
      this.#judgeRejection(line, outcome, () => own.chunk.place(own.row));
      const code = outcome.rejection?.code;
      if (code === undefined || MAY_REJECT_VALID.includes(code)) return;
      const message = `it was rejected (${code}), and it is valid`;
      this.#findings.add({ kind: 'rejected_valid', line, message });
    } else if (outcome.verdict === 'duplicate') {
      this.#findings.counts.duplicate++;
      if (keepsRows && !ids.expect(own, own.chunk.plan, line)) {
        this.#findings.add({
          kind: 'missing',
          line,
          message: 'it is recorded as a duplicate, and its events have no id',
        });
      }
    } else {
      const message = `it is recorded as ${outcome.verdict}, and it holds an event`;
      this.#findings.add({ kind: 'misrecorded', line, message });
    }
  }

  /** The line is blank or not valid. */
  async #notPassed(line: number): Promise<void> {
    const rejection = this.#rejections.get(line);
    const outcome = this.#standing.outcomes.of(line);
    if (rejection === undefined) {
      this.#findings.counts.blank++;
      await this.#strangersOf(line);
      if (outcome?.verdict === 'blank' || !this.#standing.keepsRejections) return;
      const message = `it is blank, and recorded as ${outcome?.verdict ?? 'accepted'}`;
      this.#findings.add({ kind: 'misrecorded', line, message });
      return;
    }
    if (this.#standing.rows.line === line) await this.#acceptedInvalid(line, rejection);
    else if (outcome?.verdict === 'rejected') this.#judgeRejection(line, outcome, () => rejection);
    else if (this.#standing.keepsRejections) {
      const message = `it is not valid (${reason(rejection)}), and no rejection of it is stored`;
      this.#findings.add({ kind: 'rejection_missing', line, message });
    }
  }

  async #acceptedInvalid(line: number, rejection: Rejection): Promise<void> {
    const { rows } = this.#standing;
    while (rows.line === line) {
      const message = `it is not valid (${reason(rejection)}), and there is a row of it`;
      this.#note('accepted_invalid', line, rows.place, message);
      if (!rows.next()) await rows.load();
    }
  }

  #judgeRejection(line: number, { rejection }: Outcome, find: () => RejectedLine): void {
    this.#findings.counts.rejected++;
    if (rejection === undefined || isKept(rejection, find())) return;
    this.#findings.add({ kind: 'rejection_changed', line, message: 'its rejection is stored with other bytes' });
  }

  async #strangersOf(line: number): Promise<void> {
    while (this.#standing.rows.line === line) await this.#stranger();
  }

  /** The current row is nobody's. */
  async #stranger(): Promise<void> {
    const { rows, places } = this.#standing;
    const line = Number.isNaN(rows.line) ? null : rows.line;
    const row = this.#findings.wants('unknown') ? await places.read(rows.place, line) : undefined;
    const message = 'no line of the files accounts for this row';
    const table = places.fullNameOf(rows.place);
    this.#findings.add({ kind: 'unknown', line, table, message, ...(row === undefined ? {} : { row }) });
    if (!rows.next()) await rows.load();
  }

  #note(kind: 'doubled' | 'accepted_invalid', line: number, place: number, message: string): void {
    this.#findings.add({ kind, line, table: this.#standing.places.fullNameOf(place), message });
  }
}
