// What the scanner makes of a schema: for each property how its bytes are read and which rules are checked on them. Strict:
// a keyword that is not known here is ajv's business. Where that is one property, its value is parsed and given to ajv;
// where it is an object with columns of its own, lines that have it go the usual way.
import type { Column, TablePlan } from '../../model.ts';
import type { Bundle } from '../../schema/bundle.ts';
import { compilePart } from '../../schema/compile.ts';
import { isSchemaObject, type Schema, type SchemaObject } from '../../schema/dialect.ts';
import { FORMATS } from '../../schema/formats.ts';
import { schemaPattern } from '../../schema/pattern.ts';
import type { ObjectShape, Slot } from '../../schema/shape.ts';
import { LONGEST_ID } from '../encode.ts';
import { Names } from './names.ts';

export interface ObjectReading {
  properties: PropertyReading[];
  /** Their names, with the same numbers. */
  names: Names;
  /** How deep it stands; the event is 1. */
  depth: number;
}

interface PropertyReading {
  name: string;
  required: boolean;
  /** Null: a line that has it goes the usual way. */
  value: ValueReading | null;
}

export type ValueReading = { nullable: boolean } & (
  | {
      read: 'object';
      object: ObjectReading;
      /** Columns of which one must have a value, or the object is for `_extra`. */
      traces: number[] | null;
    }
  | ({ column: number } & (
      | { read: 'integer' | 'double'; rules: NumberRules }
      | { read: 'text'; email: boolean; rules: TextRules }
      | { read: 'boolean' | 'timestamp' | 'date' | 'uuid' }
      | { read: 'parsed'; depth: number; accepts: (value: unknown) => boolean }
    ))
);

/** Comparisons that the number must pass, as operators of JavaScript and their right side. */
export interface NumberRules {
  bounds: [operator: '>=' | '>' | '<=' | '<', than: number][];
  among: number[] | null;
}

export interface TextRules {
  least: number;
  most: number;
  /** Bytes of an id that fit into its index. */
  mostBytes: number;
  tests: ((text: string) => boolean)[];
  among: Names | null;
}

/** Keywords of an object whose members are read one by one. */
const OBJECT_KEYWORDS = new Set(['type', 'properties', 'required', 'additionalProperties', 'nullable', '$defs']);
const NUMBER_KEYWORDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
const TEXT_KEYWORDS = ['minLength', 'maxLength', 'pattern', 'format'];
const COMMON_KEYWORDS = ['type', 'nullable', 'enum', 'const'];

/** The reading of a version's events, or null if none of them could be read. */
export function understand(bundle: Bundle, plan: TablePlan, shape: ObjectShape): ObjectReading | null {
  // Names such as `constructor`, and references to the meta-schema, need an Ajv with other options.
  if (bundle.namesPrototype || bundle.usesMetaSchema) return null;
  return new Reader(bundle, plan).object(bundle.schema, shape, 1);
}

class Reader {
  readonly #bundle: Bundle;
  readonly #plan: TablePlan;
  readonly #refersToWhole: boolean;

  constructor(bundle: Bundle, plan: TablePlan) {
    this.#bundle = bundle;
    this.#plan = plan;
    this.#refersToWhole = JSON.stringify(bundle.schema).includes('"$ref":"#"');
  }

  object(given: Schema, shape: ObjectShape, depth: number): ObjectReading | null {
    const schema = this.#resolved(given);
    if (schema === null || Object.keys(schema).some((keyword) => !OBJECT_KEYWORDS.has(keyword))) return null;
    if (!typesOf(schema).includes('object')) return null;
    const declared = isSchemaObject(schema.properties) ? schema.properties : {};
    const required = new Set(Array.isArray(schema.required) ? (schema.required as string[]) : []);
    const properties = Object.keys(declared).map((name): PropertyReading => {
      const slot = shape.properties.get(name);
      const isCertain = shape.required.has(name);
      const value = slot === undefined ? null : this.#value(declared[name] as Schema, slot, isCertain, depth);
      return { name, required: required.has(name), value };
    });
    // Without them no event is valid, or each is one for the usual way.
    const read = new Set(properties.filter(({ value }) => value !== null).map(({ name }) => name));
    if (![...required].every((name) => read.has(name))) return null;
    const names = Object.keys(declared);
    // As bytes half a surrogate pair would be another character.
    return names.every((name) => name.isWellFormed()) ? { properties, names: new Names(names), depth } : null;
  }

