// Reads a schema document into nodes: every keyword of draft-07, 2019-09 and 2020-12, as ajv understands it.
// Keywords that a draft does not know, and annotations, say nothing about documents and leave no trace.

import { type Place, SchemaDocument, step } from './document.ts';
import { SchemaFault } from './fault.ts';
import { FREE_ARRAY, FREE_OBJECT, type Graph } from './graph.ts';
import { inPlace, type Node, type NodeParts, type ObjectRules } from './node.ts';
import { compilePattern } from './pattern.ts';
import { byName, Keywords, names } from './typed.ts';
import { isObject, type JsonObject, own } from './value.ts';

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
