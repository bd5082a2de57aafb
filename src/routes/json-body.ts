// Bodies that are one JSON object: what is not understood of them is refused with its place.
import { Problem } from '../errors.ts';
import { isObject, type JsonObject } from '../lines/object.ts';
import { parseDocument } from '../schema/document.ts';

/** Characters of a client's own words that are said back to it. */
const LONGEST_REPEATED = 100;

/** @throws {Problem} `invalid_body` where the bytes are no JSON object, or it has a member that is not known */
export function parseObject(bytes: Buffer, known: readonly string[]): JsonObject {
  const parsed = parseDocument(bytes);
  if (!('value' in parsed)) throw invalidBody(parsed.place, parsed.reason);
  return objectAt(parsed.value, '', known);
}

/** @throws {Problem} `invalid_body` where it is no object, or has a member that is not known */
export function objectAt(value: unknown, place: string, known: readonly string[]): JsonObject {
  if (!isObject(value)) throw invalidBody(place, 'it is not a JSON object');
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const called = JSON.stringify(name.slice(0, LONGEST_REPEATED));
    const verb = known.length === 1 ? 'is' : 'are';
    throw invalidBody(place, `it has a member ${called}: known ${verb} ${known.join(', ')}`);
  }
  return value;
}

/** @param place JSON Pointer, empty for the body itself */
export function invalidBody(place: string, fault: string): Problem {
  return new Problem('invalid_body', `The body is not valid${place === '' ? '' : ` at ${place}`}: ${fault}`);
}
