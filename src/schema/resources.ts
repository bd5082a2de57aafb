// One schema document: its subschemas, its `$id`s and anchors, and the references that stand in it.
// RFC 3986 and JSON Schema core 8.2, taken as schemas are found: an `$id` may repeat, or be mere decoration.
import { pointer } from '../pointer.ts';
import { type Draft, eachSubschema, isSchemaObject, type Schema, type SchemaObject } from './dialect.ts';

/** A subschema with an identifier of its own, or the document as a whole. */
interface Resource {
  base: string;
  root: SchemaObject;
  place: string;
  anchors: Map<string, Found>;
}

/** Something in the document and the pointer to it. */
export interface Found {
  value: unknown;
  place: string;
}

export interface Reference {
  document: SchemaDocument;
  schema: SchemaObject;
  keyword: '$ref' | '$dynamicRef';
  text: string;
  place: string;
  resource: Resource;
}

/** What a document tells while it is indexed; again for what it adopts later. */
export interface Listener {
  schema(schema: SchemaObject, place: string): void;
  reference(reference: Reference): void;
}

export class SchemaDocument {
  readonly file: string;
  readonly root: Schema;
  readonly draft: Draft;
  readonly #resources = new Map<string, Resource[]>();
  readonly #known = new Map<SchemaObject, Resource>();
  readonly #dynamicAnchors = new Map<string, Found[]>();
  readonly #listener: Listener;

  constructor(file: string, root: Schema, draft: Draft, listener: Listener) {
    this.file = file;
    this.root = root;
    this.draft = draft;
    this.#listener = listener;
    if (typeof root === 'boolean') return;
    const whole: Resource = { base: fileUri(file), root, place: '', anchors: new Map() };
    this.#resources.set(whole.base, [whole]);
    this.#index(root, '', whole);
  }

  isKnown(schema: SchemaObject): boolean {
    return this.#known.has(schema);
  }

  /** Takes in a subschema that a reference has found, from `start`, where none was expected. */
  adopt(schema: SchemaObject, place: string, start: Found): void {
    this.#index(schema, place, this.#known.get(start.value as SchemaObject)!);
  }

  /** All places that carry this absolute `$id`. */
  withId(uri: string): readonly Found[] {
    return (this.#resources.get(uri) ?? []).map(({ root, place }) => ({ value: root, place }));
  }

  /** What a fragment means in the part of this document that begins at `start`. */
  inside(start: Found, fragment: string): Found | undefined {
    if (fragment === '') return start;
    const from = isSchemaObject(start.value) ? this.#known.get(start.value) : undefined;
    if (fragment.startsWith('/')) return follow(start, fragment) ?? follow({ value: this.root, place: '' }, fragment);
    return from?.anchors.get(fragment) ?? this.#anyAnchor(fragment);
  }

  /** The places with this `$dynamicAnchor`. */
  dynamicAnchors(name: string): readonly Found[] {
    return this.#dynamicAnchors.get(name) ?? [];
  }

  #anyAnchor(name: string): Found | undefined {
    const all = [...this.#resources.values()].flat().flatMap((resource) => resource.anchors.get(name) ?? []);
    return all.length === 1 ? all[0] : undefined;
  }

  #index(schema: SchemaObject, place: string, outer: Resource): void {
    const resource = this.#enter(schema, place, outer);
    this.#known.set(schema, resource);
    this.#listener.schema(schema, place);
    for (const keyword of this.draft === 'draft-07' ? (['$ref'] as const) : (['$ref', '$dynamicRef'] as const)) {
      const text = schema[keyword];
      if (typeof text === 'string') {
        const at = `${place}/${keyword}`;
        this.#listener.reference({ document: this, schema, keyword, text, place: at, resource });
      }
    }
    eachSubschema(schema, this.draft, ({ schema: inner, keyword, key }) => {
      if (typeof inner === 'boolean') return;
      this.#index(inner, place + pointer(key === undefined ? [keyword] : [keyword, key]), resource);
    });
  }

  /** The resource that a subschema belongs to: one of its own if it has an `$id`. */
  #enter(schema: SchemaObject, place: string, outer: Resource): Resource {
    let resource = outer;
    const { $id, $anchor, $dynamicAnchor } = schema;
    const here: Found = { value: schema, place };
    if (typeof $id === 'string') {
      const [uri, fragment] = splitUri($id);
      const base = uri === '' ? undefined : resolveUri(uri, outer.base);
      if (base !== undefined && base !== outer.base) {
        resource = { base, root: schema, place, anchors: new Map() };
        const same = this.#resources.get(base);
        if (same === undefined) this.#resources.set(base, [resource]);
        else same.push(resource);
      }
      if (fragment !== '' && !fragment.startsWith('/')) resource.anchors.set(fragment, here);
    }
    if (typeof $anchor === 'string') resource.anchors.set($anchor, here);
    if (typeof $dynamicAnchor === 'string') {
      resource.anchors.set($dynamicAnchor, here);
      this.#dynamicAnchors.set($dynamicAnchor, [...this.dynamicAnchors($dynamicAnchor), here]);
    }
    return resource;
  }
}

/** Splits off the fragment, without `#` and percent-decoded. A fragment that cannot be decoded is left as it is. */
export function splitUri(reference: string): [uri: string, fragment: string] {
  const hash = reference.indexOf('#');
  if (hash < 0) return [reference, ''];
  const fragment = reference.slice(hash + 1);
  try {
    return [reference.slice(0, hash), decodeURIComponent(fragment)];
  } catch {
    return [reference.slice(0, hash), fragment];
  }
}

/** Absolute form of `uri`, or undefined where there is none. */
export function resolveUri(uri: string, base: string): string | undefined {
  return URL.canParse(uri, base) ? new URL(uri, base).href : undefined;
}

/** The base of a document without an `$id`: its place in the folder. */
function fileUri(file: string): string {
  return `schemas:///${file.split('/').map(encodeURIComponent).join('/')}`;
}

function follow(start: Found, fragment: string): Found | undefined {
  let { value } = start;
  const names = fragment
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return { value, place: start.place + pointer(names) };
}
