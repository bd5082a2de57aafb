// What must hold of every upload, whatever is in it. The lines are counted and judged here anew, as plainly as possible:
// nothing of src/ is used.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Server } from '../helpers/server.ts';
import { GOOD, MOST_LINE_BYTES } from './subject.ts';
import { send, type Upload } from './upload.ts';

export interface Place {
  server: Server;
  query(sql: string, params?: unknown[]): Promise<Record<string, unknown>[]>;
}

interface Report {
  batch_id: string;
  status: string;
  lines: Record<'received' | 'accepted' | 'rejected' | 'duplicate' | 'blank', number>;
  causes: { count: number }[];
  schemas: Record<string, number>;
  rejections: { line: number }[];
}

interface Verdict {
  line: number;
  verdict: string;
  code?: string;
}

interface StoredRejection {
  line: number;
  length: number;
  code: string;
  raw?: string;
  raw_base64?: string;
}

/** Sends an upload. @throws {Error} which invariant does not hold */
export async function check(place: Place, upload: Upload): Promise<void> {
  const reply = await send(place.server, upload);
  await expectLife(place.server);
  if (reply === null) {
    // Only a request that cannot be meant well is cut off.
    demand(upload.form === 'odd', 'the connection was cut');
    return;
  }
  const { status, type, text } = reply;
  demand(status < 500, () => `status ${status}: ${text.slice(0, 300)}\n${lastWords(place.server)}`);
  const json = JSON.parse(text);
  if (type.includes('problem+json')) {
    demand(status >= 400 && typeof json.code === 'string' && json.status === status, `no proper problem: ${text}`);
    demand(!/ at .*\.[jt]s:\d|SELECT |INSERT /.test(text), `it tells of our insides: ${text}`);
    expectProblem(upload, json.code, text);
    return;
  }
  demand([201, 207, 422].includes(status), `status ${status}`);
  await checkReport(place, upload, json);
}

function expectProblem({ form, content, members }: Upload, code: string, text: string): void {
  if (form === 'odd') return;
  const bytes = withoutMark(content);
  const isEmpty = form === 'json' ? isBlankJson(bytes) : bytes.length === 0;
  const isGzip = members === null && content[0] === 0x1f && content[1] === 0x8b;
  const expected = isEmpty ? ['empty_body'] : isGzip ? ['unsupported_encoding', 'invalid_compression'] : [];
  demand(expected.includes(code), `refused as a whole: ${text}`);
}

async function checkReport(place: Place, upload: Upload, report: Report): Promise<void> {
  const { lines: totals, batch_id: id, status } = report;
  const { received, accepted, rejected, duplicate, blank } = totals;
  demand(received === accepted + rejected + duplicate + blank, `${JSON.stringify(totals)} do not add up`);
  demand(sum(report.causes.map(({ count }) => count)) === rejected, 'the causes do not add up');
  demand(sum(Object.values(report.schemas)) === accepted, 'the schemas do not add up');
  demand(status === (accepted > 0 ? 'promoted' : 'rejected') || accepted + rejected === 0, `the batch is ${status}`);

  const verdicts = await ndjson<Verdict>(place.server, `/v1/batches/${id}/lines`);
  demand(verdicts.length === received && verdicts.every(({ line }, at) => line === at + 1), 'not one verdict a line');
  const counted = (wanted: string) => verdicts.filter(({ verdict }) => verdict === wanted).length;
  for (const [name, count] of Object.entries({ accepted, rejected, duplicate, blank })) {
    demand(counted(name) === count, `${counted(name)} lines are ${name}, and ${count} in the report`);
  }
  const rejections = await ndjson<StoredRejection>(place.server, `/v1/batches/${id}/rejections`);
  const badLines = verdicts.filter(({ verdict }) => verdict === 'rejected');
  demand(
    same(
      rejections.map(({ line, code }) => [line, code]),
      badLines.map(({ line, code }) => [line, code]),
    ),
    'rejections and verdicts differ',
  );
  const rows = await place.query('SELECT _line::int AS line FROM events.fuzz WHERE _batch_id = $1 ORDER BY _line', [
    id,
  ]);
  const goodLines = verdicts.filter(({ verdict }) => verdict === 'accepted');
  demand(
    same(
      rows.map(({ line }) => line),
      goodLines.map(({ line }) => line),
    ),
    'rows and accepted lines differ',
  );

  const sent = sentLines(upload);
  if (sent === null) return;
  demand(sent.length === received, `${sent.length} lines were sent, ${received} received`);
  for (const [at, { verdict, code }] of verdicts.entries())
    expectVerdict(upload.form, sent[at]!, verdict, code, at + 1);
  for (const { line, length, raw, raw_base64 } of rejections) {
    const kept = raw === undefined ? Buffer.from(raw_base64!, 'base64') : Buffer.from(raw);
    const bytes = sent[line - 1]!;
    demand(
      length === bytes.length && kept.equals(bytes.subarray(0, MOST_LINE_BYTES)),
      () =>
        `line ${line} of ${bytes.length} bytes was stored with other bytes: ${length}, ${kept.length}, ${kept.subarray(0, 40).toString('latin1')}`,
    );
  }
  await expectValues(
    place,
    id,
    goodLines.map(({ line }) => [line, sent[line - 1]!.toString()]),
  );
}

