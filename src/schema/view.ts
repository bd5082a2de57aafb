// A schema as an object with properties: what `properties`, `allOf`, `$ref` and a choice with one real branch say
// together. Where a choice has several, only what all of them share is certain; at the top of an event the rest is
// united too.
import { isSchemaObject, type Schema, type SchemaObject } from './dialect.ts';
import { type Kinds, list, OBJECT } from './kinds.ts';
import type { Links } from './links.ts';

export interface Property {
  /** May be made up here from several: it then stands in no file. */
  schema: Schema;
  /** The subschemas whose `properties` hold it. */
  declaredBy: readonly SchemaObject[];
  /** Only some branches of a choice at the top declare it. */
  alternative: boolean;
  /** An open branch does not declare it: in such events it may hold anything. */
  uncertain: boolean;
}

export interface ObjectView {
  properties: ReadonlyMap<string, Property>;
  /** Names that every valid object has. */
  required: ReadonlySet<string>;
  /** Whether an object can surely have no other properties than these. */
  closed: boolean;
}

/** The subschemas that hold for every object that is valid, and the choices that remain. */
interface Parts {
  certain: ReadonlySet<SchemaObject>;
  choices: readonly (readonly Schema[])[];
}

export class Views {
  readonly #links: Links;
  readonly #kinds: Kinds;
  readonly #parts = new Map<SchemaObject, Parts>();
  readonly #tops = new Map<Schema, ObjectView>();
  readonly #ids = new Map<Schema, number>();

  constructor(links: Links, kinds: Kinds) {
    this.#links = links;
    this.#kinds = kinds;
  }

  /** The event itself: choices are united. */
  top(schema: Schema): ObjectView {
    const known = this.#tops.get(schema);
    if (known !== undefined) return known;
    const { certain, choices } = this.#partsOf(schema);
    let view = this.#together(certain);
    for (const branches of choices) view = this.#unite(view, branches);
    this.#tops.set(schema, view);
    return view;
  }

  /**
   * An object inside the event, or null where it has no declared properties, where a choice gives it other ones, or where
   * it leads to itself again.
   * @param trail the subschemas whose properties lead to it from the top
   */
  nested(schema: Schema, trail: readonly SchemaObject[]): ObjectView | null {
    const { certain, choices } = this.#partsOf(schema);
    if (trail.some((above) => certain.has(above))) return null;
    const view = this.#together(certain);
    const names = choices.flat().flatMap((branch) => [...this.top(branch).properties.keys()]);
    const isWhole = names.every((name) => view.properties.has(name));
    return isWhole && view.properties.size > 0 ? view : null;
  }

