// report=full: the report with all its rejections and one verdict per line, written out piece by piece.
import type { Database } from '../db.ts';
import type { Report } from '../model.ts';
import { readRejections, readVerdicts } from './read.ts';

/** Pieces of text are gathered to about this size before they are handed on. */
const PIECE = 64 * 1024;

/** JSON text of the full report of a stored batch, in pieces. */
export async function* fullReport(db: Database, report: Report): AsyncGenerator<string> {
  const { rejections: _, rejections_truncated: __, links, ...head } = report;
  yield JSON.stringify(head).slice(0, -1);
  yield ',"rejections":[';
  yield* joined(withoutBytes(await readRejections(db, report.batch_id)));
  yield '],"rejections_truncated":false,"verdicts":[';
  yield* joined(await readVerdicts(db, report.batch_id));
  yield `],"links":${JSON.stringify(links)}}`;
}

/** NDJSON text of the items, in pieces. */
export async function* ndjson(items: AsyncIterable<object>): AsyncGenerator<string> {
  let piece = '';
  for await (const item of items) {
    piece += `${JSON.stringify(item)}\n`;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

async function* joined(items: AsyncIterable<object> = empty()): AsyncGenerator<string> {
  let piece = '';
  let isFirst = true;
  for await (const item of items) {
    piece += isFirst ? JSON.stringify(item) : `,${JSON.stringify(item)}`;
    isFirst = false;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** The bytes of rejected lines are behind their own address; a report names places and reasons. */
async function* withoutBytes(items: AsyncIterable<object> = empty()): AsyncGenerator<object> {
  for await (const item of items) {
    const { raw: _, raw_base64: __, raw_truncated: ___, ...rejection } = item as Record<string, unknown>;
    yield rejection;
  }
}

async function* empty(): AsyncGenerator<object> {}
