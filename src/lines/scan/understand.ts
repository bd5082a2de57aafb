// What the scanner makes of a schema: for each property how its bytes are read and which rules are checked on them. Strict:
// a keyword that is not known here is ajv's business. Where that is one property, its value is parsed and given to ajv;
// where it is an object with columns of its own, lines that have it go the usual way.
import type { TablePlan } from '../../model.ts';
import type { Bundle } from '../../schema/bundle.ts';
import { compilePart } from '../../schema/compile.ts';
import { isSchemaObject, type Schema, type SchemaObject } from '../../schema/dialect.ts';
import type { ObjectShape, Slot } from '../../schema/shape.ts';
import { Names } from './names.ts';
import { type ScalarReading, scalar, typesOf } from './rules.ts';

export interface ObjectReading {
  properties: PropertyReading[];
  /** Their names, with the same numbers. */
  names: Names;
  /** How deep it stands; the event is 1. */
  depth: number;
  /** Its number among the objects that may have members which are not declared; null: such lines go the usual way. */
  open: number | null;
}

interface PropertyReading {
  name: string;
  required: boolean;
  /** Null: a line that has it goes the usual way. */
  value: ValueReading | null;
}

/** What becomes of a null: it is not taken, the column says it, or `_extra` has to. */
export type NullReading = 'missed' | 'column' | { place: number };

export type ValueReading = { onNull: NullReading } & (
  | {
      read: 'object';
      object: ObjectReading;
      /** Columns of which one must have a value, or the object is for `_extra`. */
      traces: number[] | null;
    }
  | ScalarReading
  | ParsedReading
);

/** A value that is parsed, and given to ajv. */
interface ParsedReading {
  read: 'parsed';
  column: number;
  /** How deep the object around it stands. */
  depth: number;
  accepts: (value: unknown) => boolean;
}

/** Keywords of an object whose members are read one by one. */
const OBJECT_KEYWORDS = new Set(['type', 'properties', 'required', 'additionalProperties', 'nullable', '$defs']);
export interface Reading {
  event: ObjectReading;
  /** Paths of the properties whose nulls are for `_extra`, by number. */
  places: string[][];
  /** Paths of the objects whose undeclared members are for `_extra`, by number. */
  objects: string[][];
}

/** The reading of a version's events, or null if none of them could be read. */
export function understand(bundle: Bundle, plan: TablePlan, shape: ObjectShape): Reading | null {
  // Names such as `constructor`, and references to the meta-schema, need an Ajv with other options.
  if (bundle.namesPrototype || bundle.usesMetaSchema) return null;
  const reader = new Reader(bundle, plan);
  const event = reader.object(bundle.schema, shape, []);
  const { places, objects } = reader;
  return event === null ? null : { event, places, objects };
}

class Reader {
  readonly places: string[][] = [];
  readonly objects: string[][] = [];
  readonly #bundle: Bundle;
  readonly #plan: TablePlan;
  readonly #refersToWhole: boolean;

  constructor(bundle: Bundle, plan: TablePlan) {
    this.#bundle = bundle;
    this.#plan = plan;
    this.#refersToWhole = JSON.stringify(bundle.schema).includes('"$ref":"#"');
  }

  /** @param path names that lead to the object */
  object(given: Schema, shape: ObjectShape, path: readonly string[]): ObjectReading | null {
    const schema = this.#resolved(given);
    if (schema === null || Object.keys(schema).some((keyword) => !OBJECT_KEYWORDS.has(keyword))) return null;
    if (!typesOf(schema).includes('object')) return null;
    const declared = isSchemaObject(schema.properties) ? schema.properties : {};
    const required = new Set(Array.isArray(schema.required) ? (schema.required as string[]) : []);
    const properties = Object.keys(declared).map((name): PropertyReading => {
      const slot = shape.properties.get(name);
      const value = slot === undefined ? null : this.#value(declared[name] as Schema, slot, shape, [...path, name]);
      return { name, required: required.has(name), value };
    });
    // Without them no event is valid, or each is one for the usual way.
    const read = new Set(properties.filter(({ value }) => value !== null).map(({ name }) => name));
    if (![...required].every((name) => read.has(name))) return null;
    const names = Object.keys(declared);
    // As bytes half a surrogate pair would be another character.
    if (!names.every((name) => name.isWellFormed())) return null;
    const { additionalProperties: others = true } = schema;
    const open = others === true && this.#plan.extra ? this.objects.push([...path]) - 1 : null;
    return { properties, names: new Names(names), depth: path.length + 1, open };
  }

  #value(given: Schema, slot: Slot, shape: ObjectShape, path: readonly string[]): ValueReading | null {
    const isCertain = shape.required.has(path.at(-1)!);
    if (slot.kind === 'object') return this.#nested(given, slot, isCertain, path);
    const reading = this.#column(given, slot.index, path.length);
    if (reading === null) return null;
    const takesNull = slot.nullable && (reading.read === 'parsed' ? reading.accepts(null) : reading.takesNull);
    // Where there is `_extra`, it takes a null that an absent property would not be told from.
    return { ...reading, onNull: this.#null(takesNull, isCertain || !this.#plan.extra, path) };
  }

  #nested(
    given: Schema,
    slot: Slot & { kind: 'object' },
    isCertain: boolean,
    path: readonly string[],
  ): ValueReading | null {
    const object = this.object(given, slot.shape, path);
    if (object === null) return null;
    const { extra } = this.#plan;
    const isTraced = !extra || (isCertain && !slot.nullable);
    const takesNull = slot.nullable && typesOf(this.#resolved(given)!).includes('null');
    const onNull = this.#null(takesNull, !extra, path);
    return { read: 'object', onNull, object, traces: isTraced ? null : columnsOf(slot.shape) };
  }

  #null(isTaken: boolean, byColumn: boolean, path: readonly string[]): NullReading {
    if (!isTaken) return 'missed';
    return byColumn ? 'column' : { place: this.places.push([...path]) - 1 };
  }

  #column(given: Schema, index: number, depth: number): ScalarReading | ParsedReading | null {
    const schema = this.#resolved(given);
    const reading = schema === null ? null : scalar(schema, this.#plan.columns[index]!, index);
    if (reading !== null) return reading;
    if (given === false || this.#refersToWhole) return null;
    return { read: 'parsed', column: index, depth, accepts: given === true ? () => true : this.#partly(given) };
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

/** All columns of an object, at any depth. */
function columnsOf(shape: ObjectShape): number[] {
  return [...shape.properties.values()].flatMap((slot) =>
    slot.kind === 'column' ? [slot.index] : columnsOf(slot.shape),
  );
}
