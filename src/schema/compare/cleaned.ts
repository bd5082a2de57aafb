// A schema document rewritten so that any validator can compile it: without `$id`s (in the wild they repeat, and ajv
// refuses that), and with every reference a pointer into its own `definitions`. It means the same.

import { type SchemaDocument, step } from './document.ts';
import { isObject, own, put } from './value.ts';

const ONE = [
  ...['not', 'if', 'then', 'else', 'contains', 'propertyNames', 'additionalProperties', 'additionalItems', 'items'],
  ...['unevaluatedProperties', 'unevaluatedItems'],
];
const MANY = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'];
const NAMED = ['properties', 'patternProperties', 'dependentSchemas', 'dependencies'];
const REFERENCES = ['$ref', '$dynamicRef', '$recursiveRef'];
const GONE = ['$schema', '$id', '$anchor', '$dynamicAnchor', '$defs', 'definitions', ...REFERENCES];

/** @throws SchemaFault when a reference leads nowhere */
export function cleaned(document: SchemaDocument): unknown {
  const definitions: Record<string, unknown> = {};
  const known = new Map<unknown, string>();

  const refer = (ref: string, holder: object, pointer: string): { $ref: string } => {
    const place = document.resolve(ref, holder, pointer);
    const key = known.get(place.value) ?? `d${Object.keys(definitions).length}`;
    if (!Object.hasOwn(definitions, key)) {
      if (isObject(place.value)) known.set(place.value, key);
      definitions[key] = true;
      definitions[key] = copy(place.value, place.pointer);
    }
    return { $ref: `#/definitions/${key}` };
  };

  const copy = (value: unknown, pointer: string): unknown => {
    if (!isObject(value)) return value;
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      // ajv refuses `nullable` without a type, where it says nothing.
      if (key === 'nullable' && own(value, 'type') === undefined) continue;
      if (!GONE.includes(key)) put(out, key, member(key, value[key], step(pointer, key)));
    }
    const targets = REFERENCES.map((key) => [key, own(value, key)]).filter((entry) => typeof entry[1] === 'string');
    const parts = targets.map(([key, ref]) => refer(ref as string, value, step(pointer, key as string)));
    if (parts.length > 0) put(out, 'allOf', [...((own(out, 'allOf') as unknown[]) ?? []), ...parts]);
    return out;
  };

  const member = (key: string, value: unknown, pointer: string): unknown => {
    if (MANY.includes(key) && Array.isArray(value)) return value.map((item, i) => copy(item, step(pointer, i)));
    if (ONE.includes(key)) return copy(value, pointer);
    if (!NAMED.includes(key) || !isObject(value)) return value;
    const out: Record<string, unknown> = {};
    for (const name of Object.keys(value)) put(out, name, copy(value[name], step(pointer, name)));
    return out;
  };

  const root = copy(document.root, '');
  return isObject(root) ? { ...root, definitions } : root;
}
