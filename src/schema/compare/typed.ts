// The keywords of one subschema as typed values. A keyword of the wrong form is a fault with its place.

import { step } from './document.ts';
import { SchemaFault } from './fault.ts';
import { NUMBER_FORMATS, STRING_FORMATS } from './format.ts';
import { FREE_NUMBER, FREE_STRING } from './graph.ts';
import { ALL_TYPES, type Node, TYPE_BIT } from './node.ts';
import { compilePattern } from './pattern.ts';
import { canonical, isObject, type JsonObject, type JsonType, own } from './value.ts';

/** Sorts entries by key. */
export function byName(left: readonly [string, unknown], right: readonly [string, unknown]): number {
  return left[0] < right[0] ? -1 : left[0] > right[0] ? 1 : 0;
}

/** A list of member names, sorted. @throws SchemaFault when it is not one */
export function names(list: unknown[], pointer: string): string[] {
  if (!list.every((name) => typeof name === 'string')) throw new SchemaFault('must be a list of names', pointer);
  return [...new Set(list as string[])].sort();
}

/** Typed access to the keywords of one subschema; a keyword of the wrong form is a fault. */
export class Keywords {
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
