// The body of POST /v1/rejections/replay. A member that is not understood is refused, with its place: a mistyped filter
// would replay everything.
import { parseMoment, UUID } from '../intake/query.ts';
import { parseMarked } from '../lines/exact.ts';
import { isObject, type JsonObject } from '../lines/object.ts';
import { REJECTION_CODES, type RejectionFilter } from '../quarantine/filter.ts';
import { type PatchStep, tokensOf } from '../quarantine/patch.ts';
import { isSubjectName } from '../schema/listing.ts';
import { invalidBody, objectAt, parseObject } from './json-body.ts';

export interface ReplayRequest {
  filter: RejectionFilter;
  /** As it was given: `subject`, `subject/1` or `subject/1.2.0`. */
  schema: string | null;
  patch: PatchStep[] | null;
  dryRun: boolean;
}

const MEMBERS = ['filter', 'schema', 'patch', 'dry_run'];
const FILTERS = ['subject', 'code', 'path', 'keyword', 'batch_id', 'from', 'to'];
const OPERATIONS = ['add', 'remove', 'replace', 'move', 'copy', 'test'] as const;
const MOST_OPERATIONS = 100;

/** RFC 6901. */
const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/;
/** What the library takes for an attack, or for nothing at all, whatever the event has there. */
const UNREACHABLE = ['__proto__', 'constructor', 'prototype'];

/**
 * Reads the body.
 * @param depth levels of nesting that a line may have
 * @throws {Problem} `invalid_body`, naming the place
 */
export function readReplayOrder(bytes: Buffer, depth: number): ReplayRequest {
  const body = parseObject(bytes, MEMBERS);
  const { schema, dry_run: dryRun = false, patch } = body;
  if (!Object.hasOwn(body, 'filter')) throw invalidBody('', 'it needs a filter, which may be {}: everything');
  if (schema !== undefined && typeof schema !== 'string') throw invalidBody('/schema', 'it is not a string');
  if (typeof dryRun !== 'boolean') throw invalidBody('/dry_run', 'it is not a boolean');
  const filter = readFilter(objectAt(body.filter, '/filter', FILTERS));
  return { filter, schema: schema ?? null, patch: patch === undefined ? null : readPatch(patch, bytes, depth), dryRun };
}

function readFilter(filter: JsonObject): RejectionFilter {
  const text = <T>(name: string, parse: (value: string) => T | undefined, allowed: string): T | null => {
    const value = filter[name];
    if (value === undefined) return null;
    const result = typeof value === 'string' ? parse(value) : undefined;
    if (result === undefined) throw invalidBody(`/filter/${name}`, `it is not ${allowed}`);
    return result;
  };
  const only = (is: (value: string) => boolean) => (value: string) => (is(value) ? value : undefined);
  return {
    subject: text('subject', only(isSubjectName), 'the name of a subject'),
    code: text('code', (value) => REJECTION_CODES.find((code) => code === value), 'the code of a rejection'),
    path: text('path', only(isPointer), 'a JSON Pointer such as /event_time'),
    keyword: text(
      'keyword',
      only(() => true),
      'a string',
    ),
    batchId: text(
      'batch_id',
      only((value) => UUID.test(value)),
      'a UUID',
    ),
    from: text('from', parseMoment, 'a date or a date-time (RFC 3339)'),
    to: text('to', parseMoment, 'a date or a date-time (RFC 3339)'),
  };
}

export function isPointer(text: string): boolean {
  return POINTER.test(text);
}

function readPatch(patch: unknown, bytes: Buffer, depth: number): PatchStep[] {
  if (!Array.isArray(patch)) throw invalidBody('/patch', 'it is not an array of operations (RFC 6902)');
  if (patch.length > MOST_OPERATIONS) throw invalidBody('/patch', `it has more than ${MOST_OPERATIONS} operations`);
  for (const [index, operation] of patch.entries()) checkOperation(operation, `/patch/${index}`, depth);
  // Once more with its numbers as they stand there: they go into lines, or are compared with theirs.
  return (parseMarked(textOf(bytes)) as { patch: PatchStep[] }).patch;
}

function checkOperation(operation: unknown, place: string, depth: number): void {
  if (!isObject(operation)) throw invalidBody(place, 'it is not an object');
  const { op, path, from, value } = operation;
  if (!OPERATIONS.some((each) => each === op)) throw invalidBody(`${place}/op`, `allowed is ${OPERATIONS.join(', ')}`);
  checkPlace(path, `${place}/path`);
  if (op === 'move' || op === 'copy') checkPlace(from, `${place}/from`);
  if (op === 'remove' && path === '') throw invalidBody(`${place}/path`, 'nothing would be left of the line');
  if (op === 'move' && `${path}`.startsWith(`${from}/`)) throw invalidBody(`${place}/path`, 'it lies inside of from');
  if (op === 'remove' || op === 'move' || op === 'copy') return;
  if (!Object.hasOwn(operation, 'value')) throw invalidBody(place, `${op} needs a value`);
  const fault = valueFault(value, depth);
  if (fault !== undefined) throw invalidBody(`${place}/value`, fault);
}

function checkPlace(pointer: unknown, place: string): void {
  if (typeof pointer !== 'string' || !isPointer(pointer))
    throw invalidBody(place, 'it is not a JSON Pointer (RFC 6901)');
  const name = tokensOf(pointer).find((token) => UNREACHABLE.includes(token));
  if (name !== undefined) throw invalidBody(place, `a patch reaches nothing that is called ${name}`);
}

function valueFault(value: unknown, levels: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (levels === 0) return 'it is nested deeper than a line may be';
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return 'it has a member __proto__, which a patch cannot set';
    const fault = valueFault((value as JsonObject)[name], levels - 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function textOf(bytes: Buffer): string {
  return new TextDecoder('utf-8').decode(bytes);
}
