// The order in which jsonb keeps the members of an object: shorter keys first, by their bytes in UTF-8, and keys of one
// length by those bytes (lengthCompareJsonbStringValue in Postgres's src/backend/utils/adt/jsonb_util.c).

/** Up to here insertion beats Array's own sort (measured on Node 20). */
const FEW_KEYS = 16;

/** Sorts the different keys of one object in place. */
export function sortKeys(keys: string[]): void {
  const count = keys.length;
  let isBefore = isBeforeAscii;
  for (let index = 0; index < count; index++) if (!isAscii(keys[index]!)) isBefore = isBeforeUtf8;
  if (count > FEW_KEYS) {
    keys.sort((a, b) => (isBefore(a, b) ? -1 : 1));
    return;
  }
  for (let index = 1; index < count; index++) {
    const key = keys[index]!;
    let at = index;
    for (; at > 0 && isBefore(key, keys[at - 1]!); at--) keys[at] = keys[at - 1]!;
    keys[at] = key;
  }
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) return false;
  return true;
}

/** For different keys of ASCII, where a character is a byte. */
function isBeforeAscii(a: string, b: string): boolean {
  return a.length === b.length ? a < b : a.length < b.length;
}

/** For any two different keys. */
function isBeforeUtf8(a: string, b: string): boolean {
  const longer = Buffer.byteLength(a) - Buffer.byteLength(b);
  if (longer !== 0) return longer < 0;
  let at = 0;
  while (a.charCodeAt(at) === b.charCodeAt(at)) at++;
  const first = a.charCodeAt(at);
  const second = b.charCodeAt(at);
  // UTF-8 sorts by code point: what UTF-16 writes as a surrogate is beyond all that it writes as itself.
  if (isSurrogate(first) !== isSurrogate(second)) return isSurrogate(second);
  return first < second;
}

function isSurrogate(code: number): boolean {
  return (code & 0xf800) === 0xd800;
}
