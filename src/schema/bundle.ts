// A schema version as one self-contained document for ajv: only keywords that have a verdict, every reference turned
// into `#/$defs/<n>`, no `$id`, no anchor. Ajv's verdict on it is the one on the original.
import {
  ASSERTION_KEYWORDS,
  type Draft,
  eachSubschema,
  isSchemaObject,
  META_SCHEMA,
  type Schema,
  type SchemaObject,
} from './dialect.ts';
import { list } from './kinds.ts';
import type { Links } from './links.ts';
import { isNullableObeyed } from './lint.ts';

export interface Bundle {
  schema: Schema;
  draft: Draft;
  /** Whether it names members of `Object.prototype`, which ajv must then not take for properties of every event. */
  namesPrototype: boolean;
  /** Whether it refers to its draft's meta-schema. */
  usesMetaSchema: boolean;
}

type Copy = Record<string, unknown>;

const PROTOTYPE: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));

/** @param root of a version whose references have all been followed */
export function bundle(root: Schema, draft: Draft, links: Links): Bundle {
  if (typeof root === 'boolean') return { schema: root, draft, namesPrototype: false, usesMetaSchema: false };
  return new Bundler(draft, links).bundle(root);
}

class Bundler {
  readonly #draft: Draft;
  readonly #links: Links;
  readonly #names = new Map<SchemaObject, string>();
  readonly #waiting: SchemaObject[] = [];
  #namesPrototype = false;
  #usesMetaSchema = false;

  constructor(draft: Draft, links: Links) {
    this.#draft = draft;
    this.#links = links;
  }

  bundle(root: SchemaObject): Bundle {
    this.#names.set(root, '#');
    const schema = this.#copy(root);
    const $defs: Copy = {};
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      $defs[this.#names.get(next)!.slice('#/$defs/'.length)] = this.#copy(next);
    }
    if (Object.keys($defs).length > 0) schema.$defs = $defs;
    return {
      schema,
      draft: this.#draft,
      namesPrototype: this.#namesPrototype,
      usesMetaSchema: this.#usesMetaSchema,
    };
  }

  #copy(schema: SchemaObject): Copy {
    const copy: Copy = {};
    for (const keyword of ASSERTION_KEYWORDS[this.#draft]) {
      if (Object.hasOwn(schema, keyword)) copy[keyword] = schema[keyword];
    }
    if (isNullableObeyed(schema)) copy.nullable = schema.nullable;
    this.#copyDependencies(schema, copy);
    this.#copySubschemas(schema, copy);
    this.#copyReferences(schema, copy);
    this.#noteNames(schema);
    return copy;
  }

  /** `dependencies` mixes schemas with lists of names. */
  #copyDependencies(schema: SchemaObject, copy: Copy): void {
    const { dependencies } = schema;
    if (!isSchemaObject(dependencies)) return;
    const lists = Object.entries(dependencies).filter(([name, value]) => name !== '__proto__' && Array.isArray(value));
    copy.dependencies = Object.fromEntries(lists);
  }

  #copySubschemas(schema: SchemaObject, copy: Copy): void {
    const several = new Map<string, [key: string, value: Schema][]>();
    eachSubschema(schema, this.#draft, ({ schema: inner, keyword, key, applied }) => {
      if (applied === 'never') return;
      const value = typeof inner === 'boolean' ? inner : this.#copy(inner);
      const known = several.get(keyword);
      if (key === undefined) copy[keyword] = value;
      else if (known === undefined) several.set(keyword, [[key, value]]);
      else known.push([key, value]);
    });
    for (const [keyword, entries] of several) {
      if (Array.isArray(schema[keyword])) copy[keyword] = entries.map(([, value]) => value);
      else copy[keyword] = { ...(copy[keyword] as Copy | undefined), ...Object.fromEntries(entries) };
    }
  }

  #copyReferences(schema: SchemaObject, copy: Copy): void {
    const meta = this.#links.metaRefOf(schema);
    if (meta !== undefined) {
      copy.$ref = meta.startsWith(`${META_SCHEMA[this.#draft]}#`) ? meta : `${META_SCHEMA[this.#draft]}#`;
      this.#usesMetaSchema = true;
    }
    for (const target of this.#links.targetsOf(schema)) {
      const reference = typeof target === 'boolean' ? target : { $ref: this.#nameOf(target) };
      if (typeof reference === 'boolean' || copy.$ref !== undefined) {
        copy.allOf = [...list(copy.allOf), reference];
      } else copy.$ref = reference.$ref;
    }
  }

  #nameOf(target: SchemaObject): string {
    let name = this.#names.get(target);
    if (name === undefined) {
      name = `#/$defs/${this.#names.size}`;
      this.#names.set(target, name);
      this.#waiting.push(target);
    }
    return name;
  }

  #noteNames(schema: SchemaObject): void {
    const { required } = schema;
    const names = Array.isArray(required) ? [...required] : [];
    for (const keyword of ['properties', 'dependencies', 'dependentRequired', 'dependentSchemas']) {
      const value = schema[keyword];
      if (isSchemaObject(value)) names.push(...Object.keys(value), ...Object.values(value).flat());
    }
    if (names.some((name) => typeof name === 'string' && PROTOTYPE.has(name))) this.#namesPrototype = true;
  }
}
