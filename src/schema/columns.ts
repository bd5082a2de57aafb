// The columns of one table from all versions of its major, in ascending order: a version adds columns, and never
// changes one that an earlier version brought. Pure: the same schemas give the same plan on every machine.
import type { Column, ColumnType, TablePlan } from '../model.ts';
import type { Schema, SchemaObject } from './dialect.ts';
import type { Findings } from './faults.ts';
import { Kinds } from './kinds.ts';
import type { Links } from './links.ts';
import { digestName, nameFault } from './names.ts';
import type { ObjectShape, Slot } from './shape.ts';
import { growTree, leavesOf, MAX_COLUMNS, objectsOf, type Place, type Standing, type Tree } from './tree.ts';
import { Views } from './view.ts';

export interface PlannedVersion {
  file: string;
  root: Schema;
  /** All that the root leads to: an `x-id` anywhere in there must be a column. */
  schemas: ReadonlySet<SchemaObject>;
}

export interface Planned {
  plan: TablePlan;
  /** One for each version, in their order. */
  shapes: ObjectShape[];
}

/** Plans a table. Faults of `x-id` and warnings about names go to `findings`. */
export function planTable(
  table: string,
  versions: readonly PlannedVersion[],
  links: Links,
  findings: Findings,
): Planned {
  const planner = new Planner(links, findings);
  const shapes = versions.map((version) => planner.add(version));
  return { plan: planner.plan(table, versions.length), shapes };
}

type Draft = { -readonly [Key in keyof Column]: Column[Key] } & {
  pointer: string;
  /** Versions in which every event has a value for it. */
  certainIn: number;
};

class Planner implements Standing {
  readonly #links: Links;
  readonly #findings: Findings;
  readonly #views: Views;
  readonly #kinds: Kinds;
  readonly #columns: Draft[] = [];
  readonly #byPointer = new Map<string, number[]>();
  readonly #names = new Set<string>();
  readonly #spread = new Set<string>();
  #extra = false;

  constructor(links: Links, findings: Findings) {
    this.#links = links;
    this.#findings = findings;
    this.#kinds = new Kinds(links);
    this.#views = new Views(links, this.#kinds);
  }

  get count(): number {
    return this.#columns.length;
  }

  takes(pointer: string, type: ColumnType): boolean {
    return this.#columnFor(pointer, type) !== undefined;
  }

  isSpread(pointer: string): boolean {
    return this.#spread.has(pointer);
  }

