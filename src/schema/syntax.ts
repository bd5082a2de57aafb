// Where a text stops being JSON (RFC 8259). Node says so in some of its messages only.

const SPACE = /[ \t\n\r]*/y;
const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters end a string
  /[{}[\],:]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | 'colon' | 'more or end';

/** Index of the first token that cannot stand where it stands; the text's length if it only ends too early. */
export function syntaxErrorAt(text: string): number {
  const open: string[] = [];
  let expected: Expected = 'value';
  for (let at = skip(text, 0); at < text.length; at = skip(text, TOKEN.lastIndex)) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    const next: Expected | undefined = token === undefined ? undefined : after(token, expected, open);
    if (next === undefined) return at;
    expected = next;
  }
  return text.length;
}

/** What may follow a token; undefined where the token itself is wrong. Keeps the closing brackets still missing. */
function after(token: string, expected: Expected, open: string[]): Expected | undefined {
  const close = (): Expected | undefined => (open.pop() === token ? 'more or end' : undefined);
  if (expected === 'colon') return token === ':' ? 'value' : undefined;
  if (expected === 'more or end') {
    if (token !== ',') return close();
    return open.length === 0 ? undefined : open.at(-1) === '}' ? 'name' : 'value';
  }
  if (expected === 'name' || expected === 'name or }') {
    if (token === '}' && expected === 'name or }') return close();
    return token.startsWith('"') ? 'colon' : undefined;
  }
  if (token === ']' && expected === 'value or ]') return close();
  if (token === '{' || token === '[') {
    open.push(token === '{' ? '}' : ']');
    return token === '{' ? 'name or }' : 'value or ]';
  }
  return /^[}\],:]/.test(token) ? undefined : 'more or end';
}

function skip(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.test(text);
  return SPACE.lastIndex;
}
