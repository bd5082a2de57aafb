// One bad line after the other, each between good ones, each alone, and each in an array: the verdict is the same.
import type { Test } from 'tap';
import type { Answer } from '../helpers/http.ts';
import type { Arena } from './arena.ts';

export interface LineCase {
  name: string;
  line: string | Buffer;
  /** The code of its rejection; null where it is accepted. */
  code: string | null;
  keyword?: string;
  /** JSON Pointer of its first error. */
  path?: string;
  /** Why it has no meaning as a whole body, or as an element of an array. */
  betweenOnly?: boolean;
}

/** `[name, line, code, keyword, path]` as a case. */
export function lineCase(
  name: string,
  line: string | Buffer,
  code: string | null,
  keyword?: string,
  path?: string,
): LineCase {
  return { name, line, code, ...(keyword === undefined ? {} : { keyword }), ...(path === undefined ? {} : { path }) };
}

const NEWLINE = Buffer.from('\n');

/** Where a case stands among its neighbours: the first line is the first case, the second a good one. */
export const lineOf = (cases: readonly LineCase[], name: string): number =>
  cases.findIndex((each) => each.name === name) * 2 + 1;

/**
 * Sends all cases in one body, a good line behind each.
 * @param good the good line behind case `index`
 */
export async function betweenNeighbours(
  t: Test,
  arena: Arena,
  cases: readonly LineCase[],
  good: (index: number) => string,
): Promise<Answer> {
  const body = cases.flatMap(({ line }, index) => [Buffer.from(line), NEWLINE, Buffer.from(good(index)), NEWLINE]);
  const answer = await arena.post('all lines', Buffer.concat(body), { query: { report: 'full' } });
  const { json: report } = answer;
  t.equal(answer.status, cases.some(({ code }) => code !== null) ? 207 : 201, answer.text.slice(0, 500));
  t.equal(report.lines.received, cases.length * 2, 'every line is counted once');
  for (const [index, each] of cases.entries()) {
    const line = index * 2 + 1;
    judged(
      t,
      each,
      report.rejections.find((rejection: { line: number }) => rejection.line === line),
    );
    t.equal(report.verdicts[line].verdict, 'accepted', `the line after ${each.name}`);
  }
  return answer;
}

/** Each line as a whole body, and, where it can be one, as the second element of an array. */
export async function alone(t: Test, arena: Arena, cases: readonly LineCase[], good: string): Promise<void> {
  for (const each of cases) {
    if (each.betweenOnly) continue;
    const { line, name } = each;
    const body = await arena.post(name, Buffer.from(line), { query: { dry_run: 'true' } });
    t.equal(body.status, 200, `${name} alone`);
    judged(t, each, body.json.rejections?.[0], ' alone');
    if (each.code === 'invalid_json') continue;
    const array = Buffer.concat([Buffer.from(`[${good},`), Buffer.from(line), Buffer.from(']')]);
    const headers = { 'content-type': 'application/json' };
    const { json } = await arena.post(name, array, { query: { dry_run: 'true' }, headers });
    t.equal(json.lines?.received, 2, `${name} in an array`);
    judged(t, each, json.rejections?.[0], ' in an array');
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a rejection as it was answered
function judged(t: Test, { name, code, keyword, path }: LineCase, rejection: any, where = ''): void {
  const known = { code: rejection?.code ?? null };
  const wanted: Record<string, unknown> = { code };
  const found: Record<string, unknown> = known;
  if (keyword !== undefined) {
    wanted.keyword = keyword;
    found.keyword = rejection?.errors[0]?.keyword;
  }
  if (path !== undefined) {
    wanted.path = path;
    found.path = rejection?.errors[0]?.path;
  }
  t.strictSame(found, wanted, `${name}${where}`);
}
