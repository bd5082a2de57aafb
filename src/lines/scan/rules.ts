// What the scanner makes of the schema of one scalar: how its bytes are read, and the rules that are checked on them.
// Strict: a keyword that is not known here is ajv's business.
import type { Column } from '../../model.ts';
import type { SchemaObject } from '../../schema/dialect.ts';
import { FORMATS } from '../../schema/formats.ts';
import { schemaPattern } from '../../schema/pattern.ts';
import { LONGEST_ID } from '../encode.ts';
import { Names } from './names.ts';

export type ScalarReading = {
  column: number;
  /** Whether the schema allows null. */
  takesNull: boolean;
} & (
  | { read: 'integer' | 'double'; rules: NumberRules }
  | { read: 'text'; email: boolean; rules: TextRules }
  | { read: 'boolean' | 'timestamp' | 'date' | 'uuid' }
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

const NUMBER_KEYWORDS = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
const TEXT_KEYWORDS = ['minLength', 'maxLength', 'pattern', 'format'];
const COMMON_KEYWORDS = ['type', 'nullable', 'enum', 'const'];

const ALL_TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];

/** The types that a schema names, those that it leaves open included. */
export function typesOf({ type, nullable }: SchemaObject): readonly unknown[] {
  if (type === undefined) return ALL_TYPES;
  const types: unknown[] = Array.isArray(type) ? type : [type];
  return nullable === true ? [...types, 'null'] : types;
}

/** The reading of one scalar into the column that holds such scalars, or null where it takes more than that. */
export function scalar(schema: SchemaObject, column: Column, index: number): ScalarReading | null {
  const types = typesOf(schema);
  const has = (known: readonly string[]) =>
    Object.keys(schema).every((keyword) => known.includes(keyword) || COMMON_KEYWORDS.includes(keyword));
  const choices = choicesOf(schema);
  const target = { column: index, takesNull: types.includes('null') && (choices === null || choices.includes(null)) };
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
