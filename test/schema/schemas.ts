// Schemas, folders and events for the tests of src/schema.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import type { Test } from 'tap';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Writes a schema folder; a value that is not a string or bytes becomes JSON. Returns its path. */
export function folderOf(t: Test, files: Record<string, unknown>): string {
  const tree: Record<string, unknown> = {};
  for (const [path, content] of Object.entries(files)) {
    const names = path.split('/');
    const file = names.pop()!;
    let at = tree;
    for (const name of names) {
      at[name] ??= {};
      at = at[name] as Record<string, unknown>;
    }
    at[file] = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content);
  }
  return t.testdir(tree as Parameters<Test['testdir']>[0]);
}

interface WebhookExamples {
  name: string;
  examples: Json[];
}

/** GitHub's own schemas and payloads, and a schema folder with a subject per event made from them. */
export function githubWebhooks(): {
  definitions: object;
  folder: Record<string, unknown>;
  payloads: WebhookExamples[];
} {
  const require = createRequire(import.meta.url);
  const read = (path: string) => JSON.parse(readFileSync(require.resolve(path), 'utf8'));
  const whole = read('@octokit/webhooks-schemas/schema.json') as { oneOf: { $ref: string }[] };
  const folder: Record<string, unknown> = { '_shared/github.json': whole };
  for (const { $ref } of whole.oneOf) {
    const subject = /([^/]*?)(_event|\$event)$/.exec($ref)![1];
    folder[`${subject}/1.0.0.json`] = { oneOf: [{ $ref: `../_shared/github.json${$ref}` }] };
  }
  return { definitions: whole, folder, payloads: read('@octokit/webhooks-examples') };
}

const NAMES = ['a', 'b', 'c', 'a_b', 'constructor'];
const SCALARS: Json[] = [null, true, 0, 1, -7, 1.5, 1e20, '', 'x', '2024-02-29', '2024-02-29T12:00:00Z'];

const name = fc.constantFrom(...NAMES);

/** Any JSON value made of few names and scalars, so that it has a chance against {@link schemas}. */
export const values: fc.Arbitrary<Json> = fc.letrec<{ value: Json; object: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { arbitrary: fc.constantFrom(...SCALARS), weight: 5 },
    { arbitrary: fc.array(tie('value'), { maxLength: 2 }), weight: 1 },
    { arbitrary: tie('object'), weight: 4 },
  ),
  object: fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
})).object;

const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];

const parts = fc.letrec<{ any: unknown; object: unknown; scalar: unknown }>((tie) => {
  const any = tie('any');
  const map = fc.dictionary(name, any, { maxKeys: 4, noNullPrototype: true });
  const list = fc.array(any, { minLength: 1, maxLength: 3 });
  const rare = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.oneof({ arbitrary: fc.constant(undefined), weight: 9 }, { arbitrary, weight: 1 });
  const reference = fc.constantFrom(...['x', 'x', 'x', 'y', 'y', 'z'].map((name) => `#/definitions/${name}`), '#');
  const combined = { allOf: rare(list), anyOf: rare(list), oneOf: rare(list), $ref: rare(reference) };
  return {
    any: fc.oneof(
      { maxDepth: 3 },
      // The first one ends the recursion.
      { arbitrary: fc.record({ type: fc.constantFrom(...TYPES) }), weight: 3 },
      { arbitrary: tie('scalar'), weight: 3 },
      { arbitrary: fc.record({ $ref: reference }), weight: 1 },
      { arbitrary: fc.boolean(), weight: 1 },
      { arbitrary: tie('object'), weight: 4 },
      { arbitrary: fc.record({ anyOf: list }), weight: 1 },
    ),
    object: fc.record(
      {
        type: fc.constantFrom('object', 'object', ['object', 'null'], undefined),
        properties: map,
        required: fc.uniqueArray(name, { maxLength: 3 }),
        additionalProperties: fc.oneof(fc.constant(false), fc.constant(false), any),
        patternProperties: rare(fc.dictionary(fc.constantFrom('^a', 'b$'), any, { maxKeys: 1, noNullPrototype: true })),
        ...combined,
      },
      { requiredKeys: ['type', 'properties'] },
    ),
    scalar: fc.record(
      {
        type: fc.oneof(
          fc.constantFrom(...TYPES),
          fc.uniqueArray(fc.constantFrom(...TYPES), { minLength: 1, maxLength: 3 }),
        ),
        nullable: rare(fc.boolean()),
        format: rare(fc.constantFrom('date', 'date-time', 'uuid', 'email', 'odd')),
        enum: rare(fc.uniqueArray(fc.constantFrom(...SCALARS), { minLength: 1, maxLength: 4 })),
        const: rare(fc.constantFrom(...SCALARS)),
        not: rare(any),
        if: rare(any),
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        then: rare(any),
        else: rare(any),
        items: rare(any),
        ...combined,
      },
      { requiredKeys: ['type'] },
    ),
  };
});

