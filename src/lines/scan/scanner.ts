// The lines of one file that a scanner can take. Asked before the judge, and to the same effect: what it does not take
// gets its verdict there.
import { isUtf8 } from 'node:buffer';
import type { Registry, SchemaVersion } from '../../schema/registry.ts';
import type { Lines } from '../framing.ts';
import type { RowBuffer } from '../rows.ts';
import type { Block, Scan } from './compile.ts';
import type { ScannerOf } from './known.ts';
import { Names } from './names.ts';
import { endOfText, isSpace, PLAIN, PLAIN_ASCII, QUOTE, skipSpace } from './text.ts';

export interface LineScannerOptions {
  registry: Registry;
  /** The version that the `schema` parameter chose; null: each event's own `$schema` decides. */
  schema: SchemaVersion | null;
  /** Subjects that whoever sent the lines may send events of; null or absent: all. */
  subjects?: ReadonlySet<string> | null;
  limits: { lineBytes: number; depth: number };
  scannerOf: ScannerOf;
}

/** A version that lines name, and its scanner once it is there. */
interface Named {
  version: SchemaVersion | null;
  scan: Scan | null | undefined;
  /** Whether `$schema` is a property like others. */
  declaresEnvelope: boolean;
  /** Lines that were missed, less {@link WORTH} for each that was taken. */
  misses: number;
  /** Lines that are not tried. */
  pause: number;
}

const BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const ENVELOPE = Buffer.from('"$schema":"');
/** References come from events: neither many nor long ones may pile up. */
const MOST_NAMES = 1_000;
const LONGEST_NAME = 128;
/** A line that is given up at its very end has cost an eighth of what the usual way takes for it. */
const WORTH = 8;
/** So many misses that hits are not worth, and the next lines are not tried: a sender may have a way of its own. */
const MOST_MISSES = 32;
const PAUSE = 500;

export class LineScanner {
  readonly #options: LineScannerOptions;
  /** Of lines that do not begin with `$schema`; null: such lines are for the judge. */
  readonly #usual: Named | null;
  readonly #names = new Names();
  readonly #named: Named[] = [];
  readonly #block: Block;
  #lines!: Lines;
  #tried!: Named;
  #start = 0;
  #nameStart = 0;
  #end = 0;

