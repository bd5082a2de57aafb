// Single events that are committed together. What a commit costs is the wait for the disk, not the row: events that
// arrive while a commit is under way wait for the next one, together, and a lone event waits for nobody.
//
//   body ── judged ──► the open group ── the commit before it ends, or takes long ──► one batch ──► an answer each
//
// Only events that pass come in here. All others go the usual way, each a batch of its own: a bad event, which is to be a
// rejection; one with an Idempotency-Key, whose retry is answered, by processes of the version before too, with the report
// of its batch, byte for byte; one of a subject with checks, where it must not hold others.
import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { Client } from './access/client.ts';
import type { IngestContext } from './ingest.ts';
import { encoderOf } from './lines/encode.ts';
import type { Lines } from './lines/framing.ts';
import { isPassed, Judge } from './lines/judge.ts';
import { isSpace } from './lines/scan/text.ts';
import type { Source } from './load/chunk.ts';
import { Loading } from './load/loading.ts';
import { duplicateLines, type StoredAnswer } from './load/record.ts';
import type { Report } from './model.ts';
import { SingleReports } from './report/single.ts';
import { Tally } from './report/tally.ts';
import type { SchemaVersion } from './schema/registry.ts';

/** What gathers beyond that begins another group. */
const MOST_EVENTS = 1_000;
const MOST_BYTES = 1024 * 1024;
/** Groups committing at once, of all who send. */
const AT_ONCE = 4;
/**
 * One group of each sender at a time, for larger groups cost less an event: with two, an event cost the server and
 * Postgres 1.3 times as much CPU (64 connections: 32 events a group, and 21). Where the disk is slow, or a lock is waited
 * for, the next group waits so many milliseconds and no longer.
 */
const PATIENCE_MS = 5;

/** An event on its way in, and the answer that it gets. */
interface Member {
  schema: string;
  bytes: number;
  startedAt: number;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export interface Answer extends StoredAnswer {
  batchId: string;
}

/** A batch that gathers events. */
interface Group {
  batchId: string;
  receivedAt: Date;
  tally: Tally;
  loading: Loading;
  members: Member[];
  bytes: number;
  hash: ReturnType<typeof createHash>;
}

export class Singles {
  readonly #context: Omit<IngestContext, 'registry'>;
  /** By whoever sends: nobody's batch has events of others. */
  readonly #open = new Map<string | null, Group>();
  /** By whoever sends: how many are committing, and when the last of them began. */
  readonly #committing = new Map<string | null, { groups: number; since: number }>();
  #groups = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: Omit<IngestContext, 'registry'>) {
    this.#context = context;
  }

