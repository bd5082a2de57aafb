// The differences between two subschemas that stand in single keywords: bounds, patterns, enums, required names.
// Nothing here looks into members, items or combinators.

import { type Finding, shown } from './finding.ts';
import { canonical, equal, type JsonObject, own } from './value.ts';

/** A keyword that changed: its type name and sentence, and the keywords to take along when its effect is tested. */
export interface Change {
  type: Finding['type'];
  keyword: string;
  message: string;
  /** Only these keywords, in the old and in the new subschema; the effect of the change is theirs. */
  oldPart: JsonObject;
  newPart: JsonObject;
}

/** camelCase to snake_case. */
export function snake(keyword: string): string {
  return keyword
    .replace(/^\$/, '')
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    .replaceAll('-', '_');
}

const BOUNDS = [
  ...['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum', 'minLength', 'maxLength', 'minItems', 'maxItems'],
  ...['minProperties', 'maxProperties'],
];
const PLAIN = ['multipleOf', 'pattern', 'format', 'uniqueItems', 'not', 'propertyNames'];
const ANNOTATIONS = [
  'title',
  'description',
  'default',
  'examples',
  '$comment',
  '$id',
  'deprecated',
  'readOnly',
  'writeOnly',
];

/** Changes of annotations: no document is affected. */
export function annotationChanges(
  before: JsonObject,
  after: JsonObject,
): { keyword: string; type: string; message: string }[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changes = [];
  for (const keyword of keys) {
    if (!ANNOTATIONS.includes(keyword) && !keyword.startsWith('x-')) continue;
    const [from, to] = [own(before, keyword), own(after, keyword)];
    if (from === to || canonical(from) === canonical(to)) continue;
    const what = from === undefined ? 'was added' : to === undefined ? 'was removed' : 'changed';
    changes.push({
      keyword,
      type: `${snake(keyword)}_changed`,
      message: `The annotation ${keyword} ${what}; it affects no document.`,
    });
  }
  return changes;
}

/** Changes of keywords that speak about the value itself. */
export function keywordChanges(before: JsonObject, after: JsonObject): Change[] {
  return [
    ...typeChange(before, after),
    ...valueChange(before, after),
    ...BOUNDS.flatMap((keyword) => boundChange(before, after, keyword)),
    ...PLAIN.flatMap((keyword) => plainChange(before, after, keyword, [keyword])),
    ...plainChange(before, after, 'contains', ['contains', 'minContains', 'maxContains']),
    ...['minContains', 'maxContains'].flatMap((keyword) => containsBound(before, after, keyword)),
    ...conditionChange(before, after),
    ...requiredChanges(before, after),
    ...dependencyChanges(before, after),
  ];
}

function pick(schema: JsonObject, keywords: readonly string[]): JsonObject {
  return Object.fromEntries(keywords.filter((key) => own(schema, key) !== undefined).map((key) => [key, schema[key]]));
}

function plainChange(before: JsonObject, after: JsonObject, keyword: string, together: readonly string[]): Change[] {
  const [from, to] = [own(before, keyword), own(after, keyword)];
  if (from === to || (from !== undefined && to !== undefined && equal(from, to))) return [];
  const parts = { keyword, oldPart: pick(before, together), newPart: pick(after, together) };
  if (keyword === 'uniqueItems' && (from ?? false) === (to ?? false)) return [];
  const name = snake(keyword);
  if (from === undefined || (keyword === 'uniqueItems' && to === true)) {
    return [{ ...parts, type: `${name}_added`, message: `${keyword} ${shown(to)} was added.` }];
  }
  if (to === undefined || keyword === 'uniqueItems') {
    return [{ ...parts, type: `${name}_removed`, message: `${keyword} ${shown(from)} was removed.` }];
  }
  return [{ ...parts, type: `${name}_changed`, message: `${keyword} changed from ${shown(from)} to ${shown(to)}.` }];
}

function boundChange(before: JsonObject, after: JsonObject, keyword: string): Change[] {
  const [from, to] = [own(before, keyword), own(after, keyword)];
  if (typeof from !== 'number' || typeof to !== 'number' || from === to)
    return plainChange(before, after, keyword, [keyword]);
  const moved = to > from ? 'increased' : 'decreased';
  return [
    {
      type: `${snake(keyword)}_${moved}`,
      keyword,
      message: `${keyword} was ${moved} from ${from} to ${to}.`,
      oldPart: pick(before, [keyword]),
      newPart: pick(after, [keyword]),
    },
  ];
}

function containsBound(before: JsonObject, after: JsonObject, keyword: string): Change[] {
  if (own(before, 'contains') === undefined || own(after, 'contains') === undefined) return [];
  const together = ['contains', 'minContains', 'maxContains'];
  return boundChange(before, after, keyword).map((change) => ({
    ...change,
    oldPart: pick(before, together),
    newPart: pick(after, together),
  }));
}

function typeNames(schema: JsonObject): string[] {
  const named = own(schema, 'type');
  const names = (Array.isArray(named) ? named : named === undefined ? [] : [named]) as string[];
  return own(schema, 'nullable') === true && names.length > 0 ? [...names, 'null'] : names;
}

