// Formats as ajv-formats validates them in full mode: the predicate, a regular expression where one says the same,
// and samples that hit and miss. Formats that are not in here are annotations.

import { type FormatName, fullFormats } from 'ajv-formats/dist/formats.js';

/** What is known of a string format. */
export interface StringFormat {
  test(text: string): boolean;
  /** Accepts everything that the format accepts; with `exact`, nothing else. */
  regex: RegExp;
  exact: boolean;
  samples: readonly string[];
}

/** Formats of numbers and the whole numbers they allow. float and double allow every number. */
export const NUMBER_FORMATS: ReadonlyMap<string, { min: number; max: number }> = new Map([
  ['int32', { min: -(2 ** 31), max: 2 ** 31 - 1 }],
  ['int64', { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY }],
]);

const DATE = String.raw`\d\d\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])`;
const ZONE = String.raw`(?:[zZ]|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)`;
const TIME = String.raw`\d\d:\d\d:\d\d(?:\.\d+)?`;
/** Regular supersets of the formats that ajv-formats checks with code. */
const SUPERSETS: Record<string, RegExp> = {
  date: new RegExp(`^${DATE}$`),
  time: new RegExp(`^${TIME}${ZONE}$`),
  'iso-time': new RegExp(`^${TIME}${ZONE}?$`),
  'date-time': new RegExp(String.raw`^${DATE}[tT\s]${TIME}${ZONE}$`),
  'iso-date-time': new RegExp(String.raw`^${DATE}[tT\s]${TIME}${ZONE}?$`),
  uri: /^[a-z][a-z0-9+\-.]*:/i,
  regex: /^/,
  byte: /^/,
};
const SAMPLES: Record<string, string[]> = {
  date: ['2020-02-29', '1999-12-31', '0001-01-01'],
  time: ['12:00:00Z', '23:59:59.123+01:00', '00:00:00+0100', '08:30:06+01', '23:59:60Z'],
  'date-time': ['2020-02-29T12:00:00Z', '1999-12-31t23:59:59.5+01:00', '2020-01-01 00:00:00+0100'],
  'iso-time': ['12:00:00', '12:00:00Z'],
  'iso-date-time': ['2020-02-29T12:00:00', '2020-02-29T12:00:00Z'],
  duration: ['P1D', 'PT1H', 'P1Y2M3DT4H5M6S', 'P2W'],
  uri: ['http://example.com/a?b#c', 'urn:a:b', 'a:b', 'https://example.com'],
  'uri-reference': ['a', '/a/b', '', 'http://example.com'],
  'uri-template': ['/a/{b}', 'a', ''],
  url: ['http://example.com', 'https://example.com/a/b', 'ftp://example.org:21/x'],
  email: ['a@b.co', 'first.last@example.com'],
  hostname: ['example.com', 'a', 'a-b.example'],
  ipv4: ['127.0.0.1', '255.255.255.255', '8.8.8.8'],
  ipv6: ['::1', '2001:db8::1', '1:2:3:4:5:6:7:8', '::ffff:127.0.0.1'],
  regex: ['a', '^a+$', '[a-z]', ''],
  uuid: ['00000000-0000-4000-8000-000000000000', 'urn:uuid:123e4567-e89b-12d3-a456-426614174000'],
  'json-pointer': ['', '/a/b', '/~01'],
  'json-pointer-uri-fragment': ['#', '#/a'],
  'relative-json-pointer': ['0', '1/a', '0#'],
  byte: ['', 'YQ==', 'YWJj', 'YWI='],
};

function describe(name: FormatName): StringFormat | undefined {
  const format = fullFormats[name];
  if (format === true || typeof format === 'string') return undefined;
  const check = typeof format === 'object' && 'validate' in format ? format.validate : format;
  if (NUMBER_FORMATS.has(name) || name === 'float' || name === 'double') return undefined;
  const samples = SAMPLES[name] ?? [];
  if (check instanceof RegExp) {
    const regex = new RegExp(check.source, check.flags.replace(/[gy]/g, ''));
    return { test: (text) => regex.test(text), regex, exact: true, samples };
  }
  const test = check as (text: string) => boolean;
  return { test: (text) => test(text) === true, regex: SUPERSETS[name] ?? /^/, exact: false, samples };
}

/** All string formats that ajv-formats checks. */
export const STRING_FORMATS: ReadonlyMap<string, StringFormat> = new Map(
  (Object.keys(fullFormats) as FormatName[]).flatMap((name) => {
    const format = describe(name);
    return format ? [[name as string, format] as const] : [];
  }),
);

/** Which formats are known to accept all that another one accepts, where no regular expression can tell. */
const WIDER: Record<string, readonly string[]> = { time: ['iso-time'], 'date-time': ['iso-date-time'] };

/** Whether every text of format `inner` is known to be of format `outer`. */
export function formatWithin(inner: string, outer: string): boolean {
  return inner === outer || (WIDER[inner]?.includes(outer) ?? false);
}
