// Reads a schema document into nodes: every keyword of draft-07, 2019-09 and 2020-12, as ajv understands it.
// Keywords that a draft does not know, and annotations, say nothing about documents and leave no trace.

import { type Place, SchemaDocument, step } from './document.ts';
import { SchemaFault } from './fault.ts';
import { NUMBER_FORMATS, STRING_FORMATS } from './format.ts';
import { FREE_ARRAY, FREE_NUMBER, FREE_OBJECT, FREE_STRING, type Graph } from './graph.ts';
import { ALL_TYPES, inPlace, type Node, type NodeParts, type ObjectRules, TYPE_BIT } from './node.ts';
import { compilePattern } from './pattern.ts';
import { canonical, isObject, type JsonObject, type JsonType, own } from './value.ts';

/** A document with its nodes: the root's, and one for each place that was read. */
export class ReadSchema {
  readonly document: SchemaDocument;
  readonly root: Node;
  private readonly graph: Graph;
  private readonly known = new Map<unknown, Node>();

  /** @throws SchemaFault where the document is not a schema, or a reference leads nowhere or out of it */
  constructor(schema: unknown, graph: Graph) {
    this.graph = graph;
    this.document = new SchemaDocument(schema);
    this.root = this.read(schema, '');
    refuseEndlessReferences([...this.known.values()]);
  }

  /** The node of a subschema of this document. */
  nodeAt(value: unknown): Node | undefined {
    if (typeof value === 'boolean') return value ? this.graph.anything : this.graph.nothing;
    return this.known.get(value);
  }

  /** A node for some keywords of a subschema alone. Only after the graph is settled, with subschemas already read. */
  nodeOf(parts: JsonObject, holder: object, pointer: string): Node {
    return this.graph.make(this.parts(parts, holder, pointer));
  }

  private read(value: unknown, pointer: string): Node {
    if (isObject(value) && this.known.has(value)) return this.known.get(value)!;
    const chain: JsonObject[] = [];
    const target = this.chase({ value, pointer }, chain);
    if (typeof target.value === 'boolean') return target.value ? this.graph.anything : this.graph.nothing;
    if (!isObject(target.value)) throw new SchemaFault('a schema must be an object or a boolean', target.pointer);
    const known = this.known.get(target.value);
    const node = known ?? this.graph.create({});
    for (const link of [...chain, target.value]) this.known.set(link, node);
    if (known === undefined) Object.assign(node, this.parts(target.value, target.value, target.pointer));
    return node;
  }

  /** A schema that is nothing but a reference is its target: follows such references to their end. */
  private chase(from: Place, chain: JsonObject[]): Place {
    let place = from;
    while (isObject(place.value) && typeof own(place.value, '$ref') === 'string') {
      if (Object.keys(place.value).some((key) => key !== '$ref' && MEANINGFUL.has(key))) break;
      if (chain.includes(place.value)) throw new SchemaFault('$ref refers to itself', from.pointer);
      chain.push(place.value);
      place = this.document.resolve(place.value.$ref as string, place.value, step(place.pointer, '$ref'));
    }
    return place;
  }

  private refer(ref: string, holder: object, pointer: string): Node {
    const place = this.document.resolve(ref, holder, step(pointer, '$ref'));
    return this.read(place.value, place.pointer);
  }

  private parts(schema: JsonObject, holder: object, pointer: string): NodeParts {
    const get = new Keywords(schema, pointer);
    const modern = this.document.draft !== 'draft-07';
    const child = (key: string): Node | undefined =>
      own(schema, key) === undefined ? undefined : this.read(own(schema, key), step(pointer, key));
    const list = (key: string): Node[] =>
      get.array(key)?.map((item, index) => this.read(item, step(pointer, key, index))) ?? [];
    for (const key of ['anyOf', 'oneOf']) {
      if (get.array(key)?.length === 0) throw new SchemaFault(`${key} must not be empty`, step(pointer, key));
    }
    const group = (key: string): Node[][] => (own(schema, key) === undefined ? [] : [list(key)]);
    const all = list('allOf');
    for (const key of modern ? ['$ref', '$dynamicRef', '$recursiveRef'] : ['$ref']) {
      const ref = get.string(key);
      if (ref !== undefined) all.push(this.refer(ref, holder, pointer));
    }
    const not = child('not');
    const condition = child('if');
    const otherwise = this.graph.anything;
    return {
      types: get.types(),
      values: get.values(),
      number: get.number(),
      string: get.text(),
      array: this.arrayRules(schema, get, child, list),
      object: this.objectRules(schema, get, pointer, child),
      all,
      any: group('anyOf'),
      one: group('oneOf'),
      not: not === undefined ? [] : [not],
      conditions: condition ? [[condition, child('then') ?? otherwise, child('else') ?? otherwise]] : [],
      unevaluatedProperties: modern ? (child('unevaluatedProperties') ?? null) : null,
      unevaluatedItems: modern ? (child('unevaluatedItems') ?? null) : null,
    };
  }

