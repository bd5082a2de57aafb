// The rows of one table, as the encoder wrote those of the block of lines under way, walked line by line.
import type { Chunk } from '../../load/chunk.ts';
import { type EncodedRows, skipRow } from './record.ts';

/** A row's header in `RowBuffer.copyData`. */
const HEADER_BYTES = 19;

/** The rows of one table in the block of lines under way. */
export interface Encoded extends EncodedRows {
  chunk: Chunk;
  /** The row that is next, and its line; Infinity behind the last one. */
  row: number;
  line: number;
}

export function begin(chunk: Chunk): Encoded {
  const data = chunk.rows.copyData();
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  return { chunk, view, at: HEADER_BYTES, row: 0, line: lineAt(chunk, 0) };
}

/** Goes on to the next row. */
export function advance(encoded: Encoded): void {
  skipRow(encoded);
  encoded.line = lineAt(encoded.chunk, ++encoded.row);
}

function lineAt(chunk: Chunk, row: number): number {
  return row < chunk.rows.rows ? chunk.batchLine(row) : Number.POSITIVE_INFINITY;
}
