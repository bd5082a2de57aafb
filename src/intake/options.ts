// Query parameters and headers of POST /v1/events → options. A parameter that is not understood is refused: a mistyped
// `dry_run` must not store anything.
import { Problem } from '../errors.ts';
import type { RejectionBound } from '../report/abort.ts';
import type { ReportDetail } from '../report/build.ts';

export interface UploadOptions {
  /** As sent: `subject`, `subject/1` or `subject/1.2.0`. */
  schema: string | null;
  dryRun: boolean;
  onError: 'continue' | 'abort';
  maxRejected: RejectionBound | null;
  report: ReportDetail;
}

export const PARAMETERS = ['schema', 'dry_run', 'on_error', 'max_rejected', 'report'] as const;
type Parameter = (typeof PARAMETERS)[number];

/**
 * Reads the query parameters.
 * @param query as Fastify parses it: a parameter given twice is an array
 * @throws {Problem} `invalid_parameter`
 */
export function readOptions(query: Readonly<Record<string, unknown>>): UploadOptions {
  for (const name of Object.keys(query)) {
    if (!PARAMETERS.includes(name as Parameter)) {
      throw invalid(name, 'is not known', `known are ${PARAMETERS.join(', ')}`);
    }
  }
  const text = (name: Parameter): string | undefined => {
    const value = query[name];
    if (Array.isArray(value)) throw invalid(name, 'is given more than once', 'give it once');
    return value as string | undefined;
  };
  const choice = <T extends string>(name: Parameter, allowed: readonly T[], fallback: T): T => {
    const value = text(name);
    if (value === undefined) return fallback;
    const found = allowed.find((each) => each === value);
    if (found === undefined) throw invalid(name, `is ${JSON.stringify(value)}`, `allowed is ${allowed.join(', ')}`);
    return found;
  };
  return {
    schema: text('schema') ?? null,
    dryRun: ['true', '1', ''].includes(choice('dry_run', ['true', 'false', '1', '0', ''], 'false')),
    onError: choice('on_error', ['continue', 'abort'], 'continue'),
    maxRejected: bound(text('max_rejected')),
    report: choice('report', ['rejected', 'summary', 'full'], 'rejected'),
  };
}

/** The options that decide what becomes of the lines, in one canonical text. */
export function decidingParameters({ schema, onError, maxRejected }: UploadOptions): string {
  return JSON.stringify([schema, onError, maxRejected]);
}

/**
 * Reads the `Idempotency-Key` header. Node hands on bytes above 0x7e as latin-1; they are refused.
 * @throws {Problem} `invalid_idempotency_key`
 */
export function readIdempotencyKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  if (typeof header === 'string' && /^[\x21-\x7e]{1,255}$/.test(header)) return header;
  throw new Problem('invalid_idempotency_key', 'Idempotency-Key must be 1 to 255 visible ASCII characters');
}

function bound(text: string | undefined): RejectionBound | null {
  if (text === undefined) return null;
  const [, number = '', percent] = /^(\d{1,15}|\d{1,3}\.\d{1,10}(?=%))(%?)$/.exec(text) ?? [];
  if (number !== '' && percent === '') return { lines: Number(number) };
  if (number !== '' && Number(number) <= 100) return { share: Number(number) / 100 };
  throw invalid('max_rejected', `is ${JSON.stringify(text)}`, 'allowed is a count such as 100 or a share such as 5%');
}

function invalid(name: string, fault: string, allowed: string): Problem {
  return new Problem('invalid_parameter', `The parameter ${name} ${fault}: ${allowed}`, {
    members: { parameter: name },
  });
}