  /** The value of an annotation on a property, and the subschema that carries it. */
  annotation(schema: Schema, keyword: string): { value: unknown; on: SchemaObject } | undefined {
    const waiting = new Set<Schema>([schema]);
    for (const part of waiting) {
      if (typeof part === 'boolean') continue;
      if (Object.hasOwn(part, keyword)) return { value: part[keyword], on: part };
      const inner = [part.allOf, part.anyOf, part.oneOf].flatMap(list);
      for (const each of [...this.#links.targetsOf(part), ...inner]) waiting.add(each);
    }
    return undefined;
  }

  #partsOf(schema: Schema): Parts {
    if (typeof schema === 'boolean') return { certain: new Set(), choices: [] };
    let parts = this.#parts.get(schema);
    if (parts === undefined) {
      parts = this.#computeParts(schema);
      this.#parts.set(schema, parts);
    }
    return parts;
  }

  #computeParts(schema: SchemaObject): Parts {
    const certain = new Set<SchemaObject>([schema]);
    const choices = new Set<readonly Schema[]>();
    const include = (part: Schema): void => {
      const parts = this.#partsOf(part);
      for (const each of parts.certain) certain.add(each);
      for (const each of parts.choices) choices.add(each);
    };
    for (const part of [...this.#links.targetsOf(schema), ...list(schema.allOf)]) include(part);
    for (const choice of [schema.anyOf, schema.oneOf]) {
      const branches = this.#objectBranches(list(choice));
      if (branches.length === 1) include(branches[0]!);
      if (branches.length < 2) continue;
      choices.add(branches);
      for (const each of this.#shared(branches)) certain.add(each);
    }
    return { certain, choices: [...choices] };
  }

  /** The different branches that let objects through. */
  #objectBranches(branches: readonly Schema[]): readonly Schema[] {
    const different = new Map<string, Schema>();
    for (const branch of branches) {
      if ((this.#kinds.of(branch) & OBJECT) === 0) continue;
      const identity = this.#identity(branch);
      if (!different.has(identity)) different.set(identity, branch);
    }
    return [...different.values()];
  }

  #shared(branches: readonly Schema[]): SchemaObject[] {
    const [first, ...others] = branches.map((branch) => this.#partsOf(branch).certain);
    return [...first!].filter((each) => others.every((other) => other.has(each)));
  }

  /** Equal for subschemas that say the same, also when each is a reference of its own. */
  #identity(schema: unknown): string {
    return JSON.stringify(schema, (key, value: unknown) => {
      if ((key === 'title' || key === 'description') && typeof value === 'string') return undefined;
      if (!isSchemaObject(value) || typeof value.$ref !== 'string') return value;
      const { $ref, ...rest } = value;
      return [...this.#links.targetsOf(value).map((target) => this.#idOf(target)), $ref[0] === '#' ? '' : $ref, rest];
    });
  }

  #idOf(schema: Schema): number {
    const id = this.#ids.get(schema) ?? this.#ids.size;
    this.#ids.set(schema, id);
    return id;
  }

  #together(certain: Iterable<SchemaObject>): ObjectView {
    const found = new Map<string, { schemas: Schema[]; declaredBy: SchemaObject[] }>();
    const required = new Set<string>();
    let closed = false;
    for (const part of certain) {
      for (const name of Array.isArray(part.required) ? part.required : []) required.add(name);
      closed ||= this.#isClosed(part);
      for (const [name, schema] of propertiesOf(part)) {
        const known = found.get(name);
        if (known === undefined) found.set(name, { schemas: [schema], declaredBy: [part] });
        else {
          known.schemas.push(schema);
          known.declaredBy.push(part);
        }
      }
    }
    const properties = new Map<string, Property>();
    for (const [name, { schemas, declaredBy }] of found) {
      const schema = schemas.length === 1 ? schemas[0]! : { allOf: schemas };
      if (this.#kinds.of(schema) === 0) continue;
      properties.set(name, { schema, declaredBy, alternative: false, uncertain: false });
    }
    return { properties, required, closed };
  }

  #isClosed({ additionalProperties, patternProperties }: SchemaObject): boolean {
    if (additionalProperties === undefined || this.#kinds.of(additionalProperties as Schema) !== 0) return false;
    const patterns = isSchemaObject(patternProperties) ? Object.values(patternProperties) : [];
    return patterns.every((schema) => this.#kinds.of(schema as Schema) === 0);
  }

  /** Adds what the branches of a choice declare to what holds in any case. */
  #unite(base: ObjectView, branches: readonly Schema[]): ObjectView {
    const views = branches.map((branch) => this.top(branch));
    const properties = new Map(base.properties);
    const required = new Set(base.required);
    const [first, ...others] = views;
    for (const name of first!.required) {
      if (others.every((view) => view.required.has(name))) required.add(name);
    }
    for (const name of new Set(views.flatMap((view) => [...view.properties.keys()]))) {
      const known = base.properties.get(name);
      const united = this.#uniteProperty(views, name);
      // Where an open branch allows anything, what is known already stays as it is.
      if (known !== undefined && united.uncertain) continue;
      const isNews = known === undefined || known.uncertain;
      const property = isNews ? united : { ...known, schema: { allOf: [known.schema, united.schema] } };
      if (this.#kinds.of(property.schema) === 0) properties.delete(name);
      else properties.set(name, property);
    }
    return { properties, required, closed: base.closed || views.every((view) => view.closed) };
  }

  #uniteProperty(views: readonly ObjectView[], name: string): Property {
    const different = new Map<string, Schema>();
    const declaredBy: SchemaObject[] = [];
    let uncertain = false;
    for (const view of views) {
      const property = view.properties.get(name);
      if (property === undefined) uncertain ||= !view.closed;
      else {
        different.set(this.#identity(property.schema), property.schema);
        declaredBy.push(...property.declaredBy);
        uncertain ||= property.uncertain;
      }
    }
    const schemas = [...different.values()];
    const schema = schemas.length === 1 ? schemas[0]! : { anyOf: schemas };
    return { schema, declaredBy, alternative: true, uncertain };
  }
}

/** Ajv does not see `__proto__` as a property, so neither may anything that relies on its verdict. */
function propertiesOf({ properties }: SchemaObject): [string, Schema][] {
  if (!isSchemaObject(properties)) return [];
  return (Object.entries(properties) as [string, Schema][]).filter(([name]) => name !== '__proto__');
}
