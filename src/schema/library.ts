// All schema documents of a folder, opened as they are needed, and where each `$ref` between them leads.
// Works on files already read: nothing is ever fetched.
import { posix } from 'node:path';
import { pointer } from '../pointer.ts';
import { type Draft, draftOf, isSchemaObject, META_SCHEMA, type Schema, type SchemaObject } from './dialect.ts';
import { parseDocument } from './document.ts';
import type { Findings } from './faults.ts';
import type { Links } from './links.ts';
import { lintSchema } from './lint.ts';
import { metaFaults } from './metaschema.ts';
import { type Found, type Reference, resolveUri, SchemaDocument, splitUri } from './resources.ts';

/** A place in a document, or why a reference leads to none. */
type Lead = { document: SchemaDocument; start: Found } | { meta: string } | { reason: string };

const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:/i;

export class Library {
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #links: Links;
  readonly #findings: Findings;
  /** null: the file has a fault, already noted. */
  readonly #documents = new Map<string, SchemaDocument | null>();
  readonly #pending: Reference[] = [];
  #filesById: Map<string, string[]> | undefined;

  constructor(files: ReadonlyMap<string, Uint8Array>, links: Links, findings: Findings) {
    this.#files = files;
    this.#links = links;
    this.#findings = findings;
  }

  isOpen(file: string): boolean {
    return this.#documents.has(file);
  }

  /**
   * Opens a file: JSON, draft, meta-schema, index. Faults are noted once.
   * @param wanted draft of the document that refers to this one; it settles the draft where `$schema` is absent
   * @returns null where the file has a fault
   */
  open(file: string, wanted: Draft = 'draft-07'): SchemaDocument | null {
    let document = this.#documents.get(file);
    if (document === undefined) {
      document = this.#read(file, wanted);
      this.#documents.set(file, document);
    }
    return document;
  }

