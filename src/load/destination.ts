// What the pipeline hands judged lines to.
import type { Rejection } from '../model.ts';
import type { SchemaVersion } from '../schema/registry.ts';
import type { Chunk } from './chunk.ts';
import type { FileRecord, StoredAnswer } from './record.ts';

/** Where judged lines go: into Postgres, or (`sluice validate`) nowhere. */
export interface Destination {
  /** Set once nothing of the batch will be kept. Lines are judged on, for the sake of the report. */
  abortReason: string | undefined;
  /** Rows of this schema version are to be written here. */
  chunk(schema: SchemaVersion): Chunk;
  reject(rejection: Rejection): void;
  blank(batchLine: number): void;
  readonly isFull: boolean;
  /** Makes room. */
  relieve(): Promise<void>;
  finish(ending: Ending): Promise<StoredAnswer>;
  /** Nothing is kept. @param isUpload whether there was anything of an upload, so that it is worth a record */
  abandon(reason: string, ending: Ending, isUpload: boolean): Promise<void>;
}

/** What the pipeline knows at the end and the tally does not. */
export interface Ending {
  files: FileRecord[];
  bytes: number;
  /** `performance.now()` when the request came. */
  startedAt: number;
  /** What the idempotency key is bound to. */
  fingerprint: Buffer;
}
