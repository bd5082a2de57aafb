// The one text that a version's content has, whatever the order of its members and its white space (RFC 8785), and what
// is different between two of them.
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { pointer } from '../pointer.ts';

export interface Canonical {
  text: string;
  /** Hexadecimal, of the text's UTF-8. */
  sha256: string;
}

/** @throws {Error} a number of the document is beyond what JSON's canonical form holds (`1e400`) */
export function canonicalForm(document: unknown): Canonical {
  const text = (canonicalize as unknown as (value: unknown) => string)(document);
  return { text, sha256: createHash('sha256').update(text).digest('hex') };
}

const MOST = 5;

/** JSON Pointers to the first differences between two documents, each with what became of it. At most five. */
export function firstDifferences(before: unknown, after: unknown): string[] {
  const found: string[] = [];
  note(before, after, [], found);
  return found;
}

function note(before: unknown, after: unknown, path: string[], found: string[]): void {
  if (found.length >= MOST) return;
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after)) {
    if (before !== after) found.push(`${pointer(path) || 'the whole document'} changed`);
    return;
  }
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (found.length >= MOST) return;
    const place = [...path, name];
    if (!Object.hasOwn(after, name)) found.push(`${pointer(place)} removed`);
    else if (!Object.hasOwn(before, name)) found.push(`${pointer(place)} added`);
    else note(before[name], after[name], place, found);
  }
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
