// SQL that turns a column's value into jsonb for a result: times as ISO 8601 in UTC, whole numbers that no double holds
// as strings, and nothing longer than a report can bear.
import type { ColumnType } from '../model.ts';

/** Characters of a text or of a JSON value in a result. */
const LONGEST = 1_000;

/** @param sql an expression of the type */
export function jsonOf(sql: string, type: ColumnType): string {
  switch (type) {
    case 'bigint':
      return `CASE WHEN ${sql} BETWEEN -9007199254740991 AND 9007199254740991 THEN to_jsonb(${sql}) ELSE to_jsonb((${sql})::text) END`;
    case 'text':
      return `to_jsonb(CASE WHEN char_length(${sql}) > ${LONGEST} THEN left(${sql}, ${LONGEST}) || '…' ELSE ${sql} END)`;
    case 'jsonb':
      return `CASE WHEN octet_length((${sql})::text) > ${LONGEST} THEN to_jsonb(left((${sql})::text, ${LONGEST}) || '…') ELSE ${sql} END`;
    case 'timestamptz':
      // A fraction of a second only where there is one.
      return `to_jsonb(rtrim(rtrim(to_char((${sql}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z')`;
    default:
      return `to_jsonb(${sql})`;
  }
}
