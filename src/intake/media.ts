// Which content types and encodings are taken, and what to tell somebody who sent another one.
import { parse } from 'content-type';
import { Problem } from '../errors.ts';
import { decompressors } from './stream.ts';

export type BodyForm = 'ndjson' | 'json' | 'multipart';

const FORMS: Readonly<Record<string, BodyForm>> = {
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/json': 'json',
  'multipart/form-data': 'multipart',
};

/** Characters of a boundary (RFC 2046 section 5.1.1). The parser throws at more than 252. */
const LONGEST_BOUNDARY = 70;

/**
 * The form of a body.
 * @throws {Problem} `unsupported_media_type`, `invalid_multipart`
 */
export function bodyForm(header: string | undefined): BodyForm {
  if (header === undefined) throw unsupported('The request has no Content-Type header', header);
  let media: ReturnType<typeof parse>;
  try {
    media = parse(header);
  } catch {
    throw unsupported('The Content-Type header cannot be read', header);
  }
  const form = Object.hasOwn(FORMS, media.type) ? FORMS[media.type] : undefined;
  if (form === undefined) throw unsupported(`Content-Type ${media.type} is not accepted`, media.type);
  const { charset, boundary = '' } = media.parameters;
  if (form === 'multipart' && (boundary === '' || boundary.length > LONGEST_BOUNDARY)) {
    throw new Problem('invalid_multipart', `The Content-Type needs a boundary of 1 to ${LONGEST_BOUNDARY} characters`);
  }
  if (charset !== undefined && !/^(utf-?8|us-ascii)$/i.test(charset)) {
    throw unsupported(`The charset ${charset} is not accepted, JSON is UTF-8 (RFC 8259)`, header);
  }
  return form;
}

function unsupported(fault: string, type: string | undefined): Problem {
  const accepted = Object.keys(FORMS);
  const hint =
    type === 'application/x-www-form-urlencoded'
      ? " (curl sends this type by default: add -H 'Content-Type: application/x-ndjson')"
      : '';
  return new Problem('unsupported_media_type', `${fault}${hint}; accepted are ${accepted.join(', ')}`, {
    members: { accepted },
  });
}

/**
 * The decompressor for a Content-Encoding header, or null where the body is not compressed.
 * @throws {Problem} `unsupported_encoding`
 */
export function bodyDecompressor(header: string | undefined) {
  const coding = header?.trim().toLowerCase() ?? '';
  if (coding === '' || coding === 'identity') return null;
  const known = decompressors();
  const found = known.get(coding);
  if (found !== undefined) return found;
  const accepted = [...known.keys()];
  throw new Problem(
    'unsupported_encoding',
    `Content-Encoding ${coding} is not accepted; accepted are ${accepted.join(', ')}`,
    {
      members: { accepted },
    },
  );
}
