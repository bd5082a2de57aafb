// A validated event to one row. For each schema version a function is generated once, as ajv does for validation: it
// reads properties by constant names and calls the writer of each column in table order.
import type { Column, LineError, TablePlan } from '../model.ts';
import { pointer } from '../pointer.ts';
import type { ObjectShape, Slot } from '../schema/shape.ts';
import { extraOf, pathOfFault } from './extra.ts';
import { isObject } from './object.ts';
import { INEXACT, MISFIT, type RowBuffer, UNSTORABLE, WRITTEN } from './rows.ts';

/** The line has a number that JSON.parse may have changed: parse it again exactly, then encode that. */
export const NEEDS_EXACT = Symbol('needs exact numbers');

/**
 * Writes one event as one row of the stage.
 * @param line line number in the batch
 * @returns undefined when written; otherwise nothing was written, and the result says why
 */
export type Encode = (event: object, rows: RowBuffer, line: number) => LineError | typeof NEEDS_EXACT | undefined;

/** Names of the stage's columns in the order in which {@link compileEncoder} writes them. */
export function stageColumns(plan: TablePlan): string[] {
  return [...plan.columns.map((column) => column.name), ...(plan.extra ? ['_extra'] : []), '_line', '_schema_version'];
}

/** Bytes of an id that fit into an index page whatever Postgres does with them (limit: 2,704 after compression). */
export const LONGEST_ID = 2_600;

/** What the generated code calls. */
class Support {
  readonly #plan: TablePlan;
  readonly #shape: ObjectShape;

  constructor(plan: TablePlan, shape: ObjectShape) {
    this.#plan = plan;
    this.#shape = shape;
  }

  readonly own = (object: object, key: string): unknown =>
    Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined;

  readonly isObject = isObject;

  readonly keyCount = (object: object): number => {
    let count = 0;
    for (const _ in object) count++;
    return count;
  };

  readonly unstorable = (index: number, rows: RowBuffer): LineError =>
    this.#refuse(rows, pointer(this.#plan.columns[index]!.path), rows.reason);

  readonly longId = (index: number, rows: RowBuffer): LineError =>
    this.#refuse(rows, pointer(this.#plan.columns[index]!.path), `an id has at most ${LONGEST_ID} bytes`);

  readonly inexact = (rows: RowBuffer): typeof NEEDS_EXACT => {
    rows.rollback();
    return NEEDS_EXACT;
  };

  /** Writes `_extra`. The generated code asks for it only where something may be left over. */
  readonly extra = (event: object, rows: RowBuffer): LineError | undefined => {
    const extra = extraOf(event, this.#shape, this.#plan);
    if (extra === undefined) {
      rows.null();
    } else if (rows.jsonb(extra) !== WRITTEN) {
      const { reason } = rows;
      return this.#refuse(rows, pathOfFault(extra, this.#shape, rows.escapes), reason);
    }
    return undefined;
  };

  #refuse(rows: RowBuffer, path: string, message: string): LineError {
    rows.rollback();
    return { path, keyword: 'storable', message };
  }
}

export const WRITERS: Record<Column['type'], keyof RowBuffer> = {
  bigint: 'bigint',
  'double precision': 'double',
  boolean: 'boolean',
  text: 'text',
  timestamptz: 'timestamptz',
  date: 'date',
  uuid: 'uuid',
  jsonb: 'jsonb',
};

/** Generates the encoder of one schema version into its table. */
export function compileEncoder(plan: TablePlan, shape: ObjectShape, version: string): Encode {
  const reads: string[] = [];
  const variableOf = new Map<number, string>();
  readObject(shape, 'event', true, { reads, variableOf, extra: plan.extra });
  const writes = plan.columns.map((column, index) => writeColumn(column, index, variableOf.get(index), plan.extra));
  const source = `
    let extra = false, outcome = 0;
    ${reads.join('\n')}
    rows.begin(${stageColumns(plan).length});
    ${writes.join('\n')}
    ${plan.extra ? 'if (extra) { const fault = support.extra(event, rows); if (fault) return fault; } else rows.null();' : ''}
    rows.int4(line);
    rows.bytea(version);
    rows.end();
    return undefined;`;
  const build = new Function('support', 'version', `return (event, rows, line) => {${source}};`);
  return build(new Support(plan, shape), Buffer.from(version));
}

const encoders = new WeakMap<Encodable, Encode>();

interface Encodable {
  plan: TablePlan;
  shape: ObjectShape;
  version: string;
}

/** The encoder of a schema version, generated when it is first needed. */
export function encoderOf(schema: Encodable): Encode {
  let encode = encoders.get(schema);
  if (encode === undefined) {
    encode = compileEncoder(schema.plan, schema.shape, schema.version);
    encoders.set(schema, encode);
  }
  return encode;
}

interface Reading {
  reads: string[];
  /** Column index → the variable that holds its value. */
  variableOf: Map<number, string>;
  extra: boolean;
}

/**
 * Emits code that takes an object apart into variables, and notes in `extra` whether it may hold anything that no
 * column takes: an undeclared property, a null that means something, an object that leaves no trace.
 */
function readObject(shape: ObjectShape, variable: string, certain: boolean, reading: Reading): void {
  const { reads, variableOf, extra } = reading;
  const present: string[] = [];
  const traces: string[] = [];
  for (const [name, slot] of shape.properties) {
    const value = `${variable}_${present.length}`;
    reads.push(`const ${value} = ${access(variable, name)};`);
    present.push(value);
    const required = certain && shape.required.has(name);
    if (slot.kind === 'column') {
      variableOf.set(slot.index, value);
      traces.push(value);
      if (extra && slot.nullable && !required) reads.push(`if (${value} === null) extra = true;`);
    } else {
      readNested(slot, value, required, reading);
    }
  }
  if (!extra) return;
  const count = present.map((value) => `(${value} !== undefined)`).join(' + ') || '0';
  reads.push(`if (support.keyCount(${variable}) !== ${count}) extra = true;`);
  if (!certain) reads.push(`if (${traces.map((value) => `${value} == null`).join(' && ') || 'true'}) extra = true;`);
}

function readNested(slot: Slot & { kind: 'object' }, value: string, required: boolean, reading: Reading): void {
  const inner = `${value}o`;
  reading.reads.push(
    `let ${inner} = ${value};`,
    `if (!support.isObject(${value})) { if (${value} !== undefined) extra = true; ${inner} = {}; }`,
  );
  readObject(slot.shape, inner, required && !slot.nullable, reading);
}

function access(variable: string, name: string): string {
  // Members of Object.prototype would be found on every object.
  return name in Object.prototype
    ? `support.own(${variable}, ${JSON.stringify(name)})`
    : `${variable}[${JSON.stringify(name)}]`;
}

function writeColumn(column: Column, index: number, value: string | undefined, extra: boolean): string {
  if (value === undefined) return 'rows.null();';
  const misfit = extra
    ? `if (outcome === ${MISFIT}) extra = true; else `
    : `if (outcome === ${MISFIT}) outcome = ${UNSTORABLE};`;
  const longId =
    column.id && column.type === 'text'
      ? `else if (Buffer.byteLength(${value}) > ${LONGEST_ID}) return support.longId(${index}, rows);`
      : '';
  return `
    if (${value} === undefined || ${value} === null) rows.null();
    else {
      outcome = rows.${WRITERS[column.type]}(${value});
      if (outcome !== ${WRITTEN}) {
        ${misfit}
        if (outcome === ${INEXACT}) return support.inexact(rows);
        else if (outcome === ${UNSTORABLE}) return support.unstorable(${index}, rows);
      } ${longId}
    }`;
}
