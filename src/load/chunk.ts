// Rows of one table on their way to the stage, each with the place of its line: should Postgres refuse a row that
// passed every check of ours, its bytes are still here and it costs one line.
import { RowBuffer } from '../lines/rows.ts';
import type { TablePlan } from '../model.ts';
import type { SchemaVersion } from '../schema/registry.ts';

/** Where a line stands, and its bytes. */
export interface LinePlace {
  line: number;
  batchLine: number;
  offset: number;
  length: number;
  file: string | null;
  raw: Buffer;
}

/** The file and block that the lines being added come from. */
export interface Source {
  file: string | null;
  /** Number of lines of the batch before this file. */
  linesBefore: number;
  bytes: Buffer;
  offset: number;
}

export class Chunk {
  readonly plan: TablePlan;
  readonly rows = new RowBuffer();
  #sources: Source[] = [];
  #schemas: SchemaVersion[] = [];
  /** Five numbers a row: index of its source and of its schema, start and end in the source's bytes, its batch line. */
  #places = new Int32Array(5 * 256);

  constructor(plan: TablePlan) {
    this.plan = plan;
  }

  /** Notes the place of the row just written. */
  add(source: Source, schema: SchemaVersion, start: number, end: number, batchLine: number): void {
    if (this.#sources.at(-1) !== source) this.#sources.push(source);
    let schemaIndex = this.#schemas.length - 1;
    if (this.#schemas[schemaIndex] !== schema) {
      schemaIndex = this.#schemas.indexOf(schema);
      if (schemaIndex === -1) schemaIndex = this.#schemas.push(schema) - 1;
    }
    const at = (this.rows.rows - 1) * 5;
    if (at === this.#places.length) {
      const places = new Int32Array(this.#places.length * 2);
      places.set(this.#places);
      this.#places = places;
    }
    const places = this.#places;
    places[at] = this.#sources.length - 1;
    places[at + 1] = schemaIndex;
    places[at + 2] = start;
    places[at + 3] = end;
    places[at + 4] = batchLine;
  }

  place(row: number): LinePlace {
    const at = row * 5;
    const { file, linesBefore, bytes, offset } = this.#sources[this.#places[at]!]!;
    const start = this.#places[at + 2]!;
    const end = this.#places[at + 3]!;
    const batchLine = this.#places[at + 4]!;
    return {
      line: batchLine - linesBefore,
      batchLine,
      offset: offset + start,
      length: end - start,
      file,
      raw: bytes.subarray(start, end),
    };
  }

  schema(row: number): SchemaVersion {
    return this.#schemas[this.#places[row * 5 + 1]!]!;
  }

  batchLine(row: number): number {
    return this.#places[row * 5 + 4]!;
  }

  /** The row of a line of the batch, -1 if it is not in here. Lines are in order. */
  rowOf(batchLine: number): number {
    let from = 0;
    let to = this.rows.rows;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.batchLine(middle) < batchLine) from = middle + 1;
      else to = middle;
    }
    return from < this.rows.rows && this.batchLine(from) === batchLine ? from : -1;
  }

  /** A chunk of the same rows but for some. */
  without(rows: { has(row: number): boolean }): Chunk {
    const rest = new Chunk(this.plan);
    for (let row = 0; row < this.rows.rows; row++) {
      if (rows.has(row)) continue;
      const at = row * 5;
      rest.rows.append(this.rows, row);
      const source = this.#sources[this.#places[at]!]!;
      rest.add(source, this.schema(row), this.#places[at + 2]!, this.#places[at + 3]!, this.#places[at + 4]!);
    }
    return rest;
  }

  clear(): void {
    this.rows.clear();
    this.#sources = [];
    this.#schemas = [];
  }
}

/** The chunk that rows of this schema version go to: one a table. */
export function chunkFor(chunks: Map<string, Chunk>, { plan }: SchemaVersion): Chunk {
  let chunk = chunks.get(plan.table);
  if (chunk === undefined) {
    chunk = new Chunk(plan);
    chunks.set(plan.table, chunk);
  }
  return chunk;
}
