// SQL as text.

/** Quotes an identifier. Every name in our SQL passes through here or through a parameter. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
