// A whole transaction in one trip: all of its statements are sent together, and COMMIT when Postgres has told of each that
// it did what it should. One after the other, each would wait for the answer to the one before, and a small transaction
// is nothing but such waiting.
//
//   BEGIN, statements, COPY with its data ──► ◄── how many rows each ── COMMIT, or ROLLBACK ──► ◄── done
//
// Written against the interface of `pg` for queries of one's own, and the messages of
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY (and …-PIPELINING). Never more than
// one Sync is on its way. A connection on which a trip failed must be closed, as borrow() does.
import type { Connection } from '../db.ts';

/** A statement that returns no rows. */
export interface Step {
  text: string;
  values?: readonly (string | Buffer | null)[];
  /** What a COPY … FROM STDIN is to read. */
  data?: Buffer;
  /** Rows that it has to tell of. */
  rows: number;
}

/** As much of `pg`'s own connection as is needed here; its published types leave half of it out. */
interface Wire {
  stream: { cork(): void; uncork(): void };
  parse(query: { name: string; text: string; types: number[] }): void;
  bind(config: { statement: string; values: readonly unknown[] }): void;
  execute(config: object): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  flush(): void;
  sync(): void;
}

/** Statements that a connection keeps prepared; others are prepared anew each time. */
const MOST_PREPARED = 200;

/** By their text. What fails ends its connection, so whatever was sent is there. */
const prepared = new WeakMap<Connection, Map<string, string>>();

const NOTHING: readonly string[] = [];

/**
 * Commits all of it, or nothing.
 * @param beforeCommit called when all is done but the COMMIT
 * @returns undefined once it is committed, or the first step that told of another number of rows than it should: then
 *   nothing is left of it
 * @throws {Error} of Postgres, or of the connection
 */
export function commitTogether(
  connection: Connection,
  steps: readonly Step[],
  beforeCommit: () => void,
): Promise<Step | undefined> {
  return new Promise((resolve, reject) => {
    connection.query(new Trip(statementsOf(connection), steps, beforeCommit, resolve, reject));
  });
}

function statementsOf(connection: Connection): Map<string, string> {
  let statements = prepared.get(connection);
  if (statements === undefined) {
    statements = new Map();
    prepared.set(connection, statements);
  }
  return statements;
}

class Trip {
  readonly #statements: Map<string, string>;
  readonly #steps: readonly Step[];
  readonly #beforeCommit: () => void;
  readonly #resolve: (odd: Step | undefined) => void;
  readonly #reject: (error: Error) => void;
  /** Statements that Postgres has told of, BEGIN among them. */
  #told = 0;
  #odd: Step | undefined;

  constructor(
    statements: Map<string, string>,
    steps: readonly Step[],
    beforeCommit: () => void,
    resolve: (odd: Step | undefined) => void,
    reject: (error: Error) => void,
  ) {
    this.#statements = statements;
    this.#steps = steps;
    this.#beforeCommit = beforeCommit;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: unknown): void {
    const wire = connection as Wire;
    wire.stream.cork();
    this.#send(wire, 'BEGIN', NOTHING);
    for (const { text, values, data } of this.#steps) {
      this.#send(wire, text, values ?? NOTHING);
      if (data === undefined) continue;
      // Postgres asks for it first, but what comes before it has asked is read all the same.
      wire.sendCopyFromChunk(data);
      wire.endCopyFrom();
    }
    wire.flush();
    wire.stream.uncork();
  }

  handleCommandComplete({ text }: { text: string }, connection: unknown): void {
    const step = this.#steps[this.#told - 1];
    if (step !== undefined && rowsOf(text) !== step.rows) this.#odd ??= step;
    this.#told++;
    if (this.#told !== this.#steps.length + 1) return;
    if (this.#odd === undefined) this.#beforeCommit();
    const wire = connection as Wire;
    wire.stream.cork();
    this.#send(wire, this.#odd === undefined ? 'COMMIT' : 'ROLLBACK', NOTHING);
    wire.sync();
    wire.stream.uncork();
  }

  handleReadyForQuery(): void {
    this.#resolve(this.#odd);
  }

  handleError(error: Error): void {
    this.#reject(error);
  }

  handleCopyInResponse(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleRowDescription(): void {}
  handleDataRow(): void {}

  #send(wire: Wire, text: string, values: readonly unknown[]): void {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      const { size } = this.#statements;
      statement = size < MOST_PREPARED ? `sluice_${size}` : '';
      if (statement !== '') this.#statements.set(text, statement);
      wire.parse({ name: statement, text, types: [] });
    }
    wire.bind({ statement, values });
    wire.execute({});
  }
}

/** The last word of a command's tag: `COPY 5`, `INSERT 0 5`. */
function rowsOf(tag: string): number {
  return Number(tag.slice(tag.lastIndexOf(' ') + 1));
}