  /** Follows every reference of the open documents, opening further ones, until none is left. */
  settle(): void {
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) this.#resolve(next);
  }

  #read(file: string, wanted: Draft): SchemaDocument | null {
    const fault = (place: string, reason: string): null => {
      this.#findings.fault(file, place, reason);
      return null;
    };
    const parsed = parseDocument(this.#files.get(file)!);
    if ('reason' in parsed) return fault(parsed.place, parsed.reason);
    const { value } = parsed;
    const draft = isSchemaObject(value) && '$schema' in value ? declaredDraft(value.$schema) : wanted;
    if (draft === null) return fault('/$schema', 'must name JSON Schema draft-07 or 2020-12');
    if (!this.#isSchema(value, draft, file, '')) return null;
    return new SchemaDocument(file, value, draft, {
      schema: (schema, place) => this.#visit(schema, draft, file, place),
      reference: (reference) => this.#pending.push(reference),
    });
  }

  #isSchema(value: unknown, draft: Draft, file: string, place: string): value is Schema {
    const faults = metaFaults(value, draft);
    for (const fault of faults) this.#findings.fault(file, place + fault.place, fault.reason);
    return faults.length === 0;
  }

  #visit(schema: SchemaObject, draft: Draft, file: string, place: string): void {
    this.#links.place(schema, { file, place });
    const at = (keyword: string, key?: string) => place + pointer(key === undefined ? [keyword] : [keyword, key]);
    lintSchema(schema, draft, {
      fault: (reason, keyword, key) => this.#findings.fault(file, at(keyword, key), reason),
      warn: (reason, keyword, key) => this.#findings.warn(file, at(keyword, key), reason),
    });
    // The meta-schema of draft-07 does not look into $defs, ajv does.
    if (draft === 'draft-07' && isSchemaObject(schema.$defs)) {
      for (const [name, value] of Object.entries(schema.$defs)) {
        this.#isSchema(value, draft, file, at('$defs', name));
      }
    }
  }

  #resolve(reference: Reference): void {
    const { document, keyword, text, place } = reference;
    const reason = keyword === '$ref' ? this.#connect(reference) : this.#connectDynamic(reference);
    if (reason !== undefined)
      this.#findings.fault(document.file, place, `${keyword} ${JSON.stringify(text)} ${reason}`);
  }

  /** Notes what a `$ref` leads to, or says why it leads nowhere. */
  #connect(reference: Reference): string | undefined {
    const { document, schema, text } = reference;
    const lead = this.#lead(reference);
    if ('reason' in lead) return lead.reason;
    if ('meta' in lead) return void this.#links.connectMeta(schema, lead.meta);

    const [, fragment] = splitUri(text);
    const { document: other, start } = lead;
    const found = other.inside(start, fragment);
    if (found === undefined) return `leads nowhere: there is no #${fragment} in ${other.file}`;
    const { value, place } = found;
    if (typeof value !== 'boolean' && !isSchemaObject(value)) return 'leads to something that is no schema';
    if (other.draft !== document.draft) {
      return `leads from ${document.draft} to ${other.draft}: both must be of one draft`;
    }
    if (typeof value !== 'boolean' && !other.isKnown(value)) {
      if (!this.#isSchema(value, document.draft, other.file, place)) return 'leads to something that is no schema';
      other.adopt(value, place, start);
    }
    this.#links.connect(schema, value);
    return undefined;
  }

  /** With one anchor of the name there is nothing dynamic about a `$dynamicRef`: JSON Schema 2020-12 core 8.2.3.2. */
  #connectDynamic({ document, schema, text }: Reference): string | undefined {
    const anchors = document.dynamicAnchors(text.slice(1));
    const only = anchors[0];
    if (!text.startsWith('#') || only === undefined || anchors.length > 1) {
      return 'must lead to the only $dynamicAnchor of the name in its file';
    }
    this.#links.connectDynamic(schema, text.slice(1));
    this.#links.connect(schema, only.value as SchemaObject);
    return undefined;
  }

  /** The document and the part of it that a reference means, before its fragment. */
  #lead({ document, text, resource }: Reference): Lead {
    const [uri, fragment] = splitUri(text);
    if (uri === '') return { document, start: { value: resource.root, place: resource.place } };
    const meta = META_SCHEMA[document.draft];
    if (draftOf(uri) === document.draft) return { meta: fragment === '' ? meta : `${meta}#${fragment}` };

    const absolute = resolveUri(uri, resource.base);
    const own = absolute === undefined ? [] : document.withId(absolute);
    if (own.length > 1) return { reason: `is ambiguous: ${own.map(({ place }) => `#${place}`).join(', ')} carry it` };
    if (own[0] !== undefined) return { document, start: own[0] };

    const file = HAS_SCHEME.test(uri) ? undefined : neighbour(document.file, uri);
    if (file !== undefined && this.#files.has(file)) return this.#whole(file, document.draft);
    const named = absolute === undefined ? [] : (this.#byId().get(absolute) ?? []);
    if (named.length > 1) return { reason: `is ambiguous: ${named.join(', ')} carry it` };
    if (named[0] !== undefined) return this.#whole(named[0], document.draft);
    return { reason: whyNowhere(uri, file) };
  }

  #whole(file: string, wanted: Draft): Lead {
    const document = this.open(file, wanted);
    return document === null
      ? { reason: 'leads to a file with faults' }
      : { document, start: { value: document.root, place: '' } };
  }

  /** Files by the `$id` of their root. A file that cannot be read is nobody's target here. */
  #byId(): Map<string, string[]> {
    if (this.#filesById !== undefined) return this.#filesById;
    const filesById = new Map<string, string[]>();
    for (const [file, bytes] of this.#files) {
      const parsed = parseDocument(bytes);
      const id = 'value' in parsed && isSchemaObject(parsed.value) ? parsed.value.$id : undefined;
      const uri = typeof id === 'string' ? splitUri(id)[0] : '';
      if (!URL.canParse(uri)) continue;
      const { href } = new URL(uri);
      filesById.set(href, [...(filesById.get(href) ?? []), file]);
    }
    this.#filesById = filesById;
    return filesById;
  }
}

function declaredDraft($schema: unknown): Draft | null {
  return typeof $schema === 'string' ? draftOf($schema) : null;
}

/** The path in the folder that a relative reference from `file` means; undefined where that is outside. */
function neighbour(file: string, uri: string): string | undefined {
  let path: string;
  try {
    path = posix.join(posix.dirname(file), decodeURIComponent(uri));
  } catch {
    return undefined;
  }
  return uri.startsWith('/') || path === '..' || path.startsWith('../') ? undefined : path;
}

function whyNowhere(uri: string, file: string | undefined): string {
  if (file !== undefined) return `leads to a missing file: there is no ${file}`;
  if (HAS_SCHEME.test(uri)) return 'is remote: no schema of the folder carries that $id, and nothing is fetched';
  return 'points outside the schema folder';
}
