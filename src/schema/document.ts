// Bytes of a schema file → JSON, or one fault with its place. Nothing here knows what a schema means.
import { pointer } from '../pointer.ts';
import { syntaxErrorAt } from './syntax.ts';

/**
 * Objects and arrays inside each other, at most. Ajv recurses while it compiles: 480 nested `items` overflow the stack
 * of Node 20, and real schemas stay below 60.
 */
const MAX_SCHEMA_DEPTH = 200;

export type Parsed = { value: unknown } | { place: string; reason: string };

/** Reads UTF-8 JSON, with or without a byte order mark. */
export function parseDocument(bytes: Uint8Array): Parsed {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { place: '', reason: 'the file is not valid UTF-8' };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { place: syntaxPlace(text), reason: `not JSON: ${(error as Error).message}` };
  }
  const deep = tooDeep(value);
  if (deep !== undefined) {
    return { place: deep, reason: `nested deeper than ${MAX_SCHEMA_DEPTH} levels` };
  }
  return { value };
}

/** `line:column` of the syntax error, both from 1. */
function syntaxPlace(text: string): string {
  const before = text.slice(0, syntaxErrorAt(text)).split('\n');
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

interface Level {
  value: object;
  name: string;
  above: Level | undefined;
  depth: number;
}

/** Where the value is first nested too deep; without recursion. */
function tooDeep(root: unknown): string | undefined {
  const waiting: Level[] = [];
  const add = (value: unknown, name: string, above: Level | undefined): void => {
    if (typeof value === 'object' && value !== null) {
      waiting.push({ value, name, above, depth: (above?.depth ?? 0) + 1 });
    }
  };
  add(root, '', undefined);
  for (let level = waiting.pop(); level !== undefined; level = waiting.pop()) {
    if (level.depth > MAX_SCHEMA_DEPTH) return pointer(namesOf(level));
    for (const [name, value] of Object.entries(level.value)) add(value, name, level);
  }
  return undefined;
}

function namesOf(level: Level): string[] {
  const names: string[] = [];
  for (let at: Level | undefined = level; at?.above !== undefined; at = at.above) names.push(at.name);
  return names.reverse();
}