  private arrayRules(
    schema: JsonObject,
    get: Keywords,
    child: (key: string) => Node | undefined,
    list: (key: string) => Node[],
  ): Node['array'] {
    const { draft } = this.document;
    const tuple = draft !== '2020-12' && Array.isArray(own(schema, 'items'));
    const contains = child('contains');
    const counted = draft !== 'draft-07';
    const rules = {
      ...FREE_ARRAY,
      prefix: tuple ? list('items') : draft === '2020-12' ? list('prefixItems') : [],
      rest: (tuple ? child('additionalItems') : child('items')) ?? this.graph.anything,
      restSays: own(schema, tuple ? 'additionalItems' : 'items') !== undefined,
      minItems: get.count('minItems') ?? 0,
      maxItems: get.count('maxItems') ?? Number.POSITIVE_INFINITY,
      unique: get.boolean('uniqueItems') ?? false,
      contains: contains
        ? {
            node: contains,
            min: (counted ? get.count('minContains') : undefined) ?? 1,
            max: (counted ? get.count('maxContains') : undefined) ?? Number.POSITIVE_INFINITY,
          }
        : null,
    };
    const says = rules.restSays || rules.prefix.length > 0 || rules.rest !== this.graph.anything || rules.minItems > 0;
    return says || Number.isFinite(rules.maxItems) || rules.unique || contains ? rules : null;
  }

  private objectRules(
    schema: JsonObject,
    get: Keywords,
    pointer: string,
    child: (key: string) => Node | undefined,
  ): ObjectRules | null {
    if (!OBJECT_KEYWORDS.some((key) => own(schema, key) !== undefined)) return null;
    const map = (key: string): [string, Node][] =>
      get.members(key).map(([name, value]) => [name, this.read(value, step(pointer, key, name))]);
    const patterns = map('patternProperties');
    for (const [pattern] of patterns) compilePattern(pattern, step(pointer, 'patternProperties', pattern));
    const needs = new Map<string, string[]>();
    const dependents = new Map<string, Node>();
    const modern = this.document.draft !== 'draft-07';
    for (const key of modern ? ['dependencies', 'dependentRequired', 'dependentSchemas'] : ['dependencies']) {
      for (const [name, value] of get.members(key)) {
        const place = step(pointer, key, name);
        if (Array.isArray(value))
          needs.set(name, [...new Set([...(needs.get(name) ?? []), ...names(value, place)])].sort());
        else if (dependents.has(name)) dependents.set(name, this.both(dependents.get(name)!, this.read(value, place)));
        else dependents.set(name, this.read(value, place));
      }
    }
    return {
      ...FREE_OBJECT,
      properties: new Map(map('properties')),
      patterns,
      additional: child('additionalProperties') ?? this.graph.anything,
      additionalSays: own(schema, 'additionalProperties') !== undefined,
      names: child('propertyNames') ?? null,
      required: names(get.array('required') ?? [], step(pointer, 'required')),
      minProperties: get.count('minProperties') ?? 0,
      maxProperties: get.count('maxProperties') ?? Number.POSITIVE_INFINITY,
      needs: new Map([...needs].sort(byName)),
      dependents: new Map([...dependents].sort(byName)),
    };
  }

  private both(left: Node, right: Node): Node {
    return this.graph.create({ all: [left, right] });
  }
}

const OBJECT_KEYWORDS = [
  ...['properties', 'patternProperties', 'additionalProperties', 'propertyNames', 'required', 'minProperties'],
  ...['maxProperties', 'dependencies', 'dependentRequired', 'dependentSchemas'],
];

