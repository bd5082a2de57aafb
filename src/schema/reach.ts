// What one schema version is made of: every subschema that its root leads to, through keywords and references.
// No recursion of its own: a chain of references may be longer than the stack.
import { type Draft, eachSubschema, type Schema, type SchemaObject } from './dialect.ts';
import type { Links } from './links.ts';

export interface Reach {
  /** Subschemas, the root first. */
  schemas: ReadonlySet<SchemaObject>;
  /** Files that they stand in. */
  files: ReadonlySet<string>;
  /** Bounds how deep ajv recurses when it compiles: nesting of all reference targets added up. */
  weight: number;
}

/** Cost of following one reference, in levels of nesting. Measured: 200 references deep compile, 300 do not. */
const REFERENCE_WEIGHT = 2;

export function reachOf(root: Schema, draft: Draft, links: Links): Reach {
  const schemas = new Set<SchemaObject>();
  const files = new Set<string>();
  let weight = 0;
  const starts: Schema[] = [root];
  for (const start of starts) {
    if (typeof start === 'boolean' || schemas.has(start)) continue;
    let deepest = 0;
    const waiting: [schema: SchemaObject, depth: number][] = [[start, 0]];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [schema, depth] = next;
      if (schemas.has(schema)) continue;
      schemas.add(schema);
      const spot = links.spotOf(schema);
      if (spot !== undefined) files.add(spot.file);
      deepest = Math.max(deepest, depth);
      starts.push(...links.targetsOf(schema));
      eachSubschema(schema, draft, ({ schema: inner, applied }) => {
        if (applied !== 'never' && typeof inner !== 'boolean') waiting.push([inner, depth + 1]);
      });
    }
    weight += deepest + REFERENCE_WEIGHT;
  }
  return { schemas, files, weight };
}

/** Schemas that apply each other to the same value, at most; recursive code may rely on it. */
const MOST_IN_PLACE = 1_000;
const ENTERED = 0;

/**
 * A schema that applies itself to the same value again, without ever going into the event, or does so through too many
 * others. Ajv would call itself until the stack is full.
 */
export function endlessSchema(reach: Reach, draft: Draft, links: Links): SchemaObject | undefined {
  // Depth first: ENTERED while a schema's own ones are under way, then how many levels stand below it.
  const heights = new Map<SchemaObject, number>();
  const path = [...reach.schemas];
  for (let schema = path.at(-1); schema !== undefined; schema = path.at(-1)) {
    const height = heights.get(schema);
    const inner = height === undefined || height === ENTERED ? inPlace(schema, draft, links) : [];
    if (height === undefined) {
      if (inner.some((each) => heights.get(each) === ENTERED)) return schema;
      heights.set(schema, ENTERED);
      path.push(...inner.filter((each) => !heights.has(each)));
      if (inner.includes(schema)) return schema;
      continue;
    }
    path.pop();
    if (height !== ENTERED) continue;
    const below = inner.reduce((most, each) => Math.max(most, heights.get(each)!), 0);
    if (below >= MOST_IN_PLACE) return schema;
    heights.set(schema, below + 1);
  }
  return undefined;
}

function inPlace(schema: SchemaObject, draft: Draft, links: Links): SchemaObject[] {
  const found: Schema[] = [...links.targetsOf(schema)];
  eachSubschema(schema, draft, ({ schema: inner, applied }) => {
    if (applied === 'in_place') found.push(inner);
  });
  return found.filter((each) => typeof each !== 'boolean');
}
