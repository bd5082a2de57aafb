// Which subjects a key may send events of, where the request itself names one. Lines that name one are judged in
// lines/judge.ts.
import { Problem } from '../errors.ts';
import { subjectOf } from '../schema/registry.ts';
import type { Client } from './client.ts';

/**
 * Looks at a `schema` parameter before it is looked up: whether a subject exists that the key has nothing to do with, it
 * does not learn.
 * @throws {Problem} `forbidden`
 */
export function checkReference({ subjects }: Client, reference: string): void {
  const subject = subjectOf(reference);
  if (subjects === null || subject === undefined || subjects.has(subject)) return;
  throw new Problem('forbidden', `The key may not send events of ${subject}`, { members: { subject } });
}
