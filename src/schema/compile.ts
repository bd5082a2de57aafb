// Verdicts on events: validators compiled when they are first needed, kept while they are in use.
// Ajv's strict mode is about schemas; the folder's lint has judged those, so it is off here. What matters for events:
// no coercion, no defaults, no removal, all formats.
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { LRUCache } from 'lru-cache';
import type { LineError } from '../model.ts';
import type { Bundle } from './bundle.ts';
import type { SchemaObject } from './dialect.ts';
import { SchemaFolderError } from './faults.ts';
import { FORMATS } from './formats.ts';
import { schemaPattern } from './pattern.ts';
import { Reasons } from './reasons.ts';

/**
 * Events with more values than this get their first error only. To find all of them ajv copies its list of errors
 * again and again: half a million bad elements in one line of 1 MiB would take minutes.
 */
const MOST_VALUES = 2_000;

const OPTIONS: Options = {
  strict: false,
  strictNumbers: true,
  // Judged when the folder was loaded.
  validateSchema: false,
  logger: false,
  formats: FORMATS,
  // Both take half the time off compiling GitHub's schemas; V8 optimizes as well without them.
  inlineRefs: 10,
  code: { optimize: false, regExp: Object.assign((pattern: string) => schemaPattern(pattern), { code: 'new RegExp' }) },
};

/** Keeps the validators of a registry's versions: at most `capacity` of them, those used last. */
export class ValidatorCache {
  readonly #used: LRUCache<Validator, true>;
  #current: Validator | undefined;

  constructor(capacity = 500) {
    this.#used = new LRUCache({ max: capacity, dispose: (_, validator) => validator.forget() });
  }

  /** Events mostly come in runs of one version; only a change of version is worth noting. */
  touch(validator: Validator): void {
    if (this.#current === validator) return;
    this.#current = validator;
    this.#used.set(validator, true);
  }
}

/** Judges events by one schema version. */
export class Validator {
  readonly #file: string;
  readonly #bundle: () => Bundle;
  readonly #cache: ValidatorCache;
  #first: ValidateFunction | undefined;
  #all: ValidateFunction | undefined;
  #reasons = new Reasons();
  /** The event judged last was not valid: bad ones come in runs. */
  #isRefusing = false;
  /** What {@link explain} will be asked about, with all that ajv said of it. */
  #refused: { event: unknown; errors: ErrorObject[] } | undefined;

  /**
   * @param file named in the fault if ajv cannot compile the schema
   * @param bundle makes the self-contained schema; called at each compilation
   */
  constructor(file: string, bundle: () => Bundle, cache: ValidatorCache) {
    this.#file = file;
    this.#bundle = bundle;
    this.#cache = cache;
  }

  /**
   * Whether the event is valid.
   * @throws {SchemaFolderError} when the schema cannot be compiled
   */
  readonly accepts = (event: unknown): boolean => {
    this.#cache.touch(this);
    this.#first ??= this.#compile(false);
    if (this.#isRefusing && this.#refuses(event)) return false;
    try {
      const isValid = this.#first(event);
      this.#isRefusing = !isValid;
      return isValid;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  };

  /**
   * Why an event that is not accepted is not, in ajv's order; at least one reason, at most 20.
   * @returns the same array for the same reasons, mostly: it is not to be changed
   */
  readonly explain = (event: unknown): LineError[] => {
    this.#cache.touch(this);
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused !== undefined && refused.event === event) return this.#reasons.of(refused.errors);
    this.#first ??= this.#compile(false);
    const isLarge = countValues(event, MOST_VALUES) > MOST_VALUES;
    if (!isLarge) this.#all ??= this.#compile(true);
    try {
      const errors = (isLarge ? undefined : errorsOf(this.#all!, event)) ?? errorsOf(this.#first, event);
      return this.#reasons.of(errors ?? []);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return [{ path: '', keyword: 'depth', message: 'nested too deep for its schema' }];
    }
  };

  /**
   * Whether the event is certainly not valid, by the look that finds all errors: the other one can be spared
   * then. Both give the same verdict, as ajv's own tests of JSON Schema demand; yet what this
   * one finds valid the other one is asked about too, as it would be without this.
   */
  #refuses(event: unknown): boolean {
    if (countValues(event, MOST_VALUES) > MOST_VALUES) return false;
    this.#all ??= this.#compile(true);
    try {
      const errors = errorsOf(this.#all, event);
      if (errors === undefined) return false;
      this.#refused = { event, errors };
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  forget(): void {
    this.#first = undefined;
    this.#all = undefined;
    this.#reasons = new Reasons();
    this.#refused = undefined;
    this.#isRefusing = false;
  }

  #compile(allErrors: boolean): ValidateFunction {
    const { schema, draft, namesPrototype, usesMetaSchema } = this.#bundle();
    // Looking for own properties only costs 40 % and matters for names such as `constructor` alone.
    const options: Options = { ...OPTIONS, allErrors, ownProperties: namesPrototype, meta: usesMetaSchema };
    try {
      const validate = (draft === 'draft-07' ? new Ajv(options) : new Ajv2020(options)).compile(schema);
      // V8 reads a function whole at its first call only: what overflows its stack then is no fault of an event.
      validate({});
      return validate;
    } catch (error) {
      // Up to the first error each property is checked inside the check before it: 2,000 are too deep for V8.
      if (error instanceof RangeError && !allErrors) return this.#compile(true);
      const reason =
        error instanceof RangeError ? 'too deep to be compiled' : `cannot be compiled: ${(error as Error).message}`;
      throw new SchemaFolderError('in use', [{ file: this.#file, place: '', reason }]);
    }
  }
}

/**
 * The verdict on a value inside an event, by the subschema of a bundle that is about it.
 * @param part holds no reference to the whole schema (`#`), for it becomes the whole
 */
export function compilePart({ schema, draft }: Bundle, part: SchemaObject): (value: unknown) => boolean {
  const ajv = draft === 'draft-07' ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS);
  const definitions = typeof schema === 'boolean' || schema.$defs === undefined ? {} : { $defs: schema.$defs };
  const validate = ajv.compile({ ...part, ...definitions });
  return (value) => validate(value);
}

function errorsOf(validate: ValidateFunction, event: unknown): ErrorObject[] | undefined {
  return validate(event) ? undefined : (validate.errors ?? undefined);
}

/** Counts values inside each other, up to one more than `limit`. Without recursion. */
function countValues(event: unknown, limit: number): number {
  let count = 1;
  const waiting: unknown[] = [event];
  for (let value = waiting.pop(); value !== undefined && count <= limit; value = waiting.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    for (const key in value) {
      count++;
      if (count > limit) return count;
      waiting.push((value as Record<string, unknown>)[key]);
    }
  }
  return count;
}
