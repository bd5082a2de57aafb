// `_extra` of one line: the nulls that a column cannot tell from an absent property, and the members that the schema does
// not declare. The same as src/lines/extra.ts makes of the parsed event; what would take more is left to it.
import { defineMember, type JsonObject } from '../object.ts';
import { RowBuffer, WRITTEN } from '../rows.ts';
import { BACKSLASH, type Unescaped } from './escapes.ts';
import { readParsed } from './parsed.ts';
import type { Slots } from './slots.ts';
import { endOfText, QUOTE, skipSpace } from './text.ts';

const COLON = 0x3a;
/** Undeclared members of one line: each is compared with those before it. */
const MOST_MEMBERS = 32;
/** Places that have a bit of their own in a mask. */
const MASK_BITS = 31;
/** Masks of which the bytes are kept. */
const MOST_KNOWN = 1_000;

const ANYTHING = (): boolean => true;

interface Member {
  /** Number of its object. */
  object: number;
  key: string;
  value: unknown;
}

export class Leftovers {
  /** How many the line has so far. */
  count = 0;
  readonly #places: readonly (readonly string[])[];
  readonly #objects: readonly (readonly string[])[];
  readonly #slots: Slots;
  readonly #unescaped: Unescaped;
  readonly #nulls: number[] = [];
  #mask = 0;
  #members: Member[] = [];
  /** The field of a row for each mask of nulls. */
  readonly #known = new Map<number, Buffer>();
  readonly #scratch = new RowBuffer(1_024);

  /**
   * @param places paths of the properties that {@link null} may be told of
   * @param objects paths of the objects that {@link read} may be told of
   */
  constructor(
    places: readonly (readonly string[])[],
    objects: readonly (readonly string[])[],
    slots: Slots,
    unescaped: Unescaped,
  ) {
    this.#places = places;
    this.#objects = objects;
    this.#slots = slots;
    this.#unescaped = unescaped;
  }

  /** Forgets those of the line before. */
  clear(): void {
    if (this.count === 0) return;
    this.count = 0;
    this.#mask = 0;
    this.#nulls.length = 0;
    if (this.#members.length > 0) this.#members = [];
  }

  /** The property at a place is null. */
  null(place: number): void {
    this.count++;
    this.#nulls.push(place);
    this.#mask |= 1 << place;
  }

  /**
   * Reads a member that its object does not declare.
   * @param levels how deep objects and arrays may stand in each other within its value
   * @returns the index behind its value, or -1
   */
  read(bytes: Buffer, at: number, end: number, plain: Uint8Array, levels: number, object: number): number {
    if (bytes[at] !== QUOTE || this.#members.length === MOST_MEMBERS) return -1;
    let close = endOfText(bytes, at + 1, plain);
    let key: string;
    if (bytes[close] === BACKSLASH) {
      const unescaped = this.#unescaped;
      close = unescaped.read(bytes, at + 1, close, end, plain);
      if (close < 0) return -1;
      key = unescaped.bytes.toString('utf8', unescaped.start, unescaped.end);
    } else key = bytes.toString('utf8', at + 1, close);
    if (bytes[close] !== QUOTE) return -1;
    // The envelope of an event is nothing that is stored, and has its say in which schema it is.
    if (key === '$schema' && this.#objects[object]!.length === 0) return -1;
    if (this.#members.some((other) => other.object === object && other.key === key)) return -1;
    const colon = skipSpace(bytes, close + 1);
    if (bytes[colon] !== COLON) return -1;
    const slots = this.#slots;
    const column = slots.value.length - 1;
    const start = skipSpace(bytes, colon + 1);
    const behind = readParsed(bytes, start, end, plain, levels, slots, column, ANYTHING);
    if (behind < 0) return -1;
    this.#members.push({ object, key, value: slots.value[column] });
    this.count++;
    return behind;
  }

  /** Writes the field of the row. Returns false where jsonb cannot hold it. */
  write(rows: RowBuffer): boolean {
    if (this.#members.length > 0 || this.#places.length > MASK_BITS) return rows.jsonb(this.#extra()) === WRITTEN;
    let field = this.#known.get(this.#mask);
    if (field === undefined) {
      const scratch = this.#scratch;
      const start = scratch.length;
      if (scratch.jsonb(this.#extra()) !== WRITTEN) return false;
      field = Buffer.from(scratch.bytes.subarray(start, scratch.length));
      scratch.rollback();
      if (this.#known.size < MOST_KNOWN) this.#known.set(this.#mask, field);
    }
    const to = rows.room(field.length);
    rows.bytes.set(field, to);
    rows.advance(to + field.length);
    return true;
  }

  #extra(): JsonObject {
    const extra: JsonObject = {};
    for (const place of this.#nulls) {
      const path = this.#places[place]!;
      defineMember(objectAt(extra, path.slice(0, -1)), path.at(-1)!, null);
    }
    for (const { object, key, value } of this.#members) {
      defineMember(objectAt(extra, this.#objects[object]!), key, value);
    }
    return extra;
  }
}

/** The object at a path, made where it is not there. */
function objectAt(root: JsonObject, path: readonly string[]): JsonObject {
  let object = root;
  for (const name of path) {
    if (!Object.hasOwn(object, name)) defineMember(object, name, {});
    object = object[name] as JsonObject;
  }
  return object;
}
