// The report of one event of a group that was committed together: as if it had come alone.
import type { Report } from '../model.ts';
import { httpStatus } from './build.ts';

/** What only the event's own request knows. */
export interface SingleEvent {
  /** Id of its schema version. */
  schema: string;
  bytes: number;
  /** `performance.now()` when the request came. */
  startedAt: number;
}

/**
 * The report of one event, as JSON text, with its HTTP status.
 * @param group the report of the batch
 * @param line the event's line in the batch
 */
export function singleReport(
  group: Report,
  line: number,
  { schema, bytes, startedAt }: SingleEvent,
  isDuplicate: boolean,
): { report: string; status: number } {
  const duration_ms = Math.round(performance.now() - startedAt);
  if (group.lines.received === 1)
    return { report: JSON.stringify({ ...group, bytes, duration_ms }), status: httpStatus(group) };
  const rejection = group.rejections.find((each) => each.line === line);
  const isKept = group.status === 'promoted' && rejection === undefined;
  const lines = {
    received: 1,
    accepted: Number(isKept && !isDuplicate),
    rejected: Number(!isKept),
    duplicate: Number(isKept && isDuplicate),
    blank: 0,
  };
  const { batch_id, reason, checks, links } = group;
  const report: Report = {
    batch_id,
    status: isKept || group.status !== 'promoted' ? group.status : 'rejected',
    ...(reason === undefined ? {} : { reason }),
    lines,
    bytes,
    duration_ms,
    schemas: lines.accepted === 1 ? { [schema]: 1 } : {},
    checks: checks.map((check) =>
      'observed' in check ? { ...check, expected: Number(isKept), observed: Number(isKept) } : check,
    ),
    causes: [],
    rejections: [],
    rejections_truncated: false,
    links,
  };
  if (rejection !== undefined) {
    const { code, schema: judgedBy, errors } = rejection;
    const { path, keyword, message } = errors[0]!;
    report.causes = [{ code, schema: judgedBy, path, keyword, message, count: 1, example_line: 1 }];
    report.rejections = [{ ...rejection, line: 1, offset: 0 }];
  }
  return { report: JSON.stringify(report), status: httpStatus(report) };
}
