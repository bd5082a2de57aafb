// One schema document: its draft, its `$id`s and anchors, and where a `$ref` leads.
// Nothing is ever fetched: a reference that leaves the document is a fault.

import { SchemaFault } from './fault.ts';
import { isObject, own } from './value.ts';

export type Draft = 'draft-07' | '2019-09' | '2020-12';

/** Deeper documents are refused: validators and this engine recurse. */
const MAX_DEPTH = 300;

/** A subschema and its JSON Pointer. */
export interface Place {
  value: unknown;
  pointer: string;
}

const NOWHERE = 'sluice:///schema.json';
/** Keywords whose value is data, not schemas: an `$id` in there is not one. */
const DATA_KEYWORDS = new Set(['const', 'enum', 'default', 'examples', 'example']);

/** `pointer` with one more step, escaped as RFC 6901 says. */
export function step(pointer: string, ...keys: (string | number)[]): string {
  let path = pointer;
  for (const key of keys) path += `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return path;
}

/** The draft that `$schema` names: http or https, with or without `#`; absent means draft-07. */
function draftOf(root: unknown): Draft {
  const uri = isObject(root) ? own(root, '$schema') : undefined;
  if (uri === undefined) return 'draft-07';
  if (typeof uri !== 'string') throw new SchemaFault('$schema must be a string', '/$schema');
  const name = uri.replace(/^https?:\/\//, '').replace(/#$/, '');
  if (/^json-schema\.org\/draft-0[67]\/schema$/.test(name) || name === 'json-schema.org/schema') return 'draft-07';
  if (name === 'json-schema.org/draft/2019-09/schema') return '2019-09';
  if (name === 'json-schema.org/draft/2020-12/schema') return '2020-12';
  throw new SchemaFault(`$schema names a draft that is not supported: ${uri.slice(0, 200)}`, '/$schema');
}

export class SchemaDocument {
  readonly root: unknown;
  readonly draft: Draft;
  private readonly bases = new Map<object, string>();
  private readonly resources = new Map<string, Place>();
  private readonly anchors = new Map<string, Place>();

  /** @throws SchemaFault for an unknown draft or a document nested deeper than MAX_DEPTH */
  constructor(root: unknown) {
    this.root = root;
    this.draft = draftOf(root);
    this.resources.set(NOWHERE, { value: root, pointer: '' });
    this.index();
  }

  /** Walks the whole document without recursion: depth, base URIs, anchors. The first of equal `$id`s wins. */
  private index(): void {
    const stack: [unknown, string, string, number][] = [[this.root, '', NOWHERE, 0]];
    const found: [object, string, string][] = [];
    while (stack.length > 0) {
      const [value, pointer, base, depth] = stack.pop()!;
      if (depth > MAX_DEPTH) throw new SchemaFault(`the document is nested deeper than ${MAX_DEPTH} levels`, pointer);
      if (typeof value !== 'object' || value === null) continue;
      const here = isObject(value) ? this.enter(value, base) : base;
      if (isObject(value)) found.push([value, pointer, here]);
      this.bases.set(value, here);
      for (const [key, member] of Object.entries(value)) {
        if (typeof member !== 'object' || member === null) continue;
        const data = DATA_KEYWORDS.has(key) && isObject(value);
        stack.push([member, step(pointer, key), data ? NOWHERE : here, depth + 1]);
      }
    }
    found.sort((a, b) => a[1].length - b[1].length);
    for (const [value, pointer, base] of found) this.register(value as Record<string, unknown>, pointer, base);
  }

  private enter(value: Record<string, unknown>, base: string): string {
    const id = own(value, '$id');
    return typeof id === 'string' && !id.startsWith('#') ? resolveUri(id, base).uri : base;
  }

  private register(value: Record<string, unknown>, pointer: string, base: string): void {
    const id = own(value, '$id');
    const place = { value, pointer };
    if (typeof id === 'string') {
      if (!id.startsWith('#') && !this.resources.has(base)) this.resources.set(base, place);
      if (/^#[^/]/.test(id)) this.setAnchor(base, id.slice(1), place);
    }
    for (const keyword of ['$anchor', '$dynamicAnchor']) {
      const anchor = own(value, keyword);
      if (typeof anchor === 'string') this.setAnchor(base, anchor, place);
    }
  }

  private setAnchor(base: string, name: string, place: Place): void {
    if (!this.anchors.has(`${base}#${name}`)) this.anchors.set(`${base}#${name}`, place);
    if (!this.anchors.has(`#${name}`)) this.anchors.set(`#${name}`, place);
  }

  /**
   * Where `ref` leads when it stands in `holder`.
   * @throws SchemaFault when the target is outside of the document or does not exist
   */
  resolve(ref: string, holder: object, pointer: string): Place {
    const { uri, fragment } = resolveUri(ref, this.bases.get(holder) ?? NOWHERE);
    const resource = this.resources.get(uri);
    if (resource === undefined) throw new SchemaFault(`$ref leaves the document: ${ref.slice(0, 200)}`, pointer);
    if (fragment === '') return resource;
    if (!fragment.startsWith('/')) {
      const place = this.anchors.get(`${uri}#${fragment}`) ?? this.anchors.get(`#${fragment}`);
      if (place === undefined) throw new SchemaFault(`$ref names an unknown anchor: ${ref.slice(0, 200)}`, pointer);
      return place;
    }
    // Inner $ids are often decoration: a pointer that fails in the resource is tried from the root.
    const place = follow(resource, fragment) ?? follow({ value: this.root, pointer: '' }, fragment);
    if (place === undefined) throw new SchemaFault(`$ref leads nowhere: ${ref.slice(0, 200)}`, pointer);
    return place;
  }
}

function follow(from: Place, fragment: string): Place | undefined {
  let { value, pointer } = from;
  for (const raw of fragment.slice(1).split('/')) {
    const key = raw.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
    pointer = step(pointer, key);
  }
  return { value, pointer };
}

function resolveUri(ref: string, base: string): { uri: string; fragment: string } {
  const hash = ref.indexOf('#');
  const path = hash < 0 ? ref : ref.slice(0, hash);
  const fragment = hash < 0 ? '' : decode(ref.slice(hash + 1));
  if (path === '') return { uri: base, fragment };
  return { uri: URL.canParse(path, base) ? new URL(path, base).href : path, fragment };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
