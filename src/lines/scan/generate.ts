// The code of one version's scanner. Only numbers get into it, and bytes of names as numbers: what a schema says is data,
// whatever it holds.
import type { TablePlan } from '../../model.ts';
import { stageColumns } from '../encode.ts';
import { add, type Constants, numberChecks, plainText, text, textChecks } from './checks.ts';
import type { NullReading, ObjectReading, Reading, ValueReading } from './understand.ts';
import { writeColumn } from './write.ts';

/** Bytes of keys that are compared by code of their own; the others are looked up, for V8 optimizes no huge function. */
const MOST_UNROLLED = 2_000;
/** Columns of which each is cleared by a statement of its own. */
const FEW_COLUMNS = 16;

/** The body of the function that makes a scanner; its free names are the parameters of `build` in compile.ts. */
export function generate({ event: reading }: Reading, plan: TablePlan, version: Buffer, constants: Constants): string {
  const objects: string[] = [];
  const top = new Generator(constants, objects).object(reading);
  const certain = certainColumns(reading);
  const uncertain = plan.columns.map((_, index) => index).filter((index) => !certain.has(index));
  const clear =
    uncertain.length > FEW_COLUMNS ? 'set.fill(0);' : uncertain.map((index) => `set[${index}] = 0;`).join(' ');
  const columns = readColumns(reading);
  const room = `rows.room(${64 + plan.columns.length * 20 + version.length} + end - start)`;
  const writes = plan.columns.map((column, index) =>
    writeColumn(columns.get(index), column.type, { index, isCertain: certain.has(index), room }),
  );
  return `
    ${objects.join('\n')}
    return (block, start, end, rows, line) => {
      const { bytes, view, plain, levels } = block;
      if (levels < ${depthOf(reading)}) return false;
      ${clear} unescaped.clear(); leftovers.clear();
      slots.escapes = false; slots.envelope = block.envelope; slots.behindEnvelope = end - 1;
      const at = ${top}(bytes, view, start, end, plain, levels);
      if (at < 0 || (at !== end && skipSpace(bytes, at) !== end)) return false;
      let to = ${room}, out = rows.bytes, into = rows.view;
      rows.escapes = slots.escapes;
      into.setInt16(to, ${stageColumns(plan).length}); to += 2;
      ${writes.join('\n')}
      ${plan.extra ? writeExtra(room) : ''}
      into.setInt32(to, 4); into.setInt32(to + 4, line);
      into.setInt32(to + 8, ${version.length}); to += 12;
      ${[...version].map((byte, index) => `out[to + ${index}] = ${byte};`).join(' ')}
      rows.advance(to + ${version.length});
      rows.end();
      return true;
    };`;
}

class Generator {
  readonly #constants: Constants;
  readonly #objects: string[];
  #unrolled = 0;

  constructor(constants: Constants, objects: string[]) {
    this.#constants = constants;
    this.#objects = objects;
  }

