// The text of a row condition → tokens. Knows characters; what they mean together is the parser's business.
import { ConditionFault, excerpt } from './condition-tree.ts';

/** `great_expectations`: the grammar for SQL. `pandas`: expressions of `DataFrame.query`. */
export type Dialect = 'great_expectations' | 'pandas';

export interface Token {
  /** `quoted` is a name in backquotes, `sign` everything that is neither name nor value. */
  kind: 'word' | 'number' | 'string' | 'quoted' | 'sign' | 'end';
  /** The value of a string, without its quotes. */
  text: string;
  /** The character that it begins at, from 1. */
  at: number;
}

/** Longer ones first. Some are there to be refused by name. */
const SIGNS = ['==', '!=', '<=', '>=', '<>', '&&', '||', ...'<>=&|()[],.~!@'];
const SPACE = /\s+/y;
const WORD = /[\p{L}_][\p{L}\p{N}_]*/uy;
// Great Expectations wants digits before the point, Python does not.
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
/** What Python makes of a character behind a backslash; only those that nobody has to look up. */
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\', "'": "'", '"': '"', n: '\n', r: '\r', t: '\t' };

/**
 * The tokens of a condition; the last one is its end.
 * @throws {ConditionFault}
 */
export function tokenize(text: string, dialect: Dialect): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    at += matchAt(SPACE, text, at).length;
    if (at === text.length) return [...tokens, { kind: 'end', text: '', at: at + 1 }];
    const { token, length } = tokenAt(text, at, dialect);
    tokens.push(token);
    at += length;
  }
}

function tokenAt(text: string, start: number, dialect: Dialect): { token: Token; length: number } {
  const at = start + 1;
  const first = text[start]!;
  if (first === '"' || first === "'" || first === '`') {
    const { value, length } = quotedAt(text, start, dialect === 'pandas' && first !== '`');
    return { token: { kind: first === '`' ? 'quoted' : 'string', text: value, at }, length };
  }
  const number = matchAt(NUMBER, text, start);
  if (number !== '') {
    const tail = matchAt(WORD, text, start + number.length);
    if (tail !== '') throw new ConditionFault(`at character ${at}: ${excerpt(number + tail)} is no number`);
    return { token: { kind: 'number', text: number, at }, length: number.length };
  }
  const word = matchAt(WORD, text, start);
  if (word !== '') return { token: { kind: 'word', text: word, at }, length: word.length };
  const sign = SIGNS.find((each) => text.startsWith(each, start));
  if (sign !== undefined) return { token: { kind: 'sign', text: sign, at }, length: sign.length };
  const stranger = String.fromCodePoint(text.codePointAt(start)!);
  throw new ConditionFault(`at character ${at}: ${excerpt(stranger)} is not understood`);
}

/** A quoted text. Great Expectations knows no escapes in it: a backslash stands for itself. */
function quotedAt(text: string, start: number, hasEscapes: boolean): { value: string; length: number } {
  const quote = text[start]!;
  let value = '';
  for (let at = start + 1; at < text.length; at++) {
    const mark = text[at]!;
    if (mark === quote) return { value, length: at + 1 - start };
    if (mark !== '\\' || !hasEscapes) value += mark;
    else {
      const meant = ESCAPES[text[++at] ?? ''];
      if (meant === undefined) {
        const known = 'understood are \\\\, \\\', \\", \\n, \\r and \\t';
        throw new ConditionFault(`at character ${at}: a backslash before this is not understood; ${known}`);
      }
      value += meant;
    }
  }
  throw new ConditionFault(`at character ${start + 1}: the quotation does not end`);
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}
