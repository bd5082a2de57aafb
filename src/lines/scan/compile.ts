// A scanner for one schema version: from the bytes of a line to its row in one pass. It says yes to lines of the shapes
// that nearly all good events have, and only where JSON.parse, ajv and the encoder would say yes with the same bytes of
// row; about any other line it says nothing, and the usual way judges it.
import type { TablePlan } from '../../model.ts';
import type { Bundle } from '../../schema/bundle.ts';
import type { ObjectShape } from '../../schema/shape.ts';
import type { RowBuffer } from '../rows.ts';
import type { Constants } from './checks.ts';
import { readDate, readTimestamp } from './dates.ts';
import { BACKSLASH, Unescaped } from './escapes.ts';
import { copyUuid, endOfEmail, endOfUuid } from './formats.ts';
import { generate } from './generate.ts';
import { Leftovers } from './leftovers.ts';
import type { Names } from './names.ts';
import { readDouble, readInteger } from './numbers.ts';
import { readParsed } from './parsed.ts';
import { Slots } from './slots.ts';
import { copyText, endOfText, hasLength, QUOTE, readBoolean, skipNull, skipSpace } from './text.ts';
import { understand } from './understand.ts';

/** The bytes that lines stand in. */
export interface Block {
  bytes: Buffer;
  view: DataView;
  /** Bytes that stand for themselves in strings: `PLAIN` if all of the block is UTF-8, else `PLAIN_ASCII`. */
  plain: Uint8Array;
  /** How deep objects and arrays may stand in each other. */
  levels: number;
  /** Where the key of a `$schema` begins that ends the line under way and is not for the row; -1: there is none. */
  envelope: number;
}

/**
 * Scans the members of one event.
 * @param start behind the event's `{`, or behind the comma of a member that is not for the row
 * @param end of the line
 * @param line line number in the batch
 * @returns true: the row stands in `rows`; false: nothing was written, and the line is to be judged the usual way
 */
export type Scan = (block: Block, start: number, end: number, rows: RowBuffer, line: number) => boolean;

/** What a scanner is made from. */
export interface Scannable {
  plan: TablePlan;
  shape: ObjectShape;
  version: string;
  bundle(): Bundle;
}

const COLON = 0x3a;

/**
 * Reads a key that was not expected and notes it in `order` as the one behind `previous`.
 * @param most index behind the line
 * @returns the index behind the colon, or -1
 */
function readKey(
  bytes: Buffer,
  at: number,
  most: number,
  plain: Uint8Array,
  unescaped: Unescaped,
  names: Names,
  order: Int32Array,
  previous: number,
): number {
  if (bytes[at] !== QUOTE) return -1;
  let end = endOfText(bytes, at + 1, plain);
  let index: number;
  if (bytes[end] === BACKSLASH) {
    end = unescaped.read(bytes, at + 1, end, most, plain);
    index = end < 0 ? -1 : names.find(unescaped.bytes, unescaped.start, unescaped.end);
  } else index = names.find(bytes, at + 1, end);
  if (bytes[end] !== QUOTE) return -1;
  if (index === -1) return -1;
  const colon = skipSpace(bytes, end + 1);
  if (bytes[colon] !== COLON) return -1;
  order[previous] = index;
  return colon + 1;
}

const TOOLS = {
  ...{ readKey, skipSpace, skipNull, readBoolean, readInteger, readDouble, readDate, readTimestamp, readParsed },
  ...{ endOfText, endOfEmail, endOfUuid, hasLength, copyText, copyUuid },
};

/** Compiles the scanner of a version, or gives null where the schema has what it cannot read. */
export function compileScanner({ plan, shape, version, bundle }: Scannable): Scan | null {
  const reading = understand(bundle(), plan, shape);
  if (reading === null) return null;
  const constants: Constants = { names: [], orders: [], tests: [] };
  const source = generate(reading, plan, Buffer.from(version), constants);
  // One more, for a value that has no column.
  const slots = new Slots(plan.columns.length + 1);
  const unescaped = new Unescaped();
  const leftovers = new Leftovers(reading.places, reading.objects, slots, unescaped);
  const known = { ...TOOLS, ...constants, ...slots, slots, unescaped, leftovers };
  const scan: Scan = new Function(...Object.keys(known), source)(...Object.values(known));
  return (block, start, end, rows, line) => {
    try {
      return scan(block, start, end, rows, line);
    } catch (error) {
      // A regular expression, or a validator of ajv, may run out of stack; it does so in the usual way too.
      if (!(error instanceof RangeError)) throw error;
      rows.rollback();
      return false;
    }
  };
}