/**
 * Random draft-07 schemas for events, with references into `definitions` and, rarely, to the root. Some refer to
 * themselves in a loop, which the loader must notice.
 */
export const schemas: fc.Arbitrary<Json> = fc
  .tuple(parts.object, parts.any, parts.any, parts.any)
  .map(([root, x, y, z]) => JSON.parse(JSON.stringify({ ...(root as object), definitions: { x, y, z } })) as Json);

type Node = { [keyword: string]: Json };

/** An event that has a good chance of being valid; the same for the same seed. */
export function sampleEvent(schema: Json, seed: number): Json {
  let state = seed | 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return ((state >>> 8) * below) >>> 24;
  };
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;

  const sample = (node: Json, depth: number): Json => {
    if (typeof node !== 'object' || node === null || Array.isArray(node)) return pick(SCALARS);
    if ('const' in node) return node.const!;
    if (Array.isArray(node.enum)) return pick(node.enum);
    let value = own(node, depth);
    for (const part of partsOf(node)) value = merge(value, depth > 6 ? null : sample(part, depth + 1));
    return value;
  };
  const own = (node: Node, depth: number): Json => {
    const types = Array.isArray(node.type) ? node.type : [node.type ?? 'object'];
    const type = node.nullable === true && random(4) === 0 ? 'null' : pick(types);
    if (type === 'array') return depth > 5 ? [] : [sample(node.items ?? true, depth + 1)];
    if (type !== 'object') return pick(SCALARS.filter((each) => fits(each, type as string)));
    const properties = (node.properties ?? {}) as Node;
    const required = (node.required ?? []) as string[];
    const names = [...Object.keys(properties).filter(() => random(3) > 0), ...required];
    if (node.additionalProperties !== false && random(4) === 0) names.push('other');
    return Object.fromEntries(
      names.map((each) => [each, depth > 6 ? null : sample(properties[each] ?? true, depth + 1)]),
    );
  };
  const partsOf = (node: Node): Json[] => [
    ...(typeof node.$ref === 'string' ? [target(schema, node.$ref)] : []),
    ...((node.allOf ?? []) as Json[]),
    ...[node.anyOf, node.oneOf].flatMap((choice) => (Array.isArray(choice) ? [pick(choice)] : [])),
  ];
  return sample(schema, 0);
}

function target(root: Json, reference: string): Json {
  const names = reference.split('/').slice(1);
  return names.reduce<Json>((at, step) => (at as Node)[step]!, root);
}

function merge(left: Json, right: Json): Json {
  const isObject = (value: Json) => typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject(left) && isObject(right) ? { ...(left as Node), ...(right as Node) } : right;
}

function fits(value: Json, type: string): boolean {
  if (value === null) return type === 'null';
  return type === 'integer' ? Number.isInteger(value) : typeof value === type;
}
