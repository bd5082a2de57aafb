// Sets of Unicode code points as sorted, disjoint intervals. Surrogates are not characters here: a JSON text that
// holds a lone one is not interoperable (RFC 8259, 8.2) and Postgres refuses it.

/** Flat list of first, last, first, last … */
export type CharSet = readonly number[];

const LAST = 0x10ffff;
export const ALL_CHARS: CharSet = [0, 0xd7ff, 0xe000, LAST];

export function normalise(pairs: readonly (readonly [number, number])[]): CharSet {
  const sorted = [...pairs].sort((x, y) => x[0] - y[0]);
  const out: number[] = [];
  for (const [first, last] of sorted) {
    if (out.length > 0 && first <= out.at(-1)! + 1) out[out.length - 1] = Math.max(out.at(-1)!, last);
    else out.push(first, last);
  }
  return out;
}

function pairs(set: CharSet): [number, number][] {
  const list: [number, number][] = [];
  for (let i = 0; i < set.length; i += 2) list.push([set[i]!, set[i + 1]!]);
  return list;
}

export function union(...sets: CharSet[]): CharSet {
  return normalise(sets.flatMap(pairs));
}

export function complement(set: CharSet): CharSet {
  const out: [number, number][] = [];
  let next = 0;
  for (const [first, last] of pairs(set)) {
    if (first > next) out.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST) out.push([next, LAST]);
  return out.flatMap(([first, last]) =>
    first <= 0xd7ff && last >= 0xe000
      ? [first, 0xd7ff, 0xe000, last]
      : first > 0xd7ff && last < 0xe000
        ? []
        : [first, last],
  );
}

export function has(set: CharSet, char: number): boolean {
  let low = 0;
  let high = set.length / 2 - 1;
  while (low <= high) {
    const mid = (low + high) >> 1;
    if (char < set[mid * 2]!) high = mid - 1;
    else if (char > set[mid * 2 + 1]!) low = mid + 1;
    else return true;
  }
  return false;
}

/** Characters that read well, best first: what witnesses are made of where there is a choice. */
const NICE = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./:@ +#*,;!?()[]{}<>=%&$~^|\'"`\\';

/**
 * One character for each way in which characters can differ as far as `sets` can tell, nice ones where possible.
 */
export function representatives(sets: Iterable<CharSet>): number[] {
  const cuts = new Set<number>([0, 0xe000]);
  const all = [...sets];
  for (const set of all) {
    for (const [first, last] of pairs(set)) {
      cuts.add(first);
      if (last < LAST) cuts.add(last + 1);
    }
  }
  const candidates = [...NICE].map((char) => char.codePointAt(0)!);
  candidates.push(...[...cuts].filter((cut) => cut < 0xd800 || cut > 0xdfff).sort((x, y) => x - y));
  const seen = new Map<string, number>();
  for (const char of candidates) {
    let signature = '';
    for (const set of all) signature += has(set, char) ? '1' : '0';
    if (!seen.has(signature)) seen.set(signature, char);
  }
  return [...seen.values()];
}

const properties = new Map<string, CharSet>();

/** The characters that a small expression such as `\p{L}` or `\w` matches, found by asking the engine. */
export function matching(source: string, flags: string): CharSet {
  const key = `${source}/${flags}`;
  const known = properties.get(key);
  if (known !== undefined) return known;
  const regex = new RegExp(`^(?:${source})$`, flags);
  const found: number[] = [];
  const ranges = flags.includes('u')
    ? pairs(ALL_CHARS)
    : ([
        [0, 0xd7ff],
        [0xe000, 0xffff],
      ] as const);
  for (const [first, last] of ranges) {
    let open = false;
    for (let char = first; char <= last; char++) {
      const hit = regex.test(String.fromCodePoint(char));
      if (hit && !open) found.push(char);
      if (!hit && open) found.push(char - 1);
      open = hit;
    }
    if (open) found.push(last);
  }
  const set = normalise(pairs(found));
  properties.set(key, set);
  return set;
}
