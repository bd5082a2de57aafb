// Version numbers as file names and references write them.

export type VersionNumber = readonly [major: number, minor: number, patch: number];

/** One number of a version: no leading zeros, at most nine digits, so that a table's name keeps within its limit. */
export const NUMBER_PATTERN = '(0|[1-9]\\d{0,8})';
const VERSION = new RegExp(`^${NUMBER_PATTERN}\\.${NUMBER_PATTERN}\\.${NUMBER_PATTERN}$`);

/** The numbers of `1.2.0`, or null for anything else. */
export function parseVersion(text: string): VersionNumber | null {
  const found = VERSION.exec(text);
  return found === null ? null : [Number(found[1]), Number(found[2]), Number(found[3])];
}

/** Numeric order, as for `Array.sort`. */
export function compareVersions(a: VersionNumber, b: VersionNumber): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