/** The lines of an upload, without their endings; null where only the server's word can be had. */
function sentLines({ content, form }: Upload): Buffer[] | null {
  if (form === 'odd') return null;
  if (form === 'json') return sentElements(content);
  const bytes = withoutMark(content);
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at;
    while (end < bytes.length && bytes[end] !== 0x0a) end++;
    lines.push(bytes.subarray(at, end > at && bytes[end - 1] === 0x0d ? end - 1 : end));
    at = end + 1;
  }
  return lines;
}

/** Of a JSON body only whole good arrays are taken apart here; what the elements' bytes are is not known then. */
function sentElements(content: Buffer): Buffer[] | null {
  const text = utf8(withoutMark(content));
  if (text === null || !text.trimStart().startsWith('[')) return null;
  let depth = 0;
  let inString = false;
  const elements: string[] = [''];
  const body = text.trim().slice(1, -1);
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  for (let at = 0; at < body.length; at++) {
    const char = body[at]!;
    if (inString && char === '\\') {
      elements[elements.length - 1] += char + body[++at]!;
      continue;
    }
    if (char === '"') inString = !inString;
    if (!inString && (char === '{' || char === '[')) depth++;
    if (!inString && (char === '}' || char === ']')) depth--;
    if (!inString && depth === 0 && char === ',') elements.push('');
    else elements[elements.length - 1] += char;
  }
  const whole = elements.map((element) => Buffer.from(element.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')));
  return whole.length === 1 && whole[0]!.length === 0 ? [] : whole;
}

const ON_EVENTS = ['accepted', 'too_deep', 'duplicate_key', 'unknown_schema', 'schema_violation', 'unstorable_value'];

function expectVerdict(form: string, line: Buffer, verdict: string, code: string | undefined, number: number): void {
  const given = code ?? verdict;
  const expected = possibleVerdicts(form, line);
  const words = () =>
    `line ${number} is ${given}, not ${expected.join(' or ')}: ${line.toString('latin1').slice(0, 200)}`;
  demand(expected.includes(given), words);
}

/** What may become of a line: `accepted`, `blank` or the code of a rejection. */
function possibleVerdicts(form: string, line: Buffer): string[] {
  if (form !== 'json' && /^[ \t\r]*$/.test(line.toString('latin1'))) return ['blank'];
  if (line.length > MOST_LINE_BYTES) return ['line_too_long'];
  const text = utf8(line);
  if (text === null) return ['invalid_utf8'];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return ['invalid_json'];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['not_an_object'];
  return GOOD.includes(text) ? ['accepted'] : ON_EVENTS;
}

/** Postgres's own reading of each accepted line, held against its row: every value to the last digit. */
async function expectValues({ query }: Place, id: string, lines: [number, string][]): Promise<void> {
  if (lines.length === 0) return;
  const different = await query(
    `SELECT sent.line, sent.text, built.event::text AS stored FROM unnest($2::int[], $3::text[]) AS sent (line, text)
     JOIN events.fuzz ON _batch_id = $1 AND _line = sent.line
     CROSS JOIN LATERAL (SELECT ${built('')} AS outer_event, ${built('in_')} AS inner_event) AS parts
     CROSS JOIN LATERAL (SELECT outer_event || coalesce(_extra, '{}') ||
       CASE WHEN jsonb_typeof(coalesce(_extra -> 'in', '{}')) <> 'object' THEN jsonb_build_object('in', _extra -> 'in')
         WHEN inner_event || coalesce(_extra -> 'in', '{}') = '{}' AND NOT coalesce(_extra ? 'in', false) THEN '{}'
         ELSE jsonb_build_object('in', inner_event || coalesce(_extra -> 'in', '{}')) END AS event) AS built
     CROSS JOIN LATERAL (SELECT text::jsonb - '$schema' AS whole) AS source
     CROSS JOIN LATERAL (SELECT ${normal('source.whole')} AS event) AS wanted
     WHERE built.event <> wanted.event`,
    [id, lines.map(([line]) => line), lines.map(([, text]) => text)],
  );
  demand(different.length === 0, `stored otherwise than sent: ${JSON.stringify(different[0])}`);
}

/** The columns of one level as jsonb; times as their own text in UTC. */
function built(prefix: string): string {
  const member = (name: string, value: string) =>
    `CASE WHEN ${prefix}${name} IS NULL THEN '{}' ELSE jsonb_build_object('${name}', ${value}) END`;
  const plain = ['n', 'd', 'b', 's', 'j'].map((name) => member(name, `${prefix}${name}`));
  const texts = ['t', 'day', 'u'].map((name) => member(name, `${prefix}${name}::text`));
  return [...plain, ...texts].join(' || ');
}

/** The event with its times and uuids as Postgres prints them. */
function normal(event: string): string {
  const cast = (from: string, path: string, type: string) =>
    `CASE WHEN ${from} ? '${path}' AND jsonb_typeof(${from} -> '${path}') = 'string' THEN jsonb_build_object('${path}', (${from} ->> '${path}')::${type}::text) ELSE '{}' END`;
  const level = (from: string) =>
    [
      ['t', 'timestamptz'],
      ['day', 'date'],
      ['u', 'uuid'],
    ]
      .map(([path, type]) => cast(from, path!, type!))
      .join(' || ');
  return `${event} || ${level(event)} || CASE WHEN jsonb_typeof(${event} -> 'in') = 'object'
    THEN jsonb_build_object('in', ${event} -> 'in' || ${level(`(${event} -> 'in')`)}) ELSE '{}' END`;
}

async function expectLife(server: Server): Promise<void> {
  const { url, child } = server;
  let words = '';
  for (let look = 0; look < 5; look++) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    demand(!hasEnded, () => `the process has ended: ${child.signalCode ?? child.exitCode}\n${lastWords(server)}`);
    try {
      const { status } = await fetch(`${url}/healthz`);
      if (status === 200) return;
      words = `status ${status}`;
    } catch (error) {
      words = String((error as Error).cause ?? error);
    }
    await sleep(200);
  }
  throw new Error(`the process does not answer: ${words}\n${lastWords(server)}`);
}

const lastWords = (server: Server): string => server.logs().slice(-15).join('\n').slice(-3_000);

async function ndjson<T>({ url }: Server, path: string): Promise<T[]> {
  const answer = await fetch(`${url}${path}`);
  const text = await answer.text();
  demand(answer.status === 200, `${path}: ${answer.status} ${text.slice(0, 300)}`);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

function isBlankJson(bytes: Buffer): boolean {
  return /^[ \t\r\n]*(\[[ \t\r\n]*\][ \t\r\n]*)?$/.test(bytes.toString('latin1'));
}

function utf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

function demand(holds: boolean, message: string | (() => string)): void {
  if (!holds) throw new Error(typeof message === 'string' ? message : message());
}
