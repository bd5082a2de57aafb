// The two drafts as ajv understands them: their names, their keywords, and where subschemas stand.
// Knows nothing of files.

export type Draft = 'draft-07' | '2020-12';
export type SchemaObject = { readonly [keyword: string]: unknown };
export type Schema = boolean | SchemaObject;

/** The draft that is meant by `$schema`; null: one that is not supported. Absent means draft-07. */
export function draftOf($schema: string | undefined): Draft | null {
  switch ($schema?.replace(/^https?:\/\/json-schema\.org\//, '').replace(/#$/, '')) {
    case undefined:
    case 'draft-07/schema':
      return 'draft-07';
    case 'draft/2020-12/schema':
      return '2020-12';
    default:
      return null;
  }
}

/** The name under which ajv knows a draft's meta-schema. */
export const META_SCHEMA: Record<Draft, string> = {
  'draft-07': 'http://json-schema.org/draft-07/schema',
  '2020-12': 'https://json-schema.org/draft/2020-12/schema',
};

export function isSchemaObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** How a keyword applies its subschemas: to the same value, to a part of it, or only when somebody refers to them. */
type Applied = 'in_place' | 'inside' | 'never';

interface Applicator {
  holds: 'schema' | 'list' | 'map' | 'schema_or_list';
  applied: Applied;
}

const BOTH: Record<string, Applicator> = {
  allOf: { holds: 'list', applied: 'in_place' },
  anyOf: { holds: 'list', applied: 'in_place' },
  oneOf: { holds: 'list', applied: 'in_place' },
  not: { holds: 'schema', applied: 'in_place' },
  if: { holds: 'schema', applied: 'in_place' },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { holds: 'schema', applied: 'in_place' },
  else: { holds: 'schema', applied: 'in_place' },
  dependencies: { holds: 'map', applied: 'in_place' },
  properties: { holds: 'map', applied: 'inside' },
  patternProperties: { holds: 'map', applied: 'inside' },
  additionalProperties: { holds: 'schema', applied: 'inside' },
  propertyNames: { holds: 'schema', applied: 'inside' },
  contains: { holds: 'schema', applied: 'inside' },
  definitions: { holds: 'map', applied: 'never' },
  $defs: { holds: 'map', applied: 'never' },
};

const APPLICATORS: Record<Draft, ReadonlyMap<string, Applicator>> = {
  'draft-07': new Map(
    Object.entries({
      ...BOTH,
      items: { holds: 'schema_or_list', applied: 'inside' },
      additionalItems: { holds: 'schema', applied: 'inside' },
    }),
  ),
  '2020-12': new Map(
    Object.entries({
      ...BOTH,
      items: { holds: 'schema', applied: 'inside' },
      prefixItems: { holds: 'list', applied: 'inside' },
      unevaluatedItems: { holds: 'schema', applied: 'inside' },
      unevaluatedProperties: { holds: 'schema', applied: 'inside' },
      dependentSchemas: { holds: 'map', applied: 'in_place' },
      contentSchema: { holds: 'schema', applied: 'never' },
    }),
  ),
};

const ASSERTIONS = [
  ...['type', 'enum', 'const', 'format', 'multipleOf', 'maximum', 'exclusiveMaximum', 'minimum', 'exclusiveMinimum'],
  ...['maxLength', 'minLength', 'pattern', 'maxItems', 'minItems', 'uniqueItems', 'maxProperties', 'minProperties'],
  ...['required'],
];

/** Keywords with a verdict and without subschemas. `nullable` is OpenAPI's: ajv obeys it in either draft. */
export const ASSERTION_KEYWORDS: Record<Draft, readonly string[]> = {
  'draft-07': ASSERTIONS,
  '2020-12': [...ASSERTIONS, 'dependentRequired', 'minContains', 'maxContains'],
};

const SILENT = [
  ...['$schema', '$id', '$ref', '$comment', '$anchor', 'title', 'description', 'default', 'examples', 'readOnly'],
  ...['writeOnly', 'deprecated', 'contentMediaType', 'contentEncoding', 'nullable'],
];

const KNOWN: Record<Draft, ReadonlySet<string>> = {
  'draft-07': new Set([...ASSERTION_KEYWORDS['draft-07'], ...APPLICATORS['draft-07'].keys(), ...SILENT]),
  '2020-12': new Set([
    ...ASSERTION_KEYWORDS['2020-12'],
    ...APPLICATORS['2020-12'].keys(),
    ...SILENT,
    ...['$dynamicRef', '$dynamicAnchor', '$vocabulary'],
  ]),
};

/** Whether a keyword means something in the draft; `x-…` is always somebody's annotation. */
export function isKnownKeyword(keyword: string, draft: Draft): boolean {
  return keyword.startsWith('x-') || KNOWN[draft].has(keyword);
}

/** A subschema where it stands under its parent: `properties` and its name, `allOf` and its index, `not`. */
export interface Subschema {
  schema: Schema;
  keyword: string;
  /** Name or index; undefined where the keyword holds one schema. */
  key: string | undefined;
  applied: Applied;
}

/**
 * Calls `visit` with the immediate subschemas, in the order in which they stand there. Skips what is not a schema: the
 * meta-schema tells about that. Skips `__proto__` too, which ajv does not see as the name of a property.
 */
export function eachSubschema(schema: SchemaObject, draft: Draft, visit: (subschema: Subschema) => void): void {
  for (const keyword of Object.keys(schema)) {
    const applicator = APPLICATORS[draft].get(keyword);
    if (applicator === undefined) continue;
    const { holds, applied } = applicator;
    const value = schema[keyword];
    const offer = (each: unknown, key: string | undefined): void => {
      if (typeof each === 'boolean' || isSchemaObject(each)) visit({ schema: each, keyword, key, applied });
    };
    if (Array.isArray(value)) {
      if (holds === 'list' || holds === 'schema_or_list')
        for (const [at, each] of value.entries()) offer(each, `${at}`);
    } else if (holds === 'map') {
      if (!isSchemaObject(value)) continue;
      for (const key of Object.keys(value)) if (key !== '__proto__') offer(value[key], key);
    } else if (holds !== 'list') {
      offer(value, undefined);
    }
  }
}
