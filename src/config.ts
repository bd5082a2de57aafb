// The only reader of the environment. Every setting stands here once, with its default and its bounds;
// the README's table lists the same names.
import env from 'env-var';
import { StartError } from './errors.ts';
import { FAULT_POINTS, type FaultPoint } from './fault-point.ts';

export interface Limits {
  /** Bytes of one line, without its line ending. */
  lineBytes: number;
  /** Objects and arrays inside each other; the event itself is 1. */
  depth: number;
  /** Bytes of a body as received; 0: unlimited. */
  bodyBytes: number;
  /** Bytes after decompression. */
  decompressedBytes: number;
  /** Decompressed bytes per compressed byte. */
  compressionRatio: number;
  /** Files in one multipart request. */
  files: number;
  /** Rejections kept per batch; one more aborts the batch. */
  rejections: number;
  /** Uploads under way at once in this process. */
  batches: number;
  /** Requests of any kind under way at once in this process. */
  requests: number;
  /** Milliseconds without a byte from the client, or without one that it takes of an answer. */
  idleMs: number;
  /** Bytes a second that a client has to send on the average of `idleMs`; 0: any rate will do. */
  minBytesPerS: number;
}

/** How long what is no longer needed is kept. 0 everywhere but in the interval: for ever. */
export interface RetentionSettings {
  /** Days that the bytes and reasons of rejected lines are kept, counted from when their batch was received. */
  rejectionsDays: number;
  /** Days that a batch's record is kept: its report, the verdicts of its lines, the proof of its rows. */
  batchesDays: number;
  /** Hours that an Idempotency-Key is remembered. */
  keysHours: number;
  /** Days that the rows of a discarded batch stay in the stage, counted from when it was discarded. */
  discardedDays: number;
  /** Seconds between two rounds. */
  intervalS: number;
}

interface AccessSettings {
  /** Whether API keys are asked for; undefined: on every address but a loopback one. */
  auth: 'on' | 'off' | undefined;
  /** What a key may use up that has no figures of its own; 0: no limit. */
  requestsPerS: number;
  bytesPerS: number;
  /** Uploads of a key under way at once. */
  uploads: number;
}

