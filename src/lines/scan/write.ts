// Emits what writes one column of a row of binary COPY from its slot: the same bytes as the writers of `RowBuffer`.
import type { ColumnType } from '../../model.ts';
import { WRITERS } from '../encode.ts';
import { WRITTEN } from '../rows.ts';
import type { ValueReading } from './understand.ts';

interface Place {
  index: number;
  /** Whether every line that gets here has a value for it. */
  isCertain: boolean;
  /** Makes room for the whole row once more. */
  room: string;
}

/** @param reading undefined where lines that get here have no value for the column */
export function writeColumn(reading: ValueReading | undefined, type: ColumnType, place: Place): string {
  const empty = 'into.setInt32(to, -1); to += 4;';
  if (reading === undefined) return empty;
  const { index, isCertain } = place;
  const write = reading.read === 'parsed' ? writeParsed(type, place) : writeSlot(type, index);
  return isCertain ? `{ ${write} }` : `if (set[${index}] === 0) { ${empty} } else { ${write} }`;
}

function writeSlot(type: ColumnType, index: number): string {
  switch (type) {
    case 'bigint':
    case 'timestamptz':
      return `into.setInt32(to, 8); into.setInt32(to + 4, high[${index}]); into.setInt32(to + 8, low[${index}]); to += 12;`;
    case 'double precision':
      return `into.setInt32(to, 8); into.setFloat64(to + 4, number[${index}]); to += 12;`;
    case 'boolean':
      return `into.setInt32(to, 1); out[to + 4] = low[${index}]; to += 5;`;
    case 'date':
      return `into.setInt32(to, 4); into.setInt32(to + 4, low[${index}]); to += 8;`;
    case 'uuid':
      return `into.setInt32(to, 16); copyUuid(bytes, low[${index}], out, to + 4); to += 20;`;
    case 'text':
      // See `text` in checks.ts.
      return `const from = low[${index}];
        if (from >= 0) {
          into.setInt32(to, high[${index}] - from);
          to = copyText(bytes, view, from, high[${index}], out, into, to + 4);
        } else {
          into.setInt32(to, high[${index}] + 1 + from);
          to = copyText(unescaped.bytes, unescaped.view, -1 - from, high[${index}], out, into, to + 4);
        }`;
    case 'jsonb':
      throw new Error('a jsonb is written from its parsed value');
  }
}

function writeParsed(type: ColumnType, { index, room }: Place): string {
  return `rows.advance(to);
    if (rows.${WRITERS[type]}(value[${index}]) !== ${WRITTEN}) { rows.rollback(); return false; }
    to = ${room}; out = rows.bytes; into = rows.view;`;
}