function typeChange(before: JsonObject, after: JsonObject): Change[] {
  const [from, to] = [new Set(typeNames(before)), new Set(typeNames(after))];
  if (from.size === to.size && [...from].every((type) => to.has(type))) return [];
  const covers = (wide: Set<string>, narrow: Set<string>) =>
    wide.size === 0 ||
    (narrow.size > 0 && [...narrow].every((type) => wide.has(type) || (type === 'integer' && wide.has('number'))));
  const words = (types: Set<string>) => (types.size === 0 ? 'any type' : [...types].join(' or '));
  const kind = covers(to, from) ? 'extended' : covers(from, to) ? 'narrowed' : 'changed';
  const together = ['type', 'nullable'];
  return [
    {
      type: `type_${kind}`,
      keyword: 'type',
      message: `The type was ${kind} from ${words(from)} to ${words(to)}.`,
      oldPart: pick(before, together),
      newPart: pick(after, together),
    },
  ];
}

function listed(schema: JsonObject): unknown[] | undefined {
  const values = own(schema, 'enum');
  if (Array.isArray(values)) return values;
  return own(schema, 'const') === undefined ? undefined : [own(schema, 'const')];
}

function valueChange(before: JsonObject, after: JsonObject): Change[] {
  const [from, to] = [listed(before), listed(after)];
  if (from === undefined && to === undefined) return [];
  const keyword = own(after, 'enum') !== undefined || own(before, 'enum') !== undefined ? 'enum' : 'const';
  const parts = { keyword, oldPart: pick(before, ['enum', 'const']), newPart: pick(after, ['enum', 'const']) };
  if (from === undefined)
    return [{ ...parts, type: 'enum_added', message: `The values were limited to ${shown(to)}.` }];
  if (to === undefined)
    return [{ ...parts, type: 'enum_removed', message: `The values are no longer limited to ${shown(from)}.` }];
  const [had, has] = [new Set(from.map(canonical)), new Set(to.map(canonical))];
  const gone = from.filter((value) => !has.has(canonical(value)));
  const come = to.filter((value) => !had.has(canonical(value)));
  if (gone.length === 0 && come.length === 0) return [];
  if (gone.length === 0) return [{ ...parts, type: 'enum_extended', message: `The values ${shown(come)} were added.` }];
  if (come.length === 0)
    return [{ ...parts, type: 'enum_narrowed', message: `The values ${shown(gone)} were removed.` }];
  return [{ ...parts, type: 'enum_changed', message: `The values ${shown(gone)} were replaced by ${shown(come)}.` }];
}

function conditionChange(before: JsonObject, after: JsonObject): Change[] {
  const together = ['if', 'then', 'else'];
  const [oldPart, newPart] = [pick(before, together), pick(after, together)];
  if (canonical(oldPart) === canonical(newPart)) return [];
  const what = own(oldPart, 'if') === undefined ? 'added' : own(newPart, 'if') === undefined ? 'removed' : 'changed';
  return [
    {
      type: `condition_${what}`,
      keyword: 'if',
      message: `The condition (if/then/else) was ${what}.`,
      oldPart,
      newPart,
    },
  ];
}

function requiredChanges(before: JsonObject, after: JsonObject): Change[] {
  const names = (schema: JsonObject) => new Set((own(schema, 'required') ?? []) as string[]);
  const [from, to] = [names(before), names(after)];
  const changes: Change[] = [];
  const part = (name: string) => ({ required: [name] });
  const shared = { keyword: 'required' };
  for (const name of to) {
    if (from.has(name)) continue;
    const message = `The member ${shown(name)} became required${hasDefault(after, name) ? '; its default is not filled in by validation' : ''}.`;
    changes.push({ ...shared, type: 'required_added', message, oldPart: {}, newPart: part(name) });
  }
  for (const name of from) {
    if (to.has(name)) continue;
    const message = `The member ${shown(name)} is no longer required.`;
    changes.push({ ...shared, type: 'required_removed', message, oldPart: part(name), newPart: {} });
  }
  return changes;
}

function hasDefault(schema: JsonObject, name: string): boolean {
  const members = own(schema, 'properties') as JsonObject | undefined;
  const member = members && own(members, name);
  return typeof member === 'object' && member !== null && Object.hasOwn(member, 'default');
}

function dependencyChanges(before: JsonObject, after: JsonObject): Change[] {
  const changes: Change[] = [];
  for (const keyword of ['dependencies', 'dependentRequired', 'dependentSchemas']) {
    const [from, to] = [before, after].map((schema) => (own(schema, keyword) ?? {}) as JsonObject) as [
      JsonObject,
      JsonObject,
    ];
    for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
      const [one, two] = [own(from, name), own(to, name)];
      if (one !== undefined && two !== undefined && equal(one, two)) continue;
      const what = one === undefined ? 'added' : two === undefined ? 'removed' : 'changed';
      const part = (value: unknown) => (value === undefined ? {} : { [keyword]: { [name]: value } });
      const message = `What follows from the member ${shown(name)} was ${what}.`;
      changes.push({ type: `dependency_${what}`, keyword, message, oldPart: part(one), newPart: part(two) });
    }
  }
  return changes;
}
