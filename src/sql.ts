// SQL as text.

/** Quotes an identifier. Every name in our SQL passes through here or through a parameter. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** An array of text as Postgres reads it: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-INPUT */
export function arrayText(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`;
}