  plan(table: string, versions: number): TablePlan {
    const columns = this.#columns.map(({ name, path, type, id, certainIn }) => {
      return { name, path, type, notNull: certainIn === versions, id };
    });
    return { table, columns, extra: this.#extra };
  }

  add(version: PlannedVersion): ObjectShape {
    const hasId = [...version.schemas].some((schema) => schema['x-id'] === true);
    const tree = growTree(version.root, this.#kinds, this.#views, this, hasId);
    this.#warnOfRoom(tree, version.file);
    const leaves = leavesOf(tree.places).filter((place) => place.hasColumn);
    const names = this.#nameNew(leaves, version.file);
    for (const place of leaves) this.#note(place, names.get(place), version.file);
    for (const place of objectsOf(tree.places)) this.#noteObject(place, version.file);
    this.#judgeIds(leaves, version);
    this.#extra ||= !tree.closed || tree.places.some((place) => mayLeaveExtra(place));
    return this.#shapeOf(tree.places);
  }

  /** The column at a pointer that takes a type: jsonb takes everything, text every string. */
  #columnFor(pointer: string, type: ColumnType): number | undefined {
    const indexes = this.#byPointer.get(pointer);
    if (indexes === undefined) return undefined;
    const isString = type === 'timestamptz' || type === 'date' || type === 'uuid';
    const among = (wanted: ColumnType) => indexes.find((index) => this.#columns[index]!.type === wanted);
    return among(type) ?? among('jsonb') ?? (isString ? among('text') : undefined);
  }

  /** Names for the columns that are new. A chosen name comes first, then the shallower property, then the earlier. */
  #nameNew(leaves: readonly Place[], file: string): Map<Place, string> {
    const fresh = leaves.filter((place) => !this.takes(place.pointer, place.type));
    const wishes = new Map(fresh.map((place) => [place, this.#wishOf(place)]));
    const rank = (place: Place) => (wishes.get(place)!.isChosen ? 0 : place.path.length);
    const names = new Map<Place, string>();
    for (const place of [...fresh].sort((a, b) => rank(a) - rank(b))) {
      const { name } = wishes.get(place)!;
      const given = this.#nameFor(place, name);
      this.#names.add(given.name);
      names.set(place, given.name);
      if (given.why === undefined) continue;
      this.#warn(place, file, `${place.pointer} gets the column ${JSON.stringify(given.name)}: ${given.why}`);
    }
    return names;
  }

  #nameFor(place: Place, wish: string): { name: string; why?: string } {
    const isTaken = (name: string) => this.#names.has(name);
    if (this.#byPointer.has(place.pointer)) {
      const seed = `${place.pointer} ${place.type}`;
      return { name: digestName(wish, seed, isTaken), why: `its type is ${place.type} now` };
    }
    const fault = nameFault(wish);
    if (fault === undefined && !isTaken(wish)) return { name: wish };
    const quoted = wish.length > 100 ? 'its name' : JSON.stringify(wish);
    return { name: digestName(wish, place.pointer, isTaken), why: `${quoted} ${fault ?? 'is taken'}` };
  }

  #wishOf(place: Place): { name: string; isChosen: boolean } {
    const chosen = this.#views.annotation(place.schema, 'x-column')?.value;
    return typeof chosen === 'string'
      ? { name: chosen, isChosen: true }
      : { name: this.#naturalName(place), isChosen: false };
  }

  #naturalName({ name, parent }: Place): string {
    const prefix = parent === null ? '' : this.#prefixOf(parent);
    return prefix === '' || prefix.endsWith('_') ? prefix + name : `${prefix}_${name}`;
  }

  #prefixOf(place: Place): string {
    const prefix = this.#views.annotation(place.schema, 'x-column-prefix')?.value;
    return typeof prefix === 'string' ? prefix : this.#naturalName(place);
  }

  /** Adds the column, or notes that this version has a value for one that is there. */
  #note(place: Place, name: string | undefined, file: string): void {
    const isCertain = Number(place.certain && !place.alternative);
    const { path, pointer, type } = place;
    if (name === undefined) {
      const column = this.#columns[this.#columnFor(pointer, type)!]!;
      column.certainIn += isCertain;
      const wish = this.#wishOf(place);
      if (!wish.isChosen || wish.name === column.name) return;
      this.#warn(place, file, `${pointer} keeps the column ${JSON.stringify(column.name)}: x-column came too late`);
      return;
    }
    const index =
      this.#columns.push({ name, path, pointer, type, notNull: false, id: false, certainIn: isCertain }) - 1;
    this.#byPointer.set(pointer, [...(this.#byPointer.get(pointer) ?? []), index]);
  }

  #noteObject(place: Place, file: string): void {
    this.#spread.add(place.pointer);
    if (this.#views.annotation(place.schema, 'x-column') === undefined) return;
    this.#warn(place, file, `x-column has no effect on ${place.pointer}, whose properties have columns of their own`);
  }

  /** At most one `x-id`, on a property that every event has, and the same one in every version. */
  #judgeIds(leaves: readonly Place[], { file, schemas }: PlannedVersion): void {
    const used = new Set<SchemaObject>();
    let first: Place | undefined;
    for (const place of leaves.filter((leaf) => leaf.id)) {
      const { on } = this.#views.annotation(place.schema, 'x-id')!;
      used.add(on);
      const column = this.#columns[this.#columnFor(place.pointer, place.type)!]!;
      const known = this.#columns.find((each) => each.id) ?? column;
      if (first !== undefined) this.#idFault(on, file, `a second one beside ${first.pointer}`);
      else if (!['text', 'bigint', 'uuid'].includes(column.type) || !place.certain) {
        this.#idFault(
          on,
          file,
          'only a required string, integer or uuid can be the id, in objects that are required too',
        );
      } else if (known !== column) this.#idFault(on, file, `an earlier version has it on ${known.pointer}`);
      else column.id = true;
      first = place;
    }
    for (const schema of schemas) {
      if (schema['x-id'] === true && !used.has(schema)) {
        this.#idFault(schema, file, 'there is no column for this place that could be the id');
      }
    }
  }

  #idFault(on: SchemaObject, file: string, reason: string): void {
    const spot = this.#links.spotOf(on) ?? { file, place: '' };
    this.#findings.fault(spot.file, `${spot.place}/x-id`, reason);
  }

  #warnOfRoom({ folded, dropped }: Tree, file: string): void {
    const tell = (places: readonly Place[], what: string): void => {
      if (places.length === 0) return;
      const some = places.slice(0, 5).map((place) => place.pointer);
      const more = places.length > 5 ? ` and ${places.length - 5} more` : '';
      this.#findings.warn(file, '', `more than ${MAX_COLUMNS} columns: ${what} ${some.join(', ')}${more}`);
    };
    tell(folded, 'one jsonb column each for the objects');
    tell(dropped, '_extra takes');
  }

  #warn(place: Place, file: string, reason: string): void {
    const { schema } = place;
    const spot = typeof schema === 'boolean' ? undefined : this.#links.spotOf(schema);
    // A shared file is no version's own: the warning belongs to the version.
    this.#findings.warn(file, spot?.file === file ? spot.place : '', reason);
  }

  #shapeOf(places: readonly Place[]): ObjectShape {
    const properties = new Map<string, Slot>();
    const required = new Set<string>();
    for (const place of places) {
      const { name, pointer, type, nullable, children, hasColumn } = place;
      if (!hasColumn) continue;
      if (children !== null) properties.set(name, { kind: 'object', shape: this.#shapeOf(children), nullable });
      else properties.set(name, { kind: 'column', index: this.#columnFor(pointer, type)!, nullable });
      if (place.required) required.add(name);
    }
    return { properties, required };
  }
}

/** Whether a valid event can hold something in this place that the columns alone would lose. */
function mayLeaveExtra({ children, required, nullable, view, hasColumn }: Place): boolean {
  if (!hasColumn || (nullable && !required)) return true;
  if (children === null) return false;
  const mayVanish = (!required || nullable) && !leavesTrace(children);
  return mayVanish || !view!.closed || children.some((child) => mayLeaveExtra(child));
}

/** Whether an object with these members always has a column with a value in it. */
function leavesTrace(places: readonly Place[]): boolean {
  return places.some(({ required, nullable, children, hasColumn }) => {
    return hasColumn && required && !nullable && (children === null || leavesTrace(children));
  });
}
