// A request whose body is one JSON document, small enough for memory.
import type { FastifyRequest } from 'fastify';
import type { Limits } from '../config.ts';
import { Problem } from '../errors.ts';
import { letBodyCome } from './continue.ts';
import { paced, withSizeLimit } from './stream.ts';

/** Bytes of a schema; the largest ones found in the wild have less than a fifth of it. */
const MOST_BYTES = 5 * 1024 * 1024;
const ACCEPTED = ['application/json', 'application/schema+json'];

/**
 * Reads the body.
 * @throws {Problem} `unsupported_media_type`, `unsupported_encoding`, `body_too_large`, `body_timeout`,
 *   `shutting_down`, `incomplete_body`
 */
export async function readDocument({ raw, headers }: FastifyRequest, limits: Limits): Promise<Buffer> {
  const type = (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (!ACCEPTED.includes(type)) {
    const given = type === '' ? 'There is no Content-Type' : `Content-Type ${type} is not accepted`;
    throw new Problem('unsupported_media_type', `${given}; accepted are ${ACCEPTED.join(', ')}`, {
      members: { accepted: ACCEPTED },
    });
  }
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity') {
    throw new Problem(
      'unsupported_encoding',
      `Content-Encoding ${coding} is not accepted: send the document as it is`,
      {
        members: { accepted: ['identity'] },
      },
    );
  }
  letBodyCome(raw);
  const chunks: Buffer[] = [];
  for await (const chunk of withSizeLimit(paced(raw, limits), MOST_BYTES)) chunks.push(chunk);
  if (!raw.complete) throw new Problem('incomplete_body', 'The body ended before its announced end');
  return Buffer.concat(chunks);
}
