// JSON Pointer (RFC 6901).

/** The pointer to a path of property names: `['data', 'a/b']` → `/data/a~1b`. */
export function pointer(path: readonly string[]): string {
  return path.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
