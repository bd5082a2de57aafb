// Which kinds of JSON value a schema lets through, and in which form its strings are. Never too few kinds: a keyword
// that is not understood here says nothing, and nothing said means everything.
import type { ColumnType } from '../model.ts';
import { isSchemaObject, type Schema, type SchemaObject } from './dialect.ts';
import type { Links } from './links.ts';

/** Bits of a set of kinds. */
export const NULL = 1;
export const OBJECT = 64;
const BOOLEAN = 2;
const INTEGER = 4;
const FRACTION = 8;
const STRING = 16;
const ARRAY = 32;
const ALL = 127;

const OF_TYPE: Readonly<Record<string, number>> = {
  null: NULL,
  boolean: BOOLEAN,
  integer: INTEGER,
  number: INTEGER | FRACTION,
  string: STRING,
  array: ARRAY,
  object: OBJECT,
};

const OF_FORMAT: Readonly<Record<string, ColumnType>> = { 'date-time': 'timestamptz', date: 'date', uuid: 'uuid' };

export class Kinds {
  readonly #links: Links;
  readonly #known = new Map<SchemaObject, number>();
  readonly #formats = new Map<SchemaObject, string | null | undefined>();

  constructor(links: Links) {
    this.#links = links;
  }

  /** The set of kinds that `schema` allows, as bits. */
  of(schema: Schema): number {
    if (typeof schema === 'boolean') return schema ? ALL : 0;
    let kinds = this.#known.get(schema);
    if (kinds === undefined) {
      kinds = this.#compute(schema);
      this.#known.set(schema, kinds);
    }
    return kinds;
  }

  /** The column for a property's value: a scalar's own type, jsonb for everything that is not surely one scalar. */
  columnType(schema: Schema): ColumnType {
    const kinds = this.of(schema) & ~NULL;
    if (kinds === BOOLEAN) return 'boolean';
    if (kinds === INTEGER) return 'bigint';
    if (kinds !== 0 && (kinds & ~(INTEGER | FRACTION)) === 0) return 'double precision';
    if (kinds === STRING) return OF_FORMAT[this.#format(schema) ?? ''] ?? 'text';
    return 'jsonb';
  }

  #compute(schema: SchemaObject): number {
    let kinds = ownKinds(schema);
    for (const target of this.#links.targetsOf(schema)) kinds &= this.of(target);
    for (const part of list(schema.allOf)) kinds &= this.of(part);
    for (const choice of [schema.anyOf, schema.oneOf]) {
      if (choice !== undefined) kinds &= list(choice).reduce<number>((all, branch) => all | this.of(branch), 0);
    }
    return kinds;
  }

  /** The one of our formats that every string has; null where a schema asks for several of them. */
  #format(schema: Schema): string | null | undefined {
    if (typeof schema === 'boolean') return undefined;
    if (!this.#formats.has(schema)) this.#formats.set(schema, this.#computeFormat(schema));
    return this.#formats.get(schema);
  }

  #computeFormat(schema: SchemaObject): string | null | undefined {
    const demanded = [
      ...(typeof schema.format === 'string' && Object.hasOwn(OF_FORMAT, schema.format) ? [schema.format] : []),
      ...[...this.#links.targetsOf(schema), ...list(schema.allOf)].map((part) => this.#format(part)),
      ...[schema.anyOf, schema.oneOf].map((choice) => this.#commonFormat(list(choice))),
    ].filter((format) => format !== undefined);
    return demanded.every((format) => format === demanded[0]) ? demanded[0] : null;
  }

  #commonFormat(branches: readonly Schema[]): string | undefined {
    const formats = branches.filter((branch) => (this.of(branch) & STRING) !== 0).map((branch) => this.#format(branch));
    const [first] = formats;
    return formats.every((format) => format === first) ? (first ?? undefined) : undefined;
  }
}

/** The schemas in a list keyword; none where the keyword is absent. */
export function list(value: unknown): readonly Schema[] {
  return Array.isArray(value) ? value : [];
}

function ownKinds(schema: SchemaObject): number {
  let kinds = ALL;
  const { type, enum: values } = schema;
  if (type !== undefined) {
    const types = Array.isArray(type) ? type : [type];
    kinds = types.reduce((all: number, each: string) => all | OF_TYPE[each]!, 0);
    // OpenAPI's keyword, which ajv obeys beside `type`.
    if (schema.nullable === true) kinds |= NULL;
  }
  if (Array.isArray(values)) kinds &= values.reduce<number>((all, value) => all | kindOf(value), 0);
  if (Object.hasOwn(schema, 'const')) kinds &= kindOf(schema.const);
  return kinds;
}

function kindOf(value: unknown): number {
  if (value === null) return NULL;
  if (Array.isArray(value)) return ARRAY;
  if (isSchemaObject(value)) return OBJECT;
  // An integer that no bigint surely holds may as well be stored as a fraction.
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? INTEGER : Number.isInteger(value) ? INTEGER | FRACTION : FRACTION;
  return typeof value === 'string' ? STRING : BOOLEAN;
}
