// Single events that are committed together. What a commit costs is the wait for the disk, not the row: events that
// arrive while commits are under way wait for the next one, together, and a lone event waits for nobody.
//
//   body ── judged ──► the open group ── a commit is free ──► one batch, one transaction ──► an answer each
//
// Only events that pass come in here. All others go the usual way, each a batch of its own: a bad event, which is to be a
// rejection; one with an Idempotency-Key, which has to find its own report again; one of a subject with checks, where it
// must not hold others.
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
import { singleReport } from './report/single.ts';
import { Tally } from './report/tally.ts';
import type { SchemaVersion } from './schema/registry.ts';

/** What gathers beyond that begins another group. */
const MOST_EVENTS = 1_000;
const MOST_BYTES = 1024 * 1024;
/** Groups committing at once: while Postgres flushes one it can write the other. */
const AT_ONCE = 2;

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
  #committing = 0;

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
    if (open !== undefined) void this.#commit(open);
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
      if (this.#committing >= AT_ONCE) return;
      if (group.members.length === 0) continue;
      this.#open.delete(client);
      void this.#commit(group).finally(() => this.#commitNext());
    }
  }

  async #commit(group: Group): Promise<void> {
    this.#committing++;
    try {
      const report = await this.#finish(group);
      const duplicates = report.lines.duplicate === 0 ? NONE : await duplicateLines(this.#context.db, group.batchId);
      group.members.forEach((member, index) => {
        member.resolve(answerOf(report, index + 1, member, duplicates));
      });
    } catch (error) {
      for (const { reject } of group.members) reject(error);
    } finally {
      this.#committing--;
    }
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

/** What one member is told: the report of its event, as if it had come alone. */
function answerOf(group: Report, line: number, member: Member, duplicates: ReadonlySet<number>): Answer {
  const report = singleReport(group, line, member, duplicates.has(line));
  return { batchId: group.batch_id, ...report };
}
