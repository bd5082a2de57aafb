// Patterns that begin with look-aheads, `^(?=.*[A-Z])(?!admin)\w+$`, are several plain conditions in one. Taken apart
// they can be decided; look-around anywhere else cannot.

import { RegExpParser } from '@eslint-community/regexpp';

/** A text matches when all of `hits` match and none of `misses`. */
export interface Conditions {
  hits: readonly RegExp[];
  misses: readonly RegExp[];
}

const known = new Map<string, Conditions>();

/** The conditions an expression stands for: itself, where it does not begin with look-aheads. */
export function conditionsOf(regex: RegExp): Conditions {
  if (!regex.source.startsWith('^(?')) return { hits: [regex], misses: [] };
  const key = `${regex.flags}/${regex.source}`;
  const conditions = known.get(key) ?? attempt(regex);
  if (known.size > 500) known.clear();
  known.set(key, conditions);
  return conditions;
}

/** A back-reference from one part into another cannot be taken apart. */
function attempt(regex: RegExp): Conditions {
  try {
    return takeApart(regex);
  } catch {
    return { hits: [regex], misses: [] };
  }
}

function takeApart(regex: RegExp): Conditions {
  const parser = new RegExpParser();
  const unicode = regex.flags.includes('u');
  const { alternatives } = parser.parsePattern(regex.source, 0, regex.source.length, { unicode });
  const elements = alternatives[0]!.elements;
  if (alternatives.length > 1 || elements[0]?.type !== 'Assertion') return { hits: [regex], misses: [] };
  const hits: RegExp[] = [];
  const misses: RegExp[] = [];
  let index = 1;
  for (; index < elements.length; index++) {
    const element = elements[index]!;
    if (element.type !== 'Assertion' || element.kind !== 'lookahead') break;
    const inner = new RegExp(`^(?:${element.raw.slice(3, -1)})`, regex.flags);
    (element.negate ? misses : hits).push(inner);
  }
  const rest = elements.slice(index).map((element) => element.raw);
  hits.push(new RegExp(`^${rest.join('')}`, regex.flags));
  return { hits, misses };
}
