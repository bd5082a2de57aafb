// Regular expressions of schemas. JSON Schema asks for ECMA-262 with Unicode; many schemas escape more than that allows.

/**
 * The expression for `pattern` or a name of `patternProperties`, Unicode-aware where the source allows it.
 * @throws {SyntaxError} for a source that is no regular expression in either mode
 */
export function schemaPattern(source: string): RegExp {
  try {
    return new RegExp(source, 'u');
  } catch {
    return new RegExp(source);
  }
}