  #value(schema: Schema, slot: Slot, isCertain: boolean, depth: number): ValueReading | null {
    // Where there is `_extra`, it takes a null that an absent property would not be told from.
    const mayBeNull = slot.nullable && (isCertain || !this.#plan.extra);
    return slot.kind === 'column'
      ? this.#column(schema, slot.index, mayBeNull, depth)
      : this.#nested(schema, slot, isCertain, mayBeNull && !this.#plan.extra, depth);
  }

  #nested(
    given: Schema,
    slot: Slot & { kind: 'object' },
    isCertain: boolean,
    mayBeNull: boolean,
    depth: number,
  ): ValueReading | null {
    const object = this.object(given, slot.shape, depth + 1);
    if (object === null) return null;
    const isTraced = !this.#plan.extra || (isCertain && !slot.nullable);
    const nullable = mayBeNull && typesOf(this.#resolved(given)!).includes('null');
    return { read: 'object', nullable, object, traces: isTraced ? null : columnsOf(slot.shape) };
  }

  #column(given: Schema, index: number, mayBeNull: boolean, depth: number): ValueReading | null {
    const column = this.#plan.columns[index]!;
    const schema = this.#resolved(given);
    const reading = schema === null ? null : scalar(schema, column, index, mayBeNull);
    if (reading !== null) return reading;
    if (given === false || this.#refersToWhole) return null;
    const accepts = given === true ? () => true : this.#partly(given);
    const nullable = mayBeNull && accepts(null);
    return { read: 'parsed', column: index, nullable, depth, accepts };
  }

  /** Compiled when the first value comes. A part that ajv cannot compile is left to the usual way. */
  #partly(part: SchemaObject): (value: unknown) => boolean {
    let accepts: ((value: unknown) => boolean) | undefined;
    return (value) => {
      try {
        accepts ??= compilePart(this.#bundle, part);
      } catch {
        accepts = () => false;
      }
      return accepts(value);
    };
  }

  /** The subschema that a lone reference leads to; null for a boolean, or where it stands beside other keywords. */
  #resolved(given: Schema): SchemaObject | null {
    const met = new Set<Schema>();
    let schema: Schema = given;
    while (isSchemaObject(schema) && schema.$ref !== undefined) {
      const others = Object.keys(schema).filter((keyword) => keyword !== '$ref' && keyword !== '$defs');
      if (others.length > 0 || met.has(schema)) return null;
      met.add(schema);
      const [, name] = /^#\/\$defs\/(\d+)$/.exec(String(schema.$ref)) ?? [];
      const definitions = (this.#bundle.schema as SchemaObject).$defs as Record<string, Schema> | undefined;
      const target = name === undefined ? undefined : definitions?.[name];
      if (target === undefined) return null;
      schema = target;
    }
    return isSchemaObject(schema) ? schema : null;
  }
}

const ALL_TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];

/** The types that a schema names, those that it leaves open included. */
function typesOf({ type, nullable }: SchemaObject): readonly unknown[] {
  if (type === undefined) return ALL_TYPES;
  const types: unknown[] = Array.isArray(type) ? type : [type];
  return nullable === true ? [...types, 'null'] : types;
}

