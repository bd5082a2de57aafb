// The graph between subschemas once all references are followed. Every subschema is one object of one parsed file, so
// the object itself is its key.
import type { Schema, SchemaObject } from './dialect.ts';

/** Where a subschema stands. */
export interface Spot {
  file: string;
  place: string;
}

const NONE: readonly Schema[] = [];

export class Links {
  readonly #targets = new Map<SchemaObject, Schema[]>();
  readonly #spots = new Map<SchemaObject, Spot>();
  readonly #metaRefs = new Map<SchemaObject, string>();
  readonly #dynamic = new Map<SchemaObject, string>();

  place(schema: SchemaObject, spot: Spot): void {
    this.#spots.set(schema, spot);
  }

  connect(schema: SchemaObject, target: Schema): void {
    const known = this.#targets.get(schema);
    if (known === undefined) this.#targets.set(schema, [target]);
    else known.push(target);
  }

  connectMeta(schema: SchemaObject, reference: string): void {
    this.#metaRefs.set(schema, reference);
  }

  connectDynamic(schema: SchemaObject, anchor: string): void {
    this.#dynamic.set(schema, anchor);
  }

  /** Undefined for a schema that stands in no file. */
  spotOf(schema: SchemaObject): Spot | undefined {
    return this.#spots.get(schema);
  }

  /** What `$ref` and `$dynamicRef` lead to: none, one or two. */
  targetsOf(schema: SchemaObject): readonly Schema[] {
    return this.#targets.get(schema) ?? NONE;
  }

  /** The `$ref` to its own draft's meta-schema, which ajv brings along. */
  metaRefOf(schema: SchemaObject): string | undefined {
    return this.#metaRefs.get(schema);
  }

  /** The anchor that the schema's `$dynamicRef` names. */
  dynamicAnchorOf(schema: SchemaObject): string | undefined {
    return this.#dynamic.get(schema);
  }
}