/** Keywords that can say something about documents in one of the drafts. */
const MEANINGFUL = new Set([
  ...OBJECT_KEYWORDS,
  ...['type', 'nullable', 'enum', 'const', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minLength', 'maxLength', 'pattern', 'format', 'items', 'prefixItems', 'additionalItems', 'contains'],
  ...['minContains', 'maxContains', 'minItems', 'maxItems', 'uniqueItems', 'allOf', 'anyOf', 'oneOf', 'not', 'if'],
  ...['then', 'else', '$dynamicRef', '$recursiveRef', 'unevaluatedProperties', 'unevaluatedItems'],
]);

function byName(left: readonly [string, unknown], right: readonly [string, unknown]): number {
  return left[0] < right[0] ? -1 : left[0] > right[0] ? 1 : 0;
}

function names(list: unknown[], pointer: string): string[] {
  if (!list.every((name) => typeof name === 'string')) throw new SchemaFault('must be a list of names', pointer);
  return [...new Set(list as string[])].sort();
}

/** Typed access to the keywords of one subschema; a keyword of the wrong form is a fault. */
class Keywords {
  private readonly schema: JsonObject;
  private readonly pointer: string;

  constructor(schema: JsonObject, pointer: string) {
    this.schema = schema;
    this.pointer = pointer;
  }

  private get<T>(key: string, fits: (value: unknown) => value is T, what: string): T | undefined {
    const value = own(this.schema, key);
    if (value === undefined) return undefined;
    if (!fits(value)) throw new SchemaFault(`${key} must be ${what}`, step(this.pointer, key));
    return value;
  }

  string = (key: string) => this.get(key, (v): v is string => typeof v === 'string', 'a string');
  boolean = (key: string) => this.get(key, (v): v is boolean => typeof v === 'boolean', 'a boolean');
  numeric = (key: string) => this.get(key, (v): v is number => typeof v === 'number', 'a number');
  array = (key: string) => this.get(key, Array.isArray, 'an array') as unknown[] | undefined;
  count = (key: string) =>
    this.get(key, (v): v is number => Number.isInteger(v) && (v as number) >= 0, 'a whole number, 0 or more');

  members(key: string): [string, unknown][] {
    return Object.entries(this.get(key, isObject, 'an object') ?? {}).sort(byName);
  }

  types(): number {
    const named = own(this.schema, 'type');
    if (named === undefined || (Array.isArray(named) && named.length === 0)) return ALL_TYPES;
    let mask = 0;
    for (const type of Array.isArray(named) ? named : [named]) {
      const bit = type === 'integer' ? TYPE_BIT.number : typeof type === 'string' && TYPE_BIT[type as JsonType];
      if (!bit || !(type === 'integer' || Object.hasOwn(TYPE_BIT, type))) {
        throw new SchemaFault(`type names no JSON type: ${JSON.stringify(type)}`, step(this.pointer, 'type'));
      }
      mask |= bit;
    }
    return own(this.schema, 'nullable') === true ? mask | TYPE_BIT.null : mask;
  }

  values(): unknown[] | null {
    const listed = this.array('enum');
    const only = own(this.schema, 'const');
    const unique = new Map<string, unknown>();
    for (const value of listed ?? (only === undefined ? [] : [only])) unique.set(canonical(value), value);
    if (only !== undefined && listed !== undefined) {
      return unique.has(canonical(only)) ? [only] : [];
    }
    return listed === undefined && only === undefined ? null : [...unique.values()];
  }

  number(): Node['number'] {
    const rules = { ...FREE_NUMBER, multiples: [] as number[] };
    const type = own(this.schema, 'type');
    const listed = Array.isArray(type) ? type : [type];
    rules.integer = listed.includes('integer') && !listed.includes('number');
    rules.min = this.numeric('minimum') ?? rules.min;
    rules.max = this.numeric('maximum') ?? rules.max;
    const above = this.numeric('exclusiveMinimum');
    if (above !== undefined && above >= rules.min) Object.assign(rules, { min: above, minOpen: true });
    const below = this.numeric('exclusiveMaximum');
    if (below !== undefined && below <= rules.max) Object.assign(rules, { max: below, maxOpen: true });
    const multiple = this.numeric('multipleOf');
    if (multiple !== undefined && multiple <= 0) {
      throw new SchemaFault('multipleOf must be more than 0', step(this.pointer, 'multipleOf'));
    }
    if (multiple !== undefined) rules.multiples.push(multiple);
    const limits = NUMBER_FORMATS.get(this.string('format') ?? '');
    if (limits) {
      rules.integer = true;
      if (limits.min > rules.min) Object.assign(rules, { min: limits.min, minOpen: false });
      if (limits.max < rules.max) Object.assign(rules, { max: limits.max, maxOpen: false });
    }
    const bounded = Number.isFinite(rules.min) || Number.isFinite(rules.max);
    return rules.integer || rules.multiples.length > 0 || bounded ? rules : null;
  }

  text(): Node['string'] {
    const pattern = this.string('pattern');
    const format = this.string('format');
    if (pattern !== undefined) compilePattern(pattern, step(this.pointer, 'pattern'));
    const rules = {
      ...FREE_STRING,
      minLength: this.count('minLength') ?? 0,
      maxLength: this.count('maxLength') ?? Number.POSITIVE_INFINITY,
      patterns: pattern === undefined ? [] : [pattern],
      formats: format !== undefined && STRING_FORMATS.has(format) ? [format] : [],
    };
    const says = rules.minLength > 0 || Number.isFinite(rules.maxLength);
    return says || pattern !== undefined || rules.formats.length > 0 ? rules : null;
  }
}

/** A schema that applies itself to the same value would never come to an end. */
function refuseEndlessReferences(nodes: readonly Node[]): void {
  const state = new Map<Node, boolean>();
  for (const start of nodes) {
    const path: [Node, Node[]][] = [];
    const enter = (node: Node) => {
      state.set(node, false);
      path.push([node, inPlace(node)]);
    };
    if (!state.has(start)) enter(start);
    while (path.length > 0) {
      const [node, left] = path.at(-1)!;
      const next = left.pop();
      if (next === undefined) {
        state.set(node, true);
        path.pop();
      } else if (state.get(next) === false) {
        throw new SchemaFault('a schema applies itself to the same value without end', '');
      } else if (!state.has(next)) enter(next);
    }
  }
}
