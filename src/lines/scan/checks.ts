// Emits what reads one text of a line, and what checks a text or a number by the rules of its schema.
import type { Names } from './names.ts';
import type { NumberRules, TextRules } from './rules.ts';

/** What the generated code refers to by number. */
export interface Constants {
  /** Names of each object's properties, and the values of enums. */
  names: Names[];
  /** For each object: which property came behind each other one in the line before, and first of all. */
  orders: Int32Array[];
  tests: ((value: never) => boolean)[];
}

/** @returns the number of a constant */
export function add<T>(list: T[], value: T): number {
  return list.push(value) - 1;
}

/**
 * Reads a text that may have escapes. Where it has, its slot says where it stands among the unescaped ones: `low` is
 * then -1 less its beginning.
 * @param checks as {@link textChecks} emits them
 */
export function text(column: number, checks: string): string {
  return `if (bytes[at] !== 0x22) return -1;
      let text = bytes, from = at + 1, close = endOfText(bytes, from, plain);
      at = close;
      if (bytes[close] === 0x5c) {
        at = unescaped.read(bytes, from, close, end, plain);
        text = unescaped.bytes; from = unescaped.start; close = unescaped.end;
      }
      if (at < 0 || bytes[at] !== 0x22) return -1;
      at++;
      ${checks} low[${column}] = text === bytes ? from : -1 - from; high[${column}] = close;`;
}

/**
 * Reads a text of a format that has no need of escapes.
 * @param end code that gives the index of its last quote, or -1
 */
export function plainText(end: string, column: number, checks: string): string {
  return `if (bytes[at] !== 0x22) return -1;
      const text = bytes, from = at + 1, close = ${end};
      if (close < 0 || bytes[close] !== 0x22) return -1;
      at = close + 1;
      ${checks} low[${column}] = from; high[${column}] = close;`;
}

export function textChecks({ least, most, mostBytes, tests, among }: TextRules, constants: Constants): string {
  const checks: string[] = [];
  if (mostBytes < Number.MAX_SAFE_INTEGER) checks.push(`close - from > ${mostBytes}`);
  if (least > 0 || most < Number.MAX_SAFE_INTEGER) checks.push(`!hasLength(text, from, close, ${least}, ${most})`);
  if (among !== null) checks.push(`names[${add(constants.names, among)}].find(text, from, close) < 0`);
  for (const test of tests) {
    checks.push(`!tests[${add(constants.tests, test)}](text.toString('utf8', from, close))`);
  }
  return checks.length === 0 ? '' : `if (${checks.join(' || ')}) return -1;`;
}

export function numberChecks({ bounds, among }: NumberRules, column: number): string {
  const checks = bounds.map(([operator, than]) => `!(number[${column}] ${operator} ${than})`);
  if (among !== null) {
    const same = among.map((each) => `number[${column}] === ${each}`);
    checks.push(`!(${same.join(' || ') || 'false'})`);
  }
  return checks.length === 0 ? '' : `if (at < 0 || ${checks.join(' || ')}) return -1;`;
}
