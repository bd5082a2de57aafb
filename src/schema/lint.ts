// What one subschema says that its meta-schema does not judge: patterns, formats, unknown keywords, our own `x-…`.
import { formatNames } from 'ajv-formats/dist/formats.js';
import { type Draft, isKnownKeyword, isSchemaObject, type SchemaObject } from './dialect.ts';
import { nameFault } from './names.ts';
import { schemaPattern } from './pattern.ts';

/** Where lint reports to; `keyword` and `key` lead from the subschema to the place. */
export interface LintSink {
  fault(reason: string, keyword: string, key?: string): void;
  warn(reason: string, keyword: string, key?: string): void;
}

const FORMATS: ReadonlySet<string> = new Set(formatNames);

export function lintSchema(schema: SchemaObject, draft: Draft, sink: LintSink): void {
  for (const keyword of Object.keys(schema)) {
    const value = schema[keyword];
    if (!isKnownKeyword(keyword, draft)) {
      sink.warn(`unknown keyword ${JSON.stringify(keyword)}, taken as an annotation`, keyword);
    }
    if (Object.hasOwn(CHECKS, keyword)) CHECKS[keyword]!(value, sink, schema);
  }
}

type Check = (value: unknown, sink: LintSink, schema: SchemaObject) => void;

const CHECKS: Readonly<Record<string, Check>> = {
  pattern(value, sink) {
    if (typeof value === 'string') lintPattern(value, sink, 'pattern');
  },
  patternProperties(value, sink) {
    if (isSchemaObject(value)) for (const key of Object.keys(value)) lintPattern(key, sink, 'patternProperties', key);
  },
  format(value, sink) {
    if (typeof value === 'string' && !FORMATS.has(value)) {
      sink.warn(`unknown format ${JSON.stringify(value)}, not checked`, 'format');
    }
  },
  enum(value, sink) {
    if (Array.isArray(value) && value.length === 0) sink.fault('is empty: no value can be valid', 'enum');
  },
  properties(value, sink) {
    if (isSchemaObject(value) && Object.hasOwn(value, '__proto__')) {
      sink.warn('a property named __proto__ is not checked', 'properties', '__proto__');
    }
  },
  nullable(_, sink, schema) {
    if (!isNullableObeyed(schema)) sink.warn('nullable has no effect without a fitting type beside it', 'nullable');
  },
  'x-id'(value, sink) {
    if (typeof value !== 'boolean') sink.fault('must be true or false', 'x-id');
  },
  'x-column'(value, sink) {
    if (typeof value !== 'string') return sink.fault('must be a string', 'x-column');
    const fault = nameFault(value);
    if (fault !== undefined) sink.fault(`the column name ${JSON.stringify(value)} ${fault}`, 'x-column');
  },
  'x-column-prefix'(value, sink) {
    if (typeof value !== 'string') return sink.fault('must be a string, which may be empty', 'x-column-prefix');
    if (value.includes('\0') || !value.isWellFormed()) sink.fault('is no valid text', 'x-column-prefix');
  },
};

function lintPattern(source: string, sink: LintSink, keyword: string, key?: string): void {
  try {
    if (!schemaPattern(source).unicode) {
      sink.warn('the pattern is no Unicode regular expression, used as a plain one', keyword, key);
    }
  } catch (error) {
    sink.fault((error as Error).message, keyword, key);
  }
}

/** Ajv throws on any other use of `nullable`, so it is left out there. */
export function isNullableObeyed({ nullable, type }: SchemaObject): boolean {
  const types = Array.isArray(type) ? type : [type];
  if (typeof nullable !== 'boolean' || type === undefined) return false;
  return nullable || !types.includes('null');
}
