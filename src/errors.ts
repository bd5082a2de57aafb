// The one table of errors that are not about lines: code, status, title. A retired code is never reused.
// `openapi.yaml` lists the same set and a test compares them.

export const PROBLEMS = {
  empty_body: [400, 'The request has no event in it'],
  invalid_parameter: [400, 'A parameter is not valid'],
  invalid_idempotency_key: [400, 'The Idempotency-Key header is not valid'],
  invalid_compression: [400, 'The compressed body cannot be read'],
  invalid_multipart: [400, 'The multipart body cannot be read'],
  incomplete_body: [400, 'The body ended before its announced end'],
  bad_request: [400, 'The request cannot be understood'],
  invalid_body: [400, 'The body is not what this address takes'],
  unknown_schema: [400, 'The schema parameter names no known schema'],
  unauthorized: [401, 'A valid API key is needed'],
  forbidden: [403, 'The API key may not do this'],
  cross_origin: [403, 'Pages of other sites may not do this'],
  not_found: [404, 'There is nothing at this address'],
  batch_not_found: [404, 'There is no such batch'],
  schema_not_found: [404, 'There is no such schema'],
  method_not_allowed: [405, 'This address does not take this method'],
  body_timeout: [408, 'The client sent too little for too long'],
  idempotency_key_in_use: [409, 'A request with this Idempotency-Key is still running'],
  batch_not_held: [409, 'The batch is not held'],
  batch_not_promoted: [409, 'The batch has no rows that could be taken back'],
  batch_not_provable: [409, 'Nothing is recorded that the batch could be held against'],
  batch_incomplete: [409, 'Rows of the batch are missing in the stage'],
  row_refused: [409, 'The table refused rows of the batch'],
  batch_unfinished: [409, 'The batch is still being received'],
  replay_running: [409, 'Another replay is under way'],
  incompatible_schema: [409, 'The version promises less than it breaks'],
  version_conflict: [409, 'This version has another content'],
  schema_folder_read_only: [409, 'The schema folder cannot be written to'],
  body_too_large: [413, 'The body is larger than allowed'],
  too_many_files: [413, 'The request has more files than allowed'],
  unsupported_media_type: [415, 'This content type is not accepted'],
  unsupported_encoding: [415, 'This content encoding is not accepted'],
  idempotency_key_reused: [422, 'This Idempotency-Key was used with another payload'],
  invalid_schema: [422, 'The document is no schema for events'],
  invalid_schema_folder: [422, 'The schema folder has faults, the schemas in use stay'],
  too_many_batches: [429, 'Too many uploads at once'],
  rate_limited: [429, 'The API key asks for more than it may'],
  headers_too_large: [431, 'The request headers are too large'],
  internal_error: [500, 'The server failed'],
  database_unavailable: [503, 'Postgres cannot be reached'],
  database_busy: [503, 'Postgres could not take the batch in time'],
  schema_tables_not_updated: [503, 'The tables could not be brought up to date'],
  overloaded: [503, 'The server has too much to do'],
  shutting_down: [503, 'The server is shutting down'],
  storage_full: [507, 'Postgres has no room left'],
} as const satisfies Record<string, readonly [number, string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** An RFC 9457 problem on its way to the client. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  /** Seconds for `Retry-After`, where a retry helps. */
  readonly retryAfter: number | undefined;
  /** Further members of the problem document. */
  readonly members: Record<string, unknown>;

  constructor(
    code: ProblemCode,
    detail: string,
    options: { retryAfter?: number; members?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    // What a client did wrong has no place in our code, and finding it is most of what a refusal costs.
    const { stackTraceLimit } = Error;
    if (PROBLEMS[code][0] < 500) Error.stackTraceLimit = 0;
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Problem';
    this.code = code;
    [this.status, this.title] = PROBLEMS[code];
    this.retryAfter = options.retryAfter;
    this.members = options.members ?? {};
  }

  /** The `application/problem+json` document. */
  toJSON(): Record<string, unknown> {
    return {
      type: `urn:sluice:problem:${this.code}`,
      title: this.title,
      status: this.status,
      detail: this.message,
      code: this.code,
      ...this.members,
    };
  }
}

/** A fault that stops the process before it serves: one line for the operator, no stack trace. */
export class StartError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StartError';
  }
}

/** What was asked for needs a right in Postgres that the server's role does not have. */
export class MissingRight extends StartError {
  constructor(what: string, options?: { cause?: unknown }) {
    super(`${what}: run "sluice migrate" as the role that owns the tables`, options);
    this.name = 'MissingRight';
  }
}
