// Regular expressions of schemas as validators run them: unanchored, with the unicode flag.

import { SchemaFault } from './fault.ts';

const compiled = new Map<string, RegExp>();

/**
 * The expression of a `pattern` or `patternProperties`. Expressions that the unicode flag forbids (`[\w-.]`, `\-`)
 * are common in the wild: they run without the flag.
 * @throws SchemaFault when it is no ECMAScript regular expression at all
 */
export function compilePattern(pattern: string, pointer = ''): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (compiled.size > 5000) compiled.clear();
  const regex = attempt(pattern, 'u') ?? attempt(pattern, '');
  if (regex === undefined) throw new SchemaFault(`not a regular expression: ${pattern.slice(0, 200)}`, pointer);
  compiled.set(pattern, regex);
  return regex;
}

function attempt(pattern: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(pattern, flags);
  } catch {
    return undefined;
  }
}