/** The reading of one scalar into the column that holds such scalars, or null where it takes more than that. */
function scalar(schema: SchemaObject, column: Column, index: number, mayBeNull: boolean): ValueReading | null {
  const types = typesOf(schema);
  const has = (known: readonly string[]) =>
    Object.keys(schema).every((keyword) => known.includes(keyword) || COMMON_KEYWORDS.includes(keyword));
  const choices = choicesOf(schema);
  const nullable = mayBeNull && types.includes('null') && (choices === null || choices.includes(null));
  const target = { column: index, nullable };
  const isPlain = choices === null && types.includes('string');
  switch (column.type) {
    case 'bigint':
    case 'double precision': {
      const read = column.type === 'bigint' ? 'integer' : 'double';
      // A `double precision` of which the schema wants integers alone needs a look at the fraction.
      if (!has(NUMBER_KEYWORDS) || !types.includes(read === 'integer' ? 'integer' : 'number')) return null;
      const rules = numberRules(schema, choices);
      return rules === null ? null : { read, ...target, rules };
    }
    case 'boolean':
      return choices === null && has([]) && types.includes('boolean') ? { read: 'boolean', ...target } : null;
    case 'text': {
      const rules = has(TEXT_KEYWORDS) && types.includes('string') ? textRules(schema, column, choices) : null;
      return rules === null ? null : { read: 'text', ...target, email: schema.format === 'email', rules };
    }
    case 'timestamptz':
      return isPlain && has(['format']) && schema.format === 'date-time' ? { read: 'timestamp', ...target } : null;
    case 'date':
    case 'uuid':
      return isPlain && has(['format']) && schema.format === column.type ? { read: column.type, ...target } : null;
    case 'jsonb':
      return null;
  }
}

/** What `enum` and `const` leave, or null without them. */
function choicesOf(schema: SchemaObject): unknown[] | null {
  const listed = Array.isArray(schema.enum) ? (schema.enum as unknown[]) : null;
  if (!Object.hasOwn(schema, 'const')) return listed;
  const { const: only } = schema;
  return listed === null || typeof only !== 'object' ? [only].filter((each) => listed?.includes(each) ?? true) : [];
}

const OPERATORS = { minimum: '>=', exclusiveMinimum: '>', maximum: '<=', exclusiveMaximum: '<' } as const;

function numberRules(schema: SchemaObject, choices: readonly unknown[] | null): NumberRules | null {
  const bounds: NumberRules['bounds'] = [];
  for (const [keyword, operator] of Object.entries(OPERATORS)) {
    const than = schema[keyword];
    if (than === undefined) continue;
    if (typeof than !== 'number') return null;
    bounds.push([operator, than]);
  }
  return { bounds, among: choices?.filter((each) => typeof each === 'number') ?? null };
}

function textRules(schema: SchemaObject, column: Column, choices: readonly unknown[] | null): TextRules | null {
  const { minLength = 0, maxLength = Number.MAX_SAFE_INTEGER, pattern, format } = schema;
  if (typeof minLength !== 'number' || typeof maxLength !== 'number') return null;
  const tests: TextRules['tests'] = [];
  if (format !== undefined && format !== 'email') {
    if (typeof format !== 'string' || format in Object.prototype) return null;
    const known = Object.hasOwn(FORMATS, format) ? FORMATS[format] : () => true;
    if (typeof known === 'function') tests.push(known as (text: string) => boolean);
    else if (known instanceof RegExp) tests.push((text) => known.test(text));
    else return null;
  }
  if (pattern !== undefined) {
    if (typeof pattern !== 'string') return null;
    const regExp = schemaPattern(pattern);
    tests.push((text) => regExp.test(text));
  }
  const among =
    choices === null
      ? null
      : new Names(choices.filter((each) => typeof each === 'string' && each.isWellFormed()) as string[]);
  const mostBytes = column.id ? LONGEST_ID : Number.MAX_SAFE_INTEGER;
  return { least: minLength, most: maxLength, mostBytes, tests, among };
}

/** All columns of an object, at any depth. */
function columnsOf(shape: ObjectShape): number[] {
  return [...shape.properties.values()].flatMap((slot) =>
    slot.kind === 'column' ? [slot.index] : columnsOf(slot.shape),
  );
}
