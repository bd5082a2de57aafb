// The properties of one schema version as a tree: objects that are spread over columns, and leaves with a column each.
// Objects are spread level by level and folded into one jsonb column again, deepest first, until the table fits.
import type { ColumnType } from '../model.ts';
import { pointer } from '../pointer.ts';
import type { Schema, SchemaObject } from './dialect.ts';
import { type Kinds, NULL, OBJECT } from './kinds.ts';
import type { ObjectView, Property, Views } from './view.ts';

/** Columns that a schema may bring into a table. */
export const MAX_COLUMNS = 250;

/** A property where it stands in the event. */
export interface Place {
  readonly name: string;
  readonly path: readonly string[];
  readonly pointer: string;
  readonly schema: Schema;
  readonly parent: Place | null;
  readonly required: boolean;
  readonly nullable: boolean;
  /** Every valid event has a value other than null here. */
  readonly certain: boolean;
  /** It, or something around it, stands in some branches of a choice at the top only. */
  readonly alternative: boolean;
  readonly id: boolean;
  /** As one column. */
  readonly type: ColumnType;
  /** As several; null where it can only be one column. */
  readonly view: ObjectView | null;
  /** Set while the object is spread over columns. */
  children: Place[] | null;
  /** False: there was no room for a column, the value goes into `_extra`. */
  hasColumn: boolean;
  /** Subschemas on the way here: one that comes again is a recursion. */
  readonly trail: readonly SchemaObject[];
}

/** What the table has already, from earlier versions. */
export interface Standing {
  readonly count: number;
  /** Whether a column at the pointer can take values of the type. */
  takes(pointer: string, type: ColumnType): boolean;
  /** Whether the object at the pointer has columns for its members. */
  isSpread(pointer: string): boolean;
}

export interface Tree {
  closed: boolean;
  places: Place[];
  /** Objects that were folded for want of room. */
  folded: Place[];
  /** Properties without a column for want of room. */
  dropped: Place[];
}

/**
 * The tree of one version, cut to what fits beside the standing columns.
 * @param hasId whether there is an `x-id` to look for: objects on the way to it are spread in any case
 */
export function growTree(schema: Schema, kinds: Kinds, views: Views, standing: Standing, hasId: boolean): Tree {
  return new Grower(kinds, views, standing).grow(schema, hasId);
}

class Grower {
  readonly #kinds: Kinds;
  readonly #views: Views;
  readonly #standing: Standing;
  /** Pointers of the objects around an id. */
  readonly #aroundId = new Set<string>();
  /** Columns of the table as the tree now stands. */
  #count: number;

  constructor(kinds: Kinds, views: Views, standing: Standing) {
    this.#kinds = kinds;
    this.#views = views;
    this.#standing = standing;
    this.#count = standing.count;
  }

  grow(schema: Schema, hasId: boolean): Tree {
    const root = this.#views.top(schema);
    const places = this.#placesOf(root, null);
    if (hasId) this.#seekId(places);
    const folded = [...this.#spread(places), ...this.#fold(places)];
    const dropped = this.#drop(places);
    return { closed: root.closed, places, folded, dropped };
  }

  /** Nearest first. A subschema that is met again would lead to the same id again. */
  #seekId(places: readonly Place[]): void {
    const met = new Set<Schema>();
    const waiting = [...places];
    for (const place of waiting) {
      for (let at = place.id ? place.parent : null; at !== null; at = at.parent) this.#aroundId.add(at.pointer);
      if (place.view === null || met.has(place.schema)) continue;
      met.add(place.schema);
      waiting.push(...this.#placesOf(place.view, place));
    }
  }

  /** Level by level, and no further once it is clear that the next level would be folded. Returns what was left out. */
  #spread(places: Place[]): Place[] {
    this.#count += places.filter((place) => this.#isNew(place)).length;
    const left: Place[] = [];
    for (let level = places; level.length > 0; ) {
      const isFull = this.#count > MAX_COLUMNS;
      const next: Place[] = [];
      for (const place of level) {
        if (place.view === null) continue;
        if (isFull && !this.#isPinned(place)) {
          left.push(place);
          continue;
        }
        this.#count -= Number(this.#isNew(place));
        place.children = this.#placesOf(place.view, place);
        this.#count += place.children.filter((child) => this.#isNew(child)).length;
        next.push(...place.children);
      }
      level = next;
    }
    return left;
  }

  /** Deepest first, the later before the earlier. */
  #fold(places: Place[]): Place[] {
    const folded: Place[] = [];
    const byDepth = objectsOf(places).sort((a, b) => a.path.length - b.path.length);
    while (this.#count > MAX_COLUMNS && byDepth.length > 0) {
      const place = byDepth.pop()!;
      const gain = leavesOf(place.children!).filter((leaf) => this.#isNew(leaf)).length - 1;
      if (gain < 1 || this.#isPinned(place)) continue;
      place.children = null;
      this.#count -= gain;
      folded.push(place);
    }
    return folded;
  }

  #drop(places: Place[]): Place[] {
    const dropped: Place[] = [];
    const leaves = leavesOf(places);
    while (this.#count > MAX_COLUMNS && leaves.length > 0) {
      const place = leaves.pop()!;
      if (place.id || !this.#isNew(place)) continue;
      place.hasColumn = false;
      this.#count--;
      dropped.push(place);
    }
    return dropped.reverse();
  }

  #isNew(place: Place): boolean {
    return !this.#standing.takes(place.pointer, place.type);
  }

  /** Columns that exist stay what they are, and an id must have one. */
  #isPinned(place: Place): boolean {
    return this.#standing.isSpread(place.pointer) || this.#aroundId.has(place.pointer);
  }

  #placesOf(view: ObjectView, parent: Place | null): Place[] {
    return [...view.properties].map(([name, property]) => this.#placeOf(name, property, view, parent));
  }

  #placeOf(name: string, property: Property, view: ObjectView, parent: Place | null): Place {
    const { schema, uncertain } = property;
    const kinds = this.#kinds.of(schema);
    const path = [...(parent?.path ?? []), name];
    const at = pointer(path);
    const required = view.required.has(name);
    const nullable = uncertain || (kinds & NULL) !== 0;
    const trail = [...(parent?.trail ?? []), ...property.declaredBy];
    // A column that takes the whole object already goes on doing so, unless its members have columns too.
    const isWhole = this.#standing.takes(at, 'jsonb') && !this.#standing.isSpread(at);
    const canSpread = !uncertain && !isWhole && (kinds & ~NULL) === OBJECT;
    return {
      name,
      path,
      pointer: at,
      schema,
      parent,
      required,
      nullable,
      certain: (parent?.certain ?? true) && required && !nullable,
      alternative: (parent?.alternative ?? false) || property.alternative,
      id: this.#views.annotation(schema, 'x-id')?.value === true,
      type: this.#kinds.columnType(schema),
      view: canSpread ? this.#views.nested(schema, trail) : null,
      children: null,
      hasColumn: true,
      trail,
    };
  }
}

/** Properties with one column, or none, in the order in which they are declared. */
export function leavesOf(places: readonly Place[]): Place[] {
  return places.flatMap((place) => (place.children === null ? [place] : leavesOf(place.children)));
}

/** Objects that are spread over columns, each after those around it. */
export function objectsOf(places: readonly Place[]): Place[] {
  return places.flatMap((place) => (place.children === null ? [] : [place, ...objectsOf(place.children)]));
}
