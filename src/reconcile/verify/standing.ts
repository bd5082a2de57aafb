// The tables that the batch's rows may stand in, and what can be asked of them beside their stream.
import type { Connection } from '../../db.ts';
import type { Column, TablePlan } from '../../model.ts';
import { quote } from '../../sql.ts';
import { homeOf, type RecordedBatch } from '../record.ts';
import { quoted, type RowTables } from '../tables.ts';
import { type EncodedRows, fieldOf } from './record.ts';
import { namesOf, type Place, typesOf } from './rows.ts';
import { plainText, TYPE_OID } from './values.ts';

/** Rows of one query for ids. */
const AT_ONCE = 10_000;

export class StandingRows {
  readonly places: readonly Place[];
  /** By place; undefined where no line of the batch can have gone. */
  readonly #plans: (TablePlan | undefined)[] = [];
  readonly #home: string;
  readonly #reader: Connection;
  readonly #batchId: string;

  /** @param plans of the tables that the batch's lines can have gone to */
  constructor(reader: Connection, tables: RowTables, plans: readonly TablePlan[], batch: RecordedBatch) {
    const home = homeOf(batch);
    this.#reader = reader;
    this.#batchId = batch.id;
    this.#home = home ?? 'events';
    const schemas = home === 'stage' ? ['events', 'stage'] : ['events'];
    this.places = schemas.flatMap((schema) =>
      tables.in(schema).map((table): Place => {
        const plan = schema === home ? plans.find((each) => each.table === table.name) : undefined;
        this.#plans.push(plan);
        // The comments by which columns are found are on final.
        const columns = plan === undefined ? null : namesOf(plan, tables.find('events', table.name) ?? table);
        return { table, columns };
      }),
    );
  }

  /** Name of the plan's table at a place; undefined where no line of the batch can have gone. */
  tableOf(place: number): string | undefined {
    return this.#plans[place]?.table;
  }

  /** What the columns of the stream's rows are, where {@link tableOf} is defined. */
  columnsOf(place: number): { columns: readonly string[]; types: readonly number[] } {
    return { columns: this.places[place]!.columns!, types: typesOf(this.#plans[place]!) };
  }

  nameOf(table: string): string {
    return `${this.#home}.${table}`;
  }

  fullNameOf(place: number): string {
    const { schema, name } = this.places[place]!.table;
    return `${schema}.${name}`;
  }

  /** A row as JSON. */
  async read(place: number, line: number | null): Promise<unknown> {
    const { rows } = await this.#reader.query<{ row: unknown }>(
      `SELECT to_jsonb(found) AS row FROM ${quoted(this.places[place]!.table)} AS found
       WHERE _batch_id = $1 AND _line IS NOT DISTINCT FROM $2 LIMIT 1`,
      [this.#batchId, line],
    );
    return rows[0]?.row;
  }
}

/** Ids of lines that are recorded as duplicates: each has to be in final. */
export class FinalIds {
  readonly #reader: Connection;
  readonly #standing: StandingRows;
  readonly #heldBatch: string | null;
  readonly #waiting: { id: string; line: number; plan: TablePlan; column: Column }[] = [];

  constructor(reader: Connection, standing: StandingRows, { id, status }: RecordedBatch) {
    this.#reader = reader;
    this.#standing = standing;
    this.#heldBatch = status === 'held' ? id : null;
  }

  /** Notes a line's id; false where its events have none. */
  expect(row: EncodedRows, plan: TablePlan, line: number): boolean {
    const index = plan.columns.findIndex((column) => column.id);
    const column = plan.columns[index];
    const bytes = column === undefined ? null : fieldOf(row, index);
    if (column === undefined || bytes === null) return false;
    this.#waiting.push({ id: plainText(TYPE_OID[column.type], bytes), line, plan, column });
    return true;
  }

  /** Looks up the ids noted. */
  async settle(onMissing: (line: number, table: string) => void): Promise<void> {
    const waiting = this.#waiting.splice(0);
    for (let from = 0; from < waiting.length; from += AT_ONCE) {
      const some = waiting.slice(from, from + AT_ONCE);
      const known = new Map<TablePlan, ReadonlySet<string>>();
      for (const { plan, column } of some) {
        if (known.has(plan)) continue;
        const ids = some.filter((each) => each.plan === plan).map(({ id }) => id);
        known.set(plan, await this.#find(plan, column, ids));
      }
      for (const { id, line, plan } of some) if (!known.get(plan)!.has(id)) onMissing(line, plan.table);
    }
  }

  async #find(plan: TablePlan, column: Column, ids: readonly string[]): Promise<Set<string>> {
    const found = new Set<string>();
    for (const { table } of this.#standing.places) {
      const isHeld = table.schema === 'stage';
      if (table.name !== plan.table || !table.columns.has(column.name)) continue;
      // Through unnest, so that each id is said as it was asked for, whatever its type prints it as.
      const { rows } = await this.#reader.query<{ id: string }>(
        `SELECT wanted.id FROM unnest($1::text[]) AS wanted (id)
         WHERE EXISTS (
           SELECT FROM ${quoted(table)} AS final
           WHERE final.${quote(column.name)} = wanted.id::${column.type} ${isHeld ? 'AND final._batch_id = $2' : ''})`,
        isHeld ? [ids, this.#heldBatch] : [ids],
      );
      for (const { id } of rows) found.add(id);
    }
    return found;
  }
}
