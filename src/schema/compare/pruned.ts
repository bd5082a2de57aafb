// A schema cut down to what can matter for one document. Of a schema of 600 kB, a small witness touches little, and
// compiling the rest would take seconds: entries of `properties` for names that the document does not contain never
// apply, so they go, and with them what only they refer to. Nothing else changes.

import { type SchemaDocument, step } from './document.ts';
import { isObject, own, put } from './value.ts';

const ONE = [
  ...['not', 'if', 'then', 'else', 'contains', 'propertyNames', 'additionalProperties', 'additionalItems', 'items'],
  ...['unevaluatedProperties', 'unevaluatedItems'],
];
const MANY = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'];
const NAMED = ['properties', 'patternProperties', 'dependentSchemas', 'dependencies'];
const GONE = new Set(['$schema', '$id', '$anchor', '$dynamicAnchor', '$defs', 'definitions', '$ref', '$dynamicRef']);

/** All member names in a document, at any depth. */
export function namesIn(value: unknown, names = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const item of value) namesIn(item, names);
  else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      names.add(name);
      namesIn(member, names);
    }
  }
  return names;
}

/**
 * A schema equal to the document's for every value whose members are among `names` (null: for every value), without
 * `$id`s, and with every reference a pointer into its own `definitions`.
 */
export function pruned(document: SchemaDocument, names: ReadonlySet<string> | null): unknown {
  const definitions: Record<string, unknown> = {};
  const known = new Map<unknown, string>();

  const refer = (ref: string, holder: object, pointer: string): string => {
    const place = document.resolve(ref, holder, pointer);
    let key = known.get(place.value);
    if (key === undefined || typeof place.value === 'boolean') {
      key = `d${known.size}`;
      known.set(place.value, key);
      definitions[key] = true;
      definitions[key] = copy(place.value, place.pointer);
    }
    return `#/definitions/${key}`;
  };

  const copy = (value: unknown, pointer: string): unknown => {
    if (!isObject(value)) return value;
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      if (GONE.has(key)) continue;
      const member = value[key];
      const at = step(pointer, key);
      if (NAMED.includes(key) && isObject(member)) put(out, key, copyNamed(member, at, key));
      else if (MANY.includes(key) && Array.isArray(member))
        put(
          out,
          key,
          member.map((item, i) => copy(item, step(at, i))),
        );
      else put(out, key, ONE.includes(key) ? copy(member, at) : member);
    }
    for (const key of ['$ref', '$dynamicRef', '$recursiveRef']) {
      const ref = own(value, key);
      if (typeof ref !== 'string') continue;
      const target = { $ref: refer(ref, value, step(pointer, key)) };
      if (out.$ref === undefined) Object.assign(out, target);
      else put(out, 'allOf', [...((own(out, 'allOf') as unknown[]) ?? []), target]);
    }
    return out;
  };

  const copyNamed = (map: Record<string, unknown>, pointer: string, keyword: string) => {
    const out: Record<string, unknown> = {};
    for (const name of Object.keys(map)) {
      if (names !== null && keyword !== 'patternProperties' && !names.has(name)) continue;
      put(out, name, Array.isArray(map[name]) ? map[name] : copy(map[name], step(pointer, name)));
    }
    return out;
  };

  const root = copy(document.root, '');
  const schema = own(document.root as Record<string, unknown>, '$schema');
  return isObject(root) ? { ...(schema === undefined ? {} : { $schema: schema }), ...root, definitions } : root;
}