export interface Config {
  host: string;
  port: number;
  /** Unset: the embedded Postgres. */
  databaseUrl: string | undefined;
  dataDir: string;
  schemaDir: string;
  logLevel: string;
  /** Connections in this process's pool. */
  poolSize: number;
  /** Milliseconds that a statement may take; 0: as long as it wants. */
  statementMs: number;
  /** Milliseconds that a statement may wait for a lock; 0: as long as it wants. */
  lockMs: number;
  /** Milliseconds from SIGTERM to the end of the process, at most. */
  drainMs: number;
  /** Where the process is to kill itself: for tests only. */
  faultPoint: FaultPoint | undefined;
  access: AccessSettings;
  limits: Limits;
  retention: RetentionSettings;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
const MIB = 1024 * 1024;

/**
 * Reads and checks every setting.
 * @param source the environment, `process.env` unless a test hands in another
 * @throws {StartError} one line naming the variable, its value and what is allowed
 */
export function readConfig(source: NodeJS.ProcessEnv = process.env): Config {
  const from = env.from(source);

  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const text = source[name];
    if (text === undefined || text === '') return fallback;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) fail(name, text, `a whole number from ${min} to ${max}`);
    return value;
  };
  const string = (name: string, fallback: string): string => from.get(name).default(fallback).asString();

  return {
    host: string('HOST', '127.0.0.1'),
    port: integer('PORT', 3000, 0, 65_535),
    databaseUrl: databaseUrl(source.DATABASE_URL),
    dataDir: string('SLUICE_DATA_DIR', '.sluice'),
    schemaDir: string('SCHEMA_DIR', 'schemas'),
    logLevel: oneOf('LOG_LEVEL', source.LOG_LEVEL || 'info', LOG_LEVELS),
    poolSize: integer('POOL_SIZE', 10, 2, 1_000),
    statementMs: integer('STATEMENT_TIMEOUT_MS', 600_000, 0, 86_400_000),
    lockMs: integer('LOCK_TIMEOUT_MS', 10_000, 0, 86_400_000),
    drainMs: integer('DRAIN_MS', 25_000, 0, 3_600_000),
    faultPoint: source.FAULT_POINT ? oneOf('FAULT_POINT', source.FAULT_POINT, FAULT_POINTS) : undefined,
    access: {
      auth: source.AUTH ? oneOf('AUTH', source.AUTH, ['on', 'off'] as const) : undefined,
      requestsPerS: integer('KEY_REQUESTS_PER_S', 1_000, 0, 1_000_000_000),
      bytesPerS: integer('KEY_BYTES_PER_S', 0, 0, Number.MAX_SAFE_INTEGER),
      uploads: integer('KEY_UPLOADS', 64, 0, 100_000),
    },
    limits: {
      lineBytes: integer('MAX_LINE_BYTES', MIB, 64, 256 * MIB),
      depth: integer('MAX_DEPTH', 64, 1, 1_000),
      bodyBytes: integer('MAX_BODY_BYTES', 0, 0, Number.MAX_SAFE_INTEGER),
      decompressedBytes: integer('MAX_DECOMPRESSED_BYTES', 16 * 1024 * MIB, 1, Number.MAX_SAFE_INTEGER),
      compressionRatio: integer('MAX_COMPRESSION_RATIO', 200, 1, 1_000_000),
      files: integer('MAX_FILES', 100, 1, 10_000),
      rejections: integer('MAX_REJECTIONS', 1_000_000, 1, 100_000_000),
      batches: integer('MAX_BATCHES', 100, 1, 100_000),
      requests: integer('MAX_REQUESTS', 1_000, 1, 1_000_000),
      minBytesPerS: integer('MIN_BYTES_PER_S', 10, 0, 1_000_000_000),
      idleMs: integer('IDLE_TIMEOUT_MS', 30_000, 10, 3_600_000),
    },
    retention: {
      rejectionsDays: integer('RETAIN_REJECTIONS_DAYS', 90, 0, 36_500),
      batchesDays: integer('RETAIN_BATCHES_DAYS', 365, 0, 36_500),
      keysHours: integer('RETAIN_KEYS_HOURS', 72, 0, 876_000),
      discardedDays: integer('RETAIN_DISCARDED_DAYS', 7, 0, 36_500),
      intervalS: integer('RETENTION_INTERVAL_S', 3_600, 1, 604_800),
    },
  };
}

/** Members whose text nobody may read in a log. */
const SECRET = /(pass(word|wd)?|key|secret|token|credentials?)$/i;
const MASK = '***';

/** The settings as they may be logged: no password, key, secret or token is in them. */
export function maskedConfig(config: Config): Record<string, unknown> {
  return masked(config) as Record<string, unknown>;
}

function masked(settings: object): object {
  const entries = Object.entries(settings).map(([name, value]) => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return [name, masked(value)];
    if (value !== undefined && typeof value !== 'number' && typeof value !== 'boolean' && SECRET.test(name)) {
      return [name, MASK];
    }
    return [name, typeof value === 'string' && /Url$/.test(name) ? maskedUrl(value) : value];
  });
  return Object.fromEntries(entries);
}

/** Postgres takes a password, and the names of files with keys, as parameters too. */
function maskedUrl(text: string): string {
  const url = new URL(text);
  if (url.password !== '') url.password = MASK;
  for (const name of [...url.searchParams.keys()]) if (SECRET.test(name)) url.searchParams.set(name, MASK);
  return url.href;
}

function databaseUrl(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  // The value is not repeated here: it may hold a password.
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw new StartError('DATABASE_URL is not a Postgres URL: allowed is postgres://user:password@host:port/database');
  }
  return text;
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  return allowed.find((each) => each === value) ?? fail(name, value, `one of ${allowed.join(', ')}`);
}

function fail(name: string, value: string, allowed: string): never {
  throw new StartError(`${name} is ${JSON.stringify(value)}: allowed is ${allowed}`);
}
