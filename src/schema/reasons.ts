// What ajv says of an event, as reasons of ours. Bad lines mostly come in runs with the same reasons: equal ones are built
// once and are then the same array, so that whatever is made of it (a cause in the report, bytes for Postgres) can be kept
// by it. Nothing but ajv's own list is then made for a line.
import type { ErrorObject } from 'ajv';
import type { LineError } from '../model.ts';

/** Errors given for one event. */
const MOST_ERRORS = 20;
/** Names and paths from events are cut in messages: a key can be as long as a line. */
const MOST_NAME = 100;
const MOST_PATH = 1_000;
/** Lists kept of one version, those kept of what may follow one error, and the longest path and name: all come from events. */
const MOST_KEPT = 256;
const MOST_NEXT = 16;
const MOST_KEPT_TEXT = 200;

/** A list of errors that has been seen, and the longer ones that begin with it. */
interface Seen {
  /** The last of ajv's errors that led here. */
  error: ErrorObject | undefined;
  name: unknown;
  errors: LineError[];
  next: Seen[];
}

export class Reasons {
  #root = nothingSeen();
  #kept = 0;

  /**
   * The errors in ajv's order, each once though branches of one choice often say the same, and at most 20.
   * @returns possibly the array of an earlier event: it is not to be changed
   */
  of(errors: readonly ErrorObject[]): LineError[] {
    let seen = this.#root;
    for (const error of errors) {
      const next = find(seen.next, error) ?? this.#add(seen, error);
      if (next === undefined) return listed(errors);
      seen = next;
      if (seen.errors.length === MOST_ERRORS) break;
    }
    return seen.errors;
  }

  /** @returns undefined where it is not to be kept */
  #add({ errors, next }: Seen, error: ErrorObject): Seen | undefined {
    const { instancePath, keyword } = error;
    const name = nameOf(error);
    if (instancePath.length + String(name ?? '').length > MOST_KEPT_TEXT) return undefined;
    if (this.#kept === MOST_KEPT) {
      this.#root = nothingSeen();
      this.#kept = 0;
      return undefined;
    }
    const message = messageOf(error);
    const isThere = errors.some((each) => isSame(each, instancePath, keyword, message));
    const longer = isThere ? errors : [...errors, { path: instancePath, keyword, message }];
    const seen: Seen = { error, name, errors: longer, next: [] };
    this.#kept++;
    // Those that come first are those that come often, or else there is no order in them.
    if (next.length === MOST_NEXT) next.pop();
    next.push(seen);
    return seen;
  }
}

function nothingSeen(): Seen {
  return { error: undefined, name: undefined, errors: [], next: [] };
}

function find(among: readonly Seen[], error: ErrorObject): Seen | undefined {
  const { instancePath, keyword, message } = error;
  const name = nameOf(error);
  for (const seen of among) {
    const known = seen.error!;
    if (
      known.message === message &&
      known.instancePath === instancePath &&
      known.keyword === keyword &&
      seen.name === name
    ) {
      return seen;
    }
  }
  return undefined;
}

function listed(errors: readonly ErrorObject[]): LineError[] {
  const found: LineError[] = [];
  for (const error of errors) {
    const { keyword } = error;
    const path = cut(error.instancePath, MOST_PATH);
    const message = messageOf(error);
    if (!found.some((each) => isSame(each, path, keyword, message))) found.push({ path, keyword, message });
    if (found.length === MOST_ERRORS) break;
  }
  return found;
}

function isSame(error: LineError, path: string, keyword: string, message: string): boolean {
  return error.path === path && error.keyword === keyword && error.message === message;
}

/** The name that a message is about and does not say itself. */
function nameOf({ params, propertyName }: ErrorObject): unknown {
  return params.additionalProperty ?? params.unevaluatedProperty ?? params.propertyName ?? propertyName;
}

function messageOf(error: ErrorObject): string {
  const text = error.message ?? `must pass "${error.keyword}"`;
  const name = nameOf(error);
  return typeof name === 'string' ? `${text}: ${JSON.stringify(cut(name, MOST_NAME))}` : text;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}