  constructor(options: LineScannerOptions) {
    const { schema, registry, limits } = options;
    this.#options = options;
    const usual = this.#allowed(schema ?? registry.only);
    // Where a `$schema` further back is a property and the choice of the version at once, the judge has to look.
    this.#usual = usual.version === null || (schema === null && usual.declaresEnvelope) ? null : usual;
    this.#block = {
      bytes: Buffer.alloc(0),
      view: new DataView(new ArrayBuffer(0)),
      plain: PLAIN,
      levels: limits.depth,
      envelope: -1,
    };
  }

  /** Looks at a block as a whole. */
  open(lines: Lines): void {
    const { bytes } = lines;
    this.#lines = lines;
    this.#block.bytes = bytes;
    this.#block.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#block.plain = isUtf8(bytes) ? PLAIN : PLAIN_ASCII;
  }

  /** The version of line `index` of the open block, if {@link scan} is to be tried with it. */
  versionOf(index: number): SchemaVersion | null {
    const { starts, ends, fault } = this.#lines;
    const { bytes } = this.#block;
    const end = ends[index]!;
    let brace = starts[index]!;
    // A line's end is white space too: behind it the next line begins, and it may be blank like a million others.
    while (brace < end && isSpace(bytes[brace]!)) brace++;
    if (brace === end) return null;
    if (fault !== undefined || bytes[brace] !== BRACE || end - starts[index]! > this.#options.limits.lineBytes)
      return null;
    this.#start = brace + 1;
    this.#end = end;
    this.#block.envelope = -1;
    const named = this.#namedByLine();
    if (named === null || named.version === null || named.scan === null) return null;
    named.scan ??= this.#options.scannerOf(named.version);
    if (named.pause > 0) {
      named.pause--;
      return null;
    }
    this.#tried = named;
    return named.scan ? named.version : null;
  }

  /** Whether the line of which {@link versionOf} gave the version is a row now. If not, it is to be judged. */
  scan(rows: RowBuffer, batchLine: number): boolean {
    const tried = this.#tried;
    if (tried.scan!(this.#block, this.#start, this.#end, rows, batchLine)) {
      if (tried.misses > 0) tried.misses = Math.max(0, tried.misses - WORTH);
      return true;
    }
    if (++tried.misses > MOST_MISSES) {
      tried.misses = MOST_MISSES >> 1;
      tried.pause = PAUSE;
    }
    return false;
  }

  #namedByLine(): Named | null {
    // To the version that the `schema` parameter chose, its `$schema` may be a property like others.
    if (this.#options.schema !== null && this.#usual?.declaresEnvelope) return this.#usual;
    if (this.#beginsWithEnvelope()) return this.#byEnvelope();
    return this.#endsWithEnvelope() ? this.#byLastMember() : this.#usual;
  }

  #beginsWithEnvelope(): boolean {
    const { bytes } = this.#block;
    const start = this.#start;
    if (bytes[start + 1] !== ENVELOPE[1] || bytes[start + 2] !== ENVELOPE[2]) return false;
    for (let at = 0; at < ENVELOPE.length; at++) if (bytes[start + at] !== ENVELOPE[at]) return false;
    return true;
  }

  /** Steps over `"$schema":"<name>",` to the next key. */
  #byEnvelope(): Named | null {
    const { bytes, plain } = this.#block;
    const start = this.#start + ENVELOPE.length;
    const end = endOfText(bytes, start, plain);
    if (bytes[end] !== QUOTE || end >= this.#end) return null;
    const named = this.#namedBy(start, end);
    if (named === null || named.declaresEnvelope) return named;
    if (bytes[end + 1] !== COMMA) return null;
    const next = skipSpace(bytes, end + 2);
    // What follows the comma must be a key, and no brace.
    if (bytes[next] !== QUOTE) return null;
    this.#start = next;
    return named;
  }

  /** Whether the line ends in `,"$schema":"<name>"}`; `#nameStart` is then where the name begins. */
  #endsWithEnvelope(): boolean {
    const { bytes } = this.#block;
    const last = this.#end - 2;
    if (bytes[last] !== QUOTE || bytes[last + 1] !== CLOSE_BRACE) return false;
    let start = last;
    for (const least = Math.max(this.#start, last - LONGEST_NAME); start > least; start--) {
      if (bytes[start - 1] === QUOTE) break;
    }
    const key = start - ENVELOPE.length;
    if (key <= this.#start || bytes[key - 1] !== COMMA) return false;
    for (let at = 0; at < ENVELOPE.length; at++) if (bytes[key + at] !== ENVELOPE[at]) return false;
    this.#nameStart = start;
    return true;
  }

  /** The scanner meets the key, and only where it is one of the event's own does it step over it. */
  #byLastMember(): Named | null {
    const { bytes, plain } = this.#block;
    const end = this.#end - 2;
    if (endOfText(bytes, this.#nameStart, plain) !== end) return null;
    const named = this.#namedBy(this.#nameStart, end);
    if (named !== null && !named.declaresEnvelope) this.#block.envelope = this.#nameStart - ENVELOPE.length;
    return named;
  }

  /** What a `$schema` chooses where the `schema` parameter leaves it open. */
  #namedBy(start: number, end: number): Named | null {
    if (this.#options.schema !== null) return this.#usual;
    const { bytes } = this.#block;
    const index = this.#names.find(bytes, start, end);
    return index === -1 ? this.#add(bytes.subarray(start, end)) : this.#named[index]!;
  }

  #add(name: Buffer): Named | null {
    if (this.#names.size === MOST_NAMES || name.length > LONGEST_NAME) return null;
    const named = this.#allowed(this.#options.registry.resolve(name.toString()));
    this.#names.add(Buffer.from(name));
    this.#named.push(named);
    return named;
  }

  /** What a key may not send is no version here: the judge refuses it. */
  #allowed(found: SchemaVersion | null): Named {
    const { subjects } = this.#options;
    const version = found === null || subjects?.has(found.subject) === false ? null : found;
    const declaresEnvelope = version?.shape.properties.has('$schema') ?? false;
    return { version, scan: undefined, declaresEnvelope, misses: 0, pause: 0 };
  }
}