  /** Emits a function that reads an object's members from behind its brace on; returns the function's name. */
  object({ properties, names, depth, open }: ObjectReading): string {
    const none = properties.length;
    const order = add(
      this.#constants.orders,
      Int32Array.from({ length: none + 1 }, (_, index) => (index + 1) % (none + 1)),
    );
    const table = add(this.#constants.names, names);
    const words = (none + 31) >> 5;
    const masks = new Array<number>(words).fill(0);
    for (const [index, { required }] of properties.entries()) if (required) masks[index >> 5]! |= 1 << (index & 31);
    const keys = properties.map(({ name }, index) => this.#key(name, index));
    const values = properties.map(({ value }, index) => {
      const seen = `seen${index >> 5}`;
      const bit = 1 << (index & 31);
      const once = `if ((${seen} & ${bit}) !== 0) return -1; ${seen} |= ${bit};`;
      return `case ${index}: { ${value === null ? 'return -1;' : `${once} ${this.#value(value, depth)} break;`} }`;
    });
    const name = `object${order}`;
    this.#objects.push(`function ${name}(bytes, view, at, end, plain, levels) {
      const order = orders[${order}];
      let ${masks.map((_, word) => `seen${word} = 0, `).join('')} previous = ${none}, key = 0, byte = 0;
      if (bytes[at] <= 0x20) at = skipSpace(bytes, at);
      if (bytes[at] === 0x7d) at++;
      else for (;;) {
        key = order[previous] === ${none} ? order[${none}] : order[previous];
        switch (key) {
          ${keys.join('\n')}
          default: key = -1;
        }
        if (key === -1) {
          ${depth === 1 ? 'if (at === slots.envelope) at = slots.behindEnvelope; else' : ''} {
            const behind = readKey(bytes, at, end, plain, unescaped, names[${table}], order, previous);
            if (behind >= 0) { at = behind; key = order[previous]; }
            else ${open === null ? 'return -1;' : `at = leftovers.read(bytes, at, end, plain, levels - ${depth}, ${open});`}
          }
        }
        if (key !== -1) {
          previous = key;
          if (bytes[at] <= 0x20) at = skipSpace(bytes, at);
          switch (key) {
            ${values.join('\n')}
          }
        }
        if (at < 0) return -1;
        byte = bytes[at];
        if (byte <= 0x20) { at = skipSpace(bytes, at); byte = bytes[at]; }
        at++;
        if (byte === 0x2c) { if (bytes[at] <= 0x20) at = skipSpace(bytes, at); }
        else if (byte === 0x7d) break;
        else return -1;
      }
      ${masks.map((mask, word) => (mask === 0 ? '' : `if ((~seen${word} & ${mask}) !== 0) return -1;`)).join(' ')}
      return at;
    }`);
    return name;
  }

  /** Compares the key that is expected, with its quotes and the colon, four bytes at a time. */
  #key(name: string, index: number): string {
    const bytes = Buffer.from(`"${name}":`);
    this.#unrolled += bytes.length;
    if (this.#unrolled > MOST_UNROLLED || bytes.length < 4) return '';
    const places: number[] = [];
    for (let at = 0; at < bytes.length - 4; at += 4) places.push(at);
    places.push(bytes.length - 4);
    const same = places.map((at) => `view.getInt32(at + ${at}, true) === ${bytes.readInt32LE(at)}`);
    return `case ${index}: if (at + ${bytes.length} < end && ${same.join(' && ')}) at += ${bytes.length}; else key = -1; break;`;
  }

  #value(value: ValueReading, depth: number): string {
    // Before anything else of the case: a column without its flag is null.
    const noNull = readNull(value.onNull);
    if (value.read === 'object') {
      const name = this.object(value.object);
      return `${noNull} if (bytes[at] !== 0x7b) return -1;
        const before = leftovers.count;
        at = ${name}(bytes, view, at + 1, end, plain, levels); ${traces(value.object, value.traces)}`;
    }
    const { column } = value;
    return `${noNull} set[${column}] = 1; ${this.#scalar(value, column, depth)}`;
  }

  #scalar(value: Exclude<ValueReading, { read: 'object' }>, column: number, depth: number): string {
    switch (value.read) {
      case 'integer':
        return `at = readInteger(bytes, at, slots, ${column}); ${numberChecks(value.rules, column)}`;
      case 'double':
        return `at = readDouble(bytes, at, slots, ${column}); ${numberChecks(value.rules, column)}`;
      case 'boolean':
        return `at = readBoolean(bytes, at, low, ${column});`;
      case 'timestamp':
        return `at = readTimestamp(bytes, at, slots, ${column});`;
      case 'date':
        return `at = readDate(bytes, at, slots, ${column});`;
      case 'uuid':
        return plainText('endOfUuid(bytes, at + 1)', column, '');
      case 'text': {
        const checks = textChecks(value.rules, this.#constants);
        return value.email ? plainText('endOfEmail(bytes, at + 1)', column, checks) : text(column, checks);
      }
      case 'parsed': {
        const test = add(this.#constants.tests, value.accepts);
        return `if (bytes[at] === 0x6e) return -1;
          at = readParsed(bytes, at, end, plain, levels - ${depth}, slots, ${column}, tests[${test}]);`;
      }
    }
  }
}

function readNull(on: NullReading): string {
  if (on === 'missed') return '';
  const note = on === 'column' ? '' : `leftovers.null(${on.place});`;
  return `if (bytes[at] === 0x6e) { at = skipNull(bytes, at); ${note} break; }`;
}

function writeExtra(room: string): string {
  return `if (leftovers.count === 0) { into.setInt32(to, -1); to += 4; }
      else {
        rows.advance(to);
        if (!leftovers.write(rows)) { rows.rollback(); return false; }
        to = ${room}; out = rows.bytes; into = rows.view;
      }`;
}

/** An object that neither a column nor a member of `_extra` shows is for `_extra`. */
function traces(object: ObjectReading, columns: readonly number[] | null): string {
  if (columns === null || certainColumns(object).size > 0) return '';
  const set = columns.map((column) => `set[${column}] !== 0`);
  return `if (at < 0 || !(${[...set, 'leftovers.count > before'].join(' || ')})) return -1;`;
}

/** Columns that have a value whenever the object is read. */
function certainColumns(object: ObjectReading, columns: Set<number> = new Set()): Set<number> {
  for (const { required, value } of object.properties) {
    if (value === null || !required || value.onNull !== 'missed') continue;
    if (value.read === 'object') certainColumns(value.object, columns);
    else columns.add(value.column);
  }
  return columns;
}

type ColumnReading = Exclude<ValueReading, { read: 'object' }>;

function readColumns(object: ObjectReading, columns = new Map<number, ColumnReading>()): Map<number, ColumnReading> {
  for (const { value } of object.properties) {
    if (value?.read === 'object') readColumns(value.object, columns);
    else if (value !== null) columns.set(value.column, value);
  }
  return columns;
}

function depthOf({ properties, depth }: ObjectReading): number {
  return Math.max(depth, ...properties.map(({ value }) => (value?.read === 'object' ? depthOf(value.object) : depth)));
}
