// One line by both ways: what the scanner says yes to, the usual way must take with the same bytes of row.
import { compileEncoder, type Encode, NEEDS_EXACT } from '../../../src/lines/encode.ts';
import type { Lines } from '../../../src/lines/framing.ts';
import { isPassed, Judge } from '../../../src/lines/judge.ts';
import { RowBuffer } from '../../../src/lines/rows.ts';
import { compileScanner, type Scan } from '../../../src/lines/scan/compile.ts';
import { LineScanner } from '../../../src/lines/scan/scanner.ts';
import type { Registry, SchemaVersion } from '../../../src/schema/registry.ts';

/** Line numbers are part of rows. */
const LINE = 77_003;

export interface Outcome {
  scanned: boolean;
  accepted: boolean;
  /** What is wrong with the yes of the scanner. */
  fault: string | undefined;
}

type Judged = { version: SchemaVersion; row: Buffer } | { refused: string };

/** Compares the two ways for the versions of a registry. */
export class BothWays {
  readonly #registry: Registry;
  readonly #schema: SchemaVersion | null;
  readonly #limits: { lineBytes: number; depth: number };
  readonly #scans = new Map<SchemaVersion, Scan | null>();
  readonly #encoders = new Map<SchemaVersion, Encode>();
  readonly #scanned = new RowBuffer();
  readonly #usual = new RowBuffer();

  /** @param schema as an upload's `schema` parameter */
  constructor(registry: Registry, schema: SchemaVersion | null, limits = { lineBytes: 1_048_576, depth: 64 }) {
    this.#registry = registry;
    this.#schema = schema;
    this.#limits = limits;
  }

  readonly scannerOf = (version: SchemaVersion): Scan | null => {
    let scan = this.#scans.get(version);
    if (scan === undefined) {
      scan = compileScanner(version);
      this.#scans.set(version, scan);
    }
    return scan;
  };

  /**
   * @param around bytes before and behind the line in its block
   */
  compare(line: Buffer, around: [before: Buffer, behind: Buffer] = [Buffer.alloc(0), Buffer.from('\n')]): Outcome {
    const [before, behind] = around;
    const bytes = Buffer.concat([before, line, behind]);
    const start = before.length;
    const end = start + line.length;
    const starts = Int32Array.of(start);
    const lines: Lines = { bytes, offset: 0, count: 1, starts, ends: Int32Array.of(end), fault: undefined };
    const by = { registry: this.#registry, schema: this.#schema, limits: this.#limits };
    const judged = this.#judge(lines, by);
    const scanner = new LineScanner({ ...by, scannerOf: this.scannerOf });
    scanner.open(lines);
    const version = scanner.versionOf(0);
    const left = this.#scanned.length;
    this.#scanned.escapes = true;
    const scanned = version !== null && scanner.scan(this.#scanned, LINE);
    const accepted = 'row' in judged;
    if (!scanned)
      return { scanned, accepted, fault: this.#scanned.length === left ? undefined : 'bytes are left behind' };
    const row = this.#scanned.copyData();
    let fault: string | undefined;
    if ('refused' in judged) fault = `the usual way refuses it: ${judged.refused}`;
    else if (version !== judged.version) fault = `the usual way takes it for ${judged.version.id}`;
    else if (!row.equals(judged.row)) fault = `rows ${row.toString('latin1')} and ${judged.row.toString('latin1')}`;
    this.#scanned.clear();
    return { scanned, accepted, fault };
  }

  #judge(lines: Lines, by: ConstructorParameters<typeof Judge>[0]): Judged {
    const judge = new Judge(by, true);
    judge.open(lines);
    const judgement = judge.judge(0);
    if (judgement === 'blank' || !isPassed(judgement)) return { refused: JSON.stringify(judgement) };
    const { event, schema } = judgement;
    let encode = this.#encoders.get(schema);
    if (encode === undefined) {
      encode = compileEncoder(schema.plan, schema.shape, schema.version);
      this.#encoders.set(schema, encode);
    }
    const rows = this.#usual;
    rows.clear();
    rows.escapes = judge.escapes;
    let fault = encode(event, rows, LINE);
    if (fault === NEEDS_EXACT) fault = encode(judge.exactly(0), rows, LINE);
    return fault === undefined ? { version: schema, row: rows.copyData() } : { refused: JSON.stringify(fault) };
  }
}

/** Counts outcomes, and keeps the first faults with their lines. */
export class Score {
  lines = 0;
  scanned = 0;
  accepted = 0;
  readonly faults: string[] = [];

  note({ scanned, accepted, fault }: Outcome, what: string, line: Buffer): void {
    this.lines++;
    if (scanned) this.scanned++;
    if (accepted) this.accepted++;
    if (fault === undefined || this.faults.length === 3) return;
    const shown = line.toString('latin1').slice(0, 2_000);
    this.faults.push(`${what}: ${fault.slice(0, 2_000)}, of the line (as latin-1) ${shown}`);
  }

  toString(): string {
    return `${this.lines} lines, ${this.accepted} accepted, ${this.scanned} scanned`;
  }
}
