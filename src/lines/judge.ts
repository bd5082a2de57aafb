// One line's bytes to its event or its refusal. Nothing here throws on bad input, and nothing here knows of a database.
import { isAscii, isUtf8 } from 'node:buffer';
import type { LineError, Refusal, RejectionCode } from '../model.ts';
import { type Registry, type SchemaVersion, subjectOf } from '../schema/registry.ts';
import { countEscapedQuotes, countQuotes, countStrings, duplicateKeys, TOO_DEEP } from './duplicate-keys.ts';
import { mayLoseDigits, parseExactly } from './exact.ts';
import type { Fault, Lines } from './framing.ts';

export interface JudgeOptions {
  registry: Registry;
  /** The version that the `schema` parameter chose; null: each event's own `$schema` decides. */
  schema: SchemaVersion | null;
  /** Subjects that whoever sent the lines may send events of; null or absent: all. */
  subjects?: ReadonlySet<string> | null;
  /** Bytes of a line, and levels of nesting, at most. */
  limits: { lineBytes: number; depth: number };
}

/** A line that passed validation. */
export interface Passed {
  event: object;
  schema: SchemaVersion;
}

/** A blank line, or the verdict on any other. */
export type Judgement = Passed | Refusal | 'blank';

export function isPassed(judgement: Passed | Refusal): judgement is Passed {
  return 'event' in judgement;
}

const MARK_LENGTH = 60;
/** Looking at all of a block of 64 KiB takes 70 µs, at a line of it 0.6 µs: many lines are best looked at together. */
const MOST_ALONE = 32;

/** Judges the lines of one file, block by block. */
export class Judge {
  readonly #options: JudgeOptions;
  /** In NDJSON an empty line is blank; as an element of an array it is broken JSON. */
  readonly #blanks: boolean;
  #lines!: Lines;
  #view!: DataView;
  /** The whole block as text, if every byte is a character of its own. */
  #ascii: string | undefined;
  #isUtf8 = true;
  /** Undefined: not looked for yet, as only lines that pass ask for it. */
  #mayLoseDigits: boolean | undefined = false;
  #mayEscape = false;
  #hasBackslash = false;
  /** Lines of the block that may still be judged before the block is looked at as a whole. */
  #alone = 0;
  /** Whether there was a line that is no JSON: then there are more. */
  #hasBroken = false;
  /** Whether strings of the line last judged may hold NUL or half surrogate pairs. */
  escapes = false;
  /** Whether the schema of the line last judged has a property `$schema` of its own. */
  #declaresEnvelope = false;

  constructor(options: JudgeOptions, blanks: boolean) {
    this.#options = options;
    this.#blanks = blanks;
  }

  /** Opens a block. Of most blocks few lines come here, if any: those are looked at one by one. */
  open(lines: Lines): void {
    const { bytes } = lines;
    this.#lines = lines;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#alone = MOST_ALONE;
    this.#ascii = undefined;
    this.#isUtf8 = false;
    this.#mayLoseDigits = true;
    this.#hasBackslash = true;
    this.#mayEscape = true;
  }

