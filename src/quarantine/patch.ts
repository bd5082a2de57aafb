// JSON Patch (RFC 6902) on one line after the other. Every place that an operation names is looked up here before the
// library acts: it takes inherited names, `length` of an array and indexes beyond its end for members.
import { isDeepStrictEqual } from 'node:util';
import { applyPatch, type Operation } from 'rfc6902';
import { duplicateKeys, TOO_DEEP } from '../lines/duplicate-keys.ts';
import { parseMarked, printMarked } from '../lines/exact.ts';
import { isObject } from '../lines/object.ts';
import type { LineError } from '../model.ts';

/** One operation, known to be well-formed. */
export interface PatchStep {
  op: Operation['op'];
  path: string;
  from?: string;
  /** As `parseMarked` gives it. */
  value?: unknown;
}

/** A step with its places taken apart. */
interface Step {
  given: PatchStep;
  path: string[];
  from: string[];
  /** For the library, on a holder of the line: it cannot replace a whole document. */
  operation: Operation;
}

/** Deeper lines are not patched; no setting allows them. */
const MOST_LEVELS = 1_000;
/** The member of the holder that the line is. */
const LINE = 'line';
const INDEX = /^(0|[1-9]\d{0,15})$/;

/** Why a step does not fit a line. */
class Misfit {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

export class Patch {
  readonly #steps: readonly Step[];
  readonly #mostBytes: number;

  /** @param mostBytes what copies may add to a line: each may double it */
  constructor(steps: readonly PatchStep[], mostBytes: number) {
    this.#steps = steps.map(stepOf);
    this.#mostBytes = mostBytes;
  }

  /**
   * Changes one line. Numbers that it does not touch keep their value, also where no double holds it.
   * @param line valid UTF-8
   * @returns the line's new text, the text itself where it is not JSON, nested too deep, or has a key twice, or why a step does not fit it
   */
  apply(line: Buffer): string | LineError {
    const text = line.toString('utf8');
    try {
      const holder = { [LINE]: parseMarked(text, line) };
      // Of a key that is there twice parsing has dropped one already: the judge has the words for that too.
      const doubled = duplicateKeys(text, MOST_LEVELS);
      if (doubled === TOO_DEEP || doubled.length > 0) return text;
      let room = this.#mostBytes;
      for (const step of this.#steps) {
        const result = this.#perform(step, holder, room);
        if (result instanceof Misfit) {
          const { path, op } = step.given;
          return { path, keyword: op, message: result.message };
        }
        room = result;
      }
      return printMarked(holder[LINE]);
    } catch (error) {
      // No JSON, or a stack that was too small for it: the judge has the words for both.
      if (error instanceof SyntaxError || error instanceof RangeError) return text;
      throw error;
    }
  }

  /** Returns the room that is left for further copies. */
  #perform({ given, path, from, operation }: Step, holder: object, room: number): number | Misfit {
    const { op } = given;
    const isFrom = op === 'move' || op === 'copy';
    const source = isFrom ? find(holder, from) : undefined;
    if (isFrom && source === undefined) return new Misfit(`there is nothing at ${given.from}`);
    if (op === 'test' || op === 'remove' || op === 'replace') {
      const found = find(holder, path);
      if (found === undefined) return new Misfit('there is nothing at this place');
      if (op === 'test') {
        return isDeepStrictEqual(found, given.value) ? room : new Misfit('the value at this place is another one');
      }
    } else {
      const parent = find(holder, path.slice(0, -1));
      // What is moved within an array leaves it first.
      const isLeaving = op === 'move' && parent === find(holder, from.slice(0, -1));
      const why = whyRefused(parent, path.at(-1)!, isLeaving ? 1 : 0);
      if (why !== undefined) return new Misfit(why);
    }
    const left = op === 'copy' ? room - sizeOf(source, room) : room;
    if (left === Number.NEGATIVE_INFINITY) return new Misfit('a member __proto__ cannot be copied');
    if (left < 0) return new Misfit(`its copies have more than ${this.#mostBytes} bytes`);
    const [failed] = applyPatch(holder, [operation]);
    return failed == null ? left : new Misfit(failed.message);
  }
}

function stepOf(given: PatchStep): Step {
  const path = `/${LINE}${given.path}`;
  const from = `/${LINE}${given.from ?? ''}`;
  const operation = { ...given, path, from } as Operation;
  return { given, path: tokensOf(path), from: tokensOf(from), operation };
}

/** The names that a JSON Pointer (RFC 6901) is made of. */
export function tokensOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The value at a place; undefined, which is no JSON value, where there is none. */
function find(root: unknown, tokens: readonly string[]): unknown {
  let at: unknown = root;
  for (const token of tokens) {
    if (Array.isArray(at)) at = INDEX.test(token) ? at[Number(token)] : undefined;
    else if (isObject(at) && Object.hasOwn(at, token)) at = at[token];
    else return undefined;
  }
  return at;
}

/** Why a value cannot be put into `parent` under this name, or undefined. */
function whyRefused(parent: unknown, token: string, leaving: 0 | 1): string | undefined {
  if (isObject(parent)) return undefined;
  if (!Array.isArray(parent)) return 'there is no object and no array for it';
  if (token === '-') return undefined;
  if (!INDEX.test(token)) return `an array has no place ${JSON.stringify(token)}`;
  return Number(token) > parent.length - leaving ? 'the index is beyond the end of the array' : undefined;
}

/**
 * About the bytes of a value as JSON; more than `most` once that is certain. Infinity where a member is called
 * `__proto__`: the library's copy would be without it.
 */
function sizeOf(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 4;
  let size = 2;
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return Number.POSITIVE_INFINITY;
    size += name.length + sizeOf((value as Record<string, unknown>)[name], most);
    if (size > most) break;
  }
  return size;
}
