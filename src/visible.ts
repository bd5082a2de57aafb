// Text that came from elsewhere, on its way to a terminal or a log: what would steer the one or end a line of the other
// is spelled out. Strings in, strings out.

/** Controls (C0, DEL, C1), formatting characters (among them those that turn the direction of text), line separators. */
const UNRULY = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Those of them that stand in JSON as they are, and that one `\u` escape can name. */
const UNRULY_IN_JSON =
  /[\u007f-\u009f\u00ad\u0600-\u0605\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** One line, whatever is in the text. */
export function visible(text: string): string {
  return text.replace(UNRULY, (each) => `\\u${each.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}

/** The same, of a text that is meant to have several lines. */
export function visibleLines(text: string): string {
  return text.split('\n').map(visible).join('\n');
}

/** JSON text with the same value: in it such characters are always inside of a string. */
export function visibleJson(json: string): string {
  return json.replace(UNRULY_IN_JSON, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