  /**
   * Takes one event in.
   * @param body a whole body of JSON
   * @param schema the version that the request chose, null where the event decides
   * @returns the answer once the event is committed, or undefined, with nothing done, where the body is not one good event
   * @throws {Problem} if nothing could be stored
   */
  take(
    body: Buffer,
    schema: SchemaVersion | null,
    registry: IngestContext['registry'],
    client: Client,
    startedAt: number,
  ): Promise<Answer> | undefined {
    const lines = wholeBody(body);
    if (lines === undefined) return undefined;
    const judge = new Judge({ registry, schema, subjects: client.subjects, limits: this.#context.limits }, false);
    judge.open(lines);
    const judgement = judge.judge(0);
    if (judgement === 'blank' || !isPassed(judgement)) return undefined;
    const version = judgement.schema;
    if (version.suite.checks.length > 0) return undefined;

    const group = this.#groupFor(client.id, body.length);
    const line = group.members.length + 1;
    const { rows } = group.loading.chunk(version);
    rows.escapes = judge.escapes;
    if (encoderOf(version)(judgement.event, rows, line) !== undefined) return undefined;
    const source: Source = { file: null, linesBefore: 0, bytes: body, offset: group.bytes };
    group.loading.chunk(version).add(source, version, lines.starts[0]!, lines.ends[0]!, line);
    group.tally.received++;
    group.tally.pass(version.id, line);
    group.bytes += body.length;
    group.hash.update(body);
    return new Promise((resolve, reject) => {
      group.members.push({ schema: version.id, bytes: body.length, startedAt, resolve, reject });
      // Whatever has arrived by now goes along.
      if (group.members.length === 1) setImmediate(() => this.#commitNext());
    });
  }

  #groupFor(client: string | null, bytes: number): Group {
    const open = this.#open.get(client);
    if (open !== undefined && open.members.length < MOST_EVENTS && open.bytes + bytes <= MOST_BYTES) return open;
    if (open !== undefined) void this.#commit(client, open);
    const group = this.#newGroup(client);
    this.#open.set(client, group);
    return group;
  }

  #newGroup(client: string | null): Group {
    const { db, process, limits } = this.#context;
    const batchId = uuidv7();
    const receivedAt = new Date();
    const tally = new Tally();
    const rules = { onError: 'continue', maxRejected: null, mostRejections: limits.rejections } as const;
    const options = { batchId, client, receivedAt, process, rules, dryRun: false, claim: null, schemaParameter: null };
    const loading = new Loading(db, tally, { ...options, resolve: () => null });
    return { batchId, receivedAt, tally, loading, members: [], bytes: 0, hash: createHash('sha256') };
  }

  #commitNext(): void {
    for (const [client, group] of this.#open) {
      if (this.#groups >= AT_ONCE) return;
      if (group.members.length === 0) continue;
      if (this.#isPatient(client)) this.#timer ??= setTimeout(() => this.#waited(), PATIENCE_MS);
      else {
        this.#open.delete(client);
        void this.#commit(client, group);
      }
    }
  }

  #waited(): void {
    this.#timer = undefined;
    this.#commitNext();
  }

  #isPatient(client: string | null): boolean {
    const own = this.#committing.get(client);
    return own !== undefined && performance.now() - own.since < PATIENCE_MS;
  }

  #begin(client: string | null): void {
    this.#groups++;
    const groups = (this.#committing.get(client)?.groups ?? 0) + 1;
    this.#committing.set(client, { groups, since: performance.now() });
  }

  #end(client: string | null): void {
    this.#groups--;
    const own = this.#committing.get(client)!;
    own.groups--;
    if (own.groups === 0) this.#committing.delete(client);
  }

  async #commit(client: string | null, group: Group): Promise<void> {
    this.#begin(client);
    let tell: () => void;
    try {
      const report = await this.#finish(group);
      const duplicates = report.lines.duplicate === 0 ? NONE : await duplicateLines(this.#context.db, group.batchId);
      const reports = new SingleReports(report, duplicates);
      tell = () => {
        group.members.forEach((member, index) => {
          member.resolve({ batchId: group.batchId, ...reports.of(index + 1, member) });
        });
      };
    } catch (error) {
      tell = () => {
        for (const { reject } of group.members) reject(error);
      };
    }
    this.#end(client);
    this.#commitNext();
    // Postgres has its next group first, and works while these are answered.
    setImmediate(tell);
  }

  async #finish({ batchId, loading, members, bytes, hash }: Group): Promise<Report> {
    const sha256 = hash.digest('hex');
    const files = [{ name: null, format: 'json' as const, first_line: 1, lines: members.length, bytes, sha256 }];
    const startedAt = Math.min(...members.map((member) => member.startedAt));
    const ending = { files, bytes, startedAt, fingerprint: Buffer.alloc(0) };
    try {
      return JSON.parse((await loading.finish(ending)).report);
    } catch (error) {
      await loading.abandon((error as Error).message, ending, true).catch(() => this.#context.onLost(batchId));
      throw error;
    }
  }
}

const NONE: ReadonlySet<number> = new Set();

/** The one line of a body that may hold one object, without the white space around it; undefined for any other. */
function wholeBody(bytes: Buffer): Lines | undefined {
  let start = 0;
  let end = bytes.length;
  while (start < end && isSpace(bytes[start]!)) start++;
  while (end > start && isSpace(bytes[end - 1]!)) end--;
  if (bytes[start] !== 0x7b) return undefined;
  return { bytes, offset: 0, count: 1, starts: Int32Array.of(start), ends: Int32Array.of(end), fault: undefined };
}
