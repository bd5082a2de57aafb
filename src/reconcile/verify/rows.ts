// A batch's rows of all tables as one stream in the order of their lines, each with the columns of its table's plan in
// the order of the encoder, so that a file's lines can be walked beside it.
import type { Connection } from '../../db.ts';
import { type CopiedBlock, int4Field } from '../../lines/copied.ts';
import { stageColumns } from '../../lines/encode.ts';
import { copyOut } from '../../load/copy.ts';
import type { ColumnType, TablePlan } from '../../model.ts';
import { commentOn } from '../../schema/ddl.ts';
import { quote } from '../../sql.ts';
import { quoted, type RowTable } from '../tables.ts';
import { TYPE_OID } from './values.ts';

/** A table that rows of the batch may stand in. */
export interface Place {
  table: RowTable;
  /** Names of the columns that the encoder's values went to, and of further ones; null where no line can have gone. */
  columns: readonly string[] | null;
}

/** Types as `format_type` names them. */
const CATALOGUE_NAME: Readonly<Partial<Record<ColumnType, string>>> = { timestamptz: 'timestamp with time zone' };

/** Types of {@link namesOf}, in their order. */
export function typesOf(plan: TablePlan): number[] {
  const { columns, extra } = plan;
  const own = columns.map(({ type }) => TYPE_OID[type]);
  return [...own, ...(extra ? [TYPE_OID.jsonb] : []), TYPE_OID.integer, TYPE_OID.text, TYPE_OID.timestamptz];
}

/**
 * The columns that hold what the encoder writes, and `_received_at`. By the JSON Pointer in their comment and their type
 * first: names can be given by order.
 * @param final the table in `events`, where the comments are
 */
export function namesOf(plan: TablePlan, { columns }: RowTable): string[] {
  const byPointer = new Map([...columns].map(([name, { type, comment }]) => [`${type} ${comment}`, name]));
  const own = plan.columns.map((column) => {
    const { name, type } = column;
    return byPointer.get(`${CATALOGUE_NAME[type] ?? type} ${commentOn(column)}`) ?? name;
  });
  return [...own, ...stageColumns(plan).slice(own.length), '_received_at'];
}

export class RowStream {
  /** Line of the current row; -Infinity before {@link begin}, Infinity behind the last row, NaN for no line. */
  line = Number.NEGATIVE_INFINITY;
  /** Index of its place. */
  place = 0;
  /** Where its record stands: its length, its field count, then each field as type, length, bytes. */
  view: DataView = new DataView(new ArrayBuffer(0));
  start = 0;
  /** Whether the first row has arrived: Postgres sorts all of them before. */
  isReady = false;
  readonly #blocks: AsyncGenerator<CopiedBlock>;
  #first: Promise<void> | undefined;
  #block: CopiedBlock | undefined;
  #row = -1;

  constructor(connection: Connection, places: readonly Place[], batchId: string) {
    const selects = places.map((place, index) => selectOf(place, index, batchId));
    const select = `${selects.join(' UNION ALL ')} ORDER BY 1`;
    this.#blocks = places.length === 0 ? nothing() : copyOut(connection, select, 3);
  }

  /** Begins to read, and waits for the first row. */
  begin(): Promise<void> {
    this.#first ??= this.load().then(() => {
      this.isReady = true;
    });
    return this.#first;
  }

  /** Goes on to the next row; false where more has to be loaded for that. */
  next(): boolean {
    const block = this.#block;
    if (block === undefined || ++this.#row >= block.count) return false;
    const start = block.starts[this.#row]!;
    this.view = block.view;
    this.line = int4Field(block.view, start, 0) ?? Number.NaN;
    this.place = int4Field(block.view, start, 1)!;
    // Behind the count and two fields of 4 bytes, each with its length.
    this.start = start + 2 + 8 + 8 + (Number.isNaN(this.line) ? -4 : 0);
    return true;
  }

  async load(): Promise<void> {
    do {
      const { done, value } = await this.#blocks.next();
      if (done) {
        this.line = Number.POSITIVE_INFINITY;
        return;
      }
      this.#block = value;
      this.#row = -1;
    } while (!this.next());
  }
}

async function* nothing(): AsyncGenerator<never> {}

/** `record_send` makes one value of a row, whatever columns it has. A column that is there no more counts as NULL. */
function selectOf({ table, columns }: Place, index: number, batchId: string): string {
  const values = columns?.map((name) => (table.columns.has(name) ? quote(name) : 'NULL::text'));
  const row = values === undefined ? 'NULL::bytea' : `record_send(ROW(${values.join(', ')}))`;
  return `SELECT _line, ${index}::int, ${row} FROM ${quoted(table)} WHERE _batch_id = '${batchId}'`;
}
