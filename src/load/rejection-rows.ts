// Rejections on their way to Postgres, already in COPY's format. Lines that were rejected for the same reasons share the
// array of their errors (schema/reasons.ts): where there are many it goes to Postgres as the number of a cause, which is
// stored once a batch.
import type { Connection } from '../db.ts';
import { RowBuffer } from '../lines/rows.ts';
import type { LineError, Rejection, RejectionCode } from '../model.ts';
import { copyRows } from './copy.ts';
import { uuidBytes } from './record.ts';

/** Their order is that in which they are written. See migration 6 for what null means. */
const COLUMNS = [
  'batch_id',
  'batch_line',
  'line',
  'file',
  'offset',
  'length',
  'code',
  'schema',
  'errors',
  'cause',
  'raw',
  'origin_batch_id',
  'origin_line',
] as const;
const CAUSE_COLUMNS = ['batch_id', 'cause', 'code', 'schema', 'errors'] as const;

/** Lines that have their reasons in themselves before it is worth a cause: writing one takes another COPY. */
const FEW_LINES = 8;
/** Causes of one batch; what comes after them has its reasons in the line. */
const MOST_CAUSES = 1_000;
/** Lists of errors that are remembered; most that come but once are those of broken JSON. */
const MOST_KNOWN = 256;

interface Known {
  code: RejectionCode;
  schema: string | null;
  /** The fields code, schema, errors and cause of the next line. */
  fields: Buffer;
  /** So far; not counted any further once it is a cause. */
  lines: number;
}

/** The reasons that lines of a batch have in common. */
export class RejectionCauses {
  /** The field batch_id. */
  readonly batch: Buffer;
  readonly #known = new Map<readonly LineError[], Known>();
  readonly #scratch = new RowBuffer(1024);
  #count = 0;

  constructor(batchId: string) {
    this.batch = uuidBytes(batchId);
  }

  /**
   * The fields code, schema, errors and cause of a rejected line.
   * @param causes where a cause is written that there has not been before
   */
  fieldsOf({ code, schema, errors }: Rejection, causes: RowBuffer): Buffer {
    const known = this.#known.get(errors);
    if (known === undefined || known.code !== code || known.schema !== schema) {
      const fields = this.#inline(code, schema, errors);
      if (this.#known.size === MOST_KNOWN) this.#known.clear();
      this.#known.set(errors, { code, schema, fields, lines: 1 });
      return fields;
    }
    if (known.lines <= FEW_LINES && ++known.lines > FEW_LINES && this.#count < MOST_CAUSES) {
      known.fields = this.#byCause(known, errors, causes);
    }
    return known.fields;
  }

  /** Lines to come have no cause that was written before. */
  forget(): void {
    this.#known.clear();
  }

  #inline(code: RejectionCode, schema: string | null, errors: readonly LineError[]): Buffer {
    const rows = this.#scratch;
    const from = rows.room(0);
    writeReasons(rows, code, schema, errors);
    rows.null();
    return taken(rows, from);
  }

  #byCause({ code, schema }: Known, errors: readonly LineError[], causes: RowBuffer): Buffer {
    this.#count++;
    causes.begin(CAUSE_COLUMNS.length);
    causes.bytea(this.batch);
    causes.int4(this.#count);
    writeReasons(causes, code, schema, errors);
    causes.end();
    const rows = this.#scratch;
    const from = rows.room(0);
    for (let field = 0; field < 3; field++) rows.null();
    rows.int4(this.#count);
    return taken(rows, from);
  }
}

function writeReasons(rows: RowBuffer, code: string, schema: string | null, errors: readonly LineError[]): void {
  rows.text(code);
  if (schema === null) rows.null();
  else rows.text(schema);
  rows.jsonbText(JSON.stringify(errors));
}

/** What was written since `from`, and the buffer as it was before. */
function taken(rows: RowBuffer, from: number): Buffer {
  const bytes = Buffer.from(rows.bytes.subarray(from, rows.room(0)));
  rows.rollback();
  return bytes;
}

export class RejectionRows {
  readonly #rows = new RowBuffer();
  readonly #newCauses = new RowBuffer(1024);
  readonly #causes: RejectionCauses;

  constructor(causes: RejectionCauses) {
    this.#causes = causes;
  }

  /** Bytes waiting. */
  get size(): number {
    return this.#rows.length + this.#newCauses.length;
  }

  add(rejection: Rejection): void {
    const { batchLine, line, file, offset, length, raw, origin } = rejection;
    const fields = this.#causes.fieldsOf(rejection, this.#newCauses);
    const rows = this.#rows;
    rows.begin(COLUMNS.length);
    rows.bytea(this.#causes.batch);
    rows.int4(batchLine);
    if (line === batchLine) rows.null();
    else rows.int4(line);
    if (file === null) rows.null();
    else rows.text(file);
    rows.int8(offset);
    if (length === raw.length) rows.null();
    else rows.int8(length);
    const at = rows.room(fields.length);
    rows.bytes.set(fields, at);
    rows.advance(at + fields.length);
    rows.bytea(raw);
    if (origin === undefined) {
      rows.null();
      rows.null();
    } else {
      rows.bytea(uuidBytes(origin.batch_id));
      rows.int4(origin.line);
    }
    rows.end();
  }

  /** Writes what is waiting. It is kept until {@link clear}: the transaction may have to be tried again. */
  async write(connection: Connection): Promise<void> {
    for (const [table, columns, rows] of [
      ['sluice.rejection_causes', CAUSE_COLUMNS, this.#newCauses],
      ['sluice.rejected_lines', COLUMNS, this.#rows],
    ] as const) {
      if (rows.rows > 0) await copyRows(connection, table, columns, rows.copyData(), rows.rows);
    }
  }

  clear(): void {
    this.#rows.clear();
    this.#newCauses.clear();
  }
}
