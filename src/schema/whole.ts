// A version as one document that stands for itself: what it refers to in other files is brought in under `$defs`.
// Unlike the bundle for ajv it keeps every keyword and every place of the version's own file, so that pointers into it
// are pointers into the file. It is what is compared, and what is frozen.
import { pointer } from '../pointer.ts';
import type { Schema, SchemaObject } from './dialect.ts';
import type { Links, Spot } from './links.ts';
import type { Reach } from './reach.ts';

/**
 * The version's document; the very file where it refers to no other one.
 * @param root of a version whose references have all been followed
 */
export function wholeDocument(file: string, root: Schema, reach: Reach, links: Links): Schema {
  if (typeof root === 'boolean' || reach.files.size <= 1) return root;
  return new Joiner(file, reach, links).join(root);
}

class Joiner {
  readonly #file: string;
  readonly #links: Links;
  /** By `file#place/`. */
  readonly #foreign = new Map<string, [target: SchemaObject, spot: Spot]>();

  constructor(file: string, { schemas }: Reach, links: Links) {
    this.#file = file;
    this.#links = links;
    this.#collect(schemas);
  }

  join(root: SchemaObject): Schema {
    const whole = this.#copy(root) as Record<string, unknown>;
    const brought = [...this.#foreign.values()].map(([target, spot]) => [nameOf(spot), this.#copy(target)]);
    return { ...whole, $defs: { ...(whole.$defs as object | undefined), ...Object.fromEntries(brought) } };
  }

  /** What stands in other files and is referred to; what stands inside of another such place comes with that one. */
  #collect(schemas: ReadonlySet<SchemaObject>): void {
    const all = new Map<string, [SchemaObject, Spot]>();
    for (const schema of schemas) {
      for (const target of this.#links.targetsOf(schema)) {
        const spot = typeof target === 'boolean' ? undefined : this.#links.spotOf(target);
        if (spot !== undefined && spot.file !== this.#file) all.set(`${nameOf(spot)}/`, [target as SchemaObject, spot]);
      }
    }
    let last: string | undefined;
    // In this order whatever begins with a key follows that key.
    for (const key of [...all.keys()].sort()) {
      if (last !== undefined && key.startsWith(last)) continue;
      this.#foreign.set(key, all.get(key)!);
      last = key;
    }
  }

  #copy(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((each) => this.#copy(each));
    if (typeof value !== 'object' || value === null) return value;
    const schema = value as SchemaObject;
    const isSchema = this.#links.spotOf(schema) !== undefined;
    const entries = Object.entries(schema).filter(([name]) => {
      // With references turned into pointers an `$id` has no other effect than to mislead them.
      return !isSchema || (name !== '$id' && !(REFERENCES.has(name) && this.#links.metaRefOf(schema) === undefined));
    });
    const copy = Object.fromEntries(entries.map(([name, each]) => [name, this.#copy(each)]));
    for (const target of this.#links.targetsOf(schema)) {
      const reference = typeof target === 'boolean' ? target : { $ref: this.#addressOf(target) };
      if (typeof reference === 'boolean' || copy.$ref !== undefined) {
        copy.allOf = [...(Array.isArray(copy.allOf) ? copy.allOf : []), reference];
      } else copy.$ref = reference.$ref;
    }
    return copy;
  }

  #addressOf(target: SchemaObject): string {
    const spot = this.#links.spotOf(target)!;
    return `#${encodeURI(spot.file === this.#file ? spot.place : this.#foreignPlace(spot)).replaceAll('#', '%23')}`;
  }

  #foreignPlace(spot: Spot): string {
    const key = `${nameOf(spot)}/`;
    const known = this.#foreign.get(key) ?? [...this.#foreign].find(([outer]) => key.startsWith(outer))![1];
    const around = known[1];
    return pointer(['$defs', nameOf(around)]) + spot.place.slice(around.place.length);
  }
}

const REFERENCES: ReadonlySet<string> = new Set(['$ref', '$dynamicRef']);

/** `_shared/address.json#/definitions/street` */
function nameOf({ file, place }: Spot): string {
  return `${file}#${place}`;
}
