// The subject that the fuzz tests send to: a column of every type, a nested object, and room for anything undeclared.

export const MOST_LINE_BYTES = 2_000;

const PROPERTIES = {
  n: { type: 'integer' },
  d: { type: 'number' },
  b: { type: 'boolean' },
  s: { type: 'string' },
  t: { type: 'string', format: 'date-time' },
  day: { type: 'string', format: 'date' },
  u: { type: 'string', format: 'uuid' },
  j: { type: ['array', 'object'] },
};

export const FOLDER = {
  'fuzz/1.0.0.json': { type: 'object', properties: { ...PROPERTIES, in: { type: 'object', properties: PROPERTIES } } },
};

/** Lines that are good, and must load whatever stands beside them. */
export const GOOD: readonly string[] = [
  '{"n":1,"s":"ä€😀","t":"2026-01-02T03:04:05Z","in":{"n":9007199254740993}}',
  '{"d":0.1,"b":true,"day":"2024-02-29","u":"123e4567-e89b-12d3-a456-426614174000","j":[1.50,"\\u00e4",{"a":null}]}',
  '{}',
  '{"other":{"deep":[[1e30,-0.0,12345678901234567890.5]]},"s":"tab\\tquote\\"backslash\\\\","in":{"s":"x","y":null}}',
];
