// Is this document a JSON Schema at all? Asked of the draft's own meta-schema.
import { Ajv, type AnySchema, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { type Draft, META_SCHEMA } from './dialect.ts';

export interface MetaFault {
  /** Pointer relative to what was checked. */
  place: string;
  reason: string;
}

const MOST_FAULTS = 50;
const validators = new Map<Draft, ValidateFunction>();

/** What the draft's meta-schema says against `schema`: one entry a place, in the order of the document's checks. */
export function metaFaults(schema: unknown, draft: Draft): MetaFault[] {
  const validate = validatorOf(draft);
  if (validate(schema)) return [];
  const places = new Map<string, ErrorObject[]>();
  for (const error of validate.errors ?? []) {
    const known = places.get(error.instancePath);
    if (known === undefined) places.set(error.instancePath, [error]);
    else known.push(error);
  }
  return [...places].slice(0, MOST_FAULTS).map(([place, errors]) => ({ place, reason: reasonOf(errors) }));
}

function validatorOf(draft: Draft): ValidateFunction {
  const known = validators.get(draft);
  if (known !== undefined) return known;
  // Formats are left out: whether a pattern or a $ref is good is judged where it is used.
  const options = { strict: false, allErrors: true, validateFormats: false, logger: false } as const;
  const ajv = draft === 'draft-07' ? new Ajv(options) : new Ajv2020(options);
  const validate = ajv.getSchema<AnySchema>(META_SCHEMA[draft])!;
  validators.set(draft, validate);
  return validate;
}

/** Ajv reports each branch that failed and then the choice as a whole: the branches say it better. */
function reasonOf(errors: readonly ErrorObject[]): string {
  const branches = errors.filter((error) => error.keyword !== 'anyOf');
  const messages = (branches.length > 0 ? branches : errors).map(messageOf);
  return [...new Set(messages)].join(', or ');
}

function messageOf(error: ErrorObject): string {
  if (error.keyword === 'enum') return `must be one of ${error.params.allowedValues.join(', ')}`;
  if (Array.isArray(error.params.type)) return `must be ${error.params.type.join(' or ')}`;
  return error.message ?? `must satisfy ${error.keyword}`;
}
