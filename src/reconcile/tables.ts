// The tables that stand in Postgres now, as places where a batch's rows may be. Names come from the catalogue only.
import type { Connection } from '../db.ts';
import { readCatalogue, type StandingRelation } from '../schema/catalogue.ts';
import { quote } from '../sql.ts';

/** A table with rows of batches in it. */
export type RowTable = Pick<StandingRelation, 'schema' | 'name' | 'columns'>;

/** `events.<name>` and `stage.<name>`. A table from which the provenance was dropped holds rows of no batch. */
export class RowTables {
  readonly #tables: RowTable[];

  private constructor(tables: RowTable[]) {
    this.#tables = tables;
  }

  static async read(connection: Connection): Promise<RowTables> {
    const standing = [...(await readCatalogue(connection, null)).values()];
    return new RowTables(standing.filter((each) => /^[rp]$/.test(each.kind) && !each.isPartition && holdsRows(each)));
  }

  find(schema: string, name: string): RowTable | undefined {
    return this.#tables.find((table) => table.schema === schema && table.name === name);
  }

  /** All of a schema. */
  in(schema: string): RowTable[] {
    return this.#tables.filter((table) => table.schema === schema);
  }
}

function holdsRows({ columns }: RowTable): boolean {
  return columns.get('_batch_id')?.type === 'uuid' && columns.get('_line')?.type === 'integer';
}

export function quoted({ schema, name }: RowTable): string {
  return `${quote(schema)}.${quote(name)}`;
}

/**
 * `_received_at` is the same for a whole batch.
 * @param batchId as it is recorded, for COPY takes no parameters
 */
export function receivedWithBatch({ columns }: RowTable, batchId: string): string {
  if (!columns.has('_received_at')) return 'false';
  return `_received_at::timestamptz = (SELECT received_at FROM sluice.batches WHERE id = '${batchId}')`;
}