  /** Looks at a block as a whole, which is much cheaper than at each line of it. */
  #lookAtBlock(): void {
    const { bytes } = this.#lines;
    this.#ascii = isAscii(bytes) ? bytes.toString('latin1') : undefined;
    this.#isUtf8 = this.#ascii !== undefined || isUtf8(bytes);
    this.#mayLoseDigits = undefined;
    this.#hasBackslash = bytes.includes('\\');
    this.#mayEscape = this.#hasBackslash && bytes.includes('\\u');
  }

  /** The verdict on line `index` of the open block. */
  judge(index: number): Judgement {
    const lines = this.#lines;
    if (--this.#alone === 0) this.#lookAtBlock();
    if (lines.fault !== undefined) return faultyLine(lines.fault, this.#options.limits.lineBytes);
    const start = lines.starts[index]!;
    const end = lines.ends[index]!;
    const length = end - start;
    if (this.#blanks && isBlank(lines.bytes, start, end)) return 'blank';
    if (length > this.#options.limits.lineBytes) {
      return faultyLine({ kind: 'too_long', length }, this.#options.limits.lineBytes);
    }
    if (!this.#isUtf8 && !isUtf8(lines.bytes.subarray(start, end))) {
      return refuse('invalid_utf8', 'encoding', 'the bytes are not valid UTF-8');
    }
    return this.#judgeText(this.#text(start, end), start, end);
  }

  /** The event of a line that has passed, with numbers as exact as in its text. */
  exactly(index: number): object {
    const { starts, ends } = this.#lines;
    return this.#unwrapped(parseExactly(this.#text(starts[index]!, ends[index]!)) as object);
  }

  #text(start: number, end: number): string {
    return this.#ascii === undefined ? this.#lines.bytes.toString('utf8', start, end) : this.#ascii.slice(start, end);
  }

  #judgeText(text: string, start: number, end: number): Judgement {
    let value: unknown;
    try {
      value = this.#hasBroken ? parseQuietly(text) : JSON.parse(text);
    } catch (error) {
      this.#hasBroken = true;
      return refuse('invalid_json', 'json', (error as SyntaxError).message);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return refuse('not_an_object', 'type', 'an event must be a JSON object');
    }
    const fault = this.#forbidden(value) ?? this.#structuralFault(value, text, start, end);
    if (fault !== undefined) return fault;

    const schema = this.#schemaOf(value);
    if (!('accepts' in schema)) return schema;
    this.#declaresEnvelope = schema.shape.properties.has('$schema');
    const event = this.#unwrapped(value);
    if (!schema.accepts(event)) {
      return { code: 'schema_violation', schema: schema.id, errors: schema.explain(event) };
    }
    this.escapes = this.#mayEscape && text.includes('\\u');
    this.#mayLoseDigits ??= mayLoseDigits(this.#lines.bytes, this.#ascii ?? this.#lines.bytes.toString('latin1'));
    const isInexact = this.#mayLoseDigits && mayLoseDigits(Buffer.from(text), text);
    return { event: isInexact ? this.#unwrapped(parseExactly(text) as object) : event, schema };
  }

  /**
   * Comes before all that is said of the content: what is stored under another code, a replay by somebody who may do
   * more could load.
   */
  #forbidden(event: object): Refusal | undefined {
    const { schema, subjects, registry } = this.#options;
    if (subjects === null || subjects === undefined) return undefined;
    const { $schema: named } = event as { $schema?: unknown };
    const decided = schema ?? (named === undefined ? registry.only : null);
    const subject = decided?.subject ?? (typeof named === 'string' ? subjectOf(named) : undefined);
    // What names no subject, or leaves open which of several, is told so.
    if (subject === undefined || subjects.has(subject)) return undefined;
    const path = schema === null && named !== undefined ? '/$schema' : '';
    return refuse('forbidden_subject', 'subject', `the key may not send events of ${subject}`, path);
  }

  /** What the text has and the parsed value does not show, or shows only by its depth. */
  #structuralFault(value: object, text: string, start: number, end: number): Refusal | undefined {
    const { depth } = this.#options.limits;
    const strings = countStrings(value, depth);
    if (strings === TOO_DEEP) return tooDeep(depth);
    const escaped = this.#hasBackslash ? countEscapedQuotes(text) : 0;
    if (countQuotes(this.#view, start, end) - escaped === 2 * strings) return undefined;
    const errors = duplicateKeys(text, depth);
    return errors === TOO_DEEP ? tooDeep(depth) : { code: 'duplicate_key', schema: null, errors };
  }

  /** `$schema` says which schema to use; it is no part of the event unless the schema declares it. */
  #unwrapped(event: object): object {
    if (this.#declaresEnvelope || !('$schema' in event)) return event;
    const { $schema: _, ...rest } = event;
    return rest;
  }

  #schemaOf(event: object): SchemaVersion | Refusal {
    const { schema, registry } = this.#options;
    if (schema !== null) return schema;
    const named = (event as { $schema?: unknown }).$schema;
    if (named === undefined) {
      return (
        registry.only ??
        refuse('unknown_schema', '$schema', 'the event names no $schema and there is more than one subject')
      );
    }
    const found = typeof named === 'string' ? registry.resolve(named) : null;
    return found ?? refuse('unknown_schema', '$schema', `there is no schema ${shorten(named)}`, '/$schema');
  }
}

/** A fault of JSON costs 7 µs, of which 5 are for a stack that nobody looks at. */
function parseQuietly(text: string): unknown {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return JSON.parse(text);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Refusals whose reason was given before: like those of schemas they share its array. */
const given = new Map<string, Refusal>();
const MOST_GIVEN = 256;
const MOST_GIVEN_LENGTH = 200;

function refuse(code: RejectionCode, keyword: string, message: string, path = ''): Refusal {
  const key = `${code}\n${keyword}\n${path}\n${message}`;
  const known = given.get(key);
  if (known !== undefined) return known;
  const errors: LineError[] = [{ path, keyword, message }];
  const refusal = { code, schema: null, errors };
  if (key.length > MOST_GIVEN_LENGTH) return refusal;
  if (given.size === MOST_GIVEN) given.clear();
  given.set(key, refusal);
  return refusal;
}

function tooDeep(levels: number): Refusal {
  return refuse('too_deep', 'depth', `nested deeper than ${levels} levels`);
}

function faultyLine(fault: Fault, limit: number): Refusal {
  switch (fault.kind) {
    case 'too_long':
      return refuse('line_too_long', 'maxLength', `the line has ${fault.length} bytes, more than ${limit}`);
    case 'cut':
      return refuse('line_too_long', 'maxLength', `only the beginning of its ${fault.length} bytes is stored`);
    case 'broken':
      return refuse('invalid_json', 'json', fault.message);
    case 'unpatched':
      return { code: 'patch_failed', schema: null, errors: [fault.error] };
  }
}

function isBlank(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  }
  return true;
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > MARK_LENGTH ? `${text.slice(0, MARK_LENGTH)}…` : text;
}
