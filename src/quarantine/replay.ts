// A replay: stored rejections through the pipeline once more, as a batch of their own. One at a time in the database, and
// what it rescues is noted in the transaction that commits it: no rejection is loaded twice, whoever dies when.
import { v7 as uuidv7 } from 'uuid';
import { type Client, sightOf } from '../access/client.ts';
import { takeAdvisoryLock } from '../advisory-lock.ts';
import { type Connection, connectApart } from '../db.ts';
import { Problem } from '../errors.ts';
import { type IngestContext, ingest, type Upload } from '../ingest.ts';
import type { StoredAnswer } from '../load/record.ts';
import { Replayed } from '../load/replayed.ts';
import { buildReport } from '../report/build.ts';
import { Tally } from '../report/tally.ts';
import type { SchemaVersion } from '../schema/registry.ts';
import { conditionsOf, placesOf, QUARANTINE, QUARANTINED_LINES, type RejectionFilter, reasonsOf } from './filter.ts';
import type { Patch } from './patch.ts';
import { type Selected, storedLines } from './stored-lines.ts';
import { Turns } from './turns.ts';

// As in migrate.ts: any constant will do. 'replay' in ASCII.
const LOCK = '125779903637881';
/** Causes that Postgres keeps in a hash table of its work_mem; with more of them each line is looked up. */
const MOST_CAUSES = 10_000;
/** Milliseconds for which a replay waits for another one. */
const PATIENCE_MS = 30_000;

export interface ReplayOrder {
  /** Who asks: of what others sent only admins may replay anything. */
  client: Client;
  filter: RejectionFilter;
  /** The schema that lines are to be judged by, as it was given, and the version that it means; else null. */
  schemaParameter: string | null;
  schema: SchemaVersion | null;
  patch: Patch | null;
  dryRun: boolean;
  /** Called in the transaction that commits the replay, with the id of its batch. */
  alongside(connection: Connection, batchId: string, answer: StoredAnswer): Promise<void>;
}

export interface ReplayAnswer extends StoredAnswer {
  /** Null where nothing was recorded: a dry run, or no rejection to replay. */
  batchId: string | null;
}

/** The replays of one process. Each needs a connection beside the pool, so they come one after the other. */
export class Replays {
  readonly #turns = new Turns();

  /**
   * Replays what the filter selects and no replay has taken. Once begun it does not ask whether the client is still
   * there.
   * @throws {Problem} `replay_running` where another one does not end in time; what `ingest` throws
   */
  async run(order: ReplayOrder, context: IngestContext): Promise<ReplayAnswer> {
    const deadline = performance.now() + PATIENCE_MS;
    const done = await this.#turns.take(PATIENCE_MS);
    if (done === undefined) throw anotherIsRunning();
    try {
      return await connectApart(context.db, async (connection) => {
        // A dry run changes nothing that another replay could meet.
        const patience = Math.max(0, deadline - performance.now());
        if (!order.dryRun && !(await takeAdvisoryLock(connection, LOCK, patience))) throw anotherIsRunning();
        return replay(connection, order, context);
      });
    } finally {
      done();
    }
  }
}

async function replay(connection: Connection, order: ReplayOrder, context: IngestContext): Promise<ReplayAnswer> {
  const { client, schemaParameter, schema, patch, dryRun } = order;
  const startedAt = performance.now();
  // One moment for all that is read: lines that are rejected meanwhile are for the next replay.
  await connection.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const selected = await select(connection, order);
  if (selected === null) return { ...nothingToReplay(dryRun, startedAt), batchId: null };
  const batchId = uuidv7();
  const replayed = new Replayed();
  const resolve = (reference: string) => context.registry.resolve(reference);
  const upload: Upload = {
    batchId,
    client,
    receivedAt: new Date(),
    startedAt,
    parameters: '',
    schemaParameter,
    schema,
    dryRun,
    rules: { onError: 'continue', maxRejected: null },
    full: false,
    claim: null,
    files: storedLines(connection, selected, { replayed, patch, resolve }),
    replayed,
    alongside: (loading, answer) => order.alongside(loading, batchId, answer),
  };
  return { ...(await ingest(upload, context)), batchId: dryRun ? null : batchId };
}

/** What there is to replay, or null. */
async function select(
  connection: Connection,
  { filter, client }: Pick<ReplayOrder, 'filter' | 'client'>,
): Promise<Selected | null> {
  const wanted = [...conditionsOf(filter, sightOf(client)), 'replays.batch_id IS NULL'];
  const conditions = [...wanted, ...allowed(filter, 'rejections')].join(' AND ');
  const end = (direction: 'ASC' | 'DESC') =>
    `(SELECT rejections.batch_id FROM ${QUARANTINE} WHERE ${conditions}
      ORDER BY rejections.batch_id ${direction}, rejections.batch_line ${direction} LIMIT 1)`;
  const { rows } = await connection.query<{ first: string | null; last: string }>(
    `SELECT ${end('ASC')} AS first, ${end('DESC')} AS last`,
  );
  const { first, last } = rows[0]!;
  if (first === null) return null;
  // The primary key has the lines in their order; sorting them would put all their bytes on disk first.
  await connection.query(
    'SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off; SET LOCAL enable_hashjoin = off',
  );
  const within = (table: string) => `${table}.batch_id BETWEEN '${first}' AND '${last}'`;
  const reasons = (table: string) => ['true', ...reasonsOf(filter, table), ...allowed(filter, table)].join(' AND ');
  const causes = `FROM sluice.rejection_causes AS c WHERE ${within('c')} AND ${reasons('c')}`;
  const { rowCount } = await connection.query(`SELECT ${causes} LIMIT ${MOST_CAUSES + 1}`);
  const where =
    rowCount! > MOST_CAUSES
      ? conditions
      : `${[...placesOf(filter, sightOf(client)), 'replays.batch_id IS NULL'].join(' AND ')}
        AND CASE WHEN cause IS NULL THEN ${reasons('rejections')}
          ELSE (rejections.batch_id, cause) IN (SELECT batch_id, cause ${causes}) END`;
  return {
    first,
    last,
    select: `
      SELECT rejections.batch_id, rejections.batch_line,
        coalesce(length, octet_length(raw)::bigint) AS length, batches.schema, raw
      FROM ${rowCount! > MOST_CAUSES ? QUARANTINE : QUARANTINED_LINES} WHERE ${within('rejections')} AND ${where}
      ORDER BY rejections.batch_id, rejections.batch_line`,
  };
}

/** Whoever replays may send what the key of the upload might not: that has to be asked for in so many words. */
function allowed({ code }: RejectionFilter, table: string): string[] {
  return code === null ? [`${table}.code <> 'forbidden_subject'`] : [];
}

/** Nothing failed, and nothing is recorded. */
function nothingToReplay(dryRun: boolean, startedAt: number): StoredAnswer {
  const report = buildReport({
    batchId: uuidv7(),
    abortReason: undefined,
    isHeld: false,
    replayOf: [],
    dryRun,
    tally: new Tally(),
    duplicates: new Map(),
    checks: [],
    bytes: 0,
    durationMs: Math.round(performance.now() - startedAt),
  });
  return { report: JSON.stringify({ ...report, status: dryRun ? 'dry_run' : 'promoted', links: {} }), status: 200 };
}

function anotherIsRunning(): Problem {
  return new Problem('replay_running', 'Another replay is under way, and one runs at a time: try again later', {
    retryAfter: 5,
  });
}
